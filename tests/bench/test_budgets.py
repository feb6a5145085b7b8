"""Which budgets of the design a run keeps."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.conftest import point_of, record

from antiphon.bench.budgets import CALLS, CAPACITY, Verdict, judge_points, judge_start, misses
from antiphon.bench.start import Installed, Start
from antiphon.caller.summary import spread_of


def by_figure(verdicts: list[Verdict]) -> dict[str, Verdict]:
    return {verdict.figure: verdict for verdict in verdicts}


def test_a_figure_is_judged_at_the_number_of_calls_the_design_names() -> None:
    cheap = replace(point_of(record(), calls=CALLS), cpu_ms_per_call_s=2.1)
    cheap = replace(cheap, speech=replace(cheap.speech, over_floor=spread_of([10.0, 60.0])))
    dear = replace(point_of(record(), calls=50), cpu_ms_per_call_s=9.0)
    verdicts = by_figure(judge_points([dear, cheap], held=None))
    assert verdicts["CPU per call-second, 200 calls"] == Verdict(
        "CPU per call-second, 200 calls", "≤ 2.2 ms", "2.1 ms", True
    )
    assert verdicts["response over floor, p50, 200 calls"].met is True
    assert verdicts["response over floor, p95, 200 calls"].met is False
    assert verdicts["own memory per call, 200 calls"].met is False
    assert verdicts["barge-in, onset → silent, p50, 200 calls"].met is True


def test_what_a_run_cannot_tell_is_neither_met_nor_missed() -> None:
    doubtful = point_of(record(), calls=CALLS, client_late_ms=30.0)
    verdicts = judge_points([doubtful], held=None)
    assert {verdict.met for verdict in verdicts} == {None}
    assert {verdict.measured for verdict in verdicts} == {"–"}


def test_capacity_is_what_is_held() -> None:
    assert by_figure(judge_points([], held=CAPACITY))["calls held on one core"].met is True
    assert by_figure(judge_points([], held=CAPACITY - 10))["calls held on one core"].met is False


def test_the_start_is_judged_by_its_median() -> None:
    start = Start((4.0, 1.2, 1.3, 1.1, 1.4), Installed(61, 120.0))
    assert [verdict.met for verdict in judge_start(start)] == [True, False, True]
    assert [verdict.met for verdict in judge_start(replace(start, installed=None))] == [True, None, None]


def test_what_a_call_feels_of_overload_is_counted_at_any_number_of_calls() -> None:
    kept = point_of(record(), calls=300)
    kept = replace(kept, speech=replace(kept.speech, over_floor=spread_of([5.0])))
    assert misses(kept) == 0
    assert misses(replace(kept, speech=replace(kept.speech, over_floor=spread_of([50.0]), unanswered=1))) == 3
