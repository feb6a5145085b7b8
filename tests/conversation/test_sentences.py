from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.policy import Speaking
from antiphon.conversation.sentences import SentenceSplitter, without_flushes


def pieces_of(*tokens: str, policy: Speaking | None = None) -> list[str]:
    """Pieces in order, those of the flush at the end too."""
    splitter = SentenceSplitter(policy or Speaking())
    return [piece for token in tokens for piece in splitter.feed(token)] + splitter.flush()


def at_once(text: str, policy: Speaking | None = None) -> list[str]:
    """Pieces that are let go before the stream ends."""
    return SentenceSplitter(policy or Speaking()).feed(text)


def test_a_sentence_is_let_go_when_its_end_is_sure() -> None:
    assert at_once("Good morning. How can") == ["Good morning."]
    assert at_once("Good morning.") == ["Good morning."]


def test_the_first_piece_may_end_at_a_clause_once_it_is_long_enough() -> None:
    assert at_once("Let me have a look at that, one moment") == ["Let me have a look at that,"]
    assert at_once("Well, let me") == []
    assert at_once("Let me have a look at that,") == [], "the comma may stand inside a number"


def test_later_pieces_are_whole_sentences() -> None:
    text = "Sure. On Monday the doctor is away, so there is nothing free then. And"
    assert at_once(text) == ["Sure.", "On Monday the doctor is away, so there is nothing free then."]


def test_short_sentences_are_joined_to_the_next() -> None:
    assert pieces_of("Of course. Yes. No. That is fine.") == ["Of course.", "Yes. No. That is fine."]


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.50 in all",
        "Dr. Smith is here",
        "It is for J. Smith today",
        "Meet at 10:30 or at 10,000 sharp",
        "See (e.g. Mondays) for it",
        "It is .5 percent",
    ],
)
def test_marks_inside_numbers_and_abbreviations_end_nothing(text: str) -> None:
    assert pieces_of(text) == [text]


def test_a_number_before_the_full_stop_waits_for_one_more_character() -> None:
    splitter = SentenceSplitter(Speaking())
    assert splitter.feed("The total is 12.") == []
    assert splitter.feed("50 euros today. Anything") == ["The total is 12.50 euros today."]


def test_quotes_and_brackets_close_with_their_sentence() -> None:
    assert at_once('He said "come in." Then') == ['He said "come in."']


def test_a_line_end_ends_a_sentence_whatever_follows() -> None:
    assert at_once("First of all\nthen") == ["First of all"]


def test_ideographic_full_stops_need_no_space() -> None:
    assert at_once("今日は良い天気でした。はい") == ["今日は良い天気でした。"]


def test_flush_lets_go_what_there_is() -> None:
    assert at_once("One moment<flush /> I will") == ["One moment"]
    assert at_once("A<flush/>B<flush>C") == ["A", "B"]


@pytest.mark.parametrize("mark", ["<flush />", "<flush/>", "<flush>"])
def test_a_flush_that_comes_in_halves_is_not_spoken(mark: str) -> None:
    for cut in range(1, len(mark)):
        assert pieces_of("Please wait here.", mark[:cut], mark[cut:], "Done.") == ["Please wait here.", "Done."]


def test_a_lone_bracket_is_text() -> None:
    assert pieces_of("5 <", " 6 is true") == ["5 < 6 is true"]


def test_a_reader_sees_no_flush() -> None:
    assert without_flushes("One<flush /> two<flush/>") == "One two"


def test_a_long_sentence_is_cut_at_a_space() -> None:
    policy = Speaking(max_piece_chars=20, first_clause_chars=99)
    assert pieces_of("one two three four five six seven", policy=policy) == ["one two three four", "five six seven"]
    assert pieces_of("x" * 45, policy=policy) == ["x" * 20, "x" * 20, "x" * 5]


def test_what_cannot_be_spoken_is_no_piece() -> None:
    assert pieces_of("…", " ?! ", "\n") == []


def test_half_a_flush_that_never_became_one_is_spoken_and_still_cut_to_size() -> None:
    assert pieces_of("bcd efg h<flus", policy=Speaking(max_piece_chars=10, first_clause_chars=99)) == [
        "bcd efg",
        "h<flus",
    ]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from(["Hello", " ", "world", ".", ", ", "12", "?", "<flush />", "<", "Dr", "\n", "…", "é", "a" * 90])
    ),
    st.integers(1, 4),
)
def test_no_word_is_lost_or_doubled_whatever_the_tokens(tokens: list[str], size: int) -> None:
    text = "".join(tokens)
    chopped = [text[at : at + size] for at in range(0, len(text), size)]
    spoken = "".join(pieces_of(*chopped))
    letters = [character for character in without_flushes(text) if character.isalnum()]
    assert [character for character in spoken if character.isalnum()] == letters
