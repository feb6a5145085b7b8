from __future__ import annotations

import pytest

from antiphon.conversation.policy import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES
from antiphon.conversation.words import (
    common_beginning,
    is_number,
    same_words,
    starts_with_phrase,
    strip_phrases,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mm-hm, I'm here.", ("mm-hm", "i'm", "here")),
        ("I’m — well — OK!", ("i'm", "well", "ok")),
        ("uh-huh…", ("uh-huh",)),
        ("Straße 12", ("straße", "12")),
        ("snake_case", ("snake", "case")),
        ("... ?!", ()),
        ("", ()),
    ],
)
def test_words_are_lower_case_and_without_punctuation(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


def test_transcripts_that_differ_in_punctuation_say_the_same() -> None:
    assert same_words("I'd like a pizza", "I’d like a pizza.")
    assert not same_words("I'd like a pizza", "I'd like two pizzas")


def test_two_transcripts_begin_alike_as_far_as_their_words_do() -> None:
    assert common_beginning("To Hong Kong, we", "To Hong Kong-based") == ("to", "hong")
    assert common_beginning("I'd like", "I’d like. A pizza") == ("i'd", "like")
    assert common_beginning("", "So") == ()


@pytest.mark.parametrize(
    ("word", "number"), [("seven", True), ("42", True), ("oh", True), ("second", False), ("", False)]
)
def test_numbers_are_digits_or_spoken(word: str, number: bool) -> None:
    assert is_number(word) is number


def test_the_longest_acknowledgement_is_taken_first() -> None:
    assert strip_phrases(words_of("Yeah, okay. I hear you"), ACKNOWLEDGEMENT_PHRASES) == ()
    assert strip_phrases(words_of("yeah okay but tuesday"), ACKNOWLEDGEMENT_PHRASES) == ("but", "tuesday")


def test_the_beginning_of_an_acknowledgement_tells_nothing_while_more_may_come() -> None:
    for said in ("I", "yeah I", "got", "i hear"):
        assert strip_phrases(words_of(said), ACKNOWLEDGEMENT_PHRASES, unfinished=True) == ()
    assert strip_phrases(("i",), ACKNOWLEDGEMENT_PHRASES) == ("i",)
    assert strip_phrases(("i", "want"), ACKNOWLEDGEMENT_PHRASES, unfinished=True) == ("i", "want")


def test_what_is_left_keeps_its_apostrophes_and_order() -> None:
    assert strip_phrases(words_of("right I'm in Rome"), ACKNOWLEDGEMENT_PHRASES) == ("i'm", "in", "rome")


@pytest.mark.parametrize("said", ["don't do that", "dont do that", "Stop!", "never mind"])
def test_an_interruption_phrase_opens_what_is_said(said: str) -> None:
    assert starts_with_phrase(words_of(said), INTERRUPTION_PHRASES)


@pytest.mark.parametrize("said", ["please stop", "stopping", ""])
def test_elsewhere_it_is_a_word_like_others(said: str) -> None:
    assert not starts_with_phrase(words_of(said), INTERRUPTION_PHRASES)


def test_an_empty_phrase_matches_nothing() -> None:
    assert not starts_with_phrase(("stop",), ("", "…"))
    assert strip_phrases(("stop",), ("",)) == ("stop",)


def test_words_that_begin_a_phrase_are_looked_for_at_the_end_only() -> None:
    words = ("i",) * 5_000
    # Each word may begin "i see"; only the last has nothing after it that says otherwise.
    assert strip_phrases(words, ("i see", "i hear you very well"), unfinished=True) == words[:-1]
