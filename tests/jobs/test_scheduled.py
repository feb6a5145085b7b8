"""Calls for later, in a real database: made once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.databases import sqlite_url

from antiphon.calls.planned import CallRequest
from antiphon.calls.squads import squad_of
from antiphon.calls.stores import CallRecord
from antiphon.clock import ManualClock
from antiphon.errors import AntiphonError, CapacityError, ConfigurationError, ProviderError
from antiphon.jobs.scheduled import NO_LATEST_MS, ScheduledCalls
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs

SQUAD = squad_of({"members": [{"assistant": {"name": "A"}, "assistantDestinations": [{"type": "assistant", "assistantName": "B"}]},
                              {"assistantId": "b"}]}, id="s1")  # fmt: skip
REQUEST = CallRequest(
    "org", "outboundPhoneCall", assistant={"name": "A"}, overrides={"firstMessage": "x"}, variables={"customer": {"number": "+1"}},
    body={"transport": {"from": "+2"}}, warnings=(("a", "b"),), customer_number="+1", call_id="c1", squad=SQUAD, squad_id="s1",
)  # fmt: skip


class Carrier:
    """Makes calls, or fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[CallRequest, int | None]] = []
        self.fails: Exception | None = None
        self.hangs = False

    async def make(self, request: CallRequest, before_ms: int | None) -> None:
        self.asked.append((request, before_ms))
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails is not None:
            raise self.fails


class Desk:
    def __init__(self, database: Database) -> None:
        self.clock = ManualClock()
        self.jobs, self.calls = StoredJobs(database), StoredCalls(database)
        self.carrier = Carrier()
        self.ended: list[CallRecord] = []

    def scheduled(self) -> ScheduledCalls:
        return ScheduledCalls(self.jobs, self.calls, self.clock, self.carrier.make, self.ended.append)

    async def add(self, scheduled: ScheduledCalls, in_ms: int, latest_in_ms: int | None = None) -> CallRecord:
        now_ms = self.clock.wall_ms()
        record = CallRecord("c1", "org", "outboundPhoneCall", "scheduled", now_ms, now_ms)
        assert await self.calls.add(record)
        latest_ms = None if latest_in_ms is None else now_ms + latest_in_ms
        await scheduled.add(REQUEST, now_ms + in_ms, latest_ms)
        return record

    async def status(self) -> tuple[str, str]:
        record = await self.calls.find("org", "c1")
        assert record is not None
        return record.status, record.ended_reason


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(sqlite_url(tmp_path))
    await database.open()
    yield Desk(database)
    await database.close()


async def until(scheduled: ScheduledCalls, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            scheduled._worker.wake()
            await asyncio.sleep(0.005)


async def over(desk: Desk) -> bool:
    job = await desk.jobs.find("dial:c1")
    return job is not None and job.done


async def until_over(scheduled: ScheduledCalls, desk: Desk) -> None:
    async with asyncio.timeout(60):
        while not await over(desk):
            scheduled._worker.wake()
            await asyncio.sleep(0.005)


async def test_it_is_made_when_its_time_has_come_and_not_before(desk: Desk) -> None:
    scheduled = desk.scheduled()
    await desk.add(scheduled, 10_000)
    scheduled.start()
    desk.clock.advance(9_999)
    scheduled._worker.wake()
    assert (await desk.jobs.claim("another", desk.clock.wall_ms(), 1, ("dial",))).job is None
    assert desk.carrier.asked == [] and await desk.status() == ("scheduled", "")
    desk.clock.advance(1)
    await until_over(scheduled, desk)
    assert desk.carrier.asked == [(REQUEST, None)], "as it was asked for, squad and all"
    assert await desk.status() == ("queued", "")
    await scheduled.close()


async def test_after_a_process_that_died_while_it_dialled_the_carrier_is_asked_first(desk: Desk) -> None:
    first = desk.scheduled()
    await desk.add(first, 0)
    desk.carrier.hangs = True
    first.start()
    await until(first, lambda: len(desk.carrier.asked) == 1)
    begun_ms = desk.clock.wall_ms()
    worker = first._worker
    assert worker._claiming is not None
    tasks = [worker._claiming, *worker._doing]
    for task in tasks:  # it dies
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    desk.carrier.hangs = False
    desk.clock.advance(60_000)  # its lease ends
    second = desk.scheduled()
    second.start()
    await until_over(second, desk)
    assert desk.carrier.asked[1:] == [(REQUEST, begun_ms)]
    await second.close()


async def test_too_late_is_not_made(desk: Desk) -> None:
    scheduled = desk.scheduled()
    await desk.add(scheduled, 1000, 2000)
    desk.clock.advance(2001)
    scheduled.start()
    await until_over(scheduled, desk)
    assert desk.carrier.asked == [] and await desk.status() == ("ended", "call.start.error-get-transport")
    assert [record.ended_reason for record in desk.ended] == ["call.start.error-get-transport"]
    await scheduled.close()


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ProviderError("carrier", "no"), "call.start.error-get-transport"),
        (ConfigurationError("assistantId", "is gone"), "call.start.error-get-assistant"),
    ],
)
async def test_what_cannot_be_made_ends(desk: Desk, problem: AntiphonError, reason: str) -> None:
    scheduled = desk.scheduled()
    await desk.add(scheduled, 0)
    desk.carrier.fails = problem
    scheduled.start()
    await until_over(scheduled, desk)
    assert await desk.status() == ("ended", reason) and len(desk.carrier.asked) == 1
    await scheduled.close()


async def test_where_there_is_no_room_it_is_asked_for_again_until_it_is_too_late(desk: Desk) -> None:
    scheduled = desk.scheduled()
    await desk.add(scheduled, 0)
    desk.carrier.fails = CapacityError("full")
    scheduled.start()
    await until(scheduled, lambda: len(desk.carrier.asked) == 1)
    await until_put_off(desk)
    desk.clock.advance(5000)
    await until(scheduled, lambda: len(desk.carrier.asked) == 2)
    await until_put_off(desk)
    desk.clock.advance(NO_LATEST_MS)
    await until_over(scheduled, desk)
    assert await desk.status() == ("ended", "call.start.error-get-transport")
    await scheduled.close()


async def test_a_fault_of_ours_makes_no_call_when_it_is_too_late(desk: Desk) -> None:
    scheduled = desk.scheduled()
    await desk.add(scheduled, 0, 10_000)
    desk.carrier.fails = RuntimeError("a bug")
    scheduled.start()
    await until(scheduled, lambda: len(desk.carrier.asked) == 1)
    await until_put_off(desk)
    desk.carrier.fails = None
    desk.clock.advance(10_001)
    await until_over(scheduled, desk)
    assert len(desk.carrier.asked) == 1
    assert await desk.status() == ("ended", "call.start.error-get-transport")
    await scheduled.close()


async def until_put_off(desk: Desk) -> None:
    async with asyncio.timeout(60):
        # Nothing is due at 0: who asks then is only told when something is.
        while (due := (await desk.jobs.claim("nobody", 0, 0, ("dial",))).due_ms) is None or due <= desk.clock.wall_ms():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_one_that_is_cancelled_is_not_made(desk: Desk) -> None:
    scheduled = desk.scheduled()
    record = await desk.add(scheduled, 1000)
    ended = await scheduled.cancel(record, "manually-canceled")
    assert ended is not None and (ended.status, ended.ended_reason) == ("ended", "manually-canceled")
    assert await scheduled.cancel(record, "manually-canceled") is None, "it is over"
    desk.clock.advance(5000)
    scheduled.start()
    scheduled._worker.wake()
    assert await desk.jobs.find("dial:c1") is None and desk.carrier.asked == [] and desk.ended == [ended]
    await scheduled.close()
