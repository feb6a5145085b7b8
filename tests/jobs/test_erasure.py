"""A call that is deleted stays deleted, whatever of it comes to its end only then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon.calls.artifact import Addresses
from antiphon.calls.files import CallFiles
from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.clock import ManualClock
from antiphon.jobs.after_call import AfterCall, AfterPlan, Surroundings
from antiphon.jobs.erasure import Erasure
from antiphon.jobs.queue import Job, Kept, LeaseLost, job_id
from antiphon.jobs.report import NoOutbox
from antiphon.providers.prices import read_prices
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs

RECORD = CallRecord("c1", DEFAULT_ORG, "webCall", "in-progress", 1, 1, 1)
JOB = Job(job_id("after", "c1"), "c1", DEFAULT_ORG, 1, 1, {"assistant": "a", "cost": {"cost": 1}})


class Desk:
    def __init__(self, database: Database, folder: Path) -> None:
        self.calls, self.jobs, self.clock = StoredCalls(database), StoredJobs(database), ManualClock()
        files = CallFiles(folder)
        self.erasure = Erasure(files, self.calls, self.jobs, self.clock, database.forget)

        async def plan_of(record: CallRecord) -> AfterPlan:
            return AfterPlan()

        async def nothing(*asked: Any) -> list[Any]:
            return []

        around = Surroundings(plan_of, nothing, lambda call_id, recorded, logged: Addresses(), nothing)
        self.after = AfterCall(
            files, self.calls, self.jobs, self.clock, read_prices(), around, NoOutbox(), self.erasure.erase_content
        )

    async def delete(self) -> None:
        assert await self.erasure.erase(DEFAULT_ORG, "c1")
        assert await self.calls.find(DEFAULT_ORG, "c1") is None


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    made = Desk(database, tmp_path)
    await made.calls.add(RECORD)
    return made


async def test_what_is_handed_over_after_its_call_was_deleted_is_not_taken(desk: Desk) -> None:
    """A live call ends with its deletion, and its end comes to the queue a moment later: it made the record anew."""
    await desk.delete()
    assert not await desk.jobs.add(JOB)
    kept = await desk.jobs.find(JOB.id)
    assert kept is not None and kept.done and not kept.facts
    assert await desk.jobs.waiting() == 0


@pytest.mark.parametrize("when", ["before", "as it looks"])
async def test_work_that_is_being_done_as_its_call_is_deleted_makes_no_record_of_it(desk: Desk, when: str) -> None:
    assert await desk.jobs.add(JOB)
    claimed = (await desk.jobs.claim("me", 10, 1000)).job
    assert claimed is not None
    if when == "before":
        await desk.delete()
    else:
        desk.calls.find = _after(desk.calls.find, desk.delete)  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        await _step(desk, claimed)
    assert await desk.calls.find(None, "c1") is None


async def test_jobs_of_other_kinds_go_with_the_call(desk: Desk) -> None:
    await desk.jobs.add(Job(job_id("erase", "c1"), "c1", DEFAULT_ORG, 1, 99, kind="erase"))
    await desk.jobs.add(Job(job_id("after", "c2"), "c2", DEFAULT_ORG, 1, 99))
    await desk.delete()
    assert await desk.jobs.known([job_id("erase", "c1"), job_id("after", "c2")]) == {job_id("after", "c2")}
    assert await desk.jobs.waiting() == 1


def _after(
    find: Callable[..., Awaitable[CallRecord | None]], then: Callable[[], Awaitable[None]]
) -> Callable[..., Awaitable[CallRecord | None]]:
    first = True

    async def found(org_id: str | None, id: str) -> CallRecord | None:
        nonlocal first
        record = await find(org_id, id)
        if first:
            first = False
            await then()
        return record

    return found


async def _step(desk: Desk, job: Job) -> None:
    done = await desk.after.artifact(job)
    await desk.jobs.keep(job.id, "me", Kept("artifact", done.result, done.change), 20)
