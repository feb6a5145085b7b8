"""A pool of worker processes for engines that decode or synthesise on this machine.

Local engines would stall the beat and hold the interpreter's lock, some print, one is GPL and any may crash: so each runs
in processes of its own, behind a socket pair that the event loop reads like any other connection. Many streams (calls) share
a process. What is promised:

- Nothing here blocks or awaits while a call is live: ``WorkerStream.send`` writes or refuses.
- Everything is bounded. Where too much waits for one process to read, further frames are *refused* (``send`` returns False) and
  the caller fails its utterance; nothing is dropped silently. What is faster than speech is *queued* and done in turns.
- A process that dies, breaks the protocol or stops giving signs of life loses its streams, each of which is told once; it is killed and
  started again: at once where it had been of use, with a growing delay (0.1 s … 30 s) where it dies again and again at its start.
- A stream opened while the process is still starting waits for it. Where it cannot be expected soon, ``open`` raises.
- ``close`` ends the processes by closing their socket and kills after 2 s. A process whose server died is killed by the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from antiphon.errors import ProviderUnavailable
from antiphon.providers.worker_connection import (
    MAX_UNSENT_BYTES,
    Connection,
    OnFrame,
    OnLost,
    WorkerStream,
    connect,
)
from antiphon.providers.worker_frames import Frame

__all__ = ["MAX_UNSENT_BYTES", "OnFrame", "OnLost", "PoolHealth", "WorkerPool", "WorkerStream"]

READY_TIMEOUT_S = 60.0
"""From the start of a process until it says what it can do, and from there until it has loaded everything."""
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0
SOON_S = 1.0
"""A process that is started again within this is worth waiting for."""
WAIT_S = 8.0
"""How long a stream waits for a process. What it is for fails earlier: callers' patience ends before."""
_NOT_RUNNING = "its worker process is not running"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """What can be told of an engine's processes."""

    processes: int
    up: int
    """Of them, how many are ready."""
    restarts: int
    """Processes that were started in place of one that was lost, or tried to."""


class WorkerPool:
    """``processes`` processes, each running ``engine`` (``package.module:Class``, built with ``options``)."""

    def __init__(
        self,
        name: str,
        engine: str,
        options: Mapping[str, Any] | None = None,
        *,
        processes: int = 1,
        ping_every_s: float | None = None,
        hung_after_s: float = 20.0,
        close_within_s: float = 2.0,
    ) -> None:
        """``name`` is the provider's registry name, for errors and logs. A process that gives no sign of life for ``hung_after_s`` while it
        has something to do is killed: choose it longer than the longest piece of work that one frame can be, on a busy machine."""
        self._name = name
        limits = _Limits(ping_every_s or min(1.0, hung_after_s / 4), hung_after_s, close_within_s)
        encoded = orjson.dumps(dict(options or {})).decode()
        self._workers = [_Worker(name, engine, encoded, limits, self._came, self._failed) for _ in range(processes)]
        self._waiting: dict[WorkerStream, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def health(self) -> PoolHealth:
        up = sum(worker.alive is not None for worker in self._workers)
        return PoolHealth(len(self._workers), up, sum(worker.restarts for worker in self._workers))

    async def start(self) -> None:
        """Start every process and wait until each is ready. Raises ProviderUnavailable, with none left running."""
        self._closed = False
        outcomes = await asyncio.gather(*(worker.start() for worker in self._workers), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    def open(self, on_frame: OnFrame, on_lost: OnLost) -> WorkerStream:
        """A stream on the process that has the fewest, or on the next one that is up. Raises ProviderUnavailable where none is expected
        soon."""
        stream = WorkerStream(on_frame, on_lost)
        alive = [live for worker in self._workers if (live := worker.alive) is not None]
        if alive:
            min(alive, key=lambda connection: len(connection.streams)).open(stream)
            return stream
        if self._closed or not any(worker.expected for worker in self._workers):
            raise ProviderUnavailable(self._name, self._workers[0].problem or _NOT_RUNNING)
        loop = asyncio.get_running_loop()
        self._waiting[stream] = loop.call_later(WAIT_S, self._give_up, stream)
        return stream

    async def close(self) -> None:
        """End every process. Streams still open are told that they are lost. Safe to call twice."""
        self._closed = True
        self._lose_waiting(_NOT_RUNNING)
        await asyncio.gather(*(worker.close() for worker in self._workers))

    def _came(self, connection: Connection) -> None:
        """A process is up: whoever waits shares it."""
        waiting, self._waiting = self._waiting, {}
        for stream, timer in waiting.items():
            timer.cancel()
            if not stream.over:
                connection.open(stream)

    def _failed(self, problem: str) -> None:
        """A process did not come up."""
        if not any(worker.expected for worker in self._workers):
            self._lose_waiting(problem)

    def _give_up(self, stream: WorkerStream) -> None:
        del self._waiting[stream]
        stream.lose(_NOT_RUNNING)

    def _lose_waiting(self, problem: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for stream, timer in waiting.items():
            timer.cancel()
            stream.lose(problem)


@dataclass(frozen=True, slots=True)
class _Limits:
    ping_every_s: float
    hung_after_s: float
    close_within_s: float


class _Worker:
    """One process, started again whenever it ends before ``close``."""

    def __init__(
        self,
        name: str,
        engine: str,
        options: str,
        limits: _Limits,
        on_up: Callable[[Connection], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self.connection: Connection | None = None
        """None while no process is ready."""
        self.expected = True
        """Whether a process is up, or will be in a moment."""
        self.problem = ""
        """Why the last one did not come up."""
        self.restarts = 0
        self._name = name
        self._engine = engine
        self._options = options
        self._limits = limits
        self._on_up = on_up
        self._on_failed = on_failed
        self._supervision: asyncio.Task[None] | None = None

    @property
    def alive(self) -> Connection | None:
        live = self.connection
        return live if live is not None and not live.lost.done() else None

    async def start(self) -> None:
        self.expected = True
        live = await self._spawn()
        self._supervision = asyncio.create_task(self._supervise(live), name=f"worker-{self._name}")

    async def close(self) -> None:
        self.expected = False
        if self._supervision is None:
            return
        self._supervision.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._supervision
        self._supervision = None
        if self.connection is not None:  # the supervision was cancelled before its first step, or while ending it
            connection, self.connection = self.connection, None
            await connection.end(self._limits.close_within_s)

    async def _supervise(self, live: Connection | None) -> None:
        loop = asyncio.get_running_loop()
        delay_s = FIRST_DELAY_S
        while True:
            if live is not None:
                born_s = loop.time()
                hung = False
                try:
                    hung = await self._watch(live)
                finally:
                    # Until it has ended it stays where ``close`` finds it, should we be cancelled here.
                    await live.end(0 if hung else self._limits.close_within_s)
                    self.connection = None
                if live.useful or loop.time() - born_s >= HEALTHY_AFTER_S:
                    delay_s = FIRST_DELAY_S
            self.restarts += 1
            self.expected = delay_s <= SOON_S
            if not self.expected:
                self._on_failed(self.problem or _NOT_RUNNING)
            log.warning("worker_restarting", provider=self._name, delay_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            try:
                live = await self._spawn()
            except (ProviderUnavailable, OSError):
                live = None

    async def _watch(self, live: Connection) -> bool:
        """Until the connection is lost (False), or the engine hangs (True). Pings tell one that hangs from one that has nothing to say.

        Unanswered pings are counted, not seconds: when it was our own loop that stood still, that is one ping.
        """
        limits = self._limits
        unanswered = 0
        while not live.lost.done():
            live.answered = False
            live.send(Frame(0, "ping"))
            await asyncio.wait((live.lost,), timeout=limits.ping_every_s)
            unanswered = 0 if live.answered else unanswered + 1
            patience_s = limits.hung_after_s if live.warm else max(limits.hung_after_s, READY_TIMEOUT_S)
            if unanswered * limits.ping_every_s >= patience_s:
                log.error("worker_hung", provider=self._name)
                return True
        return False

    async def _spawn(self) -> Connection:
        """Start a process and wait until its engine is ready. Raises ProviderUnavailable, leaving nothing behind."""
        try:
            connection = await self._ready_process()
        except ProviderUnavailable as unavailable:
            self.problem = unavailable.problem
            raise
        self.problem = ""
        self.expected = True
        self.connection = connection
        self._on_up(connection)
        return connection

    async def _ready_process(self) -> Connection:
        connection = await connect(self._engine, self._options)
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
        return connection
