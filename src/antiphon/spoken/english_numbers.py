"""Numbers in English words."""

from __future__ import annotations

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MOST_DIGITS = 15
"""Nobody says a longer number as one: its digits are read."""


def cardinal(number: int) -> str:
    """ "one thousand two hundred fifty". Below zero with "minus". Raises ValueError beyond ``MOST_DIGITS`` digits."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= 10**MOST_DIGITS:
        raise ValueError("too long to be said as one number")
    if number < 1000:
        return _below_thousand(number)
    words: list[str] = []
    groups: list[int] = []
    while number:
        number, group = divmod(number, 1000)
        groups.append(group)
    for scale in range(len(groups) - 1, -1, -1):
        if groups[scale]:
            words.append(_below_thousand(groups[scale]))
            words.append(_SCALES[scale])
    return " ".join(word for word in words if word)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest or not hundreds:
        words.append(
            _ONES[rest]
            if rest < 20
            else "-".join(filter(None, (_TENS[rest // 10], _ONES[rest % 10] if rest % 10 else "")))
        )
    return " ".join(words)


def ordinal(number: int) -> str:
    """ "twenty-first"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last.endswith("y"):
        return f"{words[:cut]}{last[:-1]}ieth"
    return words[:cut] + _ORDINALS.get(last, f"{last}th")


def year(number: int) -> str:
    """ "nineteen eighty-four", "two thousand five", "twenty twenty-six", "nineteen oh five"."""
    hundreds, rest = divmod(number, 100)
    if not 1000 <= number <= 2999 or (hundreds % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(hundreds)} hundred"
    return f"{cardinal(hundreds)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(figures: str) -> str:
    """One after the other: "zero four two"."""
    return " ".join(_ONES[int(figure)] for figure in figures)


def number(figures: str) -> str:
    """A written number: commas between thousands, a decimal point. Too long a one is read digit by digit."""
    whole, point, fraction = figures.replace(",", "").partition(".")
    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole[0] == "0" and "," not in figures and not point):
        said = digits(whole)
    else:
        said = cardinal(int(whole or "0"))
    return f"{said} point {digits(fraction)}" if fraction else said


def plural(noun: str) -> str:
    return {"foot": "feet", "inch": "inches", "penny": "pence"}.get(noun, f"{noun}s")
