"""What the fake servers of all vendors' voices share: TLS on this machine, speech made of text, and misbehaviour on command."""

from __future__ import annotations

import asyncio
import http
import json
import ssl
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Literal, Self

import numpy as np
import trustme
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from antiphon.audio import codec
from antiphon.providers.scripted_hum import endless, hum
from antiphon.vocabulary import AudioFormat, Encoding

KEY = "key-of-the-tests"
MS_PER_CHARACTER = 60

Fault = Literal[
    "", "401", "404", "429", "503", "stall", "stall midway", "cut", "silence", "garbage", "wrong context", "error", "not base64"
]  # fmt: skip


def speech(text: str, audio: AudioFormat, speed: float = 1.0, *, silent: bool = False, at: int = 0) -> bytes:
    """How the fakes speak: so many milliseconds of a hum for each character. ``at``: characters spoken before."""
    ms = MS_PER_CHARACTER / speed
    start, end = audio.bytes_for_ms(at * ms), audio.bytes_for_ms((at + len(text)) * ms)
    if silent:
        return codec.encode(np.zeros((end - start) // audio.bytes_per_sample, np.int16), audio.encoding)
    return endless(hum(audio), start, end)


class FakeVoiceServer:
    """One vendor. ``fault`` says how it misbehaves from now on; ``received`` is every JSON message it was sent."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self.fault: Fault = ""
        self.retry_after = ""
        self.received: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.sent: list[dict[str, Any]] = []
        self.connections: set[ServerConnection] = set()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._server: Server | None = None

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"localhost:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, ssl=self._context, process_request=self._admit, compression=None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
        await self._server.wait_closed()

    @abstractmethod
    async def converse(self, connection: ServerConnection) -> None:
        """One connection."""

    @abstractmethod
    def key_of(self, request: Request) -> str:
        """The credential that a request carries."""

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        fault = self.fault if self.fault in ("401", "404", "429", "503") else ""
        if not fault and self.key_of(request) != KEY:
            fault = "401"
        if not fault:
            return None
        status = http.HTTPStatus(int(fault))
        headers = Headers({"Retry-After": self.retry_after} if self.retry_after else {})
        headers["Content-Length"] = "0"
        return Response(status.value, status.phrase, headers, b"")

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        try:
            await self.converse(connection)
        except (ConnectionClosed, ConnectionError):
            pass
        finally:
            self.connections.discard(connection)

    async def messages(self, connection: ServerConnection) -> AsyncIterator[dict[str, Any]]:
        async for message in connection:
            read = json.loads(message)
            self.received.append(read)
            yield read

    async def send(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        self.sent.append(message)
        await connection.send(json.dumps(message))

    async def misbehave(self, connection: ServerConnection, said: int) -> bool:
        """Called before each piece of audio, of which there were ``said``; whether it is not to be sent."""
        if self.fault == "stall" or (self.fault == "stall midway" and said >= 2):
            await asyncio.Event().wait()
        if self.fault == "cut" and said >= 2:
            connection.transport.abort()
            return True
        if self.fault == "garbage":
            await connection.send("{this is not JSON")
            return True
        return False

    def sound(self, text: str, audio: AudioFormat, speed: float = 1.0, at: int = 0) -> bytes:
        return speech(text, audio, speed, silent=self.fault == "silence", at=at)


def format_named(name: str) -> AudioFormat:
    """``ulaw_8000``, ``pcm_24000`` …"""
    encoding, _, rate = name.partition("_")
    encodings = {"ulaw": Encoding.MULAW, "alaw": Encoding.ALAW, "pcm": Encoding.PCM16}
    return AudioFormat(encodings[encoding], int(rate))
