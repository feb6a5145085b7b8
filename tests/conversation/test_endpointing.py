from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.endpointing import (
    COMPLETE,
    INCOMPLETE,
    NUMBER,
    UNKNOWN,
    completeness,
    required_silence_ms,
    wait_for,
)
from antiphon.conversation.policy import INTERRUPTION_PHRASES, Endpointing

EVIDENCE = Endpointing()


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("", 0.0),
        ("…", 0.0),
        ("I want a pizza.", COMPLETE),
        ('He said "yes."', COMPLETE),
        ("I want a pizza", UNKNOWN),
        ("I want a pizza and", INCOMPLETE),
        ("I want,", INCOMPLETE),
        ("I was thinking...", INCOMPLETE),
        ("five five five", NUMBER),
        ("room 12", NUMBER),
    ],
)
def test_words_are_evidence(text: str, probability: float) -> None:
    assert completeness(text) == probability


def test_a_bare_wait_announces_more_only_after_an_interruption() -> None:
    said = {"interruption_phrases": INTERRUPTION_PHRASES}
    assert completeness("Wait.", interrupting=True, **said) == UNKNOWN
    assert completeness("Wait.", interrupting=False, **said) == COMPLETE
    assert completeness("Wait, I am lost.", interrupting=True, **said) == COMPLETE


def test_a_detector_outweighs_the_words_and_does_not_silence_them() -> None:
    assert completeness("I want a pizza", detector=1.0) > 0.75
    assert completeness("I want a pizza.", detector=0.0) < UNKNOWN
    assert completeness("and", detector=0.9) < completeness("done.", detector=0.9)
    assert completeness("ok", detector=7.0) == completeness("ok", detector=1.0), "a score outside 0…1 is clamped"


@pytest.mark.parametrize(
    ("probability", "wait_ms"),
    [(0.0, 4000), (0.12, 3000), (UNKNOWN, 1500), (NUMBER, 500), (COMPLETE, 400), (1.0, 400), (0.45, 1000)],
)
def test_the_wait_follows_the_evidence(probability: float, wait_ms: int) -> None:
    assert wait_for(probability, EVIDENCE) == wait_ms


def test_the_least_wait_gives_way_when_it_is_set_lower() -> None:
    assert wait_for(1.0, Endpointing(wait_ms=0)) == 100


def test_a_least_wait_over_the_ceiling_is_the_wait() -> None:
    assert wait_for(0.0, Endpointing(wait_ms=5000)) == 5000


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_more_evidence_never_means_a_longer_wait(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert wait_for(high, EVIDENCE) <= wait_for(low, EVIDENCE)


def test_the_map_is_smooth() -> None:
    waits = [wait_for(step / 1000, EVIDENCE) for step in range(1001)]
    assert max(before - after for before, after in itertools.pairwise(waits)) < 10, (
        "merely unsure costs a little, never seconds"
    )


def test_each_mode_has_its_own_silence() -> None:
    assert required_silence_ms(Endpointing(mode="manual"), "done.") is None
    assert required_silence_ms(Endpointing(mode="fixed", silence_ms=320), "and") == 320
    assert required_silence_ms(EVIDENCE, "done.") == 400
    assert required_silence_ms(EVIDENCE, "") == 2000
