"""The playhead: a clock, corrected by marks."""

from __future__ import annotations

from antiphon.media.playhead import Playhead


def test_the_clock_alone() -> None:
    head = Playhead()
    assert head.heard_ms(1000) == 0
    head.sent(200, 1000)
    assert head.heard_ms(1000) == 0
    assert head.heard_ms(1120) == 120
    assert head.ahead_ms(1120) == 80
    assert head.heard_ms(5000) == 200, "never more than was sent"


def test_sound_that_follows_sound_continues_it() -> None:
    head = Playhead()
    head.sent(200, 1000)
    head.sent(200, 1100)
    assert head.heard_ms(1350) == 350
    assert head.due_at_ms(400) == 1400


def test_after_running_dry_the_next_sound_starts_when_it_is_sent() -> None:
    head = Playhead()
    head.sent(100, 1000)
    head.sent(100, 1500)
    assert head.heard_ms(1540) == 140


def test_a_restart_forgets_what_was_in_flight() -> None:
    head = Playhead()
    head.sent(400, 1000)
    head.restart(150)
    assert head.heard_ms(2000) == 150
    assert head.ahead_ms(2000) == 0
    head.sent(100, 3000)
    assert head.heard_ms(3050) == 200


def test_marks_tell_the_round_trip() -> None:
    head = Playhead()
    head.sent(400, 1000)
    head.marked(200, 1230)
    head.marked(300, 1345)
    assert head.round_trip_ms == 30
    assert head.heard_ms(1345) == 345, "marks as late as the round trip change nothing"


def test_a_mark_much_later_than_the_round_trip_sets_the_clock_back() -> None:
    head = Playhead()
    head.sent(2000, 1000)
    head.marked(200, 1220)
    head.marked(400, 1720)  # 320 ms late, 20 of them the way back
    assert head.heard_ms(1720) == 420


def test_a_mark_before_its_time_sets_the_clock_forward() -> None:
    head = Playhead()
    head.sent(2000, 1000)
    head.marked(200, 1150)
    assert head.heard_ms(1150) == 200


def test_a_mark_far_before_its_time_says_nothing() -> None:
    head = Playhead()
    head.sent(2000, 1000)
    head.marked(1000, 1010)
    assert head.heard_ms(1010) == 10


def test_marks_of_another_stretch_are_ignored() -> None:
    head = Playhead()
    head.marked(100, 1000)
    head.restart(500)
    head.sent(100, 2000)
    head.marked(100, 2600)
    assert head.heard_ms(2050) == 550
