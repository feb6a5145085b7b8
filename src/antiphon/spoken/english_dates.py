"""Dates and times in English."""

from __future__ import annotations

import re

from antiphon.spoken.english_numbers import cardinal, ordinal, year
from antiphon.spoken.english_tables import MONTH_OF, MONTHS, WEEKDAY_OF
from antiphon.spoken.rules import Rule, rule

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?"
    r"|Dec(?:ember)?|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
)
_DAY = r"(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)"
_HALF = r"(?:\s{0,2}([AaPp])\.?\s?[Mm](?:\.(?!\w)|\b))"
_CLOCK = r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?"
_DASH = r"\s{0,2}[-–—−]\s{0,2}"


def rules() -> tuple[Rule, ...]:
    return (
        rule(
            r"(?<![\w./-])(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:T|\s)(\d{2}):(\d{2})(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?(?![\w-]|\.\d)",
            _iso,
        ),
        rule(r"(?<![\w./-])(\d{4})/(\d{1,2})/(\d{1,2})(?![\w/-])", lambda m: _date(int(m[1]), int(m[2]), int(m[3]))),
        rule(r"(?<![\w./-])(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-])", _american),
        rule(r"(?<![\w./-])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w-])", lambda m: _date(int(m[3]), int(m[2]), int(m[1]))),
        rule(
            rf"(?<!\w){_DAY}(?:\.|(?=,)|(?=\s\d)|(?=\s{_MONTH}))(?=,?\s{{1,2}}(?:\d|{_MONTH}|at\b|from\b|the\b))",
            lambda m: _weekday(m[0]),
        ),
        rule(
            rf"(?<!\w)({_MONTH})\.?\s{{1,2}}(\d{{1,2}})(?:st|nd|rd|th)?(?:{_DASH}(\d{{1,2}})(?:st|nd|rd|th)?)?(?:,?\s{{1,2}}(\d{{4}}))?(?![\w:%/]|[.,]\d)",
            _month_day,
        ),
        rule(
            rf"(?<![\w.,:/$-])(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?(?:{_DASH}(\d{{1,2}})(?:st|nd|rd|th)?)?\s(?:of\s)?({_MONTH})\b\.?(?:,?\s{{1,2}}(\d{{4}})\b)?",
            _day_month,
        ),
        rule(rf"(?<!\w)({_MONTH})\.?,?\s{{1,2}}(\d{{4}})(?!\w)", lambda m: f"{_month(m[1])} {year(int(m[2]))}"),
        rule(r"(?<=\bon )(\d{1,2})/(\d{1,2})(?![\w/])", _day_only),
        rule(r"(?<=\b(?:by|to) )(\d{1,2})/(\d{1,2})(?![\w/])", _day_only),
        rule(r"(?<=\b(?:from|till) )(\d{1,2})/(\d{1,2})(?![\w/])", _day_only),
        rule(r"(?<=\b(?:until|since|after) )(\d{1,2})/(\d{1,2})(?![\w/])", _day_only),
        rule(rf"(?<![\w:.,]){_CLOCK}{_HALF}?(?![\d:])", _clock),
        rule(rf"(?<![\w:.,$€£])(\d{{1,2}}){_HALF}", _hour),
        rule(rf"(?<=\d)({_DASH})(?=\d{{1,2}}(?::[0-5]\d)?\s{{0,2}}[AaPp]\.?[Mm]\b)", " to ", group=1),
        rule(rf"(?<=[\dAaPp.][Mm.])({_DASH})(?=\d)", " to ", group=1),
        rule(r"(?<![\w'’.,$])(1[89]|20)(\d)0s\b", lambda m: _decade(int(m[1] + m[2] + "0"))),
        rule(r"(?<![\w.,$])['‘’]?([2-9])0s\b", lambda m: f"{cardinal(int(m[1]) * 10)[:-1]}ies"),
    )


def weekdays() -> Rule:
    """ "Mon–Fri"."""
    return rule(rf"(?<!\w){_DAY}\.?(?:{_DASH}{_DAY})\b\.?", _weekdays)


def _iso(found: re.Match[str]) -> str | None:
    date = _date(int(found[1]), int(found[2]), int(found[3]))
    if date is None or found[4] is None:
        return date
    return f"{date}, at {_time(int(found[4]), int(found[5]), '')}"


def _american(found: re.Match[str]) -> str | None:
    """Month first, as in America, unless that cannot be."""
    month, day = int(found[1]), int(found[3])
    if found[2] == "-" and len(found[4]) == 2:
        return None
    if month > 12:
        month, day = day, month
    written = int(found[4])
    return _date(written if written > 99 else written + (2000 if written < 70 else 1900), month, day)


def _date(of_year: int, month: int, day: int) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31 and of_year >= 1000):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(of_year)}"


def _month(written: str) -> str:
    return MONTH_OF.get(written.lower(), "") or MONTH_OF[written[:3].lower()]


def _weekday(written: str) -> str:
    return WEEKDAY_OF[written.rstrip(".").lower()]


def _weekdays(found: re.Match[str]) -> str:
    first, last = re.split(_DASH, found[0], maxsplit=1)
    return f"{_weekday(first)} to {_weekday(last)}"


def _month_day(found: re.Match[str]) -> str | None:
    first, last, of_year = found[2], found[3], found[4]
    if not 1 <= int(first) <= 31 or (last and not 1 <= int(last) <= 31):
        return None
    days = ordinal(int(first)) + (f" to {ordinal(int(last))}" if last else "")
    return f"{_month(found[1])} {days}" + (f", {year(int(of_year))}" if of_year else "")


def _day_month(found: re.Match[str]) -> str | None:
    first, last, of_year = found[1], found[2], found[4]
    if not 1 <= int(first) <= 31 or (last and not 1 <= int(last) <= 31):
        return None
    days = ordinal(int(first)) + (f" to the {ordinal(int(last))}" if last else "")
    stop = "." if found[0].endswith(".") and not found.string[found.end() :].strip() else ""
    return f"the {days} of {_month(found[3])}" + (f", {year(int(of_year))}" if of_year else "") + stop


def _day_only(found: re.Match[str]) -> str | None:
    month, day = int(found[1]), int(found[2])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}"


def _clock(found: re.Match[str]) -> str | None:
    hour, minute = int(found[1]), int(found[2])
    if hour > 24:
        return None
    said = _time(hour, minute, (found[4] or "").upper())
    if found[3] is not None:
        seconds = int(found[3])
        said += f" and {cardinal(seconds)} second{'s' if seconds != 1 else ''}"
    return said + _stop(found)


def _stop(found: re.Match[str]) -> str:
    """The dot of "p.m." may end the sentence, too."""
    after = found.string[found.end() : found.end() + 2]
    return "." if found[0].endswith(".") and (not after.strip() or after.lstrip()[:1].isupper()) else ""


def _time(hour: int, minute: int, half: str) -> str:
    """``half`` is A, P or nothing."""
    suffix = f" {half} M" if half else ""
    if not half and hour in (0, 24):
        if minute == 0:
            return "midnight"
        hour, suffix = 12, " A M"
    if minute == 0:
        if suffix:
            return f"{cardinal(hour)}{suffix}"
        return f"{cardinal(hour)} o'clock" if hour <= 12 else f"{cardinal(hour)} hundred"
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}{suffix}"


def _hour(found: re.Match[str]) -> str | None:
    hour = int(found[1])
    return f"{cardinal(hour)} {found[2].upper()} M{_stop(found)}" if hour <= 24 else None


def _decade(first: int) -> str:
    if first % 100 == 0:
        return f"{year(first)}s"
    hundreds, tens = divmod(first, 100)
    return f"{cardinal(hundreds)} {cardinal(tens)[:-1]}ies"
