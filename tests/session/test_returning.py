"""What ended calls held is given back."""

from __future__ import annotations

import gc
import weakref

from antiphon.session.returning import AGAIN_AFTER_MS, CALLS_A_COLLECTION, Returning


class Part:
    """Knows itself, as the parts of a library may."""

    def __init__(self) -> None:
        self.other = self


def ended_call() -> weakref.ref[Part]:
    return weakref.ref(Part())


def test_every_thousand_calls_what_they_left_is_freed() -> None:
    returning = Returning()
    gc.disable()
    try:
        left = [ended_call() for _ in range(CALLS_A_COLLECTION)]
        due = [returning.call_ended() for _ in left]
        assert due == [False] * (CALLS_A_COLLECTION - 1) + [True]
        assert all(part() is not None for part in left), "or there is nothing to free"
        returning.collect()
        assert all(part() is None for part in left)
        assert returning.call_ended() is False, "it counts anew"
    finally:
        gc.enable()


def test_at_rest_the_last_calls_are_freed_too_and_what_their_work_leaves() -> None:
    returning = Returning()
    gc.disable()
    try:
        returning.rest(0)
        returning.call_ended()
        left = ended_call()
        returning.rest(1_000)
        assert left() is None
        for after_ms in AGAIN_AFTER_MS:
            later = ended_call()
            returning.rest(1_000 + after_ms - 1)
            assert later() is not None
            returning.rest(1_000 + after_ms)
            assert later() is None, "the work after the last call is over by then"
        idle = ended_call()
        returning.rest(1_000_000)
        assert idle() is not None, "no call has ended since: an idle process need not look"
    finally:
        gc.enable()
