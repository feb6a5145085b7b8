"""How long to wait after certain words, as the assistant's rules, its server or its function of the odds say it."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver
from tests.conversation.test_end_of_turn import closed_after, listening

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing

ADVISED = Endpointing(speculative_reply=False, advised=True)


def told(call: CallDriver, wait_ms: int, text: str = "") -> CallDriver:
    """The answer to the latest question."""
    asked = call.all(do.AskWait)[-1]
    call.happens(ev.WaitTold(asked.turn, wait_ms, text or asked.text))
    return call


@pytest.mark.parametrize(
    ("said", "told_ms", "closed_ms"),
    [("I want a pizza.", 2500, 2500), ("i want a pizza and", 600, 600), ("five five five", 700, 700), ("Yes.", 0, 400)],
)
def test_what_is_told_goes_before_what_the_words_say(said: str, told_ms: int, closed_ms: int) -> None:
    """But never below the least wait there is."""
    assert closed_after(told(listening(ADVISED).caller_speaks(said), told_ms)) == closed_ms


def test_it_is_asked_for_all_words_that_come_and_counts_for_those_alone() -> None:
    call = told(listening(ADVISED).caller_speaks("I want a", final_after_ms=None), 5000)
    call.final("I want a pizza.")
    assert [asked.text for asked in call.all(do.AskWait)] == ["I", "I want", "I want a", "I want a pizza."]
    assert closed_after(call) == 400


def test_an_answer_about_other_words_or_another_turn_is_not_used() -> None:
    call = listening(ADVISED).caller_speaks("I want a pizza.")
    told(call, 5000, "I want a")
    call.happens(ev.WaitTold(7, 5000, "I want a pizza."))
    assert closed_after(call) == 400


def test_nobody_is_asked_where_nobody_has_a_say() -> None:
    assert not listening().caller_speaks("I want a pizza.").all(do.AskWait)


@pytest.mark.parametrize(
    ("said", "closed_ms"), [("I want a pizza.", 438), ("i want a pizza", 2248), ("i want a pizza and", 3576)]
)
def test_a_curve_maps_the_odds_of_more_to_the_wait(said: str, closed_ms: int) -> None:
    curve = Endpointing(speculative_reply=False, wait_curve=(248, 4248))
    assert closed_after(listening(curve).caller_speaks(said)) == closed_ms


def test_a_curve_is_followed_between_its_points_and_to_its_ends() -> None:
    from antiphon.conversation.endpointing import Evidence, required_silence_ms

    curve = Endpointing(wait_curve=(500, 1000, 3000))
    waits = [required_silence_ms(curve, Evidence("so", known=known)) for known in (1.0, 0.75, 0.5)]
    assert waits == [500, 750, 1000]
