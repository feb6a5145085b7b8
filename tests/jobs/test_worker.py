"""Jobs in a real SQLite and a real PostgreSQL: claimed once, done to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from antiphon.calls.stores import CallRecord
from antiphon.clock import ManualClock, SystemClock
from antiphon.jobs.queue import CallChange, Claim, Job, Kept, LeaseLost
from antiphon.jobs.worker import Done, JobWorker, NotYet
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs


def job(number: int, due_ms: int = 1000) -> Job:
    return Job(f"c{number}", f"c{number}", "org", 1000, due_ms, {"known": number})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
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

    async with asyncio.timeout(20):
        while not await failed():  # noqa: ASYNC110 (what the store holds tells nobody)
            await asyncio.sleep(0.005)
    await worker.close()
