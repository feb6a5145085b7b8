"""Amounts, strings of digits and telephone numbers as people say them ("five five five", "double two", "oh", "twenty three")."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.spoken import phones
from antiphon.workflow.found import Found
from antiphon.workflow.words import Token

_ZEROS = frozenset(("oh", "o", "zero", "nought", "nil"))
_TIMES = {"double": 2, "triple": 3}
_SEPARATORS = frozenset(("-", "/", ":"))


def find(tokens: Sequence[Token]) -> list[Found[int]]:
    """Every whole number."""
    return [
        Found(at, at + 1, token.number, False)
        for at, token in enumerate(tokens)
        if token.number is not None and not token.ordinal
    ]


def find_digits(tokens: Sequence[Token]) -> list[Found[str]]:
    """Every unbroken run of digits, read one after the other ("twenty three" is 23)."""
    found: list[Found[str]] = []
    at = 0
    while at < len(tokens):
        start, digits = at, ""
        while at < len(tokens) and (piece := _digits(tokens, at)) is not None:
            text, at = piece
            digits += text
        if digits:
            found.append(Found(start, at, digits, False))
        at = max(at, start + 1)
    return found


def _digits(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """The digits at ``at`` and where they end; None where there are none."""
    token = tokens[at]
    if token.text in _TIMES and at + 1 < len(tokens):
        repeated = _digits(tokens, at + 1)
        return (repeated[0] * _TIMES[token.text], repeated[1]) if repeated and len(repeated[0]) == 1 else None
    if token.text in _ZEROS:
        return "0", at + 1
    if token.text in _SEPARATORS and at > 0:
        return "", at + 1
    if token.number is None or token.ordinal:
        return None
    return token.digits, at + 1


def find_phones(tokens: Sequence[Token], region: str) -> list[Found[str]]:
    """Every valid telephone number, as E.164. ``region`` is the ISO country whose national numbers are understood."""
    import phonenumbers

    found: list[Found[str]] = []
    for run in find_digits(tokens):
        international = run.start > 0 and tokens[run.start - 1].text == "plus"
        try:
            number = phonenumbers.parse(("+" if international else "") + run.value, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            found.append(Found(run.start - international, run.end, e164, True))
    return found


def spoken_digits(digits: str) -> str:
    """Apart, so that a voice reads them one by one, a telephone number ("+…") in its country's groups: "plus 1, 4 1 5, 5 5 5, 2 6 7 1"."""
    figures = digits.lstrip("+")
    groups = (phones.groups(digits) if digits.startswith("+") else ()) or phones.by_length(figures)
    said = ", ".join(" ".join(group) for group in groups)
    return f"plus {said}" if digits.startswith("+") else said
