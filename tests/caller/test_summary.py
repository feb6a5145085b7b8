"""Many calls in a few figures, and both reports of them."""

import io
from dataclasses import replace

import orjson
from rich.console import Console

from antiphon.caller.hearing import Utterance
from antiphon.caller.lateness import Lateness
from antiphon.caller.measure import Spoken, Stages
from antiphon.caller.record import CallRecord
from antiphon.caller.report import print_report, remark, waterfall
from antiphon.caller.summary import CallReport, as_json, report_on, summarise


def late(*values: float) -> Lateness:
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    return lateness


def answered_call(number: int = 1) -> CallReport:
    """An answer after 250 ms, a barge-in cleared after 120 ms and answered after 400 ms, and a cough."""
    record = CallRecord(
        number=number,
        call_sid=f"CA{number}",
        duration_ms=12_000,
        spoken=(
            Spoken("say", "Hello [bold]", 1000, 2000, True),
            Spoken("wav", "clip.wav", 4000, 5000, True),
            Spoken("noise", "cough", 6000, 6300, False),
        ),
        utterances=(
            Utterance(2250, 2300, 4120, True),
            Utterance(5400, 5400, 6100, True),
            Utterance(6500, 6600, 9000),
        ),
        cuts_ms=(4120, 6100),
        media_messages=100,
        underruns=2,
        underrun_ms=12.0,
        frame_lateness=late(1.0, 3.0),
        faults={"binary": 1},
        lost=3,
    )
    return report_on(record)


def broken_call(number: int) -> CallReport:
    return report_on(CallRecord(number, f"CA{number}", "the server refused the media socket: HTTP 403", unsaid=1))


def unanswered_call(number: int) -> CallReport:
    record = CallRecord(number, f"CA{number}", duration_ms=9000, spoken=(Spoken("say", "Hm", 0, 500, True),))
    return report_on(record)


def test_figures_of_all_calls_together() -> None:
    reports = [answered_call(1), answered_call(2), broken_call(3), broken_call(4), unanswered_call(5)]
    summary = summarise(reports, late(0.5))
    assert [report.failed for report in reports] == [False, False, True, True, True]
    assert (summary.calls, summary.broken, summary.turns, summary.unanswered) == (5, 2, 5, 1)
    assert summary.problems == {"the server refused the media socket: HTTP 403": 2}
    assert (summary.response.count, summary.response.p50_ms, summary.response.max_ms) == (4, 250, 400)
    assert (summary.barge_ins, summary.missed_barge_ins, summary.barge_clear.p95_ms) == (2, 0, 120)
    assert summary.noise_outcomes == {"resumed": 2}
    assert (summary.frame_lateness.count, summary.frame_lateness.max_ms) == (4, 3.0)
    assert (summary.send_lateness.p99_ms, summary.underruns, summary.lost) == (0.5, 4, 6)
    assert summary.faults == {"binary": 2}


def test_no_calls_give_no_figures() -> None:
    summary = summarise([], Lateness())
    assert summary.response.p50_ms is None
    assert summary.send_lateness.max_ms is None


def test_the_json_report_is_whole_and_plain() -> None:
    reports = [answered_call(), broken_call(2)]
    document = orjson.loads(orjson.dumps(as_json(reports, summarise(reports, late(0.5)))))
    first, second = document["calls"]
    assert document["summary"]["calls"] == 2
    assert first["problem"] is None
    assert [turn["response_ms"] for turn in first["turns"]] == [250, 400, None]
    assert first["turns"][1]["barge_in"] == {"clear_ms": 120, "silent_ms": 120, "missed": False}
    assert first["turns"][0]["unanswered"] is False
    assert second["problem"].endswith("HTTP 403")


def shown(*reports: CallReport) -> str:
    text = io.StringIO()
    print_report(Console(file=text, width=200), reports, summarise(reports, late(0.5)))
    return text.getvalue()


def test_a_single_call_is_shown_turn_by_turn() -> None:
    report = answered_call()
    turn = replace(report.turns[0], stages=Stages(100, 150, None))
    text = shown(replace(report, turns=(turn, *report.turns[1:]), note="look here"))
    assert "say: Hello [bold]" in text
    assert "barge-in: clear 120, silent 120" in text
    assert "the agent's speech: resumed after 500 ms" in text
    assert "look here" in text
    assert "2 turns, every one answered" in text
    assert "not Twilio's protocol, binary: 1" in text
    row = next(line for line in text.splitlines() if "Hello" in line)
    assert row.partition("[bold]")[2].split()[:5] == ["100", "150", "–", "250", "300"]


def test_many_calls_are_shown_in_sum() -> None:
    text = shown(*(answered_call(number) for number in range(1, 4)), broken_call(4), broken_call(5))
    assert "Hello" not in text
    assert "✗ the server refused the media socket: HTTP 403 (2 calls)" in text
    assert "5 calls, 2 broken" in text


def test_an_unanswered_turn_stands_out() -> None:
    text = shown(unanswered_call(1))
    assert "unanswered" in text
    assert "1 call; 1 turn, 1 unanswered" in text


def test_an_early_answer_and_a_missed_barge_in_are_remarked_on() -> None:
    spoken = (Spoken("say", "a", 0, 1000, True), Spoken("say", "b", 2000, 3000, True))
    utterances = (Utterance(900, 900, 1500), Utterance(1900, 1900, 4000))
    early, missed = report_on(CallRecord(1, "CA1", duration_ms=1, spoken=spoken, utterances=utterances)).turns
    assert "answered early" in remark(early)
    assert "barge-in missed" in remark(missed)
    assert waterfall(early, 100) == ""


def test_the_waterfall_is_in_proportion() -> None:
    turn = replace(answered_call().turns[0], response_ms=155.0, heard_ms=310.0, stages=Stages(0, 100, 3100))
    assert waterfall(turn, 310) == "c·········t····▶···············a"
    assert waterfall(replace(turn, stages=None), 620) == "·······▶·······●"


def test_a_call_that_was_refused_has_a_reason_and_no_turns() -> None:
    text = shown(broken_call(1))
    assert "✗ the server refused the media socket: HTTP 403" in text
    assert "after the user stopped" not in text
