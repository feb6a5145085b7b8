"""Rows 18 and 19 of the conformance plan, without a socket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon.carriers.streams.order import FAR_JUMP_MS, RESTART_RUN, Anomalies, StreamOrder

FRAME_MS = 20.0


class Stream:
    """A ``StreamOrder`` and what it let through."""

    def __init__(self) -> None:
        self.anomalies = Anomalies()
        self.order = StreamOrder(self.anomalies)
        self.order.note(1)

    def frames(self, *placed: tuple[int, int], duration_ms: float = FRAME_MS) -> list[int | None]:
        return [self.order.place(sequence, timestamp_ms, duration_ms) for sequence, timestamp_ms in placed]


def test_in_order() -> None:
    stream = Stream()
    assert stream.frames((2, 5), (3, 25), (4, 45)) == [5, 25, 45]
    assert not stream.anomalies.counts


def test_frames_of_any_length() -> None:
    stream = Stream()
    assert stream.frames((2, 0), duration_ms=137) == [0]
    assert stream.frames((3, 137), duration_ms=10) == [137]
    assert stream.frames((4, 147), duration_ms=0.125) == [147]
    assert not stream.anomalies.counts


def test_gap_shows_in_the_position() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (5, 60)) == [0, 60]
    assert stream.anomalies.counts == {"sequence_gap": 1}


def test_duplicate_is_dropped() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (2, 0), (3, 20), (2, 0)) == [0, None, 20, None]
    assert stream.anomalies.counts == {"stale_media": 2}


def test_reordered_is_dropped() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (4, 40), (3, 20), (5, 60)) == [0, 40, None, 60]


def test_numbers_start_again_but_time_goes_on() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (3, 20), (1, 40), (2, 60)) == [0, 20, 40, 60]
    assert stream.anomalies.counts == {"sequence_reset": 1}


def test_numbers_and_time_start_again() -> None:
    stream = Stream()
    stream.frames(*[(number + 2, number * 20) for number in range(100)])
    placed = stream.frames(*[(number + 1, number * 20) for number in range(50)])
    assert placed[: RESTART_RUN - 1] == [None] * (RESTART_RUN - 1)
    assert placed[RESTART_RUN - 1 :] == [2000 + number * 20 for number in range(50 - RESTART_RUN + 1)]
    assert stream.anomalies.counts["sequence_reset"] == 1


def test_jump_of_five_seconds_is_a_gap() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (3, 5020), (4, 5040)) == [0, 5020, 5040]


def test_jump_beyond_a_minute_is_another_clock() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (3, FAR_JUMP_MS + 21), (4, FAR_JUMP_MS + 41)) == [0, 20, 40]
    assert stream.anomalies.counts == {"clock_jump": 1}


def test_timestamps_going_back_keep_their_audio() -> None:
    stream = Stream()
    assert stream.frames((2, 1000), (3, 1020), (4, 0), (5, 20), (6, 40)) == [1000, 1020, 1040, 1060, 1080]
    assert stream.anomalies.counts == {"clock_back": 1}


def test_constant_timestamps_follow_the_audio() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (3, 0), (4, 0)) == [0, 20, 40]


def test_early_timestamp_is_rounding() -> None:
    stream = Stream()
    assert stream.frames((2, 0), (3, 19), (4, 40)) == [0, 20, 40]
    assert not stream.anomalies.counts


def test_other_messages_are_numbered_too() -> None:
    stream = Stream()
    assert stream.frames((2, 0)) == [0]
    assert stream.order.note(3)
    assert not stream.order.note(3)
    assert stream.order.note(None)
    assert stream.frames((4, 20)) == [20]
    assert stream.anomalies.counts == {"stale_message": 1}


def test_what_is_passed_over_is_not_missing() -> None:
    stream = Stream()
    assert stream.frames((2, 0)) == [0]
    for number in (3, None, 3, 2, 4):
        stream.order.pass_over(number)
    assert stream.frames((5, 20)) == [20]
    assert not stream.anomalies.counts
    stream.order.pass_over(8)
    assert stream.frames((9, 40)) == [40]
    assert stream.anomalies.counts == {"sequence_gap": 1}, "6 and 7 are"


def test_tracks_that_are_numbered_apart_are_heard_all_the_same() -> None:
    stream = Stream()
    heard = []
    for number in range(50):
        stream.order.pass_over(2 + number)
        heard += stream.frames((2 + number, number * 20))
    assert heard == [number * 20 for number in range(50)]


def test_what_is_counted_for_a_call_is_counted_for_all() -> None:
    total = Anomalies()
    Anomalies(total).count("foreign_stream")
    Anomalies(total).count("foreign_stream")
    assert total.counts == {"foreign_stream": 2}


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10**15 - 1) | st.integers(0, 300)), max_size=60))
def test_the_time_base_never_goes_back_and_audio_never_overlaps(numbers: list[tuple[int, int]]) -> None:
    end_ms = 0
    for position in Stream().frames(*numbers):
        if position is not None:
            assert position >= end_ms
            end_ms = position + int(FRAME_MS)


@given(st.lists(st.integers(2, 30), max_size=60))
def test_nothing_is_heard_twice(sequence: list[int]) -> None:
    """A relay that repeats and reorders frames whose numbers and times belong together."""
    stream = Stream()
    heard = []
    for number in sequence:
        if stream.order.place(number, number * 20, FRAME_MS) is not None:
            heard.append(number)
    assert len(heard) == len(set(heard)) or stream.anomalies.counts["sequence_reset"]
    assert stream.anomalies.counts["sequence_reset"] == 0 or len(sequence) > RESTART_RUN
