"""A tap on the line between a client and the server: bytes pass unchanged, and what they say is written down.

It stands on TCP, below WebSocket, so that a client sees exactly what the server sent: refusals, close codes, back-pressure. With
``tls`` it is also what a reverse proxy is in front of the server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

Event = dict[str, Any]
_CHUNK_BYTES = 1 << 16


@dataclass
class Message:
    """One event as it passed."""

    sender: Literal["client", "server"]
    event: Event
    at_s: float
    """Time of the event loop."""
    frame_bytes: int


@dataclass
class Line:
    """One TCP connection."""

    request: str = ""
    """First line and headers, once they have passed; also for requests that never become a WebSocket."""
    answer: str = ""
    messages: list[Message] = field(default_factory=list)
    close_code: int | None = None
    """The code of the server's close frame."""
    client_close_code: int | None = None
    largest_server_frame: int = 0
    faults: list[str] = field(default_factory=list)
    """What the server must never do, whatever the client did: compressed, binary or broken frames."""

    @property
    def path(self) -> str:
        return self.request.split(" ", 2)[1] if self.request else ""

    def of(self, sender: Literal["client", "server"], kind: str = "") -> list[Event]:
        """What one side sent, in order; all of it or one type."""
        return [
            message.event
            for message in self.messages
            if message.sender == sender and kind in ("", message.event.get("type"))
        ]

    def after(self, kind: str, number: int = 0) -> list[Event]:
        """What the server sent after its (number + 1)th event of this type."""
        events = self.of("server")
        places = [place for place, event in enumerate(events) if event["type"] == kind]
        return events[places[number] + 1 :]

    def at_s(self, kind: str, sender: Literal["client", "server"] = "server", number: int = 0) -> float:
        """When the (number + 1)th event of this type passed."""
        times = [m.at_s for m in self.messages if m.sender == sender and m.event.get("type") == kind]
        return times[number]


class _Side:
    """One direction of a connection: an HTTP head, then frames."""

    def __init__(self, line: Line, sender: Literal["client", "server"], on_message: Callable[[], None]) -> None:
        self._line = line
        self._sender = sender
        self._on_message = on_message
        self._reader = StreamReader()
        self._parser = self._parse()
        next(self._parser)

    def feed(self, data: bytes) -> None:
        self._reader.feed_data(data)
        with suppress(StopIteration):
            next(self._parser)

    def _parse(self) -> Generator[None, None, None]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += yield from self._reader.read_line(m=1 << 16)
        if self._sender == "client":
            self._line.request = head.decode("latin-1")
            if b"upgrade: websocket" not in head.lower():
                return
        else:
            self._line.answer = head.decode("latin-1")
            if not head.startswith(b"HTTP/1.1 101"):
                return
        yield from self._frames()

    def _frames(self) -> Generator[None, None, None]:
        text = b""
        while True:
            frame = yield from Frame.parse(self._reader.read_exact, mask=self._sender == "client", max_size=None)
            if frame.opcode is Opcode.CLOSE:
                self._closed(Close.parse(frame.data).code)
                return
            if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                if self._sender == "server":
                    self._line.largest_server_frame = max(self._line.largest_server_frame, len(frame.data))
                text += frame.data
                if frame.fin:
                    self._said(text)
                    text = b""
            elif frame.opcode is Opcode.BINARY and self._sender == "server":
                self._line.faults.append("a binary frame")

    def _closed(self, code: int) -> None:
        if self._sender == "server":
            self._line.close_code = code
        else:
            self._line.client_close_code = code
        self._on_message()

    def _said(self, text: bytes) -> None:
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:
            event = None
        if isinstance(event, dict):
            at_s = asyncio.get_running_loop().time()
            self._line.messages.append(Message(self._sender, event, at_s, len(text)))
            self._on_message()
        elif self._sender == "server":
            self._line.faults.append("a message that is no JSON object")


class Tap:
    """Listens on a port of its own and passes on to the server's."""

    def __init__(self, server_port: int, tls: ssl.SSLContext | None = None) -> None:
        self.lines: list[Line] = []
        self.port = 0
        self._server_port = server_port
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    @property
    def base_url(self) -> str:
        """For clients that want ``https://host/v1``."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    @property
    def ws_url(self) -> str:
        return f"ws{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1/realtime"

    @property
    def sockets(self) -> list[Line]:
        """The connections that became WebSockets."""
        return [line for line in self.lines if line.answer.startswith("HTTP/1.1 101")]

    @property
    def line(self) -> Line:
        """The only WebSocket there was."""
        (line,) = self.sockets
        return line

    async def until(self, condition: Callable[[], Any], within_s: float = 60.0) -> None:
        """Wait until ``condition`` holds; it is looked at whenever something has passed."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = [f"{m.sender} {m.event.get('type')}" for line in self.lines for m in line.messages][-12:]
            raise AssertionError(f"not in {within_s} s; last: {last}") from None

    async def until_sent(
        self, kind: str, count: int = 1, within_s: float = 60.0, line: Line | None = None
    ) -> list[Event]:
        """Wait until the server has sent so many events of this type (on ``line``, or on all together)."""

        def sent() -> list[Event]:
            return [event for one in ([line] if line else self.lines) for event in one.of("server", kind)]

        await self.until(lambda: len(sent()) >= count, within_s)
        return sent()

    async def cut(self) -> None:
        """Break all connections, as a network does."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line = Line()
        self.lines.append(line)
        ends = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            ends.append(server_writer)
            client, server = _Side(line, "client", self._news.set), _Side(line, "server", self._news.set)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, server_writer, client, line))
                both.create_task(_pass_on(server_reader, writer, server, line))
        except* (OSError, asyncio.CancelledError):
            pass  # either side may end it in any way; that the other side sees it is all that counts
        finally:
            for end in ends:
                end.close()
            self._tasks.discard(task)
            self._news.set()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: _Side, line: Line) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            try:
                side.feed(data)
            except Exception as broken:
                line.faults.append(f"cannot be read: {broken!r}")
            await writer.drain()
    finally:
        if writer.can_write_eof():
            with suppress(OSError):
                writer.write_eof()
        else:
            writer.close()


@asynccontextmanager
async def tapping(server_port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Tap]:
    """A tap while the block runs."""
    tap = Tap(server_port, tls)
    listener = await asyncio.start_server(tap._serve, "127.0.0.1", 0, ssl=tls, limit=_CHUNK_BYTES)
    tap.port = listener.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        listener.close()
        await asyncio.sleep(0)  # who has connected at the last moment gets a handler, which is cut like the others
        await tap.cut()
        await asyncio.sleep(0)  # the transports close in the next round
