"""The server's end of one engine process's socket, and the streams (calls) that share it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import structlog

from antiphon.errors import MalformedMessage
from antiphon.processes import Process
from antiphon.providers.worker_frames import Frame, FrameReader, encode
from antiphon.providers.worker_queue import OnSent, TurnQueue
from antiphon.providers.worker_start import start_process

MAX_UNSENT_BYTES = 1024 * 1024
"""What may wait in the socket's buffer for the process to read, at least."""
MAX_UNSENT_BYTES_PER_STREAM = 64 * 1024
"""The more calls share a process, the more may wait: eight seconds of a telephone's speech for each, so that a moment's standstill does
not fail the utterances of all of them."""
MAX_EARLY_BYTES = 2 * 1024 * 1024
"""What one stream may say before it has a process."""
_TURN = {"turn": True}
GONE = "its worker process ended"

OnFrame = Callable[[Frame], None]
OnLost = Callable[[str], None]

log = structlog.get_logger(__name__)


class WorkerStream:
    """One call's conversation with one process. Made by ``WorkerPool.open``; until a process is up, what is sent is kept for it."""

    def __init__(self, on_frame: OnFrame, on_lost: OnLost) -> None:
        self._connection: Connection | None = None
        self._number = 0
        self._over = False
        self._early: list[tuple[Callable[..., bool], tuple[Any, ...]]] = []
        self._early_bytes = 0
        self._queued_early = False
        self._on_frame = on_frame
        self._on_lost = on_lost

    @property
    def over(self) -> bool:
        """Closed, or lost."""
        return self._over

    def send(self, kind: str, fields: Mapping[str, Any] | None = None, payload: bytes = b"") -> bool:
        """False where it was refused: the process is lost or reads too slowly. Behind what was queued, it waits its turn."""
        if self._over:
            return False
        if self._connection is None:
            return self._keep(self.send, kind, fields, payload)
        return self._connection.send(Frame(self._number, kind, fields or {}, payload))

    def queue(
        self,
        kind: str,
        fields: Mapping[str, Any] | None = None,
        payload: bytes = b"",
        on_sent: OnSent | None = None,
    ) -> bool:
        """As ``send``, for what need not be done at once: it is handed to the process when that has done the piece before, and other
        streams' pieces are done in between. ``on_sent`` is told when it was handed over. False where too much waits already."""
        if self._over:
            return False
        if self._connection is None:
            self._queued_early = True
            return self._keep(self.queue, kind, fields, payload, on_sent)
        return self._connection.queue(Frame(self._number, kind, fields or {}, payload), on_sent)

    @property
    def behind(self) -> bool:
        """Whether something queued has not been handed over yet."""
        if self._connection is None:
            return self._queued_early
        return self._connection.turns.holds(self._number)

    def close(self) -> None:
        """Tell the process to forget this stream; nothing is delivered after this. Safe to call twice."""
        self._over = True
        self._early.clear()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.forget(self._number)

    # For the pool and the connection.

    def join(self, connection: Connection, number: int) -> None:
        """A process is there."""
        self._connection, self._number = connection, number
        early, self._early = self._early, []
        for send, given in early:
            if self._over:
                return
            if not send(*given):
                self.close()
                self._on_lost("its worker process is too far behind")
                return

    def deliver(self, frame: Frame) -> None:
        """A frame has come."""
        if not self._over:
            self._on_frame(frame)

    def lose(self, problem: str) -> None:
        """The process is gone, or none came."""
        if not self._over:
            self._over = True
            self._connection = None
            self._early.clear()
            self._on_lost(problem)

    def _keep(self, send: Callable[..., bool], *given: Any) -> bool:
        self._early_bytes += len(given[2])
        if self._early_bytes > MAX_EARLY_BYTES:
            return False
        self._early.append((send, given))
        return True


class Connection(asyncio.Protocol):
    """One process from its start to its end."""

    def __init__(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        self.streams: dict[int, WorkerStream] = {}
        self.turns = TurnQueue()
        self.ready: asyncio.Future[str] = loop.create_future()
        """What keeps the engine from running; empty where nothing does."""
        self.lost: asyncio.Future[None] = loop.create_future()
        self.answered = False
        """Set by whatever comes from the process."""
        self.warm = False
        """Whether the engine has loaded all it loads beforehand."""
        self.useful = False
        """Whether any call has had something of it."""
        self._process = process
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._opened = 0
        self._turn_out = False

    def open(self, stream: WorkerStream) -> None:
        self._opened += 1
        self.streams[self._opened] = stream
        stream.join(self, self._opened)

    def send(self, frame: Frame) -> bool:
        if self.turns.holds(frame.stream):
            return self.queue(frame)
        transport = self._transport
        if transport is None:
            return False
        unsent = transport.get_write_buffer_size()
        if unsent > MAX_UNSENT_BYTES and unsent > MAX_UNSENT_BYTES_PER_STREAM * len(self.streams):
            return False
        transport.write(encode(frame))
        return True

    def queue(self, frame: Frame, on_sent: OnSent | None = None) -> bool:
        if self._transport is None or not self.turns.put(frame, on_sent):
            return False
        self._next_turn()
        return True

    def forget(self, stream: int) -> None:
        self.turns.forget(stream)
        # Sent whatever the buffer holds: a stream nobody listens to must not go on working. It is small and comes once.
        if self.streams.pop(stream, None) is not None and self._transport is not None:
            self._transport.write(encode(Frame(stream, "close")))

    async def end(self, within_s: float) -> None:
        """Close the socket; give the process ``within_s`` to see it; kill it otherwise. Safe to call twice."""
        if self._transport is not None:
            self._transport.abort()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self.lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio.Transport, though they do all of it.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.answered = True
        try:
            for frame in self._reader.feed(data):
                self._receive(frame)
        except MalformedMessage as broken:
            log.error("worker_protocol_broken", kind=broken.kind)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.ready.done():
            self.ready.set_result(GONE)
        self.lost.set_result(None)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.lose(GONE)

    def _receive(self, frame: Frame) -> None:
        if frame.stream:
            self.useful = True
            stream = self.streams.get(frame.stream)
            if stream is not None:  # else closed here while the answer was on its way
                stream.deliver(frame)
        elif frame.kind in ("ready", "unavailable") and not self.ready.done():
            self.ready.set_result(frame.fields.get("problem", ""))
        elif frame.kind == "warm":
            self.warm = True
        elif frame.kind == "pong" and "turn" in frame.fields:
            self._turn_out = False
            self._next_turn()

    def _next_turn(self) -> None:
        """Hand over one piece that waits, unless one is being worked on: live speech comes at most behind that one."""
        if self._turn_out or self._transport is None:
            return
        turn = self.turns.take()
        if turn is None:
            return
        frame, on_sent = turn
        self._turn_out = True
        self._transport.write(encode(frame) + encode(Frame(0, "ping", _TURN)))
        if on_sent is not None:
            on_sent()


async def connect(engine: str, options: str) -> Connection:
    """Start a process and join it. Raises OSError, leaving nothing behind."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process: Process | None = None
    try:
        process = await start_process(theirs, engine, options)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(partial(Connection, process), sock=ours)
    except BaseException:
        ours.close()
        if process is not None:
            process.kill()
            await process.wait()
        raise
    finally:
        theirs.close()
    return connection
