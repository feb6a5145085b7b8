from __future__ import annotations

import pytest

from antiphon.workflow.words import MAX_CHARS, find_phrase, tokenize


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("half past three", [None, None, 3]),
        ("half past 3", [None, None, 3]),
        ("june twenty third", [None, 23]),
        ("10:30", [10, None, 30]),
        ("three thirty", [3, 30]),
        ("two thousand twenty seven", [2027]),
        ("3rd of May", [3, None, None]),
    ],
)
def test_spoken_and_written_numbers_are_alike(text: str, numbers: list[int | None]) -> None:
    assert [token.number for token in tokenize(text)] == numbers


def test_ordinals_are_told_from_amounts() -> None:
    assert [(token.number, token.ordinal) for token in tokenize("third 3rd three")] == [
        (3, True),
        (3, True),
        (3, False),
    ]


@pytest.mark.parametrize("text", ["3 p.m.", "3pm", "3 P M", "three p. m."])
def test_every_spelling_of_pm_is_one_word(text: str) -> None:
    assert [token.text for token in tokenize(text)][1:] == ["pm"]


def test_punctuation_and_capitals_do_not_matter() -> None:
    assert [t.text for t in tokenize("Well, I’d like Wednesday!")] == ["well", "i'd", "like", "wednesday"]
    assert tokenize("O'Brien")[0].raw == "O'Brien"


def test_words_beyond_the_limit_are_not_read() -> None:
    assert len(tokenize("a " * MAX_CHARS)) == MAX_CHARS // 2


@pytest.mark.parametrize("text", ["9" * 5000, "\0\x07", "½ ² ³", "......", "🙂 hello", "- / : +"])
def test_odd_text_is_read_without_error(text: str) -> None:
    assert all(token.text for token in tokenize(text))


def test_a_phrase_is_found_only_as_a_whole() -> None:
    assert find_phrase(("that", "again"), ("say", "that", "again")) == 1
    assert find_phrase(("that", "again"), ("that", "once", "again")) == -1
    assert find_phrase((), ("that",)) == -1
