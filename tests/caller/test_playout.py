"""The telephone's playout buffer, on a hand-moved clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.caller import playout as module
from antiphon.caller.playout import LIMIT_MS, Playout, Stretch

A_20MS = b"\x01" * 160
B_20MS = b"\x02" * 160


def test_audio_plays_in_real_time_from_its_arrival() -> None:
    playout = Playout()
    assert playout.receive(A_20MS, 100.0) == 100.0
    assert playout.receive(A_20MS * 4, 105.0) == 120.0
    assert playout.buffered_ms(150.0) == 50.0
    assert playout.playing == Stretch(100.0, 200.0, "playing")
    playout.advance(199.9)
    assert playout.stretches == []
    playout.advance(200.0)
    assert playout.stretches == [Stretch(100.0, 200.0, "played")]
    assert playout.playing is None
    assert playout.buffered_ms(200.0) == 0.0


def test_a_mark_is_echoed_when_the_audio_before_it_has_been_played() -> None:
    playout = Playout()
    playout.receive(A_20MS, 0.0)
    playout.mark("first", 1.0)
    playout.receive(A_20MS, 2.0)
    playout.mark("second", 3.0)
    playout.advance(19.0)
    assert playout.echoes() == []
    playout.advance(20.0)
    assert playout.echoes() == ["first"]
    playout.advance(60.0)
    assert playout.echoes() == ["second"]
    assert playout.echoes() == []


def test_a_mark_is_echoed_at_once_when_nothing_is_buffered() -> None:
    playout = Playout()
    playout.mark("before any audio", 0.0)
    assert playout.echoes() == ["before any audio"]
    playout.receive(A_20MS, 0.0)
    playout.mark("after it was played", 30.0)
    assert playout.echoes() == ["after it was played"]


def test_clear_drops_what_is_unplayed_and_echoes_its_marks() -> None:
    playout = Playout(keep_audio=True)
    playout.receive(A_20MS, 0.0)
    playout.mark("played", 0.0)
    playout.receive(B_20MS, 0.0)
    playout.receive(B_20MS, 0.0)
    playout.mark("dropped", 0.0)
    playout.clear(25.0)
    assert playout.echoes() == ["played", "dropped"]
    assert playout.cleared_ms == 35.0
    assert playout.stretches == [Stretch(0.0, 25.0, "cleared")]
    assert playout.heard(0.0, 60.0) == A_20MS + B_20MS[:40] + b"\xff" * 280


def test_clear_with_nothing_to_drop_does_nothing() -> None:
    playout = Playout()
    playout.clear(0.0)
    playout.receive(A_20MS, 0.0)
    playout.clear(20.0)
    assert playout.stretches == [Stretch(0.0, 20.0, "played")]
    assert playout.cleared_ms == 0.0
    assert playout.echoes() == []


def test_clear_at_the_moment_of_arrival_leaves_nothing_heard() -> None:
    playout = Playout(keep_audio=True)
    playout.receive(A_20MS, 10.0)
    playout.clear(10.0)
    assert playout.heard(0.0, 30.0) == b"\xff" * 240


def test_a_short_hole_is_an_underrun_and_a_long_one_a_pause() -> None:
    playout = Playout()
    playout.receive(A_20MS, 0.0)
    playout.receive(A_20MS, 30.0)
    assert (playout.underruns, playout.underrun_ms) == (1, 10.0)
    playout.receive(A_20MS, 50.0 + module.UNDERRUN_MS)
    assert playout.underruns == 1


def test_a_message_is_late_by_the_hole_before_it() -> None:
    playout = Playout()
    playout.receive(A_20MS, 0.0)  # begins a sound: nothing to be late for
    playout.receive(A_20MS, 5.0)
    playout.receive(A_20MS, 52.0)
    assert (playout.lateness.count, playout.lateness.worst_ms) == (2, 12.0)
    playout.receive(A_20MS, 80.0 + module.UNDERRUN_MS)
    playout.clear(285.0)
    playout.receive(A_20MS, 290.0)
    assert (playout.lateness.count, playout.lateness.worst_ms) == (2, 12.0)


def test_audio_right_on_time_or_after_clear_is_no_underrun() -> None:
    playout = Playout()
    playout.receive(A_20MS, 0.0)
    playout.receive(A_20MS, 20.0)
    assert playout.underruns == 0
    playout.clear(25.0)
    playout.receive(A_20MS, 30.0)
    assert playout.underruns == 0


def test_more_than_ten_minutes_are_discarded() -> None:
    playout = Playout()
    ten_minutes = bytes(LIMIT_MS * 8)
    assert playout.receive(ten_minutes, 0.0) == 0.0
    assert playout.receive(A_20MS, 10.0) is None
    assert playout.overflow_ms == 20.0
    assert playout.receive(A_20MS, 20.0) == LIMIT_MS


def test_more_marks_than_anybody_needs_are_echoed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARK_LIMIT", 1)
    playout = Playout()
    playout.receive(A_20MS, 0.0)
    playout.mark("kept", 0.0)
    playout.mark("too many", 0.0)
    assert playout.echoes() == ["too many"]


def test_what_was_heard_can_be_asked_for_any_span() -> None:
    playout = Playout(keep_audio=True)
    playout.receive(A_20MS, 10.0)
    playout.receive(B_20MS, 50.0)
    silence_10ms = b"\xff" * 80
    assert playout.heard(0.0, 80.0) == silence_10ms + A_20MS + silence_10ms * 2 + B_20MS + silence_10ms
    assert playout.heard(20.0, 60.0) == A_20MS[:80] + silence_10ms * 2 + B_20MS[:80]
    assert playout.heard(35.0, 40.0) == b"\xff" * 40
    assert playout.heard(40.0, 30.0) == b""


def test_without_keeping_there_is_nothing_to_ask_for() -> None:
    with pytest.raises(ValueError, match="does not keep"):
        Playout().heard(0.0, 1.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from(["audio", "mark", "clear"]), st.integers(1, 900)), max_size=40
    )
)
def test_time_is_accounted_for_and_every_mark_comes_back_once(events: list[tuple[int, str, int]]) -> None:
    playout = Playout(keep_audio=True)
    now_ms, received_ms, marks, echoes = 0.0, 0.0, [], []
    for number, (wait_ms, what, samples) in enumerate(events):
        now_ms += wait_ms
        if what == "audio":
            playout.receive(b"\x00" * samples, now_ms)
            received_ms += samples / 8
        elif what == "mark":
            marks.append(str(number))
            playout.mark(str(number), now_ms)
        else:
            playout.clear(now_ms)
        echoes += playout.echoes()
    playout.advance(now_ms + 100_000)
    echoes += playout.echoes()
    assert echoes == marks
    heard_ms = sum(stretch.end_ms - stretch.start_ms for stretch in playout.stretches)
    assert heard_ms + playout.cleared_ms == received_ms
    assert playout.heard(0.0, now_ms + 100_000).count(0) == heard_ms * 8
