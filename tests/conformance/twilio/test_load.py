"""Row 24: many calls at once, more calls than there is room for, and nothing left when they are over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.conformance.twilio.figures import show, spread
from tests.conformance.twilio.phone import AUTH_TOKEN, Phone, eventually
from tests.conformance.twilio.server import Server, serve_here, serve_in_child, undisturbed
from tests.conformance.twilio.speech import Said
from tests.stopwatch import Stopwatch
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from antiphon.caller.script import BargeIn
from antiphon.caller.summary import CallReport
from antiphon.caller.webhook import CallFailed, handshake_headers

CALLS, WAVES = 25, 3
LATE_MS = 40
"""Callers whose beat came so late share a machine that is busy with others."""


@pytest.mark.timed
async def test_row_24_three_waves_of_calls_leave_nothing_behind(tmp_path: Path, ten: Said) -> None:
    """Each call: a greeting, a turn, an answer that is interrupted, another answer. Memory, files and tasks come back."""
    async with serve_in_child(tmp_path) as (server, child):
        url = server.assistant(
            "busy",
            greeting="Hello.",
            hears=["Ten of clubs.", "Stop it please."],
            answers=["You said ten of clubs and nothing but that, did you not?", "Very well."],
        )
        memory_kib = []
        before = await server.status()
        files = child.open_files()
        for wave in range(WAVES):
            reports = await asyncio.gather(
                *(
                    _call(server, url, ten, delay_ms=11 * number, number=wave * CALLS + number)
                    for number in range(CALLS)
                )
            )
            _all_answered(reports, server.beat.lateness.worst_ms)
            await server.idle()
            memory_kib.append(child.rss_kib())
        show(f"memory after each wave of {CALLS} calls: {memory_kib} KiB")
        assert memory_kib[-1] - memory_kib[0] <= max(memory_kib[0] // 10, 8 * 1024)
        async with asyncio.timeout(60):  # the work after the last calls goes on for a moment
            while (await server.status())["tasks"] > before["tasks"]:  # noqa: ASYNC110 (another process tells nobody)
                await asyncio.sleep(0.1)
        await eventually(lambda: child.open_files() <= files, 2)
        told = [line for line in child.lines if line.get("level") != "info"]
        of_calls = [line for line in told if not str(line.get("event", "")).startswith("overload_")]
        assert of_calls == [], "a good call is nothing to warn of"


async def _call(server: Server, url: str, said: Said, *, delay_ms: int, number: int) -> CallReport:
    await asyncio.sleep(delay_ms / 1000)  # callers do not ring all at once
    return await server.converse(url, said.cue(), said.cue(BargeIn(400)), number=number, keep_audio=False)


def _all_answered(reports: list[CallReport], machine_late_ms: float) -> None:
    assert not [report.record.problem for report in reports if report.record.problem]
    turns = [turn for report in reports for turn in report.turns]
    assert len(turns) == 2 * CALLS
    assert not [turn for turn in turns if turn.unanswered]
    # Where a machine stands still amid a caller's word, a pause is heard in it that nobody made: by all who speak just then.
    early = [turn for turn in turns if turn.early]
    assert len(early) <= (CALLS // 2 if machine_late_ms > LATE_MS else 0), early
    barge_ins = [turn.barge_in for turn in turns if turn.barge_in is not None]
    assert len(barge_ins) == CALLS
    # … and a caller whose own clock stood still has waited less than it takes.
    assert sum(barge_in.missed for barge_in in barge_ins) <= (CALLS // 5 if machine_late_ms > LATE_MS else 0)
    assert not any(report.record.faults for report in reports)
    # Overlap is what a barge-in takes to be obeyed, and nothing else.
    silent = [barge_in.silent_ms for barge_in in barge_ins if barge_in.silent_ms is not None]
    assert sum(turn.overlap_ms for turn in turns) <= sum(silent) + CALLS * (20 + 2 * machine_late_ms)
    waits = [turn.response_ms for turn in turns if turn.response_ms is not None]
    show(f"answered {spread(waits)}; silent {spread(silent)}")


class TestAdmission:
    """More calls than ``max_calls``."""

    async def test_row_24_excess_calls_hear_that_the_lines_are_busy(self, tmp_path: Path) -> None:
        async with serve_here(tmp_path, max_calls=2) as server:
            waiting = Phone(server.beat)
            await waiting.ring(server.http, f"{server.url}/twilio/voice")  # rang in time, comes too late
            others = [await server.bystander(), await server.bystander()]
            with pytest.raises(CallFailed, match="busy"):
                await server.call(f"{server.url}/twilio/voice")
            with pytest.raises(InvalidStatus) as refused:
                async with connect(
                    waiting.stream.url, additional_headers=handshake_headers(waiting.stream.url, AUTH_TOKEN)
                ):
                    pytest.fail("the socket opened")
            assert refused.value.response.status_code == 503
            readiness = await server.http.get(f"{server.url}/readyz")
            assert (readiness.status_code, readiness.json()["status"]) == (503, "full")
            await others[0].hang_up()
            await server.call(f"{server.url}/twilio/voice")
            undisturbed(others[1])

    @pytest.mark.timed
    async def test_row_24_two_hundred_sockets_at_once_are_bounded_and_freed(self, server: Server) -> None:
        other = await server.bystander()
        url = other.stream.url
        headers = handshake_headers(url, AUTH_TOKEN)
        sockets = []
        watch = Stopwatch()
        for _ in range(8):
            sockets += await asyncio.gather(*(connect(url, additional_headers=headers) for _ in range(25)))
        assert watch.own_s < 2
        assert len(server.app.watch) == 201
        health = await server.http.get(f"{server.url}/healthz", timeout=httpx.Timeout(1))
        assert health.json()["calls"] == 1
        await asyncio.gather(*(socket.close() for socket in sockets))
        await eventually(lambda: len(server.app.watch) == 1)
        undisturbed(other)
