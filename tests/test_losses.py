"""Losses are counted, each of them, and told without flooding the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from antiphon.clock import ManualClock
from antiphon.losses import Losses


def test_the_first_is_told_at_once_and_the_rest_as_one_line_with_their_number() -> None:
    clock = ManualClock()
    losses = Losses(clock.now_ms, every_ms=1000)
    with capture_logs() as logs:
        for _ in range(50):
            losses.tell("recording_failed", "a", call_id="a", problem="no space left")
            clock.advance(10)
        clock.advance(500)
        losses.tell_due()
        clock.advance(1000)
        losses.tell_due()
    assert [(entry["event"], entry["call_id"], entry.get("repeated")) for entry in logs] == [
        ("recording_failed", "a", None),
        ("recording_failed", "a", 49),
    ]


def test_each_event_and_each_it_is_about_is_told() -> None:
    losses = Losses(ManualClock().now_ms)
    with capture_logs() as logs:
        for about in ("a", "b", "a"):
            losses.tell("recording_failed", about)
            losses.tell("event_log_failed", about, "error")
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("recording_failed", "warning"), ("event_log_failed", "error"), ("recording_failed", "warning"), ("event_log_failed", "error"),
    ]  # fmt: skip


def test_what_goes_on_is_told_once_in_each_time_and_what_has_stopped_is_forgotten() -> None:
    clock = ManualClock()
    losses = Losses(clock.now_ms, every_ms=1000)
    with capture_logs() as logs:
        for _ in range(40):
            losses.tell("lost", "a")
            clock.advance(100)
        for _ in range(3):
            clock.advance(5000)
            losses.tell_due()
        losses.tell("lost", "a")
    assert [entry.get("repeated", 0) for entry in logs] == [0, 9, 10, 10, 10, 0]


def test_memory_is_bounded_however_many_there_are() -> None:
    losses = Losses(ManualClock().now_ms, max_kinds=10)
    with capture_logs() as logs:
        for number in range(1000):
            losses.tell("auth_failed", str(number))
        losses.tell_all()
    assert len(logs) == 12
    assert logs[-1]["repeated"] == 989


def test_the_end_tells_what_was_held_back() -> None:
    losses = Losses(ManualClock().now_ms)
    with capture_logs() as logs:
        losses.tell("lost")
        losses.tell("lost")
        losses.tell_all()
        losses.tell_all()
    assert [entry.get("repeated") for entry in logs] == [None, 1]


def test_losses_are_counted_by_their_labels() -> None:
    losses = Losses()
    losses.count("auth_failures", surface="api", reason="wrong")
    losses.count("auth_failures", 2, reason="wrong", surface="api")
    losses.count("recordings_failed")
    assert losses.counts() == {
        ("auth_failures", (("reason", "wrong"), ("surface", "api"))): 3,
        ("recordings_failed", ()): 1,
    }
