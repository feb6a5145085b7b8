"""Expected answers become a grammar, and recognised words the author's phrases again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.phrases import (
    MAX_GRAMMAR_CHARACTERS,
    MAX_PHRASE_WORDS,
    MAX_PHRASES,
    grammar_of_jsgf,
    grammar_of_phrases,
    spoken_words,
)


def anything(word: str) -> bool:
    return True


def test_phrases_become_alternatives() -> None:
    grammar = grammar_of_phrases(("yes", "half past three"), anything)
    assert grammar.jsgf == "#JSGF V1.0; grammar answers; public <answer> = yes | half past three;"
    assert grammar.words == ("yes", "half", "past", "three")


def test_answers_come_back_as_they_were_written() -> None:
    grammar = grammar_of_phrases(("Yes, please!", "It’s at O'Brien’s Café"), anything)
    assert grammar.written("yes please") == "Yes, please!"
    assert grammar.written("it's at o'brien's cafe") == "It’s at O'Brien’s Café"
    assert grammar.written("something else") == "something else"


def test_phrases_nobody_can_pronounce_are_left_out_and_counted() -> None:
    grammar = grammar_of_phrases(("yes", "xyzzy", "!?", "no xyzzy"), lambda word: word != "xyzzy")
    assert (grammar.words, grammar.dropped) == (("yes",), 3)


def test_the_first_of_two_that_sound_the_same_wins() -> None:
    assert grammar_of_phrases(("OK.", "ok"), anything).written("ok") == "OK."


@pytest.mark.parametrize(
    "phrases",
    [(), ("!!",), ("word " * (MAX_PHRASE_WORDS + 1),), tuple(f"word {n}" for n in range(MAX_PHRASES + 1))],
    ids=["none", "no words", "too long", "too many"],
)
def test_phrases_that_cannot_be_a_grammar(phrases: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"answers\.phrases"):
        grammar_of_phrases(phrases, anything)


@given(st.text())
def test_whatever_is_written_only_dictionary_letters_reach_the_grammar(text: str) -> None:
    assert all(set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789'") for word in spoken_words(text))


def test_the_words_of_a_grammar_written_by_hand() -> None:
    jsgf = """#JSGF V1.0 UTF-8 en;
    grammar cards; // ten of clubs
    /* not: a word */
    public <card> = <rank> [of <suit>] {tag} | /0.5/ "joker";
    <rank> = ace | (two)+; <suit> = clubs | hearts*;
    """
    assert set(grammar_of_jsgf(jsgf).words) == {"of", "joker", "ace", "two", "clubs", "hearts"}


@pytest.mark.parametrize("jsgf", ["import <file:/etc/passwd.*>; public <a> = b;", "x" * (MAX_GRAMMAR_CHARACTERS + 1)])
def test_a_grammar_that_is_not_accepted(jsgf: str) -> None:
    with pytest.raises(ConfigurationError, match=r"answers\.grammar"):
        grammar_of_jsgf(jsgf)
