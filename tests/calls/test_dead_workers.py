"""Calls of workers that are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.databases import sqlite_url

from antiphon.calls.cluster import Cluster, NobodyElse
from antiphon.calls.dead_workers import DeadWorkers
from antiphon.calls.limits import MemoryLimits
from antiphon.calls.stores import CallRecord
from antiphon.clock import ManualClock
from antiphon.errors import StoreUnavailable
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[StoredCalls]:
    database = Database(sqlite_url(tmp_path))
    await database.open()
    store = StoredCalls(database)
    for number, node in enumerate(("host/a/1-x", "host/a/2-y", "host/b/1-z")):
        await store.add(CallRecord(f"c{number}", f"org{number}", "webCall", "in-progress", 1, 1, node=node))
    yield store
    await database.close()


def looker(calls: StoredCalls, finished: list[tuple[str, str]], *living: str, unknown: bool = False) -> DeadWorkers:
    async def alive() -> set[str]:
        if unknown:
            raise StoreUnavailable("no")
        return set(living)

    cluster = Cluster("host/a/2-y", NobodyElse(), MemoryLimits(0), "host/a/", alive)
    return DeadWorkers(calls, cluster, ManualClock(), "died", lambda *call: finished.append(call))


async def test_they_are_ended_once_and_handed_on(calls: StoredCalls) -> None:
    finished: list[tuple[str, str]] = []
    looking = looker(calls, finished, "host/a/2-y")
    assert await looking.look() == 1
    assert await looking.look() == 0
    assert finished == [("c0", "org0")]
    record = await calls.find(None, "c0")
    assert record is not None and (record.status, record.ended_reason) == ("ended", "died")
    other = await calls.find(None, "c2")
    assert other is not None and other.status == "in-progress", "of a server that shares the database, and no Redis"


async def test_where_it_cannot_be_known_who_lives_nobody_is_dead(calls: StoredCalls) -> None:
    with pytest.raises(StoreUnavailable):
        await looker(calls, [], unknown=True).look()
    record = await calls.find(None, "c0")
    assert record is not None and record.status == "in-progress"
