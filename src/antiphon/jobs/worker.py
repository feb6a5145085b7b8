"""Claims jobs and does their steps, one after the other, each until it has succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from antiphon.clock import Clock
from antiphon.errors import StoreUnavailable
from antiphon.ids import new_id
from antiphon.jobs.queue import CallChange, Job, JobKind, JobStore

_FIRST_RETRY_MS = 1000
_LONGEST_RETRY_MS = 600_000
_LOOK_EVERY_S = 5.0
"""Jobs that another process put there, or left, are found this soon."""
_AT_ONCE = 2
_CLOSE_S = 5.0

log = structlog.get_logger(__name__)


class NotYet(Exception):
    """What the step needs is not there; nothing is wrong."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"again in {wait_ms} ms")
        self.wait_ms = wait_ms


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step."""

    result: Any = None
    """JSON: later steps read it."""
    change: CallChange = field(default_factory=CallChange)


Step = tuple[str, Callable[[Job], Awaitable[Done]]]
"""A name, and what is done: it may be done again after a crash, so doing it twice must be as doing it once."""


class JobWorker:
    """One for a process. Several processes share a store: a job whose process died is somebody else's when its lease ends."""

    def __init__(
        self, store: JobStore, clock: Clock, steps: Mapping[JobKind, Sequence[Step]], lease_s: float = 15.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._steps = steps
        self._kinds = tuple(steps)
        self._lease_ms = int(lease_s * 1000)
        self._owner = new_id("worker")
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._work(), name=f"jobs-{number}") for number in range(_AT_ONCE)]

    async def close(self) -> None:
        """What is being done may end, for a moment; the rest stays in the store. Safe to call twice."""
        self._closing = True
        self._wake.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    async def _work(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                job = await self._store.claim(self._owner, self._clock.wall_ms(), self._lease_ms, self._kinds)
                if job is not None:
                    await self._do(job)
                    continue
                wait_s = await self._until_due_s()
            except StoreUnavailable:  # told by the database
                wait_s = 1.0
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _until_due_s(self) -> float:
        now_ms = self._clock.wall_ms()
        due_ms = await self._store.next_due(now_ms, self._kinds)
        return _LOOK_EVERY_S if due_ms is None else min(max((due_ms - now_ms) / 1000, 0.02), _LOOK_EVERY_S)

    async def _do(self, job: Job) -> None:
        lease = asyncio.create_task(self._hold(job.id), name="job-lease")
        try:
            await self._do_steps(job)
        finally:
            lease.cancel()
            await asyncio.gather(lease, return_exceptions=True)

    async def _hold(self, id: str) -> None:
        """The lease, while a step takes its time."""
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            with suppress(StoreUnavailable):
                if not await self._store.renew(id, self._owner, self._clock.wall_ms() + self._lease_ms):
                    return

    async def _do_steps(self, job: Job) -> None:
        results: Mapping[str, Any] = job.results
        attempts = job.attempts
        for name, do in self._steps[job.kind]:
            if name in results:
                continue
            try:
                done = await do(replace(job, results=results, attempts=attempts))
            except NotYet as wait:
                await self._store.put_off(job.id, self._owner, self._clock.wall_ms() + wait.wait_ms, "")
                return
            except StoreUnavailable:
                raise
            except Exception as fault:
                await self._put_off(job, name, attempts, fault)
                return
            if not await self._store.keep(job.id, self._owner, name, done.result, done.change, self._clock.wall_ms()):
                return
            results, attempts = {**results, name: done.result}, 0
        await self._store.finish(job.id, self._owner)

    async def _put_off(self, job: Job, step: str, attempts: int, fault: Exception) -> None:
        problem = f"{step}: {type(fault).__name__}"
        log.error("job_step_failed", call_id=job.call_id, step=step, attempt=attempts + 1, exc_info=fault)
        wait_ms = min(_FIRST_RETRY_MS * 2 ** min(attempts, 20), _LONGEST_RETRY_MS)
        await self._store.put_off(job.id, self._owner, self._clock.wall_ms() + wait_ms, problem)
