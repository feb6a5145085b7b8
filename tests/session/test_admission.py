"""When new calls are refused so that live ones do not suffer."""

from __future__ import annotations

import pickle

import pytest

from antiphon.session.admission import UNSEEN_MS, Admission, AdmissionLimits, Load

QUIET = Load(busy=0.2, late_ms=0.5)
LIVE = 100


def at(busy: float, late_ms: float = 0.5, live: int = LIVE) -> Admission:
    """A process that has been so busy for a while."""
    admission = Admission()
    for _ in range(200):
        admission.observe(Load(busy, late_ms), live)
    return admission


def let_in(admission: Admission, now_ms: int, live: int = LIVE) -> int:
    """As many as are let in at this moment."""
    count = 0
    while admission.admits(live + count, now_ms) and count < 1000:
        admission.reserve(now_ms)
        count += 1
    return count


def test_a_process_with_room_lets_calls_in_and_a_busy_one_does_not() -> None:
    assert at(0.7).admits(LIVE, 0)
    assert not at(0.86).admits(LIVE, 0)


def test_a_late_beat_closes_however_idle_the_thread_is() -> None:
    assert at(0.3, late_ms=19.0).admits(LIVE, 0)
    assert not at(0.3, late_ms=21.0).admits(LIVE, 0)


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.75, 0.83])
def test_half_a_second_of_work_closes_nothing(busy: float) -> None:
    admission = at(busy)
    for reading in (1.0, busy, busy):
        assert not admission.observe(Load(reading, 0.5), LIVE)
        assert admission.admits(LIVE, 0)


def test_a_process_that_stays_busy_is_closed_within_two_seconds() -> None:
    admission = at(0.5)
    assert [admission.observe(Load(1.0, 0.5), LIVE) for _ in range(4)].count(True) == 1
    assert admission.closed


def test_what_closed_opens_again_only_well_below_the_limit() -> None:
    admission = at(0.9)
    assert admission.closed
    changes = [admission.observe(Load(0.82, 0.5), LIVE) for _ in range(20)]
    assert not any(changes)
    assert admission.closed, "0.82 is under the limit, and would close again with the next call"
    changes = [admission.observe(Load(0.7, 0.5), LIVE) for _ in range(20)]
    assert changes.count(True) == 1
    assert admission.admits(LIVE, 0)


def test_calls_that_were_let_in_count_before_they_can_be_seen() -> None:
    admission = at(0.75)
    # A live call costs 0.0075: there is room for thirteen until some of them show.
    assert let_in(admission, now_ms=0) == 13
    assert not admission.admits(LIVE, UNSEEN_MS // 20)
    # They show more and more: half of them after half of the time.
    assert let_in(admission, now_ms=UNSEEN_MS // 2) == 6
    assert admission.expected(3 * UNSEEN_MS) < 0.76


def test_a_ramp_is_let_in_while_there_is_room_for_it() -> None:
    admission, live, now_ms = Admission(), 0, 0
    while admission.admits(live, now_ms):
        admission.reserve(now_ms)
        live += 1
        now_ms += 40  # twenty-five calls a second
        if now_ms % 500 < 40:
            # Setting them up, and their two milliseconds a second.
            admission.observe(Load(0.1 + live * 0.002, 0.5), live)
    # 0.85 less the setting up is room for 375 of them; what came in the last two seconds is reckoned with care.
    assert 310 <= live <= 375


def test_who_comes_in_the_place_of_one_that_ended_costs_nothing_more() -> None:
    admission = at(0.84)  # room for one
    for now_ms in range(0, 60_000, 50):  # twenty calls a second end, and as many begin
        admission.release(now_ms)
        assert admission.admits(LIVE, now_ms)
        admission.reserve(now_ms)
    assert let_in(admission, 60_000) == 1, "and no more than before"


def test_calls_that_ended_make_no_room_before_it_shows() -> None:
    admission = at(0.85)
    for _ in range(50):
        admission.release(0)
    assert not admission.admits(LIVE, 0)


def test_calls_that_cost_much_are_let_in_fewer_at_a_time() -> None:
    cheap, dear = at(0.45, live=300), at(0.45, live=10)
    assert let_in(cheap, 0, live=300) == 100
    assert let_in(dear, 0, live=10) == 8


def test_calls_being_set_up_are_not_taken_for_dear_ones() -> None:
    admission = at(0.04, live=0)
    admission.observe(Load(0.5, 0.5), 10)
    assert let_in(admission, 0, live=10) >= 40


def test_a_share_of_one_leaves_it_to_lateness() -> None:
    admission = Admission(AdmissionLimits(busy=1.0))
    for _ in range(20):
        admission.observe(Load(1.0, 5.0), LIVE)
    assert let_in(admission, 0) == 1000
    admission.observe(Load(1.0, 50.0), LIVE)
    assert not admission.admits(LIVE, 0)


def test_a_burst_on_an_idle_process_is_bounded() -> None:
    assert 180 <= let_in(at(0.0, live=0), 0, live=0) <= 220


def test_what_is_remembered_of_calls_is_bounded_where_they_are_few() -> None:
    admission = at(0.1, live=2)
    for now_ms in range(0, 10_000_000, 1000):
        assert admission.admits(2, now_ms)
        admission.reserve(now_ms)
        admission.release(now_ms + 900)
    assert len(pickle.dumps(admission)) < 2000


def test_a_few_calls_are_never_refused() -> None:
    admission = at(1.0, late_ms=500.0, live=7)
    assert admission.admits(7, 0)
    assert not admission.admits(8, 0)


def test_the_limits_are_settings() -> None:
    admission = Admission(AdmissionLimits(busy=0.5))
    for _ in range(20):
        admission.observe(Load(0.6, 0.0), LIVE)
    assert not admission.admits(LIVE, 0)
    assert Admission(AdmissionLimits(busy=0.5)).observe(QUIET, LIVE) is False


def test_a_call_that_will_not_come_is_not_reckoned_with() -> None:
    admission = Admission()
    before = admission.expected(1000)
    for _ in range(50):
        admission.reserve(1000)
        admission.withdraw()
    assert admission.expected(1000) == before
    admission.reserve(1000)
    one = admission.expected(1000)
    admission.reserve(1000)
    admission.withdraw()
    assert admission.expected(1000) == one > before
    admission.withdraw()
    admission.withdraw()
    assert admission.expected(1000) == before
