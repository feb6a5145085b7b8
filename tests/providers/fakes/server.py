"""What all fake vendors share: a real TLS WebSocket server, sessions that hear, and misbehaviour on command.

A fake is written from its vendor's documentation (each file names the pages) and proven by the vendor's own SDK in a test.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import trustme
from tests.providers.fakes.speech import Heard, recognise
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from antiphon.vocabulary import TELEPHONE, AudioFormat

KEY = "fake-key-0123456789"
Fault = Literal[
    "refuse", "close_at_once", "never_ready", "mute", "drop_after_words", "end_after_words", "garbage", "late_finals", "no_finals"
]  # fmt: skip


@dataclass
class Faults:
    """What the next connections do wrong, one entry each (None: nothing); with none left they are well."""

    refuse_status: int = 401
    refuse_body: str = ""
    drop_after_words: int = 2
    late_s: float = 0.3
    refuse_headers: dict[str, str] = field(default_factory=dict)
    last_words: dict[str, Any] | None = None
    """What the vendor says before it ends a session by itself (``end_after_words``) …"""
    closes_with: tuple[int, str] = (1000, "")
    """… and how it closes it."""
    queue: deque[Fault | None] = field(default_factory=deque)

    def add(self, *faults: Fault | None) -> None:
        self.queue.extend(faults)


class Session:
    """One connection. A vendor's subclass speaks its protocol."""

    def __init__(self, vendor: FakeVendor, socket: ServerConnection, fault: Fault | None) -> None:
        assert socket.request is not None
        self.vendor, self.socket, self.fault = vendor, socket, fault
        self.query = parse_qs(urlsplit(socket.request.path).query)
        self.headers = socket.request.headers
        self.audio = bytearray()
        self.format: AudioFormat = TELEPHONE
        self.texts: list[dict[str, Any]] = []
        self.told_words = 0

    async def run(self) -> None:
        """Serve until the client goes."""
        if self.fault == "close_at_once":
            await self.socket.close(1011, "try again")
            return
        if self.fault == "garbage":
            await self.socket.send("{not json")
            await self.socket.send(b"\x00\x01")
            await self.socket.send('{"type":"Unheard.Of","value":[1,2]}')
            await self.socket.send("[]")
        if self.fault != "never_ready":
            await self.greet()
        async for message in self.socket:
            if self.fault == "mute":
                continue
            if isinstance(message, bytes):
                await self.hear(message)
            else:
                self.texts.append(json.loads(message))
                await self.told(self.texts[-1])

    async def hear(self, piece: bytes) -> None:
        self.audio += piece
        self.vendor.pieces.append(len(piece))
        if self.fault == "drop_after_words" and len(self.words()) >= self.vendor.faults.drop_after_words:
            self.socket.transport.abort()
            return
        if self.fault == "end_after_words" and len(self.words()) >= self.vendor.faults.drop_after_words:
            await self._end_session()
            return
        await self.progress()

    async def _end_session(self) -> None:
        self.fault = "mute"
        if (last := self.vendor.faults.last_words) is not None:
            await self.socket.send(json.dumps(last))
        await self.socket.close(*self.vendor.faults.closes_with)

    def words(self) -> list[Heard]:
        """All words in the audio so far."""
        return recognise(bytes(self.audio), self.format)

    @property
    def heard_ms(self) -> float:
        return self.format.ms_of(len(self.audio))

    async def send(self, message: dict[str, Any], *, final: bool = False) -> None:
        if final and self.fault == "no_finals":
            return
        if final and self.fault == "late_finals":
            await asyncio.sleep(self.vendor.faults.late_s)
        await self.socket.send(json.dumps(message))

    async def greet(self) -> None:
        """What the vendor says first, where it does."""

    async def told(self, message: dict[str, Any]) -> None:
        """A text message."""

    async def progress(self) -> None:
        """More audio was heard: interim words."""


class FakeVendor:
    """A vendor's server on 127.0.0.1. ``async with`` starts and ends it."""

    session_class: type[Session] = Session

    def __init__(self) -> None:
        self.faults = Faults()
        self.sessions: list[Session] = []
        self.pieces: list[int] = []
        """Sizes of all pieces of audio."""
        self.requests: list[Request] = []
        self.authority = trustme.CA()
        self._server: Server | None = None
        self._next_fault: Fault | None = None

    def authorised(self, request: Request) -> bool:
        return request.headers.get("Authorization", "") in (f"Token {KEY}", f"Bearer {KEY}")

    async def __aenter__(self) -> FakeVendor:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._server = await serve(
            self._serve, "127.0.0.1", 0, ssl=context, process_request=self._admit, max_size=None, ping_interval=None,
            compression=None, close_timeout=0.2,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}"

    def trust(self, folder: Path) -> str:
        """The authority's certificate as a file."""
        path = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return str(path)

    async def until(self, holds: Callable[[], bool], patience_s: float = 20.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(patience_s):
            while not holds():  # noqa: ASYNC110 — what is waited for is another's
                await asyncio.sleep(0.005)

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        fault = self.faults.queue.popleft() if self.faults.queue else None
        if fault == "refuse":
            response = socket.respond(http.HTTPStatus(self.faults.refuse_status), self.faults.refuse_body)
            response.headers.update(self.faults.refuse_headers)
            return response
        if not self.authorised(request):
            return socket.respond(http.HTTPStatus.UNAUTHORIZED, "Invalid credentials.")
        if (problem := self.unfit(request)) is not None:
            return socket.respond(http.HTTPStatus.BAD_REQUEST, problem)
        self._next_fault = fault
        return None

    def unfit(self, request: Request) -> str | None:
        """What is wrong with the address of a request; None for nothing."""
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        fault, self._next_fault = self._next_fault, None
        session = self.session_class(self, socket, fault)
        self.sessions.append(session)
        with contextlib.suppress(ConnectionClosed):
            await session.run()
