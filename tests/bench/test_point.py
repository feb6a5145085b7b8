"""From call records and counters to the figures of one point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.bench.conftest import T0, point_of, record

from antiphon.bench.holds import hold_after, read_holds
from antiphon.bench.machine import this_machine
from antiphon.bench.measure import typical_points
from antiphon.bench.point import typical_of
from antiphon.bench.report import as_document, comparable, read_kept, regressions, write_document
from antiphon.bench.workload import FLOOR_MS
from antiphon.caller.lateness import Lateness
from antiphon.caller.record import CallRecord
from antiphon.errors import ConfigurationError


def test_cost_is_the_servers_time_over_the_seconds_of_calls_within_the_span() -> None:
    point = point_of(record(), record(started_wall_ms=T0 + 4000, duration_ms=1000.0, spoken=(), cuts_ms=()))
    assert point.call_seconds == pytest.approx(11.0)
    assert point.cpu_ms_per_call_s == pytest.approx(300 / 11)
    assert point.children_cpu_ms_per_call_s == pytest.approx(100 / 11)
    assert point.cpu_per_reference == pytest.approx(300 / 11)
    assert point.server_cores == pytest.approx(0.03)
    assert point.callers_cores == pytest.approx(0.02)
    assert point.other_cores == pytest.approx((1.0 - 0.3 - 0.1 - 0.2) / 10)
    assert point.steal_cores == pytest.approx(0.05)
    assert point.own_kib_per_call == pytest.approx(200)


def test_response_is_told_above_the_floor_and_barge_in_in_its_parts() -> None:
    speech = point_of(record()).speech
    assert (speech.turns, speech.unanswered, speech.barge_ins, speech.missed) == (2, 0, 1, 0)
    assert speech.over_floor.max_ms == pytest.approx(400 - FLOOR_MS)
    assert speech.onset_to_hold.p50_ms == pytest.approx(30)
    assert speech.hold_to_clear.p50_ms == pytest.approx(20)
    assert speech.onset_to_clear.p50_ms == pytest.approx(50)
    assert speech.onset_to_silent.p50_ms == pytest.approx(50)


def test_only_turns_that_end_within_the_span_count() -> None:
    assert point_of(record(started_wall_ms=T0 - 4000)).speech.turns == 1
    assert point_of(record(started_wall_ms=T0 + 5000)).speech.turns == 1
    assert point_of(record(started_wall_ms=T0 - 40_000)).speech.turns == 0


def test_a_turn_without_answer_or_a_lost_call_means_it_does_not_hold() -> None:
    assert point_of(record()).holds
    assert not point_of(record(utterances=())).holds
    assert point_of(record(utterances=())).speech.unanswered == 2
    lost = CallRecord(2, "CA2", "the webhook answered HTTP 503", started_wall_ms=T0 + 100)
    assert not point_of(record(), lost).holds
    assert point_of(record(), lost).problems == {"the webhook answered HTTP 503": 1}


def test_who_is_refused_is_counted_apart_and_only_within_the_span() -> None:
    words = "the server took no media and hung up"
    point = point_of(record(), CallRecord(2, "CA2", words, refused=True, started_wall_ms=T0 + 100))
    assert (point.refused, point.broken, point.problems) == (1, 0, {})
    assert not point.holds, "a caller without a line is not held"
    ramp = CallRecord(3, "CA3", words, refused=True, started_wall_ms=T0 - 100)
    assert point_of(record(), ramp).refused == 0
    assert point_of(record(), ramp).holds
    assert point_of(record()).live_calls == pytest.approx(1.0)


def test_late_frames_mean_it_does_not_hold() -> None:
    late = Lateness()
    late.add(25.0)
    assert not point_of(record(playout_lateness=late)).holds


def test_a_point_taken_by_a_late_client_does_not_count() -> None:
    assert point_of(record(), client_late_ms=14.0).valid
    point = point_of(record(), client_late_ms=16.0)
    assert not point.valid
    assert "callers' core" in point.doubts[0]


def test_of_several_runs_the_one_of_median_cost_is_the_point() -> None:
    runs = [
        replace(point_of(record()), cpu_ms_per_call_s=cost, refused=number)
        for number, cost in enumerate([3.0, 1.0, 2.0, 2.5])
    ]
    assert typical_of(runs[:1]) is runs[0]
    assert typical_of(runs[:3]) is runs[2]
    assert typical_of(runs) is runs[2], "of the middle two the cheaper"
    doubtful = replace(runs[1], doubts=("the callers' core was too busy",))
    assert typical_of([runs[0], doubtful, runs[3]]) is runs[3], "a run that does not count stands for nothing"
    assert typical_of([doubtful]) is doubtful
    assert [point.calls for point in typical_points([replace(runs[0], calls=50), *runs])] == [10, 50]


def test_holds_are_read_from_event_logs(tmp_path: Path) -> None:
    header = {"carrier": {"provider_call_id": "CA1"}, "wall_ms": T0, "started_ms": 5000}
    lines = [
        orjson.dumps(header),
        b'[5100,["SoundStarted",{}],[]]',
        b'[5200,["SoundStarted",{}],[["StateChanged",{}],["HoldPlayback",{"reply":1}]]]',
        b'[5300,["TranscriptFinal",{"text":"the word HoldPlayback"}],[]]',
        b'[5400,["SoundStarted",{}],[["HoldPlayback",{"re',
    ]
    (tmp_path / "one.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "other.jsonl").write_bytes(b'{"carrier":{}')
    assert read_holds(tmp_path) == {"CA1": [T0 + 200.0]}


def test_a_hold_belongs_to_the_sound_that_was_there_before_it() -> None:
    assert hold_after([1000.0, 2000.0], 1990.0, 4000.0) == 2000.0
    assert hold_after([1000.0], 1020.0, 4000.0) == 1000.0
    assert hold_after([1000.0], 1050.0, 4000.0) is None


def test_a_kept_run_is_read_back_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    points = [point_of(record(), calls=1), point_of(record(), calls=10)]
    write_document(path, as_document("ours", "2026-01-01T00:00:00+00:00", this_machine(), points, points, None, None))
    kept = read_kept(path)
    assert kept == pytest.approx({1: 30.0, 10: 30.0})
    assert comparable(points, kept) == 1
    assert regressions(points, kept) == []
    assert regressions(points, {10: 30.0 / 2.4}) == []
    assert len(regressions(points, {1: 1.0, 10: 30.0 / 2.6})) == 1, "one call is too few to judge by"
    doubtful = [point_of(record(), calls=10, client_late_ms=30.0)]
    assert regressions(doubtful, {10: 1.0}) == []
    assert comparable(doubtful, kept) == 0


def test_what_is_no_report_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    for text in (b"", b"[]", b'{"points": [{}]}', b'{"points": 3}'):
        path.write_bytes(text)
        with pytest.raises(ConfigurationError, match="no report of this benchmark"):
            read_kept(path)
    with pytest.raises(ConfigurationError, match="no report of this benchmark"):
        read_kept(tmp_path / "missing.json")
