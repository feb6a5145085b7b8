"""Jobs in a real SQLite and a real PostgreSQL: claimed once, done to their end."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.databases import sqlite_url

from antiphon.calls.stores import CallRecord
from antiphon.clock import ManualClock, SystemClock
from antiphon.errors import ValueRefused
from antiphon.jobs.queue import CallChange, Claim, Job, JobKind, Kept, LeaseLost
from antiphon.jobs.worker import MOST_ATTEMPTS, MOST_REFUSED, Done, JobWorker, NotYet
from antiphon.losses import Losses
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs

SAID = "".join(("marma", "lade"))
"""Not as it stands in the lines that a traceback quotes."""


def job(number: int, due_ms: int = 1000) -> Job:
    return Job(f"c{number}", f"c{number}", "org", 1000, due_ms, {"known": number})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 (what the store holds tells nobody)
            await asyncio.sleep(0.005)


async def test_a_job_is_claimed_by_one_until_its_lease_ends(database: Database) -> None:
    store = StoredJobs(database)
    assert await store.add(job(1)) and not await store.add(job(1, 5))
    assert await store.claim("a", 999, 100) == Claim(None, 1000)
    assert await store.claim("a", 1000, 100) == Claim(job(1), 1100)
    assert await store.claim("b", 1099, 100) == Claim(None, 1100)
    assert await store.renew("c1", "a", 1500) and await store.claim("b", 1499, 100) == Claim(None, 1500)
    assert (await store.claim("b", 1500, 100)).job is not None
    with pytest.raises(LeaseLost):
        await store.keep("c1", "a", Kept("one", 1), 1)
    await store.keep("c1", "b", Kept("one", 1), 1)
    assert await store.put_off("c1", "b", 9000, "one: OSError")
    found = await store.find("c1")
    assert found is not None and (found.results, found.attempts, found.problem) == ({"one": 1}, 1, "one: OSError")
    assert await store.known(["c1", "c2"]) == {"c1"}
    await store.delete_of("c1")
    assert await store.find("c1") is None and await store.waiting() == 0


async def test_many_workers_do_each_job_once(database: Database) -> None:
    store, done = StoredJobs(database), []

    async def do(job: Job) -> Done:
        done.append(job.id)
        return Done()

    for number in range(20):
        await store.add(job(number))
    workers = [JobWorker(store, SystemClock(), {"after": [("one", do)]}) for _ in range(4)]
    for worker in workers:
        worker.start()
    await until(lambda: len(done) == 20)
    for worker in workers:
        await worker.close()
    assert sorted(done) == sorted(f"c{number}" for number in range(20))
    assert await store.waiting() == 0


async def test_a_step_s_result_and_the_call_change_together_and_the_next_step_reads_it(database: Database) -> None:
    store, calls, seen = StoredJobs(database), StoredCalls(database), []
    await calls.add(CallRecord("c1", "org", "webCall", "in-progress", 1, 1, body={"kept": 1}))

    async def one(job: Job) -> Done:
        return Done({"n": 1}, CallChange({"artifact": "x"}, {"status": "ended"}))

    async def two(job: Job) -> Done:
        seen.append((job.facts, job.results))
        return Done()

    await store.add(job(1))
    worker = JobWorker(store, SystemClock(), {"after": [("one", one), ("two", two)]})
    worker.start()
    await until(lambda: bool(seen))
    await worker.close()
    assert seen == [({"known": 1}, {"one": {"n": 1}})]
    record = await calls.find("org", "c1")
    assert record is not None and record.status == "ended" and record.body == {"kept": 1, "artifact": "x"}
    found = await store.find("c1")
    assert found is not None and found.done and not found.results and not found.facts


async def test_a_step_that_fails_is_tried_again_later_and_only_that_step(database: Database) -> None:
    store, clock = StoredJobs(database), ManualClock(0)
    runs: list[str] = []

    async def one(job: Job) -> Done:
        runs.append("one")
        return Done()

    async def two(job: Job) -> Done:
        runs.append(f"two {job.attempts}")
        if job.attempts == 0 and runs.count("two 0") == 1:
            raise NotYet(100)
        if job.attempts < 2:
            raise OSError("the disk")
        return Done()

    now_ms = clock.wall_ms()
    await store.add(Job("c1", "c1", "org", now_ms, now_ms))
    worker = JobWorker(store, clock, {"after": [("one", one), ("two", two)]})
    worker.start()
    for wait_ms, count in ((0, 2), (100, 3), (1000, 4), (2000, 5)):
        clock.advance(wait_ms)
        worker.wake()
        await until(lambda count=count: len(runs) >= count)  # type: ignore[misc]
    await worker.close()
    assert runs == ["one", "two 0", "two 0", "two 1", "two 2"]


async def test_a_result_that_the_database_cannot_keep_is_a_step_that_failed(database: Database) -> None:
    """Not a database that is gone, for which nothing is counted: the job says what is wrong, and waits longer each time."""
    store, clock = StoredJobs(database), ManualClock(0)
    await StoredCalls(database).add(CallRecord("c1", "org", "webCall", "ended", 1, 1))

    async def one(job: Job) -> Done:
        return Done(None, CallChange(columns={"ended_wall_ms": 2**63}))

    now_ms = clock.wall_ms()
    await store.add(Job("c1", "c1", "org", now_ms, now_ms))
    worker = JobWorker(store, clock, {"after": [("one", one)]})
    worker.start()

    async def failed() -> bool:
        found = await store.find("c1")
        return found is not None and (found.attempts, found.problem) == (1, "one: ValueRefused")

    async with asyncio.timeout(60):
        while not await failed():  # noqa: ASYNC110 (what the store holds tells nobody)
            await asyncio.sleep(0.005)
    await worker.close()


async def test_a_result_that_is_always_refused_is_given_up_and_the_next_step_is_done(database: Database) -> None:
    """It would be refused for ever; the report goes without it."""
    store, clock, losses = StoredJobs(database), ManualClock(0), Losses()
    await StoredCalls(database).add(CallRecord("c1", "org", "webCall", "ended", 1, 1))
    tried, seen = 0, []

    async def one(job: Job) -> Done:
        nonlocal tried
        tried += 1
        return Done({"said": SAID}, CallChange(columns={"ended_wall_ms": 2**63}))

    async def two(job: Job) -> Done:
        seen.append(job.results)
        return Done()

    now_ms = clock.wall_ms()
    await store.add(Job("c1", "c1", "org", now_ms, now_ms))
    with capture_logs() as logged:
        worker = JobWorker(store, clock, {"after": [("one", one), ("two", two)]}, losses=losses)
        worker.start()
        for count in range(1, MOST_REFUSED):
            await attempted(store, count)
            clock.advance(10_000)
            worker.wake()
        await until(lambda: bool(seen))
        await worker.close()
    assert (tried, seen) == (MOST_REFUSED, [{"one": None}])
    found = await store.find("c1")
    assert found is not None and found.done
    assert losses.counts()["job_steps_given_up", (("step", "one"),)] == 1
    (told,) = [line for line in logged if line["event"] == "job_step_given_up"]
    assert (told["call_id"], told["step"], told["problem"]) == ("c1", "one", "ValueRefused")
    assert SAID not in repr([line | {"fault": fault_of(line)} for line in logged])


async def attempted(store: StoredJobs, count: int) -> None:
    """Until an attempt is written down, or the job is done."""
    async with asyncio.timeout(60):
        while not ((found := await store.find("c1")) and (found.done or found.attempts == count)):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def fault_of(line: Mapping[str, Any]) -> str:
    fault = line.get("exc_info")
    return "".join(traceback.format_exception(fault)) if isinstance(fault, BaseException) else ""


@pytest.mark.parametrize("kind", ["after", "erase"])
async def test_a_step_that_fails_for_a_day_is_given_up_unless_it_erases(tmp_path: Path, kind: JobKind) -> None:
    database = Database(sqlite_url(tmp_path))
    await database.open()
    store, clock = StoredJobs(database), ManualClock(0)
    began_ms = clock.wall_ms()
    tried: list[int] = []

    async def one(job: Job) -> Done:
        tried.append(clock.wall_ms() - began_ms)
        raise OSError("the disk")

    await store.add(Job("c1", "c1", "org", began_ms, began_ms, kind=kind))
    worker = JobWorker(store, clock, {kind: [("one", one)]})
    worker.start()
    for count in range(1, MOST_ATTEMPTS + 1):
        await until(lambda count=count: len(tried) >= count)  # type: ignore[misc]
        await attempted(store, count)
        clock.advance(600_000)
        worker.wake()
    await until(lambda: len(tried) > MOST_ATTEMPTS or kind == "after")
    await worker.close()
    found = await store.find("c1")
    assert found is not None and found.done is (kind == "after")
    assert tried[MOST_ATTEMPTS - 1] > 23 * 3_600_000
    await database.close()


async def test_a_result_that_is_no_json_is_refused_as_any_other_value(database: Database) -> None:
    store = StoredJobs(database)
    await store.add(job(1))
    await store.claim("a", 1000, 100)
    with pytest.raises(ValueRefused):
        await store.keep("c1", "a", Kept("one", {1, 2}), 1)
    assert (await store.find("c1")) == job(1), "nothing of it was written"
