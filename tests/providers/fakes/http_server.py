"""What the fake vendors have in common: HTTP/1.1 over a real TLS socket, chunked answers, and misbehaviour on command."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from antiphon.bench.vendors.messages import sse as sse

Fault = Literal[
    "wrong key", "rate limit", "long rate limit", "no credit", "no model", "trouble", "drop", "stall", "stall amid", "cut", "cut clean",
    "garbage", "error amid", "endless line",
]  # fmt: skip
KEY = "sk-secret-of-the-tests"
MODEL = "model-of-the-tests"


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any]
    id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """What the model says: pieces of text, then tool calls."""

    pieces: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    stop: Literal["end", "length", "filter"] = "end"
    read: int = 120
    cached: int = 100
    written: int = 7


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)


class FakeVendor:
    """One vendor. ``replies`` are given in turn, the last one again and again; each of ``faults`` spoils one request."""

    prefix: ClassVar[str] = ""
    """What the vendor's base URL ends with."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque([Reply(("Hel", "lo."))])
        self.faults: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.refused: list[str] = []
        """Requests that the real vendor would refuse, and why."""
        self.connections = 0
        self.hung_up = asyncio.Event()
        """A client has closed its connection amid an answer."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    # ------------------------------------------------------------------------------------ each vendor's own

    def refusal(self, request: Request) -> tuple[int, bytes] | None:
        """Status and body where the vendor would not answer this request."""
        raise NotImplementedError

    def error(self, status: int, fault: Fault) -> bytes:
        raise NotImplementedError

    def events(self, reply: Reply) -> list[bytes]:
        """The answer, event by event."""
        raise NotImplementedError

    def error_event(self) -> bytes:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------ life

    async def start(self, context: ssl.SSLContext) -> str:
        """The base URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        port = self._server.sockets[0].getsockname()[1]
        return f"https://127.0.0.1:{port}{self.prefix}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------ the wire

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        if method != "POST":
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return True
        request = Request(path.removeprefix(self.prefix), headers, json.loads(content))
        self.requests.append(request)
        fault = self.faults.popleft() if self.faults else None
        return await self._answer(request, fault, reader, writer)

    async def _answer(
        self, request: Request, fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        statuses: dict[str, int] = {"wrong key": 401, "rate limit": 429, "long rate limit": 429, "no credit": 429, "no model": 404,
                                    "trouble": 503}  # fmt: skip
        if fault in statuses:
            wait = {"rate limit": "retry-after: 0\r\n", "long rate limit": "retry-after: 30\r\n"}.get(fault, "")
            return self._refuse(writer, statuses[fault], self.error(statuses[fault], fault), wait)
        if fault == "drop":
            return False
        if fault == "stall":
            return await self._wait(reader)
        refusal = self.refusal(request)
        if refusal is not None:
            self.refused.append(refusal[1].decode())
            return self._refuse(writer, *refusal)
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        events = self.events(reply)
        if fault is not None:
            return await self._spoil(fault, events, reader, writer)
        for event in events:
            # In two pieces, so that no reader gets away with taking chunks for events.
            middle = len(event) // 2
            for piece in (event[:middle], event[middle:]):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    async def _spoil(
        self, fault: Fault, events: Iterable[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        def send(piece: bytes) -> None:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))

        beginning = b"".join(self.until_words(events))
        if fault == "garbage":
            send(b"data: {this is no JSON\n\n")
        elif fault == "endless line":
            send(b"data: " + b"x" * 2_000_000)
        else:
            send(beginning)
        if fault == "error amid":
            send(self.error_event())
        await writer.drain()
        if fault == "stall amid":
            return await self._wait(reader)
        if fault != "cut":
            writer.write(b"0\r\n\r\n")
            return True
        await writer.drain()
        return False

    def until_words(self, events: Iterable[bytes]) -> list[bytes]:
        """The beginning of an answer, its first words included."""
        found: list[bytes] = []
        for event in events:
            found.append(event)
            if b"Hel" in event:
                break
        return found

    async def _wait(self, reader: asyncio.StreamReader) -> bool:
        try:
            gone = not await reader.read(1)
        except (ConnectionError, ssl.SSLError):
            gone = True
        if gone:
            self.hung_up.set()
        return False

    @staticmethod
    def _refuse(writer: asyncio.StreamWriter, status: int, body: bytes, more: str = "") -> bool:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return True


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]
