"""Amounts, strings of digits and telephone numbers as people say and write them ("two and a half", "2,500", "double two", "oh")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from antiphon.spoken import phones
from antiphon.workflow.found import Found
from antiphon.workflow.settling import Surroundings
from antiphon.workflow.words import Token

_ZEROS = frozenset(("oh", "o", "zero", "nought", "nil"))
_TIMES = {"double": 2, "triple": 3}
_SEPARATORS = frozenset(("-", "/", ":", ".", ","))
_MULTIPLIERS = {
    "k": 1_000,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "dozen": 12,
    "hundred": 100,
}
_NAMED = {"dozen": 12.0, "couple": 2.0}
_FRACTIONS = {"half": 0.5, "quarter": 0.25, "quarters": 0.25}
_SIGNS = frozenset(("minus", "negative"))
_UNITS = {
    word: str(at)
    for at, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
}

AROUND = Surroundings(
    before=frozenset((
        "times", "few", "several", "couple", "some", "plus", "double", "triple", "oh", "below", "above", "multiplied", "divided",
        "hundred", "thousand", ".", ",", "/",
        ":", "-",
        "minus",
    )),
    after=frozenset((
        "times", "tops", "max", "min", "plus", "below", "above", "in", "point", "oh", "thirds", "third", "squared", "multiplied",
        "divided", "minus", ".", ",",
        "/", ":", "-", "fifths", "tenths", "more", "less", "fewer", "extra", "additional",
    )),
    numbers_before=True,
)  # fmt: skip
"""What makes another amount of an amount next to it."""


def find(tokens: Sequence[Token]) -> list[Found[int | float | None]]:
    """Every amount; None for a number that is written in no way we know ("1,2,3")."""
    found: list[Found[int | float | None]] = []
    at = 0
    while at < len(tokens):
        read = _amount(tokens, at)
        if read is None:
            at += 1
            continue
        value, end = read
        beside = bool(found) and found[-1].end == at and not any(mark in tokens[at].gap for mark in ",.;")
        if beside and _word(tokens, found[-1].start - 1) not in ("not", "no"):
            # Two numbers side by side ("twenty twenty", "10 000") may be digits, a year, or one number.
            found[-1] = Found(found[-1].start, end, None, False)
        else:
            found.append(Found(at, end, value, False))
        at = end
    return found


def _amount(tokens: Sequence[Token], at: int) -> tuple[int | float | None, int] | None:
    """The amount at ``at`` and where it ends; None where there is none."""
    negative = tokens[at].text in _SIGNS
    start = at + negative
    read = _unsigned(tokens, start)
    if read is None:
        return None
    value, end = read
    if value is None:
        return None, end
    value = -value if negative else value
    return (int(value) if float(value).is_integer() else round(value, 9)), end


def _unsigned(tokens: Sequence[Token], at: int) -> tuple[float | None, int] | None:
    article = _word(tokens, at) in ("a", "an")
    start = at + article
    if _word(tokens, start) in _FRACTIONS and _word(tokens, start) != "quarters":
        return _fraction_of(tokens, start)
    if _word(tokens, start) in _NAMED:
        return _NAMED[_word(tokens, start)], start + 1
    if start >= len(tokens):
        return None
    token = tokens[start]
    if token.ordinal and token.number is not None:
        return (None, start + 1) if article else None  # "a third"
    if article and not (token.number is not None and token.number >= 100):
        return None
    if _word(tokens, start) == "point":
        return _decimals(tokens, start, 0.0)
    if token.amount is not None:
        value, end = token.amount, start + 1
    elif token.number is None:
        return None
    elif token.text[0].isdecimal():
        written, end = _written(tokens, start)
        if written is None:
            return None, end
        value = written
    else:
        value, end = float(token.number), start + 1
    return _finished(tokens, value, end)


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


def _fraction_of(tokens: Sequence[Token], at: int) -> tuple[float | None, int]:
    """ "half", "half a million", "half a dozen"."""
    value, end = _FRACTIONS[_word(tokens, at)], at + 1
    after = end + (_word(tokens, end) in ("a", "an"))
    if _word(tokens, after) in _NAMED:
        return value * _NAMED[_word(tokens, after)], after + 1
    if _word(tokens, after) in ("million", "thousand", "hundred", "billion"):
        return value * _MULTIPLIERS[_word(tokens, after)], after + 1
    if after < len(tokens) and tokens[after].number is not None:
        return None, after + 1  # "half three"
    return (None, after) if after > end else (value, end)  # half an hour is half of something we do not know


def _written(tokens: Sequence[Token], at: int) -> tuple[float | None, int]:
    """2500, 2,500, 1,049.99: groups of three, then one decimal point. None for any other mark between digits."""
    whole, end = tokens[at].digits, at + 1
    while _word(tokens, end) == "," and end + 1 < len(tokens):
        if len(tokens[end + 1].digits) != 3 or len(whole) > 15 or (end == at + 1 and len(whole) > 3):
            return None, _end_of_run(tokens, end)
        whole, end = whole + tokens[end + 1].digits, end + 2
    value = float(whole)
    if _word(tokens, end) == "." and end + 1 < len(tokens):
        value, end = float(f"{whole}.{tokens[end + 1].digits}"), end + 2
    if _word(tokens, end) in _SEPARATORS:
        return None, _end_of_run(tokens, end)
    return value, end


def _end_of_run(tokens: Sequence[Token], at: int) -> int:
    while at < len(tokens) and (
        tokens[at].text in _SEPARATORS or (tokens[at].text[0].isdecimal() and tokens[at].gap == "")
    ):
        at += 1
    return at


def _decimals(tokens: Sequence[Token], at: int, whole: float) -> tuple[float | None, int] | None:
    """ "point five", "point two five" after a whole number or alone."""
    digits, end = "", at + 1
    while end < len(tokens) and (piece := _digits(tokens, end)) is not None:
        text, end = piece
        digits += text
    return (whole + float(f"0.{digits}"), end) if digits else None


def _finished(tokens: Sequence[Token], value: float, end: int) -> tuple[float | None, int]:
    """With what may follow a number: "million", "k", "dozen", "and a half", "point five", "quarters"."""
    if _word(tokens, end) == "point" and (read := _decimals(tokens, end, value)) is not None:
        value, end = read[0] or 0.0, read[1]
    if _word(tokens, end) in _MULTIPLIERS:
        value, end = value * _MULTIPLIERS[_word(tokens, end)], end + 1
    if _word(tokens, end) == "quarters":
        return value * 0.25, end + 1
    if end < len(tokens) and tokens[end].ordinal:
        return None, end + 1  # "two thirds"
    if _word(tokens, end) == "and":
        article = _word(tokens, end + 1) in ("a", "an", "one")
        if article and _word(tokens, end + 2) in ("half", "quarter"):
            value, end = value + _FRACTIONS[_word(tokens, end + 2)], end + 3
            times = _MULTIPLIERS.get(_word(tokens, end), 1)
            return value * times, end + (times > 1)
        if _word(tokens, end + 1) in ("three", "3") and _word(tokens, end + 2) == "quarters":
            return value + 0.75, end + 3
        if article and end + 2 < len(tokens) and tokens[end + 2].ordinal:
            return None, end + 3
    return value, end


# ------------------------------------------------------------------------------------------------------------ digits


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
        digits = "" if tokens[at + 1].text in _TIMES else (_digits(tokens, at + 1) or ("",))[0]
        # "triple zero one": what is said thrice is the first figure of what follows.
        first = tokens[at + 1].text.split()[0] in (*_UNITS, *_ZEROS) or len(digits) == 1
        return (digits[0] * _TIMES[token.text] + digits[1:], at + 2) if digits and first else None
    if token.text in _ZEROS:
        return "0", at + 1
    if token.text in _SEPARATORS and at > 0:
        return "", at + 1
    if token.number is None or token.ordinal:
        return None
    return "".join(_read_out(token)), at + 1


def _read_out(token: Token) -> Iterator[str]:
    """A number's digits as they are dialled: "eight hundred five" is 8005 to a telephone, "four hundred fifteen" is 415."""
    words = token.text.split()
    if "hundred" not in words or len(words) < 3 or words[1] != "hundred" or words[0] not in _UNITS:
        yield token.digits
    elif all(word in _UNITS for word in words[2:]):
        yield _UNITS[words[0]] + "00"
        yield from (_UNITS[word] for word in words[2:])
    else:
        yield token.digits


def find_phones(tokens: Sequence[Token], region: str) -> list[Found[str]]:
    """Every valid telephone number, as E.164. ``region`` is the ISO country whose national numbers are understood."""
    found: list[Found[str]] = []
    for run in find_digits(tokens):
        international = run.start > 0 and tokens[run.start - 1].text == "plus"
        number = e164(("+" if international else "") + run.value, region)
        if number:
            found.append(Found(run.start - international, run.end, number, True))
    return found


def warm_up() -> None:
    """Import ``phonenumbers`` and its tables now (a third of a second) rather than in a call."""
    e164("4155552671", "US")


def e164(digits: str, region: str) -> str:
    """The telephone number that ``digits`` are, or the empty string for none that exists."""
    import phonenumbers

    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def too_short(digits: str, region: str) -> bool:
    """Whether more digits may make a telephone number of these."""
    import phonenumbers

    if len(digits.lstrip("+")) < 3:
        return bool(digits)
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException as error:
        return bool(error.error_type == phonenumbers.NumberParseException.TOO_SHORT_NSN)
    reason = phonenumbers.is_possible_number_with_reason(number)
    shorter = (phonenumbers.ValidationResult.TOO_SHORT, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)
    return reason in shorter


def national_length(region: str) -> int:
    """How many digits a landline of ``region`` has, as it is dialled there."""
    import phonenumbers

    example = phonenumbers.example_number(region)
    if example is None:
        return 10
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    return sum(character.isdigit() for character in written)


def spoken_digits(digits: str) -> str:
    """Apart, so that a voice reads them one by one, a telephone number ("+…") in its country's groups: "plus 1, 4 1 5, 5 5 5, 2 6 7 1"."""
    figures = digits.lstrip("+")
    groups = (phones.groups(digits) if digits.startswith("+") else ()) or phones.by_length(figures)
    said = ", ".join(" ".join(group) for group in groups)
    return f"plus {said}" if digits.startswith("+") else said
