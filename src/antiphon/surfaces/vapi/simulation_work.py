"""Runs of simulations in the background: their conversations one after the other, a few at a time, and what becomes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from antiphon.calls.stores import MAX_LISTED, Listing, Resource, Span
from antiphon.clock import Clock, iso
from antiphon.errors import AntiphonError, ConfigurationError, ProviderError
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.simulation_hooks import ENDED, STARTED, SimulationHooks
from antiphon.surfaces.vapi.simulation_player import NotPlayed, SimulationPlayer
from antiphon.surfaces.vapi.simulation_requests import TEXT, AskedRun, Simulated
from antiphon.surfaces.vapi.simulation_verdicts import MAX_REASON_CHARS, failure_of

MOST_RUNS = 50
"""Of one process, those that wait included."""
OVER = frozenset({"passed", "failed", "canceled"})
STATUSES = ("queued", "running", "evaluating", "passed", "failed", "canceled")
_LOOK_S = 2.0
_BEAT_MS = 60_000
"""A run that goes on says so this often."""
GONE_MS = 4 * _BEAT_MS
"""One that has said nothing for so long never will: its process is gone."""
STOPPED = "The server was stopped."
UNWRITTEN = "What became of it could not be written down."

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Running:
    """A run of this process."""

    run: Resource
    asked: AskedRun
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """By item."""
    all: asyncio.Task[None] | None = None
    cancelled: set[str] = field(default_factory=set)
    """Items whose tasks know it: telling them twice would disturb what they do about it."""

    def cancel(self, item_id: str) -> None:
        if item_id in self.tasks and item_id not in self.cancelled:
            self.cancelled.add(item_id)
            self.tasks[item_id].cancel()


class SimulationWork:
    """One per process."""

    def __init__(
        self,
        runs: Documents,
        items: Documents,
        player: SimulationPlayer,
        hooks: SimulationHooks,
        clock: Clock,
        at_once: int,
    ) -> None:
        self._runs = runs
        self._items = items
        self._player = player
        self._hooks = hooks
        self._begun: dict[str, asyncio.Task[list[dict[str, Any]]]] = {}
        """Of items that have begun: who was told so."""
        self._clock = clock
        self._places = asyncio.Semaphore(at_once)
        self._running: dict[str, _Running] = {}
        self._coming = 0
        """Runs that are about to begin."""
        self.active: set[str] = set()
        """Items whose conversations go on here."""
        self._stopping = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """For a run that is about to begin: others may be asked for while it is written down. Raises ApiError 429."""
        if len(self._running) + self._coming >= MOST_RUNS:
            raise ApiError(429, "Too many runs of simulations wait already.", headers={"Retry-After": "30"})
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def begin(self, run: Resource, items: Sequence[tuple[Resource, Simulated]], asked: AskedRun) -> None:
        """Its items, each with what is played."""
        running = _Running(run, asked)
        loop = asyncio.get_running_loop()
        for item, part in items:
            running.tasks[item.id] = loop.create_task(self._item(running, item, part), name="simulation")
        running.all = loop.create_task(self._whole(running), name="simulation-run")
        self._running[run.id] = running
        running.all.add_done_callback(lambda _: self._running.pop(run.id, None))

    async def close(self) -> None:
        """Give up what goes on."""
        self._stopping = True
        alls = [running.all for running in self._running.values() if running.all is not None]
        for task in [task for running in self._running.values() for task in running.tasks.values()]:
            task.cancel()
        await asyncio.gather(*alls, return_exceptions=True)

    # ---------------------------------------------------------------------------------- cancelling

    async def cancel(self, org_id: str, run_id: str) -> Resource:
        """What has not ended of a run never will. One of another process is told with its next look. Raises ApiError 404."""
        run = await self._runs.get(org_id, run_id)
        if run.body["status"] != "ended":
            await self._end_items(org_id, run_id, "canceled", "")
            run = await self._ended(org_id, run_id, "canceled")
        self._stop(run_id)
        return run

    async def cancel_item(self, org_id: str, run_id: str, item_id: str) -> Resource:
        """Raises ApiError 404."""
        item = await self._change(org_id, item_id, "canceled")
        if (running := self._running.get(run_id)) is not None:
            running.cancel(item_id)
        await self._counted(org_id, run_id)
        return item

    def _stop(self, run_id: str) -> None:
        if (running := self._running.get(run_id)) is not None:
            for item_id in running.tasks:
                running.cancel(item_id)

    async def settle(self, org_id: str) -> None:
        """Runs whose process is gone have ended."""
        silent = Listing(MAX_LISTED, updated=Span(to_ms=self._clock.wall_ms() - GONE_MS))
        for status in ("queued", "running"):
            for run in await self._runs.list(org_id, replace(silent, equal={"purpose": status})):
                if run.id not in self._running:
                    await self._end_items(org_id, run.id, "failed", STOPPED)
                    await self._ended(org_id, run.id, "aborted")

    # ---------------------------------------------------------------------------------- a run

    async def _whole(self, running: _Running) -> None:
        tasks, org_id, run_id = running.tasks, running.run.org_id, running.run.id
        beat = asyncio.get_running_loop().create_task(self._beat(running), name="simulation-beat")
        await asyncio.wait(tasks.values())
        beat.cancel()
        left = ("canceled", STOPPED) if self._stopping else ("failed", UNWRITTEN)
        try:  # without the database, or without the run, whoever asks later finds out by itself
            await self._end_items(org_id, run_id, *left)
            await self._ended(org_id, run_id, "aborted" if self._stopping else "completed")
        except AntiphonError as error:
            log.info("simulation_run_not_kept", run=run_id, code=error.code)

    async def _beat(self, running: _Running) -> None:
        """Say now and then that it goes on, and see whether somebody has cancelled it by another process."""
        org_id, id = running.run.org_id, running.run.id
        told_ms = self._clock.now_ms()
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                run = await self._runs.find(org_id, id)
                if run is None or run.body["status"] == "ended":
                    return self._stop(id)
                if self._clock.now_ms() - told_ms >= _BEAT_MS:
                    told_ms = self._clock.now_ms()
                    await self._runs.patch(org_id, id, {})
                for item in await self._items.list(org_id, _of(id, "canceled")):
                    running.cancel(item.id)
            except AntiphonError as error:
                log.info("simulation_run_not_seen", run=id, code=error.code)

    async def _item(self, running: _Running, item: Resource, part: Simulated) -> None:
        try:
            async with self._places:
                self.active.add(item.id)
                await self._play(running, item, part)
        except asyncio.CancelledError:
            await self._given_up(item, "canceled", STOPPED)
        except (NotPlayed, ConfigurationError, ProviderError, ApiError) as error:
            await self._given_up(item, "failed", str(error))
        except AntiphonError as error:
            log.info("simulation_not_kept", item=item.id, code=error.code)
        except Exception as error:
            log.exception("simulation_failed", error_type=type(error).__name__)
            await self._given_up(item, "failed", "Internal server error")
        finally:
            self.active.discard(item.id)
        await self._tell_end(item, part)

    async def _play(self, running: _Running, item: Resource, part: Simulated) -> None:
        org_id, asked, run_id = item.org_id, running.asked, running.run.id
        begun = await self._change(org_id, item.id, "running", startedAt=self._now())
        if begun.body["status"] != "running":
            return
        await self._counted(org_id, run_id)

        async def began(call_id: str) -> None:
            self._tell_start(await self._change(org_id, item.id, "running", callId=call_id), part)

        if asked.provider == TEXT:
            self._tell_start(begun, part)
        metadata = {"simulationRunId": run_id, "simulationRunItemId": item.id}
        talk = await self._player.play(org_id, item.id, asked, part, metadata, began)
        known = {"metadata": {**item.body["metadata"], **talk.kept}} if talk.kept else {}
        await self._change(org_id, item.id, "evaluating", **known)
        results = await self._player.judge(org_id, asked, part, talk)
        if results["passed"]:
            await self._change(org_id, item.id, "passed", results=results)
        else:
            await self._change(org_id, item.id, "failed", results=results, failureReason=failure_of(results))
        await self._counted(org_id, run_id)

    async def _given_up(self, item: Resource, status: str, why: str) -> None:
        try:
            await self._change(item.org_id, item.id, status, failureReason=why[:MAX_REASON_CHARS])
            await self._counted(item.org_id, item.body["runId"])
        except AntiphonError as error:
            log.info("simulation_not_kept", item=item.id, code=error.code)

    # ---------------------------------------------------------------------------------- who is told

    def _tell_start(self, item: Resource, part: Simulated) -> None:
        """Beside the conversation, which waits for nobody."""
        if part.hooks and item.id not in self._begun:
            telling = self._hooks.run(STARTED, part.hooks, item.org_id, _told_of(item), {})
            self._begun[item.id] = asyncio.get_running_loop().create_task(telling, name="simulation-hooks")

    async def _tell_end(self, item: Resource, part: Simulated) -> None:
        """Of one that has begun. The item says what became of it."""
        begun = self._begun.pop(item.id, None)
        if begun is None:
            return
        if self._stopping:
            begun.cancel()
            return
        try:
            told = {STARTED: await begun}
            now = await self._items.get(item.org_id, item.id)
            said = await self._player.said(now)
            told[ENDED] = await self._hooks.run(ENDED, part.hooks, item.org_id, _told_of(now), said)
            await self._items.change(
                item.org_id, item.id, lambda body: {**body, "metadata": {**body["metadata"], "hooks": told}}
            )
        except AntiphonError as error:
            log.info("simulation_hooks_not_kept", item=item.id, code=error.code)
        finally:
            begun.cancel()

    # ---------------------------------------------------------------------------------- what is kept

    async def _change(self, org_id: str, item_id: str, status: str, **more: Any) -> Resource:
        """One that is over stays as it is."""
        if when := {"passed": "completedAt", "failed": "failedAt", "canceled": "canceledAt"}.get(status):
            more = {when: self._now(), **more}

        def changed(body: Mapping[str, Any]) -> Mapping[str, Any]:
            return body if body["status"] in OVER else {**body, "status": status, **more}

        return await self._items.change(org_id, item_id, changed)

    async def _end_items(self, org_id: str, run_id: str, status: str, why: str) -> None:
        for item in await self._items.list(org_id, Listing(MAX_LISTED, equal={"purpose": run_id})):
            if item.body["status"] not in OVER:
                await self._change(org_id, item.id, status, **({"failureReason": why} if why else {}))

    async def _counted(self, org_id: str, run_id: str) -> None:
        """The run says how its items stand, from the first that has begun on."""
        counts = await self.counts(org_id, run_id)

        def changed(body: Mapping[str, Any]) -> Mapping[str, Any]:
            if body["status"] == "ended":
                return {**body, "itemCounts": {**body["itemCounts"], **counts}}
            started = {"startedAt": body.get("startedAt") or self._now(), "status": "running"}
            return {**body, **started, "itemCounts": {**body["itemCounts"], **counts}}

        await self._runs.change(org_id, run_id, changed)

    async def counts(self, org_id: str, run_id: str) -> dict[str, int]:
        """Items by status."""
        of = {status: await self._items.count(org_id, _of(run_id, status)) for status in STATUSES}
        of["running"] += of.pop("evaluating")
        return {"total": sum(of.values()), **of}

    async def _ended(self, org_id: str, run_id: str, reason: str) -> Resource:
        counts = await self.counts(org_id, run_id)
        bad = [
            item for status in ("failed", "canceled") for item in await self._items.list(org_id, _of(run_id, status))
        ]
        counts["distinctSimulationFailed"] = len({item.body["simulationId"] for item in bad})

        def changed(body: Mapping[str, Any]) -> Mapping[str, Any]:
            whole = {**body, "itemCounts": {**body["itemCounts"], **counts}}
            return whole if body["status"] == "ended" else {
                **whole, "status": "ended", "endedAt": self._now(), "endedReason": reason,
            }  # fmt: skip

        return await self._runs.change(org_id, run_id, changed)

    def _now(self) -> str:
        return iso(self._clock.wall_ms())


def _told_of(item: Resource) -> dict[str, Any]:
    """What a message about an item says."""
    names = ("runId", "simulationId", "iterationNumber", "status", "callId", "results", "failureReason")
    return {"itemId": item.id, **{name: item.body[name] for name in names if name in item.body}}


def _of(run_id: str, status: str) -> Listing:
    return Listing(MAX_LISTED, equal={"purpose": run_id, "number": status})
