"""Days as people say them: "wednesday", "next tuesday", "the third of may", "may the third", "a week from friday".

A small grammar reads the spoken forms: exact, microseconds each. It reads more of them than ``dateparser``, which gives up on "the
third of may" and "june twenty third"; what people *type* in other forms ("2026-05-13", "13 May 26") is left to ``dateparser``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from antiphon.workflow.found import Found, without_overlaps
from antiphon.workflow.words import FILLERS, Token

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORT_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "sept": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_MONTH_NUMBER = {name: at + 1 for at, name in enumerate(MONTHS)} | _SHORT_MONTHS
_WEEK = dt.timedelta(days=7)
_AROUND_A_TYPED_DATE = FILLERS | {
    "on",
    "for",
    "the",
    "i",
    "would",
    "make",
    "it",
    "let's",
    "say",
    "maybe",
    "how",
    "about",
}


def find(tokens: Sequence[Token], today: dt.date) -> list[Found[dt.date]]:
    """Every day named in ``tokens``; days without a year are the next ones, ``today`` excluded for bare weekdays."""
    reader = _Reader(tokens, today)
    return without_overlaps(match for at in range(len(tokens)) for match in reader.at(at))


def find_typed(text: str, today: dt.date) -> dt.date | None:
    """A whole answer in any form ``dateparser`` knows, for words that ``find`` makes nothing of. Only for an answer to "which day?"."""
    if not any(character.isdigit() for character in text) or len(text) > 60:
        return None
    words = [word for word in text.lower().replace(",", " ").split() if word not in _AROUND_A_TYPED_DATE]
    return _parse_typed(" ".join(words), today)


def warm_up() -> None:
    """Import ``dateparser`` and its tables now (half a second) rather than in a call."""
    _parse_typed("1 january 2000", dt.date(2000, 1, 1))


@lru_cache(maxsize=256)
def _parse_typed(text: str, today: dt.date) -> dt.date | None:
    import dateparser

    settings = {
        "PREFER_DATES_FROM": "future",
        "RELATIVE_BASE": dt.datetime.combine(today, dt.time()),
        "REQUIRE_PARTS": ["day", "month"],
        "STRICT_PARSING": False,
    }
    parsed = dateparser.parse(text, languages=["en"], settings=settings)
    return parsed.date() if parsed else None


class _Reader:
    """Tries each form at a position. A form yields at most one match."""

    def __init__(self, tokens: Sequence[Token], today: dt.date) -> None:
        self._tokens = tokens
        self._words = [token.text for token in tokens]
        self._today = today
        self._forms: tuple[Callable[[int], Found[dt.date] | None], ...] = (
            self._relative,
            self._weekday,
            self._week_from,
            self._day_of_month_named,
            self._month_then_day,
            self._day_of_some_month,
            self._in_a_while,
        )

    def at(self, at: int) -> Iterator[Found[dt.date]]:
        for form in self._forms:
            if (match := form(at)) is not None:
                yield match

    def _says(self, at: int, *words: str) -> bool:
        return self._words[at : at + len(words)] == list(words)

    def _token(self, at: int) -> Token | None:
        return self._tokens[at] if 0 <= at < len(self._tokens) else None

    def _relative(self, at: int) -> Found[dt.date] | None:
        for words, days in ((("day", "after", "tomorrow"), 2), (("tomorrow",), 1), (("today",), 0)):
            if self._says(at, *words) and not (days == 1 and self._says(at - 1, "after")):
                return Found(at, at + len(words), self._today + dt.timedelta(days), True)
        return None

    def _weekday(self, at: int) -> Found[dt.date] | None:
        """ "wednesday", "this wednesday", "next wednesday" (the one of next week), "wednesday the thirteenth [of may]"."""
        if self._words[at] not in WEEKDAYS:
            return None
        day, before, start = WEEKDAYS.index(self._words[at]), self._words[at - 1] if at else "", at
        ahead = (day - self._today.weekday()) % 7
        if before in ("this", "next", "coming"):
            start = at - 1
        if before == "next":
            ahead = 7 - self._today.weekday() + day
        elif before != "this" and ahead == 0:
            ahead = 7
        date, end = self._today + dt.timedelta(ahead), at + 1
        if self._says(end, "next", "week"):
            date, end = self._today + dt.timedelta(7 - self._today.weekday() + day), end + 2
        elif self._says(end, "week"):
            date, end = date + _WEEK, end + 1
        else:
            named = self._number_after_weekday(end)
            if named is not None and named.value.weekday() == day:
                date, end = named.value, named.end
        return Found(start, end, date, True)

    def _number_after_weekday(self, at: int) -> Found[dt.date] | None:
        at += self._says(at, "the")
        if at >= len(self._tokens):
            return None
        return self._day_of_month_named(at) or self._month_then_day(at) or self._day_alone(at)

    def _week_from(self, at: int) -> Found[dt.date] | None:
        """ "a week from friday", "a week on friday", "a week from today"."""
        if not (self._says(at, "week", "from") or self._says(at, "week", "on")) or at + 2 >= len(self._words):
            return None
        later = self._weekday(at + 2) or self._relative(at + 2)
        return Found(at, later.end, later.value + _WEEK, True) if later else None

    def _day_of_month_named(self, at: int) -> Found[dt.date] | None:
        """ "third of may", "3 may", "3rd may 2027"."""
        day = _day_number(self._tokens[at])
        month_at = at + 2 if self._says(at + 1, "of") else at + 1
        if day is None or month_at >= len(self._words) or self._words[month_at] not in _MONTH_NUMBER:
            return None
        return self._dated(at, month_at + 1, _MONTH_NUMBER[self._words[month_at]], day)

    def _month_then_day(self, at: int) -> Found[dt.date] | None:
        """ "may third", "may the third", "may 3 2027"."""
        if self._words[at] not in _MONTH_NUMBER:
            return None
        day_at = at + 2 if self._says(at + 1, "the") else at + 1
        token = self._token(day_at)
        day = _day_number(token) if token else None
        return self._dated(at, day_at + 1, _MONTH_NUMBER[self._words[at]], day) if day else None

    def _day_of_some_month(self, at: int) -> Found[dt.date] | None:
        """ "the third": of this month, or of the next that has one."""
        return self._day_alone(at) if self._says(at - 1, "the") and at else None

    def _day_alone(self, at: int) -> Found[dt.date] | None:
        token = self._tokens[at]
        if not token.ordinal or (day := _day_number(token)) is None:
            return None
        year, month = self._today.year, self._today.month
        for _ in range(12):
            date = _date(year, month, day)
            if date is not None and date >= self._today:
                return Found(at, at + 1, date, True)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return None

    def _in_a_while(self, at: int) -> Found[dt.date] | None:
        """ "in three days", "in a week", "two weeks from today"."""
        token = self._tokens[at]
        count = 1 if token.text in ("a", "one") else token.number
        unit = self._token(at + 1)
        if count is None or unit is None or unit.text not in ("day", "days", "week", "weeks") or not 0 < count < 500:
            return None
        if not (self._says(at - 1, "in") or self._says(at + 2, "from", "today") or self._says(at + 2, "from", "now")):
            return None
        days = count * (7 if unit.text.startswith("week") else 1)
        return Found(at, at + 2, self._today + dt.timedelta(days), True)

    def _dated(self, start: int, end: int, month: int, day: int) -> Found[dt.date] | None:
        token = self._token(end)
        if token is not None and token.number is not None and 2000 <= token.number < 2200:
            date = _date(token.number, month, day)
            return Found(start, end + 1, date, True) if date else None
        date = _date(self._today.year, month, day)
        if date is None or date < self._today:
            # 29 February waits for the next leap year, at most eight years away.
            years = range(self._today.year + 1, self._today.year + 9)
            date = next((later for year in years if (later := _date(year, month, day))), None)
        return Found(start, end, date, True) if date else None


def _day_number(token: Token) -> int | None:
    return token.number if token.number is not None and 1 <= token.number <= 31 else None


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def spoken(date: dt.date, today: dt.date) -> str:
    """As an agent says it: "Wednesday, May 13th", with the year where it is not the running one."""
    ending = "th" if 11 <= date.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    year = "" if date.year == today.year or (date - today).days < 180 else f", {date.year}"
    return f"{WEEKDAYS[date.weekday()].title()}, {MONTHS[date.month - 1].title()} {date.day}{ending}{year}"
