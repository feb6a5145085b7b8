"""A process that does the work after a call and kills itself at a named step. Run as a module: FOLDER DATABASE_URL STEP MOMENT KEEP_DAYS.

The reports go into a table of the same database, as the outbox of webhooks has one: what is put there twice is there once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from antiphon.calls.artifact import Addresses
from antiphon.calls.files import CallFiles
from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.clock import SystemClock
from antiphon.jobs.after_call import AfterCall, AfterPlan, Surroundings
from antiphon.jobs.analysis import Analyst
from antiphon.jobs.erasure import Erasure
from antiphon.jobs.queue import Job, JobKind, job_id
from antiphon.jobs.worker import Done, JobWorker, Step
from antiphon.providers.prices import read_prices
from antiphon.providers.scripted import ScriptedLanguageModel
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database, Store, writing
from antiphon.storage.jobs import StoredJobs

LEASE_S = 0.5


class Reports(Store):
    """A durable outbox."""

    @writing
    def open(self, connection: Connection) -> None:
        connection.execute(
            text("create table if not exists reports (id varchar(200) primary key, puts integer, summary text)")
        )

    @writing
    def put(self, connection: Connection, report_id: str, call: CallRecord, message: Mapping[str, Any]) -> None:
        connection.execute(
            text(
                "insert into reports values (:id, 1, :summary) on conflict (id) do update set puts = reports.puts + 1"
            ),
            {"id": report_id, "summary": message["summary"]},
        )


def dying_at(steps: Mapping[JobKind, Sequence[Step]], name: str, moment: str) -> dict[JobKind, Sequence[Step]]:
    """``moment``: before the step, or after what it does and before its result is kept."""

    def wrapped(step: Step) -> Step:
        async def do(job: Job) -> Done:
            if moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            await step[1](job)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("it is dead")

        return (name, do) if step[0] == name else step

    return {kind: tuple(wrapped(step) for step in some) for kind, some in steps.items()}


async def main(folder: str, url: str, step: str, moment: str, keep_days: str) -> None:
    database = Database(url)
    await database.open()
    calls, jobs, reports = StoredCalls(database), StoredJobs(database), Reports(database)
    await reports.open()

    async def plan_of(record: CallRecord) -> AfterPlan:
        return AfterPlan(analyst=Analyst(ScriptedLanguageModel(["It went well."])), keep_days=float(keep_days))

    async def outputs_of(org_id: str, ids: Sequence[str]) -> list[Any]:
        return []

    async def read_output(*output: Any) -> None: ...

    around = Surroundings(plan_of, outputs_of, lambda call_id, recorded, logged: Addresses(), read_output)
    files, clock = CallFiles(Path(folder)), SystemClock()
    erase = Erasure(files, calls, jobs, clock, database.forget).erase_content
    after = AfterCall(files, calls, jobs, clock, read_prices(), around, reports, erase)
    steps = dict(after.steps())
    now_ms = SystemClock().wall_ms()
    await jobs.add(Job(job_id("after", "call-1"), "call-1", DEFAULT_ORG, now_ms, now_ms))
    worker = JobWorker(jobs, SystemClock(), dying_at(steps, step, moment) if step else steps, LEASE_S)
    worker.start()
    async with asyncio.timeout(60):
        while await jobs.waiting():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await worker.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
