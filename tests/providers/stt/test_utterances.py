"""Whose words a vendor tells, and which audio need not be sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.providers.base import HeardWord
from antiphon.providers.stt.kept_audio import KeptAudio
from antiphon.providers.stt.utterances import LEAD_MS, Utterances
from antiphon.providers.stt.wire import Segment
from antiphon.vocabulary import TELEPHONE


def told(*words: tuple[str, int, int], final: bool = True) -> Segment:
    """Words with their times."""
    timed = tuple(HeardWord(text, start, end, 0.9) for text, start, end in words)
    return Segment(" ".join(word[0] for word in words), final, words[0][1], words[-1][2], timed)


def two(*, second_at_ms: int = 5000) -> Utterances:
    """One from 1 to 3 s, and one that is being heard."""
    utterances = Utterances()
    utterances.begin(1, 1000)
    assert utterances.open is not None
    utterances.open.end_ms = 3000
    utterances.begin(2, second_at_ms)
    return utterances


def test_words_of_one_message_are_shared_by_time() -> None:
    utterances = two()
    utterances.hear(told(("one", 1100, 1400), ("two", 4500, 4800), ("three", 5200, 5500)))
    assert [heard.text for heard in utterances.waiting] == ["one", "two three"]


def test_the_next_utterance_claims_what_was_told_before_it_began() -> None:
    utterances = Utterances()
    utterances.hear(told(("old", 500, 900), ("hello", 1900, 2100)))
    utterances.begin(1, 2000 + LEAD_MS / 2)
    assert utterances.waiting[0].text == "hello"


def test_what_was_answered_stays_answered_on_another_connection() -> None:
    utterances = two()
    utterances.hear(told(("one", 1100, 1400)))
    utterances.over(utterances.waiting[0], 6000)
    utterances.connect(1000)  # and its times begin there
    utterances.hear(told(("one", 100, 400), ("two", 4200, 4500)))
    assert [heard.text for heard in utterances.waiting] == ["two"]


def test_interim_words_are_those_of_the_latest_message() -> None:
    utterances = two()
    utterances.hear(told(("too", 5100, 5300), final=False))
    utterances.hear(told(("two", 5100, 5300), final=False))
    assert [heard.text for heard in utterances.changed()] == ["two"]
    assert list(utterances.changed()) == []
    utterances.connect(0)
    assert utterances.waiting[1].text == ""


@pytest.mark.parametrize(
    ("end_ms", "final", "reached"), [(2900, True, False), (3000, True, True), (3100, False, False)]
)
def test_an_utterance_is_over_when_words_reach_its_end(end_ms: int, final: bool, reached: bool) -> None:
    utterances = two()
    segment = told(("one", 1100, end_ms), final=final)
    utterances.hear(segment)
    assert (utterances.reached(segment, interim_suffices=False) is not None) is reached


@given(st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 400), st.booleans()), max_size=30))
def test_audio_is_sent_once_on_each_connection_and_never_lost_before_it_is_acknowledged(
    steps: list[tuple[bytes, int, bool]],
) -> None:
    kept, all_of_it, sent = KeptAudio(TELEPHONE), b"", b""
    for audio, acknowledged_ms, reconnects in steps:
        kept.push(audio)
        all_of_it += audio
        while piece := kept.unsent(kept.end, 37):
            kept.sent += len(piece)
            sent += piece
        assert all_of_it.endswith(sent)
        kept.acknowledge(acknowledged_ms)
        assert kept.begins <= kept.sent == kept.end == len(all_of_it)
        if reconnects:
            kept.connect()
            sent = b""
            assert kept.unsent(kept.end, kept.end) == all_of_it[kept.begins :]
