"""Records on their way to a real database, and through its failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.databases import postgres_url, sqlite_url

from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.stores import CallRecord
from antiphon.errors import StoreUnavailable
from antiphon.losses import Losses
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database


def record(id: str, **columns: Any) -> CallRecord:
    return CallRecord(
        id, "org", "webCall", **{"status": "queued", "created_wall_ms": 1, "updated_wall_ms": 1} | columns
    )


@asynccontextmanager
async def stored(url: str) -> AsyncIterator[StoredCalls]:
    database = Database(url)
    await database.open()
    try:
        yield StoredCalls(database)
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url()


class Failing:
    """A store that fails until it is mended."""

    def __init__(self, store: StoredCalls) -> None:
        self._store = store
        self.broken = False
        self.asked = 0

    async def change(self, *arguments: Any, **columns: Any) -> CallRecord | None:
        self.asked += 1
        if self.broken:
            raise StoreUnavailable("gone")
        return await self._store.change(*arguments, **columns)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


async def test_nothing_is_lost_while_the_database_is_gone(url: str) -> None:
    async with stored(url) as calls:
        for id in ("a", "b"):
            await calls.add(record(id, body={"kept": True}))
        losses, failing = Losses(), Failing(calls)
        writer = RecordWriter(failing, losses, first_retry_s=0.001)  # type: ignore[arg-type]  # as much of a store as it asks
        written: list[CallRecord] = []
        writer.on_written.append(written.append)
        writer.start()
        failing.broken = True
        writer.change("a", 2, {"one": 1}, status="in-progress", started_wall_ms=2)
        await until(lambda: failing.asked > 2)
        writer.change("b", 3, status="in-progress")
        writer.change("a", 4, {"two": 2}, status="ended", ended_wall_ms=4)
        writer.change("nobody", 5, status="ended")
        failing.broken = False
        await asyncio.wait_for(writer.written(), 20)
        a, b = await calls.find("org", "a"), await calls.find("org", "b")
        assert a is not None and b is not None
        assert (a.status, a.started_wall_ms, a.ended_wall_ms, dict(a.body)) == (
            "ended", 2, 4, {"kept": True, "one": 1, "two": 2},
        )  # fmt: skip
        assert b.status == "in-progress"
        assert {each.id: each.status for each in written}["a"] == "ended"
        assert losses.counts()["call_record_retries", ()] > 2
        await writer.close(5)


async def test_it_stops_in_time_and_tells_what_it_could_not_write(tmp_path: Path) -> None:
    async with stored(sqlite_url(tmp_path)) as calls:
        failing, losses = Failing(calls), Losses()
        failing.broken = True
        writer = RecordWriter(failing, losses, first_retry_s=0.001)  # type: ignore[arg-type]
        writer.start()
        writer.change("a", 1, status="ended")
        await until(lambda: failing.asked > 1)
        await writer.close(0.05)
        assert losses.counts()["call_records_unwritten", ()] >= 1


async def test_calls_whose_server_is_gone_are_ended(url: str) -> None:
    async with stored(url) as calls:
        for id, status, since_ms in (("old", "queued", 10), ("new", "queued", 100), ("live", "in-progress", 10)):
            await calls.add(record(id, status=status, created_wall_ms=5, updated_wall_ms=since_ms))
        assert await calls.end_waiting(50, 200, "gone") == 1
        found = [await calls.find("org", id) for id in ("old", "new", "live")]
        assert [(each.status, each.ended_reason) for each in found if each] == [
            ("ended", "gone"), ("queued", ""), ("in-progress", ""),
        ]  # fmt: skip
