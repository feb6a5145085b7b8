"""A number of people on the telephone at once, each ringing again when a call is over."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from antiphon.bench.workload import PATIENCE, Window, Workload
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.lateness import Lateness
from antiphon.caller.record import CallRecord
from antiphon.caller.webhook import Identity

REDIAL_S = 1.0
"""After a call that failed: a server in trouble must not be rung without end."""
REFUSED_REDIAL_S = 5.0
"""Who is told that all lines are busy rings again a little later."""
CALL_LIMIT_MS = 120_000


@dataclass(frozen=True, slots=True)
class Line:
    """Where the server is rung. Exactly one of the URLs is set."""

    webhook_url: str = ""
    media_url: str = ""
    auth_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Span:
    """The measured part of a run, UTC milliseconds."""

    from_wall_ms: float
    to_wall_ms: float

    @property
    def seconds(self) -> float:
        return (self.to_wall_ms - self.from_wall_ms) / 1000

    def holds(self, wall_ms: float) -> bool:
        return self.from_wall_ms <= wall_ms < self.to_wall_ms

    def overlap_s(self, from_wall_ms: float, to_wall_ms: float) -> float:
        """How much of another span lies in this one."""
        return max(0.0, min(self.to_wall_ms, to_wall_ms) - max(self.from_wall_ms, from_wall_ms)) / 1000


class Fleet:
    """``calls`` callers of one workload on the running event loop. Use once."""

    def __init__(self, workload: Workload, line: Line, calls: int) -> None:
        self.records: list[CallRecord] = []
        """Calls that are over."""
        self._workload = workload
        self._line = line
        self._calls = calls
        self._beat = CallerBeat()
        self._live: set[Caller] = set()
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def live(self) -> int:
        """Calls in progress."""
        return len(self._live)

    @property
    def send_lateness(self) -> Lateness:
        """How late our own frames left since ``reset_lateness``: what the measuring machine adds."""
        return self._beat.lateness

    def reset_lateness(self) -> None:
        """Forget the lateness of the warm-up."""
        self._beat.lateness = Lateness()

    def start(self, window: Window, client: httpx.AsyncClient) -> None:
        """Callers begin within ``window.ramp_s`` from now."""
        for number in range(1, self._calls + 1):
            begins_s = self._workload.begins_s(number, window.ramp_s)
            self._tasks.append(asyncio.create_task(self._ring(number, begins_s, client), name=f"caller {number}"))

    async def hang_up(self) -> None:
        """All callers hang up now and ring no more. Raises what a caller raised."""
        self._closing.set()
        for caller in tuple(self._live):
            caller.hang_up()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _ring(self, number: int, begins_s: float, client: httpx.AsyncClient) -> None:
        await self._wait(begins_s)
        call = 0
        while not self._closing.is_set():
            call += 1
            caller = Caller(self._plan(number, call), self._beat, number=number)
            self._live.add(caller)
            try:
                record = await caller.call(client)
            finally:
                self._live.discard(caller)
            self.records.append(record)
            if record.refused:
                await self._wait(REFUSED_REDIAL_S)
            else:
                await self._wait(REDIAL_S if record.problem else self._workload.pause_s(number, call))

    async def _wait(self, duration_s: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), duration_s)
        except TimeoutError:
            return

    def _plan(self, number: int, call: int) -> CallPlan:
        return CallPlan(
            lines=self._workload.lines(number, call),
            webhook_url=self._line.webhook_url,
            media_url=self._line.media_url,
            identity=Identity(auth_token=self._line.auth_token),
            patience=PATIENCE,
            noise=self._workload.noise,
            limit_ms=CALL_LIMIT_MS,
        )


def wall_ms() -> float:
    """UTC milliseconds, as call records have them."""
    return time.time_ns() / 1e6
