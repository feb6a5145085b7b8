"""Calls that are over on their way to the workers, where the database refuses one: the others go on, and it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.databases import postgres_url

from antiphon.calls.files import CallFiles
from antiphon.calls.stores import CallRecord
from antiphon.clock import SystemClock
from antiphon.jobs.hand_over import AfterCalls
from antiphon.jobs.queue import Job
from antiphon.jobs.worker import Done, JobWorker
from antiphon.losses import Losses
from antiphon.providers.prices import read_prices
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs

TOO_LONG = "c" * 80
"""For a column of PostgreSQL; a file may be called so."""
LOST = ("after_calls_lost", ())


@dataclass
class Desk:
    after: AfterCalls
    store: StoredJobs
    losses: Losses
    done: list[str]
    folder: Path

    async def until_done(self, *ids: str) -> None:
        async with asyncio.timeout(60):
            while sorted(self.done) != sorted(ids) or await self.store.waiting():  # noqa: ASYNC110 (what the store holds tells nobody)
                await asyncio.sleep(0.005)

    def log_of(self, name: str) -> None:
        (self.folder / f"{name}.jsonl").write_text('{"antiphon": 1}\n{"ended": "customer_ended"}\n')


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with working(database, tmp_path) as made:
        yield made


@asynccontextmanager
async def working(database: Database, folder: Path) -> AsyncIterator[Desk]:
    store, losses, clock = StoredJobs(database), Losses(), SystemClock()
    done: list[str] = []

    async def do(job: Job) -> Done:
        done.append(job.call_id)
        return Done()

    (folder / "calls").mkdir()
    worker = JobWorker(store, clock, {"after": [("one", do)]})
    after = AfterCalls(
        store, CallFiles(folder / "calls"), clock, worker, read_prices(), lambda id: None, losses, lambda call: False
    )
    yield Desk(after, store, losses, done, folder / "calls")
    await after.close()


@pytest.mark.parametrize(
    "cost", [{1, 2}, reduce(lambda inner, _: [inner], range(5000), 1)], ids=["no JSON", "too deep"]
)
async def test_a_call_that_is_refused_is_told_and_those_after_it_are_handed_over(desk: Desk, cost: Any) -> None:
    with capture_logs() as logged:
        desk.after.start()
        desk.after.finished("first")
        desk.after.finished("refused", {"cost": cost})
        desk.after.finished("last")
        await desk.until_done("first", "last")
        desk.after.finished("another")
        await desk.until_done("first", "last", "another")
    assert desk.losses.counts()[LOST] == 1
    assert [line["call_id"] for line in logged if line["event"] == "after_call_lost"] == ["refused"]


async def test_a_call_whose_facts_are_refused_is_found_by_its_log(desk: Desk) -> None:
    desk.log_of("refused")
    desk.after.finished("refused", {"cost": {1, 2}})
    desk.after.start()
    await desk.until_done("refused")
    assert LOST not in desk.losses.counts()


async def test_calls_that_never_lived_are_found_by_their_records_once(desk: Desk, database: Database) -> None:
    """Their process died between the record's end and the hand-over; there is no log. One that ended just now is its process's."""
    calls, now_ms = StoredCalls(database), SystemClock().wall_ms()
    for id, status, ended_ms in (
        ("lost", "ended", now_ms - 60_000), ("just-now", "ended", now_ms), ("live", "in-progress", None),
        ("long-ago", "ended", now_ms - 30 * 3_600_000), ("worked", "ended", now_ms - 60_000),
    ):  # fmt: skip
        await calls.add(
            CallRecord(
                id, "acme", "outboundPhoneCall", status, 1, 2, ended_wall_ms=ended_ms, ended_reason="customer-busy"
            )
        )
    await desk.store.add(Job("after:worked-2", "worked", "acme", 1, 1, done=True))
    await desk.store.add(Job("dial:lost", "lost", "acme", 1, 1, kind="dial", done=True))
    assert [await desk.after.sweep() for _ in range(2)] == [1, 0]
    found = await desk.store.find("after:lost")
    assert found is not None and (found.call_id, found.org_id) == ("lost", "acme")
    desk.after.start()
    await desk.until_done("lost")


async def test_a_log_that_is_refused_stops_no_search_and_is_told_once(tmp_path: Path) -> None:
    """PostgreSQL has no room for its name. (SQLite takes any.)"""
    database = Database(postgres_url())
    await database.open()
    async with working(database, tmp_path) as desk:
        desk.log_of("a-call")
        desk.log_of(TOO_LONG)
        desk.log_of("z-call")
        with capture_logs() as logged:
            assert await desk.after.sweep() == 2
            desk.log_of("later")
            assert [await desk.after.sweep() for _ in range(2)] == [1, 0]
        assert [line["call_id"] for line in logged if line["event"] == "after_call_lost"] == [TOO_LONG]
        assert [line for line in logged if line["event"] == "database_value_refused"] != []
        assert desk.losses.counts()[LOST] == 1
        desk.after.start()
        await desk.until_done("a-call", "z-call", "later")
        desk.after.finished(TOO_LONG)
        desk.after.finished("last")
        await desk.until_done("a-call", "z-call", "later", "last")
    await database.close()
