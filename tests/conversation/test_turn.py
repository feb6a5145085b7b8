from __future__ import annotations

import pytest

from antiphon.conversation.turn import Turn


def test_the_words_of_a_turn_are_those_of_its_utterances_in_order() -> None:
    turn = Turn(1, carried="I want")
    turn.hear(4).text = "a pizza"
    turn.hear(5)
    turn.hear(6).text = "please"
    assert turn.text == "I want a pizza please"
    assert turn.hear(4).text == "a pizza"


def test_what_was_told_twice_in_a_row_is_settled() -> None:
    turn = Turn(1, carried="Hello")
    turn.hear(1).tell("I want")
    assert turn.settled == "Hello"
    turn.hear(1).tell("I want, a piece of")
    turn.hear(1).tell("I want a pizza ")
    assert (turn.text, turn.settled) == ("Hello I want a pizza", "Hello i want a")
    turn.hear(1).final = True
    turn.hear(2).tell("Two")
    assert turn.settled == "Hello I want a pizza"


def test_a_turn_is_far_when_all_that_is_over_of_it_was() -> None:
    turn = Turn(1)
    assert not turn.far
    utterance = turn.hear(1)
    utterance.voiced = True
    assert not turn.far, "nothing is known of it yet"
    utterance.ended_ms = 700
    assert turn.far
    utterance.near = True
    assert not turn.far


def test_a_turn_is_final_when_every_utterance_is() -> None:
    turn = Turn(1)
    turn.hear(1).final = True
    turn.hear(2)
    assert not turn.final
    turn.hear(2).final = True
    assert turn.final


def test_a_grammar_knows_only_of_the_last_words() -> None:
    turn = Turn(1)
    assert turn.known is None
    first = turn.hear(1)
    first.complete, first.final = 0.95, True
    assert turn.known == 0.95
    turn.hear(2)
    assert turn.known is None


def test_of_several_scores_for_one_silence_the_mean_counts() -> None:
    turn = Turn(1)
    for score in (0.9, 0.3, 0.6):
        turn.heard_ending(score)
    assert turn.detector == pytest.approx(0.6)
    turn.words_changed()
    turn.heard_ending(0.2)
    assert turn.detector == 0.2


def test_a_score_does_not_outlive_the_words_it_was_for() -> None:
    turn = Turn(1, detector=0.4, detector_asked_at_ms=200, detector_busy=True)
    turn.words_changed()
    assert (turn.detector, turn.detector_asked_at_ms, turn.detector_busy) == (None, None, False)
