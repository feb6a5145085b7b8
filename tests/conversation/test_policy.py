from __future__ import annotations

import dataclasses

import pytest

from antiphon.conversation.policy import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES, Policy
from antiphon.conversation.words import strip_phrases, words_of


def test_the_defaults_are_those_assistants_come_with() -> None:
    """Vapi's plans, in milliseconds (reference/vapi.md §3): an assistant moved from there behaves alike."""
    policy = Policy()
    endpointing, barge_in, silence = policy.endpointing, policy.barge_in, policy.silence
    assert (endpointing.wait_ms, endpointing.on_punctuation_ms) == (400, 100)
    # Ours: on real speech Vapi's 1,500 ms without a full stop is slow, and its 500 ms after a number cuts telephone numbers in two.
    assert (endpointing.on_no_punctuation_ms, endpointing.on_number_ms, endpointing.between_groups_ms) == (
        760,
        760,
        1400,
    )
    assert (barge_in.num_words, barge_in.voice_ms, barge_in.backoff_ms) == (0, 200, 1000)
    assert (silence.idle_after_ms, silence.idle_max_count) == (10_000, 3)
    assert (silence.silence_timeout_ms, silence.max_duration_ms) == (30_000, 600_000)


def test_a_policy_is_a_value() -> None:
    assert Policy() == Policy()
    assert hash(Policy()) == hash(Policy())
    with pytest.raises(dataclasses.FrozenInstanceError):
        Policy().output = "text"  # type: ignore[misc]


def test_no_acknowledgement_is_an_interruption_too() -> None:
    for phrase in ACKNOWLEDGEMENT_PHRASES:
        assert strip_phrases(words_of(phrase), ACKNOWLEDGEMENT_PHRASES) == ()
        assert strip_phrases(words_of(phrase), INTERRUPTION_PHRASES) == words_of(phrase)
