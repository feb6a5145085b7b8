"""Claims jobs and does their steps, one after the other, each until it has succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from antiphon.clock import Clock
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.ids import new_id
from antiphon.jobs.queue import CallChange, Claim, Job, JobKind, JobStore, Kept, LeaseLost
from antiphon.losses import Losses

_FIRST_RETRY_MS = 1000
_LONGEST_RETRY_MS = 600_000
MOST_ATTEMPTS = 150
"""A step that has failed so often, for about a day, is given up: what comes after it is done without what it should have made."""
MOST_REFUSED = 3
"""Likewise one whose result the database does not keep: another attempt may have another result, but hardly."""
_LOOK_EVERY_S = 5.0
"""Jobs that another process put there, or left, are found this soon."""
_AT_ONCE = 2
_CLOSE_S = 5.0
_STORE_RETRY_MS = 1000
_CLAIMED_BY_ANOTHER_S = 0.02
"""What was due, another process has claimed in the same moment: look again."""

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
        self,
        store: JobStore,
        clock: Clock,
        steps: Mapping[JobKind, Sequence[Step]],
        lease_s: float = 15.0,
        losses: Losses | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._steps = steps
        self._kinds = tuple(steps)
        self._losses = losses or Losses()
        self._lease_ms = int(lease_s * 1000)
        self._owner = new_id("worker")
        self._wake = asyncio.Event()
        self._claiming: asyncio.Task[None] | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self._closing = False

    def start(self) -> None:
        self._claiming = asyncio.create_task(self._claim_for_ever(), name="jobs")

    async def close(self) -> None:
        """What is being done may end, for a moment; the rest stays in the store. Safe to call twice."""
        self._closing = True
        self._wake.set()
        claiming, self._claiming = self._claiming, None
        if claiming is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.wait([claiming])
                if self._doing:
                    await asyncio.wait(self._doing)
        for task in (claiming, *self._doing):
            task.cancel()
        await asyncio.gather(claiming, *self._doing, return_exceptions=True)

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    async def _claim_for_ever(self) -> None:
        """One asks for all, once for each job."""
        while not self._closing:
            self._wake.clear()
            if len(self._doing) >= _AT_ONCE:
                await self._wake.wait()
                continue
            now_ms = self._clock.wall_ms()
            try:
                claim = await self._store.claim(self._owner, now_ms, self._lease_ms, self._kinds)
            except StoreUnavailable:  # told by the database
                claim = Claim(None, now_ms + _STORE_RETRY_MS)
            if claim.job is not None:
                task = asyncio.create_task(self._do(claim.job), name="job")
                self._doing.add(task)
                task.add_done_callback(self._ended)
                if claim.due_ms is not None and claim.due_ms <= now_ms:
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_until_s(claim.due_ms, now_ms)):
                    await self._wake.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._doing) >= _AT_ONCE
        self._doing.discard(task)
        if was_full or self._closing:
            self._wake.set()

    async def _do(self, job: Job) -> None:
        lease = asyncio.create_task(self._hold(job.id), name="job-lease")
        try:
            await self._do_steps(job)
        except StoreUnavailable:  # told by the database; the job is somebody's again when its lease ends
            pass
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
        attempts, seen = job.attempts, job.seen
        left = [step for step in self._steps[job.kind] if step[0] not in results]
        for name, do in left:
            is_last = name == left[-1][0]
            try:
                done = await do(replace(job, results=results, attempts=attempts, seen=seen))
                kept = Kept(name, done.result, done.change, is_last)
                record = await self._store.keep(job.id, self._owner, kept, self._clock.wall_ms())
            except NotYet as wait:
                await self._store.put_off(job.id, self._owner, self._clock.wall_ms() + wait.wait_ms, "")
                self._wake.set()
                return
            except LeaseLost:
                return
            except StoreUnavailable:
                raise
            except Exception as fault:
                if not _is_given_up(job.kind, attempts + 1, fault):
                    await self._put_off(job, name, attempts, fault)
                    return
                self._give_up(job, name, attempts, fault)
                kept = Kept(name, is_last=is_last)
                try:
                    record = await self._store.keep(job.id, self._owner, kept, self._clock.wall_ms())
                except LeaseLost:
                    return
            if record is not None:
                seen["record"] = record
            results, attempts = {**results, name: kept.result}, 0
        if not left:  # its steps were others when it was put there
            await self._store.finish(job.id, self._owner)

    def _give_up(self, job: Job, step: str, attempts: int, fault: Exception) -> None:
        self._losses.count("job_steps_given_up", step=step)
        log.error(
            "job_step_given_up",
            call_id=job.call_id,
            step=step,
            attempts=attempts + 1,
            problem=type(fault).__name__,
            exc_info=fault,
        )

    async def _put_off(self, job: Job, step: str, attempts: int, fault: Exception) -> None:
        problem = f"{step}: {type(fault).__name__}"
        log.error("job_step_failed", call_id=job.call_id, step=step, attempt=attempts + 1, exc_info=fault)
        wait_ms = min(_FIRST_RETRY_MS * 2 ** min(attempts, 20), _LONGEST_RETRY_MS)
        await self._store.put_off(job.id, self._owner, self._clock.wall_ms() + wait_ms, problem)
        self._wake.set()


def _is_given_up(kind: JobKind, attempts: int, fault: Exception) -> bool:
    """What has to be erased is tried until it is."""
    return kind != "erase" and attempts >= (MOST_REFUSED if isinstance(fault, ValueRefused) else MOST_ATTEMPTS)


def _until_s(due_ms: int | None, now_ms: int) -> float:
    """How long to wait until asking again. What is due already was claimed by another process in the same moment, or comes at once."""
    if due_ms is None:
        return _LOOK_EVERY_S
    return min(max((due_ms - now_ms) / 1000, _CLAIMED_BY_ANOTHER_S), _LOOK_EVERY_S)
