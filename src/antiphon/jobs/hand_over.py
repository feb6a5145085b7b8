"""Calls that are over on their way to the workers: handed over when they end, found where a process died before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from antiphon.calls.cost import CallCost, cost_fields
from antiphon.calls.files import CallFiles
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.files import reason as problem_of
from antiphon.jobs.queue import Job, JobStore, job_id
from antiphon.jobs.worker import JobWorker
from antiphon.losses import Losses
from antiphon.providers.prices import Prices
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

_SWEEP_EVERY_S = 60.0
_SWEEP_BACK_MS = 24 * 3_600_000
"""How far back calls without work are looked for: what is older was there before there was any."""
_HANDED_OVER_MS = 10_000
"""A process that lives has handed a call over so long after its record says that it ended: nobody takes its work from it."""
FILES_CLOSE_MS = 250
"""The log and the recording of a call that has just ended are whole by then: who asks before is sent away, and asks again."""
_RETRY_S = 1.0
_MAX_WAITING = 10_000
_MAX_TOLD_CHARS = 128
_NEEDED = ("zeroRetention",)
"""Of the facts about a call, what its log does not tell."""
_CLOSE_S = 5.0
_BATCH = 500
_DAY_MS = 86_400_000
_SPENDING_EVERY_S = 10.0

log = structlog.get_logger(__name__)


class AfterCalls:
    """A ``SessionObserver`` that hands calls over when they end, and the workers that take them."""

    def __init__(
        self,
        store: JobStore,
        files: CallFiles,
        clock: Clock,
        worker: JobWorker,
        prices: Prices,
        cost_of: Callable[[str], CallCost | None],
        losses: Losses,
        keeps_nothing: Callable[[CallStarted], bool],
        ended_reason: Callable[[str], str] = str,
        spent_since: Callable[[int], Awaitable[float]] | None = None,
    ) -> None:
        """``keeps_nothing``: whether nothing of a call may be written down. ``spent_since`` tells what calls cost that ended since then."""
        self._store = store
        self._files = files
        self._clock = clock
        self._worker = worker
        self._prices = prices
        self._cost_of = cost_of
        self._losses = losses
        self._keeps_nothing = keeps_nothing
        self._ended_reason = ended_reason
        self._spent_since = spent_since
        self.spent_today_usd = 0.0
        """By calls that are over, in all processes, as it was a few seconds ago."""
        self._live: dict[str, tuple[CallStarted, int]] = {}
        self._waiting: dict[str, Job] = {}
        self._news = asyncio.Event()
        self._handed_over = asyncio.Event()
        self._handed_over.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._refused: set[str] = set()
        """Names of logs whose jobs the database does not keep: they are not found anew with every sweep."""

    def start(self) -> None:
        self._worker.start()
        self._tasks = [
            asyncio.create_task(self._hand_over(), name="hand-over"),
            asyncio.create_task(self._sweep(), name="after-calls-sweep"),
            asyncio.create_task(self._watch_spending(), name="spending"),
        ]

    async def close(self) -> None:
        """Those that have just ended are handed over, bounded. Safe to call twice."""
        if self._tasks:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._handed_over.wait()
        await self._worker.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def finished(self, call_id: str, facts: Mapping[str, Any] | None = None, org_id: str = DEFAULT_ORG) -> None:
        """A call is over: its work begins. ``facts``: what stands in no event log. Never waits, never raises."""
        now_ms = self._clock.wall_ms()
        parts = self._files.parts(call_id)
        name = parts[-1] if parts else call_id
        if len(self._waiting) >= _MAX_WAITING:  # the sweep finds those that have a log
            self._losses.count("after_calls_waiting")
            return
        due_ms = now_ms + FILES_CLOSE_MS
        self._waiting[name] = Job(job_id("after", name), call_id, org_id, now_ms, due_ms, dict(facts or {}))
        self._handed_over.clear()
        self._news.set()

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._live[call.call_id] = (call, self._clock.wall_ms())

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """The event log has it."""

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """The event log has it."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """Nothing to do after the call."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        call, started_wall_ms = self._live.pop(call_id, (None, 0))
        if call is not None:
            self.finished(call_id, self._facts(call, started_wall_ms, reason))

    def _facts(self, call: CallStarted, started_wall_ms: int, reason: EndReason) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "startedWallMs": started_wall_ms,
            "endedWallMs": self._clock.wall_ms(),
            "endedReason": self._ended_reason(reason),
            "assistant": call.assistant,
        }
        if (cost := self._cost_of(call.call_id)) is not None:
            facts["cost"] = cost_fields(cost, self._prices)
        if self._keeps_nothing(call):
            facts["zeroRetention"] = True
        return facts

    # ---------------------------------------------------------------------------------- to the store

    async def _hand_over(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            for name, job in list(self._waiting.items()):
                try:
                    await self._add(name, job)
                except StoreUnavailable:  # told by the database
                    await asyncio.sleep(_RETRY_S)
                    self._news.set()
                    break
                if self._waiting.get(name) is job:
                    del self._waiting[name]
                self._worker.wake()
            if not self._waiting:
                self._handed_over.set()

    async def _add(self, name: str, job: Job) -> None:
        """One that is refused would be refused again, and keep the others waiting. Raises StoreUnavailable."""
        try:
            await self._store.add(job)
        except ValueRefused:
            if not self._files.log(name).is_file():
                self._lose(job.call_id)
                return
            facts = {fact: job.facts[fact] for fact in _NEEDED if fact in job.facts}
            try:
                await self._store.add(replace(job, facts=facts))
            except ValueRefused:
                self._lose(job.call_id)

    async def _sweep(self) -> None:
        """Calls whose process died between their end and their hand-over, or during the call: their log has an end (``close_dead_calls``
        writes it), or, where they never lived, their record, and there is no job."""
        while True:
            try:
                await self.sweep()
            except OSError as error:
                log.warning("after_calls_sweep_failed", problem=problem_of(error))
            except StoreUnavailable:
                pass
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def _watch_spending(self) -> None:
        while self._spent_since is not None:
            now_ms = self._clock.wall_ms()
            with suppress(StoreUnavailable):
                self.spent_today_usd = await self._spent_since(now_ms - now_ms % _DAY_MS)
            await asyncio.sleep(_SPENDING_EVERY_S)

    async def sweep(self) -> int:
        """How many were found. Raises OSError, StoreUnavailable."""
        now_ms = self._clock.wall_ms()
        found = await self._sweep_logs(now_ms) + await self._sweep_records(now_ms)
        if found:
            log.info("after_calls_found", calls=found)
            self._worker.wake()
        return found

    async def _sweep_logs(self, now_ms: int) -> int:
        names = await asyncio.to_thread(lambda: list(self._files.ended_since(now_ms - _SWEEP_BACK_MS)))
        self._refused.intersection_update(names)
        found = 0
        for at in range(0, len(names), _BATCH):
            left_out = self._waiting.keys() | self._refused
            batch = [name for name in names[at : at + _BATCH] if name not in left_out]
            known = await self._store.known([job_id("after", name) for name in batch])
            for name in batch:
                if job_id("after", name) not in known:
                    call_id = await asyncio.to_thread(self._call_of, name)
                    try:
                        found += await self._store.add(_found(name, call_id, DEFAULT_ORG, now_ms))
                    except ValueRefused:
                        self._refused.add(name)
                        self._lose(call_id)
        return found

    async def _sweep_records(self, now_ms: int) -> int:
        """As many as fit into a batch: the next look finds the others. One that has a log was found by it."""
        until_ms = now_ms - _HANDED_OVER_MS
        ended = await self._store.calls_without(until_ms - _SWEEP_BACK_MS, until_ms, _BATCH)
        waiting = {job.call_id for job in self._waiting.values()}
        jobs = [_found(call_id, call_id, org_id, now_ms) for call_id, org_id in ended if call_id not in waiting]
        return sum([await self._store.add(job) for job in jobs])

    def _lose(self, call_id: str) -> None:
        self._losses.count("after_calls_lost")
        self._losses.tell("after_call_lost", call_id, "error", call_id=call_id[:_MAX_TOLD_CHARS])

    def _call_of(self, name: str) -> str:
        """A second part belongs to the call that its name begins with."""
        stem, _, number = name.rpartition("-")
        return (
            stem if number.isdigit() and self._files.log(stem).is_file() and name in self._files.parts(stem) else name
        )


def _found(name: str, call_id: str, org_id: str, now_ms: int) -> Job:
    return Job(job_id("after", name), call_id, org_id, now_ms, now_ms)
