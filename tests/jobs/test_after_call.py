"""``kill -9`` at each step of the work after a call: the report still arrives, once."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.calls.rig import Call
from tests.databases import postgres_url, sqlite_url

from antiphon.calls.files import CallFiles
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.jobs.after_call import _end_of, _record
from antiphon.jobs.queue import Job
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs
from antiphon.vocabulary import EndReason

STEPS = ("artifact", "analysis", "report")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the log and the recording of a call."""
    made = tmp_path_factory.mktemp("calls")
    call = Call(greeting="Good day.", hears=["a pot of marmalade"], answers=["Eleven crowns."], folder=made)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(900)
        await call.until_replies(2)
        call.session.drop(EndReason.CUSTOMER_ENDED)

    call.run(talk)
    return made


async def process(folder: Path, url: str, step: str = "", moment: str = "", keep_days: float = 0) -> int:
    arguments = [str(folder), url, step, moment, str(keep_days)]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.jobs.dying", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        return await running.wait()


@pytest.mark.parametrize(("step", "moment"), [(step, moment) for step in STEPS for moment in ("before", "after")])
async def test_a_process_killed_at_a_step_loses_nothing(tmp_path: Path, folder: Path, step: str, moment: str) -> None:
    # Both databases, each in half of the cases: a process takes a second to start.
    on_sqlite = (STEPS.index(step) + (moment == "before")) % 2 == 0
    url = sqlite_url(tmp_path) if on_sqlite else postgres_url()
    assert await process(folder, url, step, moment) == -signal.SIGKILL
    database = Database(url)
    await database.open()
    try:
        assert await StoredJobs(database).waiting() == 1
        assert await process(folder, url) == 0
        assert await StoredJobs(database).waiting() == 0
        reports = await database.read(
            lambda connection: connection.execute(text("select id, puts, summary from reports")).all()
        )
        assert [(row.id, row.summary) for row in reports] == [("after:call-1:end-of-call-report", "It went well.")]
        assert reports[0].puts == (2 if (step, moment) == ("report", "after") else 1)
        record = await StoredCalls(database).find(DEFAULT_ORG, "call-1")
        assert record is not None
        assert (record.status, record.ended_reason) == ("ended", EndReason.CUSTOMER_ENDED)
        assert record.started_wall_ms is not None and record.ended_wall_ms is not None
        assert record.started_wall_ms < record.ended_wall_ms
        assert "User: a pot of marmalade" in record.body["artifact"]["transcript"]
        assert record.body["analysis"]["summary"] == "It went well."
        assert {row["type"] for row in record.body["costs"]} >= {
            "transport",
            "transcriber",
            "model",
            "voice",
            "analysis",
        }
    finally:
        await database.close()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_killed_as_it_erases_leaves_nothing_that_was_said(
    tmp_path: Path, folder: Path, moment: str
) -> None:
    url = sqlite_url(tmp_path) if moment == "before" else postgres_url()
    files = tmp_path / "calls"
    shutil.copytree(folder, files)
    assert await process(files, url, "erase", moment, 1e-9) == -signal.SIGKILL
    assert bool(CallFiles(files).parts("call-1")) is (moment == "before")
    database = Database(url)
    await database.open()
    try:
        assert await StoredJobs(database).waiting() == 1
        assert await process(files, url, keep_days=1e-9) == 0
        assert await StoredJobs(database).waiting() == 0
        assert list(files.iterdir()) == []
        record = await StoredCalls(database).find(DEFAULT_ORG, "call-1")
        assert record is not None and record.body["erased"] and record.body["costs"]
        assert (record.body["artifact"], record.body["messages"], record.body["analysis"]) == (None, None, None)
    finally:
        await database.close()


def test_a_caller_s_long_address_in_a_log_fits_the_record_made_of_it(folder: Path) -> None:
    """PostgreSQL keeps 255 characters; a SIP address may be longer. All of it is in the record's body."""
    [log] = CallFiles(folder).logs("call-1")
    caller = "sip:" + "x" * 300
    carrier = {"provider": "twilio", "direction": "inbound", "caller": caller, "provider_call_id": "s" * 300}
    called_by = replace(log, header=replace(log.header, carrier=carrier))
    record = _record(Job("j", "call-1", DEFAULT_ORG, 1, 1), [called_by], str)
    assert (record.customer_number, record.body["customer"]["number"]) == (caller[:255], caller)
    assert record.provider_call_id == "s" * 255


def test_a_call_that_had_ended_before_its_worker_died_ended_for_its_own_reason(folder: Path) -> None:
    """The log is written first: who was killed between the two left a record that others ended with the worker."""
    [log] = CallFiles(folder).logs("call-1")
    by_the_log = _record(Job("j", "call-1", DEFAULT_ORG, 1, 1), [log], str)
    ended_by_others = replace(by_the_log, ended_reason="worker-died", ended_wall_ms=2**40)
    assert _end_of(ended_by_others, by_the_log, "worker-died") == {
        "ended_wall_ms": by_the_log.ended_wall_ms,
        "ended_reason": EndReason.CUSTOMER_ENDED,
    }
    cut_off = _record(Job("j", "call-1", DEFAULT_ORG, 1, 1), [replace(log, ended=EndReason.SERVER_DIED)], str)
    assert _end_of(ended_by_others, cut_off, "worker-died") == {}
    assert _end_of(replace(by_the_log, ended_reason="voicemail"), by_the_log, "worker-died") == {}
