from __future__ import annotations

import pytest

from antiphon.workflow import numbers
from antiphon.workflow.words import tokenize


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("five five five one two", ["55512"]),
        ("five double five oh two", ["55502"]),
        ("triple seven", ["777"]),
        ("my code is twenty three four", ["234"]),
        ("0042", ["0042"]),
        ("one two and three", ["12", "3"]),
        ("double trouble", []),
        ("the third", []),
    ],
)
def test_digits_one_after_the_other(text: str, digits: list[str]) -> None:
    assert [item.value for item in numbers.find_digits(tokenize(text))] == digits


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("four one five five five five two six seven one", ["+14155552671"]),
        ("my number is +1 (415) 555-2671 thanks", ["+14155552671"]),
        ("plus four four two zero seven nine four six oh nine five eight", ["+442079460958"]),
        ("five five five", []),
        ("wednesday at three", []),
    ],
)
def test_telephone_numbers(text: str, phones: list[str]) -> None:
    assert [item.value for item in numbers.find_phones(tokenize(text), "US")] == phones


def test_amounts() -> None:
    assert [item.value for item in numbers.find(tokenize("one hundred and five or the third or 7"))] == [105, 7]


@pytest.mark.parametrize(
    ("digits", "spoken"),
    [
        ("12", "1 2"),
        ("1234", "1 2 3 4"),
        ("12345", "1 2 3, 4 5"),
        ("123456", "1 2 3, 4 5 6"),
        ("5551212", "5 5 5, 1 2 1 2"),
        ("1234567890", "1 2 3, 4 5 6, 7 8 9 0"),
        ("+14155552671", "plus 1, 4 1 5, 5 5 5, 2 6 7 1"),
        ("+18005551212", "plus 1, 8 0 0, 5 5 5, 1 2 1 2"),
        ("+442079460958", "plus 4 4, 2 0, 7 9 4 6, 0 9 5 8"),
        ("+821012345678", "plus 8 2, 1 0, 1 2 3 4, 5 6 7 8"),
        ("+0", "plus 0"),
        ("", ""),
    ],
)
def test_digits_are_spoken_apart(digits: str, spoken: str) -> None:
    assert numbers.spoken_digits(digits) == spoken
