"""Text is cut and cleaned without moving a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.providers.tts.espeak_text import MAX_PIECE_CHARACTERS, pieces, speakable

TEXTS = st.text(st.sampled_from("abcAB .,;!?-\n'_/1é日\ud800\x00"), max_size=800)


@given(TEXTS, st.integers(1, 300))
def test_pieces_are_short_and_make_up_the_text(text: str, most: int) -> None:
    found = list(pieces(text, most))
    assert "".join(piece for _, piece in found) == text
    assert all(0 < len(piece) <= most and text[place:].startswith(piece) for place, piece in found)
    assert len(found) <= 3 * len(text) // most + 3


@given(TEXTS)
def test_cleaning_keeps_every_place(text: str) -> None:
    clean = speakable(text)
    assert len(clean) == len(text)
    clean.encode()
    assert all(new in (old, " ") for old, new in zip(text, clean, strict=True))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. " * 100, "One. " * (MAX_PIECE_CHARACTERS // 5)),
        ("one, two " * 60, "one, two " * 26 + "one, "),
        ("word " * 100, "word " * (MAX_PIECE_CHARACTERS // 5)),
        ("a" * 300, "a" * MAX_PIECE_CHARACTERS),
    ],
)
def test_a_text_is_cut_where_it_hurts_least(text: str, first: str) -> None:
    assert next(pieces(text)) == (0, first)


@pytest.mark.parametrize("text", ["The U.S.A. and e.g. N.A.T.O.", "Dr. A. B. Smith", "1.5 and 3.14"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert speakable(text) == text


def test_dotted_letters_without_end_lose_their_dots() -> None:
    assert speakable("A.B.C.D.E.F.G.H.I.J. yes") == "A B C D E F G H I J  yes"
