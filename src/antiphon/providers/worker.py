"""A pool of worker processes for engines that decode or synthesise on this machine.

Local engines would stall the beat and hold the interpreter's lock, some print, one is GPL and any may crash: so each runs
in processes of its own, behind a socket pair that the event loop reads like any other connection. Many streams (calls) share
a process. What is promised:

- Nothing here blocks or awaits while a call is live: ``WorkerStream.send`` writes or refuses.
- Everything is bounded. While ``MAX_UNSENT_BYTES`` wait for one process to read, further frames are *refused* (``send``
  returns False) and the caller fails its utterance; nothing is dropped silently.
- A process that dies, breaks the protocol or stops answering pings loses its streams, each of which is told once; it is started
  again with a growing delay (0.1 s … 30 s, from the start again after a minute of health).
- ``close`` ends the processes by closing their socket and kills after 2 s. A process whose server died sees the same end of file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import orjson
import structlog

from antiphon.errors import MalformedMessage, ProviderUnavailable
from antiphon.providers.worker_frames import Frame, FrameReader, encode

MAX_UNSENT_BYTES = 1024 * 1024
READY_TIMEOUT_S = 20.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One process is one core: threads of numpy's own would wait for each other on products of a few thousand numbers."""

OnFrame = Callable[[Frame], None]
OnLost = Callable[[str], None]

log = structlog.get_logger(__name__)


class WorkerStream:
    """One call's conversation with one process. Made by ``WorkerPool.open``."""

    def __init__(self, connection: _Connection, number: int, on_frame: OnFrame, on_lost: OnLost) -> None:
        self._connection: _Connection | None = connection
        self._number = number
        self._on_frame = on_frame
        self._on_lost = on_lost

    def send(self, kind: str, fields: Mapping[str, Any] | None = None, payload: bytes = b"") -> bool:
        """False where it was refused: the process is lost or reads too slowly."""
        if self._connection is None:
            return False
        return self._connection.send(Frame(self._number, kind, fields or {}, payload))

    def close(self) -> None:
        """Tell the process to forget this stream; nothing is delivered after this. Safe to call twice."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.forget(self._number)

    def deliver(self, frame: Frame) -> None:
        """For the connection: a frame has come."""
        if self._connection is not None:
            self._on_frame(frame)

    def lose(self, problem: str) -> None:
        """For the connection: the process is gone."""
        if self._connection is not None:
            self._connection = None
            self._on_lost(problem)


class WorkerPool:
    """``processes`` processes, each running ``engine`` (``package.module:Class``, built with ``options``)."""

    def __init__(
        self,
        name: str,
        engine: str,
        options: Mapping[str, Any] | None = None,
        *,
        processes: int = 1,
        ping_every_s: float = 5.0,
        hung_after_s: float = 20.0,
        close_within_s: float = 2.0,
    ) -> None:
        """``name`` is the provider's registry name, for errors and logs."""
        self._name = name
        limits = _Limits(ping_every_s, hung_after_s, close_within_s)
        encoded = orjson.dumps(dict(options or {})).decode()
        self._workers = [_Worker(name, engine, encoded, limits) for _ in range(processes)]

    async def start(self) -> None:
        """Start every process and wait until each is ready. Raises ProviderUnavailable, with none left running."""
        outcomes = await asyncio.gather(*(worker.start() for worker in self._workers), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    def open(self, on_frame: OnFrame, on_lost: OnLost) -> WorkerStream:
        """A stream on the process that has the fewest. Raises ProviderUnavailable while none is up."""
        alive = [live for worker in self._workers if (live := worker.connection) is not None and not live.lost.done()]
        if not alive:
            raise ProviderUnavailable(self._name, "its worker process is not running")
        return min(alive, key=lambda connection: len(connection.streams)).open(on_frame, on_lost)

    async def close(self) -> None:
        """End every process. Streams still open are told that they are lost. Safe to call twice."""
        await asyncio.gather(*(worker.close() for worker in self._workers))


@dataclass(frozen=True, slots=True)
class _Limits:
    ping_every_s: float
    hung_after_s: float
    close_within_s: float


class _Worker:
    """One process, started again whenever it ends before ``close``."""

    def __init__(self, name: str, engine: str, options: str, limits: _Limits) -> None:
        self.connection: _Connection | None = None
        """None while no process is ready."""
        self._name = name
        self._engine = engine
        self._options = options
        self._limits = limits
        self._supervision: asyncio.Task[None] | None = None

    async def start(self) -> None:
        live = await self._spawn()
        self._supervision = asyncio.create_task(self._supervise(live), name=f"worker-{self._name}")

    async def close(self) -> None:
        if self._supervision is None:
            return
        self._supervision.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._supervision
        self._supervision = None
        if self.connection is not None:  # the supervision was cancelled before its first step, or while ending it
            connection, self.connection = self.connection, None
            await connection.end(self._limits.close_within_s)

    async def _supervise(self, live: _Connection | None) -> None:
        loop = asyncio.get_running_loop()
        delay_s = FIRST_DELAY_S
        while True:
            if live is not None:
                born_s = loop.time()
                try:
                    await self._watch(live)
                finally:
                    # Until it has ended it stays where ``close`` finds it, should we be cancelled here.
                    await live.end(self._limits.close_within_s)
                    self.connection = None
                if loop.time() - born_s >= HEALTHY_AFTER_S:
                    delay_s = FIRST_DELAY_S
            log.warning("worker_restarting", provider=self._name, delay_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            try:
                live = await self._spawn()
            except (ProviderUnavailable, OSError):
                live = None

    async def _watch(self, live: _Connection) -> None:
        """Until the connection is lost. Pings tell an engine that hangs from one that has nothing to say.

        Unanswered pings are counted, not seconds: when it was our own loop that stood still, that is one ping.
        """
        limits = self._limits
        unanswered = 0
        while not live.lost.done() and unanswered * limits.ping_every_s < limits.hung_after_s:
            live.answered = False
            live.send(Frame(0, "ping"))
            await asyncio.wait((live.lost,), timeout=limits.ping_every_s)
            unanswered = 0 if live.answered else unanswered + 1
        if not live.lost.done():
            log.error("worker_hung", provider=self._name)

    async def _spawn(self) -> _Connection:
        """Start a process and wait until its engine is ready. Raises ProviderUnavailable, leaving nothing behind."""
        connection = await _connect(self._engine, self._options)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                problem = await connection.ready
        except TimeoutError:
            problem = f"its worker process was not ready within {READY_TIMEOUT_S:.0f} s"
        except BaseException:
            await connection.end(self._limits.close_within_s)
            raise
        if problem:
            await connection.end(self._limits.close_within_s)
            raise ProviderUnavailable(self._name, problem)
        self.connection = connection
        return connection


async def _connect(engine: str, options: str) -> _Connection:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process: asyncio.subprocess.Process | None = None
    try:
        process = await asyncio.create_subprocess_exec(
            # -P: an engine's process must not import what happens to lie in the working directory.
            *(sys.executable, "-P", "-m", "antiphon.providers.worker_process", str(theirs.fileno()), engine, options),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
        )
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(partial(_Connection, process), sock=ours)
    except BaseException:
        ours.close()
        if process is not None:
            process.kill()
            await process.wait()
        raise
    finally:
        theirs.close()
    return connection


class _Connection(asyncio.Protocol):
    """The server's end of one process's socket, and the streams on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        self.streams: dict[int, WorkerStream] = {}
        self.ready: asyncio.Future[str] = loop.create_future()
        """What keeps the engine from running; empty where nothing does."""
        self.lost: asyncio.Future[None] = loop.create_future()
        self.answered = False
        """Set by whatever comes from the process."""
        self._process = process
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._opened = 0

    def open(self, on_frame: OnFrame, on_lost: OnLost) -> WorkerStream:
        self._opened += 1
        stream = WorkerStream(self, self._opened, on_frame, on_lost)
        self.streams[self._opened] = stream
        return stream

    def send(self, frame: Frame) -> bool:
        transport = self._transport
        if transport is None or transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return False
        transport.write(encode(frame))
        return True

    def forget(self, stream: int) -> None:
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
        problem = "its worker process ended"
        if not self.ready.done():
            self.ready.set_result(problem)
        self.lost.set_result(None)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.lose(problem)

    def _receive(self, frame: Frame) -> None:
        if frame.stream:
            stream = self.streams.get(frame.stream)
            if stream is not None:  # else closed here while the answer was on its way
                stream.deliver(frame)
        elif frame.kind in ("ready", "unavailable") and not self.ready.done():
            self.ready.set_result(frame.fields.get("problem", ""))
