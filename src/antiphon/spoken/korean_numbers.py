"""Numbers in Korean: Sino-Korean for figures, native for what is counted."""

from __future__ import annotations

_DIGITS = "영일이삼사오육칠팔구"
_PLACES = ("", "십", "백", "천")
_SCALES = ("", "만", "억", "조")
_NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
_NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_BEFORE_A_COUNTER = {"하나": "한", "둘": "두", "셋": "세", "넷": "네"}
MOST_DIGITS = 16
"""Up to 조; a longer number is read digit by digit."""


def sino(number: int) -> str:
    """ "천이백오십". Raises ValueError beyond ``MOST_DIGITS`` digits."""
    if number == 0:
        return "영"
    if number >= 10**MOST_DIGITS:
        raise ValueError("too long to be said as one number")
    said = ""
    for scale in range(3, -1, -1):
        group = number // 10 ** (4 * scale) % 10_000
        if group:
            words = _below_ten_thousand(group)
            # 10,000 is 만, not 일만.
            said += ("" if group == 1 and scale == 1 and not said else words) + _SCALES[scale]
    return said


def _below_ten_thousand(number: int) -> str:
    said = ""
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit:
            said += ("" if digit == 1 and place else _DIGITS[digit]) + _PLACES[place]
    return said


def native(number: int) -> str:
    """ "스물한" (before a counter): 1 to 99. Raises ValueError outside."""
    if not 1 <= number <= 99:
        raise ValueError("native numbers end at 99")
    tens, ones = divmod(number, 10)
    if number == 20:
        return "스무"
    word = _NATIVE_ONES[ones]
    return _NATIVE_TENS[tens] + _BEFORE_A_COUNTER.get(word, word)


def digits(figures: str, zero: str = "공") -> str:
    """One after the other; zero is 공 in a telephone number, 영 after a decimal point."""
    return "".join(zero if figure == "0" else _DIGITS[int(figure)] for figure in figures)


def number(figures: str) -> str:
    """A written number: commas between groups, a decimal point."""
    whole, point, fraction = figures.replace(",", "").partition(".")
    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole[0] == "0" and not point):
        said = digits(whole)
    else:
        said = sino(int(whole or "0"))
    return f"{said} 점 {digits(fraction, '영')}" if fraction else said
