from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.endpointing import (
    COMPLETE,
    INCOMPLETE,
    UNKNOWN,
    Evidence,
    completeness,
    required_silence_ms,
    wait_for,
)
from antiphon.conversation.policy import INTERRUPTION_PHRASES, Endpointing

EVIDENCE = Endpointing()
DOUBTFUL = Endpointing(punctuation=0.2)
"""As a recogniser writes that ends its text at four pauses out of five."""


def likely(text: str, policy: Endpointing = EVIDENCE, **more: object) -> float:
    return completeness(Evidence(text, **more), policy)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("", 0.0, 0.0),
        ("…", 0.0, 0.0),
        ("I want a pizza.", 0.95, 1.0),
        ('He said "yes."', 0.95, 1.0),
        ("i want a pizza", UNKNOWN, UNKNOWN),
        ("i want a pizza please", 0.6, 0.7),
        ("yes", 0.7, 0.8),
        ("i want a pizza and", 0.0, INCOMPLETE),
        ("i want a pizza um", 0.0, 0.15),
        ("i will come with", 0.0, INCOMPLETE),
        ("I want,", 0.0, INCOMPLETE),
        ("I was thinking...", 0.0, INCOMPLETE),
    ],
)
def test_words_are_evidence(text: str, lowest: float, highest: float) -> None:
    assert lowest <= likely(text) <= highest


def test_a_full_stop_is_worth_what_the_recogniser_makes_it_worth() -> None:
    worths = [likely("I want a pizza.", Endpointing(punctuation=worth)) for worth in (0.0, 0.2, 0.5, 0.9, 0.95)]
    assert worths == sorted(worths)
    assert worths[0] == UNKNOWN
    assert required_silence_ms(DOUBTFUL, Evidence("I want a pizza.")) in range(550, 700)
    assert required_silence_ms(EVIDENCE, Evidence("I want a pizza.")) == 400


def test_a_doubtful_full_stop_after_a_trailing_word_closes_nothing() -> None:
    wait_ms = required_silence_ms(DOUBTFUL, Evidence("Can I have a cappuccino with."))
    assert wait_ms is not None and wait_ms >= 1200


def test_a_missing_mark_tells_something_only_of_a_recogniser_that_writes_them() -> None:
    assert likely("Can I have a sixteen ounce", DOUBTFUL) < UNKNOWN
    assert likely("Can I have a sixteen ounce", DOUBTFUL, final=False) == UNKNOWN, "the last words may still get one"
    assert likely("can i have a sixteen ounce", DOUBTFUL) == UNKNOWN
    assert likely("Can I have a sixteen ounce", Endpointing(punctuation=0.0)) == UNKNOWN


def test_a_bare_wait_announces_more_only_after_an_interruption() -> None:
    said = {"interruption_phrases": INTERRUPTION_PHRASES}
    assert likely("Wait.", interrupting=True, **said) < UNKNOWN
    assert likely("Wait.", interrupting=False, **said) > 0.9
    assert likely("Wait, I am lost.", interrupting=True, **said) > 0.9


def test_the_sound_and_the_words_are_added_up() -> None:
    assert likely("i want a pizza", sound=0.99) > UNKNOWN > likely("i want a pizza", sound=0.02)
    assert likely("i want a pizza with", sound=0.99) < UNKNOWN, "the intonation of a pause can sound finished"
    assert likely("done", sound=7.0) == likely("done", sound=1.0), "a score outside 0…1 is clamped"
    assert required_silence_ms(DOUBTFUL, Evidence("i want a pizza", sound=0.0)) in range(950, 1200), "it is no proof"


def test_a_grammar_that_knows_decides_alone() -> None:
    assert required_silence_ms(EVIDENCE, Evidence("five five", known=0.95, sound=0.0)) == 400
    assert required_silence_ms(EVIDENCE, Evidence("five five.", known=0.0, sound=1.0)) == 4000


@pytest.mark.parametrize(("probability", "wait_ms"), [(0.0, 1800), (UNKNOWN, 760), (COMPLETE, 400), (1.0, 400)])
def test_the_wait_follows_the_evidence(probability: float, wait_ms: int) -> None:
    assert wait_for(probability, EVIDENCE) == wait_ms


def test_a_number_has_a_wait_of_its_own() -> None:
    policy = Endpointing(on_number_ms=1000)
    assert required_silence_ms(policy, Evidence("in 1665")) == 1000
    assert required_silence_ms(policy, Evidence("chapter twelve")) == 1000
    assert required_silence_ms(policy, Evidence("a pizza")) == 760


def test_the_least_wait_gives_way_when_it_is_set_lower() -> None:
    assert wait_for(1.0, Endpointing(wait_ms=0)) == 100


def test_a_least_wait_over_the_ceiling_is_the_wait() -> None:
    assert wait_for(0.0, Endpointing(wait_ms=5000)) == 5000


@pytest.mark.parametrize("policy", [EVIDENCE, Endpointing(on_no_punctuation_ms=0), Endpointing(max_wait_ms=0)])
def test_more_evidence_never_means_a_longer_wait(policy: Endpointing) -> None:
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.floats(0, 1), st.floats(0, 1))
    def check(first: float, second: float) -> None:
        low, high = sorted((first, second))
        assert wait_for(high, policy) <= wait_for(low, policy)

    check()


def test_the_map_is_smooth() -> None:
    waits = [wait_for(step / 1000, EVIDENCE) for step in range(1001)]
    assert max(before - after for before, after in itertools.pairwise(waits)) < 10, (
        "merely unsure costs a little, never seconds"
    )


def test_each_mode_has_its_own_silence() -> None:
    assert required_silence_ms(Endpointing(mode="manual"), Evidence("done.")) is None
    assert required_silence_ms(Endpointing(mode="fixed", silence_ms=320), Evidence("and")) == 320
    assert required_silence_ms(EVIDENCE, Evidence("done.")) == 400
    assert required_silence_ms(EVIDENCE, Evidence("")) == 2000


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("five five five", 1400),
        ("555 014", 1400),
        ("555 014 2397", 400),
        ("my name is j o h n", 1400),
        ("in 1665", 760),
    ],
)
def test_what_is_given_in_pieces_is_waited_for_until_it_is_whole(text: str, wait_ms: int) -> None:
    assert required_silence_ms(EVIDENCE, Evidence(text)) == wait_ms
    assert required_silence_ms(EVIDENCE, Evidence(text + ".", sound=0.99)) <= wait_ms
