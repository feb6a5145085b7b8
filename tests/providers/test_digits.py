from __future__ import annotations

import pytest

from antiphon.providers.digits import count_digits


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("goodbye", 0),
        ("four one five", 3),
        ("five double five oh two", 5),
        ("triple seven", 3),
        ("twenty three four", 3),
        ("twenty oh three", 4),
        ("fifteen ninety nine", 4),
        ("eight hundred", 3),
        ("415-555-2671", 10),
        ("my number is four one five", 3),
    ],
)
def test_digits_are_counted_as_they_would_be_keyed_in(text: str, count: int) -> None:
    assert count_digits(text) == count
