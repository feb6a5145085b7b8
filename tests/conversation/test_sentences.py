from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.policy import Speaking
from antiphon.conversation.sentences import Piece, SentenceSplitter, without_flushes


def pieces_of(*tokens: str, policy: Speaking | None = None) -> list[str]:
    """Pieces in order, those of the flush at the end too."""
    splitter = SentenceSplitter(policy or Speaking())
    return [piece.text for token in tokens for piece in splitter.feed(token)] + [
        piece.text for piece in splitter.flush()
    ]


def put_together(*tokens: str) -> str:
    """The text as the pieces give it back."""
    splitter = SentenceSplitter(Speaking())
    pieces = [piece for token in tokens for piece in splitter.feed(token)] + splitter.flush()
    return "".join(f" {piece.text}" if piece.spaced else piece.text for piece in pieces).strip()


def at_once(text: str, policy: Speaking | None = None) -> list[str]:
    """Pieces that are let go before the stream ends."""
    return [piece.text for piece in SentenceSplitter(policy or Speaking()).feed(text)]


def test_a_sentence_is_let_go_when_its_end_is_sure() -> None:
    assert at_once("Good morning. How can") == ["Good morning."]
    assert at_once("Good morning.") == [], "it may go on: www.example.com"
    assert at_once("Good morning. ") == ["Good morning."]


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
        "Visit www.example.com today",
        "Write to jane.doe@example.co.uk today",
        "He has a Ph.D. in physics",
        "Gen. Lee and Col. Mustard came",
        "Come on Jan. 5 at noon",
        "It is on Sept. 30, see p. 12 and fig. 3",
        "The U.S. Army is here",
        "At 9 a.m. or at 5 p.m. on Mondays",
        "Version 2.10.3 of it is out",
        "1. Press the key",
        "Use node.js or read file.txt first",
    ],
)
def test_marks_inside_numbers_words_and_abbreviations_end_nothing_however_the_text_comes(text: str) -> None:
    assert pieces_of(text) == [text]
    assert pieces_of(*text) == [text]
    for at in range(1, len(text)):
        assert pieces_of(text[:at], text[at:]) == [text]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The answer is no. I am sorry.", ["The answer is no.", "I am sorry."]),
        ("I have ten. Take one.", ["I have ten.", "Take one."]),
        ('"Stop. " Then he left.', ['"Stop. "', "Then he left."]),
        ("We met in Dec. It was cold outside.", ["We met in Dec.", "It was cold outside."]),
        ("आप कैसे हैं। मैं ठीक हूँ।", ["आप कैसे हैं।", "मैं ठीक हूँ।"]),
        ("كيف حالك اليوم؟ أنا بخير", ["كيف حالك اليوم؟", "أنا بخير"]),
        ("예약을 도와드릴까요? 네, 좋습니다.", ["예약을 도와드릴까요?", "네, 좋습니다."]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, pieces: list[str]) -> None:
    assert pieces_of(text) == pieces_of(*text) == pieces


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from(["Hello", " ", "world", ". ", ", ", "12", "? ", ".", "Dr. ", "。", "é", "a" * 300, "www.", '"'])
    ),
    st.integers(1, 4),
)
def test_the_pieces_put_together_are_the_text(tokens: list[str], size: int) -> None:
    text = "".join(tokens)
    whole = " ".join(text.split())
    chopped = [text[at : at + size] for at in range(0, len(text), size)]
    for spoken in (put_together(text), put_together(*chopped)):
        # Marks that stand alone are no piece; where they stood, a blank may be left.
        assert _letters(spoken) == _letters(whole)


def _letters(text: str) -> list[str]:
    """The words, without marks that cannot be spoken."""
    kept = "".join(character if character.isalnum() else " " if character.isspace() else "" for character in text)
    return kept.split()


def test_a_number_before_the_full_stop_waits_for_one_more_character() -> None:
    splitter = SentenceSplitter(Speaking())
    assert splitter.feed("The total is 12.") == []
    assert splitter.feed("50 euros today. Anything") == [Piece("The total is 12.50 euros today.")]


def test_quotes_and_brackets_close_with_their_sentence() -> None:
    assert at_once('He said "come in." Then') == ['He said "come in."']


def test_a_line_end_ends_a_sentence_whatever_follows() -> None:
    assert at_once("First of all\nthen") == ["First of all"]


def test_ideographic_full_stops_need_no_space() -> None:
    assert at_once("今日は良い天気でした。はい") == ["今日は良い天気でした。"]


def test_what_stands_before_a_flush_is_cut_to_size() -> None:
    long = "word " * 480
    assert all(len(piece) <= 240 for piece in pieces_of(f"{long}<flush /> and the rest"))
    assert " ".join(pieces_of(f"{long}<flush /> and the rest")) == f"{long}and the rest"
    assert max(len(piece) for piece in pieces_of("A.B." * 200 + "<flush />")) <= 240


@pytest.mark.timed
@pytest.mark.parametrize(
    "part", ["3.", "a.", "Mr. ", "e.g. ", ".", "<", "<flush />", "no. ", "x", ", ", "( ", '" ', "1.\n"]
)
def test_whatever_a_model_prints_takes_linear_time(part: str) -> None:
    text = part * (220_000 // len(part))
    splitter = SentenceSplitter(Speaking())
    start = time.process_time()
    splitter.feed(text)
    splitter.flush()
    whole = time.process_time() - start
    start = time.process_time()
    tenth = SentenceSplitter(Speaking())
    tenth.feed(text[: len(text) // 10])
    tenth.flush()
    # Linear is ten times; quadratic would be a hundred. Processor time, so that a busy machine does not matter.
    assert whole < 40 * max(time.process_time() - start, 0.005)


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
