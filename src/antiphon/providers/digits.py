"""How many digits a transcript says, in words or in figures: "four one five", "double two", "twenty three", "415"."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_ONE = frozenset(
    ("zero", "oh", "o", "nought", "nil", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_TWO = frozenset((
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
))  # fmt: skip
_TENS = frozenset(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"))
_ZEROS = {"hundred": 2, "thousand": 3}
_AGAIN = {"double": 1, "triple": 2}


def count_digits(text: str) -> int:
    """The number of digits, as somebody would key them in."""
    count, after_tens = 0, False
    for word in _WORD.findall(text.lower()):
        if word in _ONE:
            # The "three" of "twenty three" is its second digit, which is counted.
            count += not (after_tens and word not in ("zero", "oh", "o", "nought", "nil"))
        elif word in _TWO or word in _TENS:
            count += 2
        elif word.isdecimal():
            count += len(word)
        else:
            count += _ZEROS.get(word, 0) + _AGAIN.get(word, 0)
        after_tens = word in _TENS
    return count
