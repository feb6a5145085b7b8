"""Numbers, letters and e-mail addresses as people give them: waited for until they are whole, and no longer."""

from __future__ import annotations

import pytest

from antiphon.conversation.dictation import Given, given

WHOLE = (
    "five five five oh one four two three nine seven",
    "my number is 555 014 2397",
    "555-014-2397.",
    "call me at five five five double oh four two three nine seven",
    "1 555 014 2397",
    "one five five five oh one four two three nine seven",
    "020 7946 0958",
    "oh two oh seven nine four six oh nine five eight",
    "4242 4242 4242 4242",
    "my card is four two four two four two four two four two four two four two four two",
    "my zip code is 94107",
    "zip code nine four one oh seven",
    "05 12 1990",
    "john.smith@gmail.com",
    "my email is john dot smith at gmail dot com",
    "john at example dot co dot uk",
    "It's john.smith@example.co.uk.",
)
PART = (
    "five five five",
    "five five",
    "five five five oh one four",
    "my number is five",
    "My phone number is 555.",
    "555 014",
    "1 555 014 239",
    "020 7946 095",
    "4242 4242",
    "4242 4242 4242",
    "my card is 4242 4242 42",
    "the code is 4",
    "my zip code is nine four one",
    "two three dash",
    "my name is j o h n",
    "it is spelled J-O-H-N",
    "s m i t h",
    "b as in boy",
    "it is spelt k",
    "john at gmail",
    "my email is john",
    "my email address is john dot smith at",
    "john.smith@gmail",
    "it is john@",
)
NOTHING = (
    "",
    "hello",
    "in 1665",
    "chapter twelve",
    "chapter 12",
    "in nineteen ninety nine",
    "at half past three",
    "a table for two",
    "i am twenty three",
    "it costs two hundred",
    "room 12",
    "plan a",
    "so do i",
    "five five five is what she said",
    "i sent you an email yesterday",
    "look at the dot",
    "forty two",
    "number 12",
    "the number of people is large make it 14",
)


@pytest.mark.parametrize("text", WHOLE)
def test_what_has_all_it_takes_is_whole(text: str) -> None:
    assert given(text) is Given.WHOLE


@pytest.mark.parametrize("text", PART)
def test_a_part_is_waited_for(text: str) -> None:
    assert given(text) is Given.PART


@pytest.mark.parametrize("text", NOTHING)
def test_a_lone_number_or_letter_is_no_group(text: str) -> None:
    assert given(text) is Given.NOTHING


def test_a_long_turn_is_looked_at_from_its_end() -> None:
    assert given("word " * 5000 + "five five five") is Given.PART
