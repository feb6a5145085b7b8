"""The grammar of spoken days of a month: "the third", "third of may", "may 3 2027", "last friday in january", "christmas eve"."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence

from antiphon.workflow import holidays
from antiphon.workflow.found import Found
from antiphon.workflow.words import Token

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORT_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
MONTH_NUMBER = {name: at + 1 for at, name in enumerate(MONTHS)} | _SHORT_MONTHS
UNIT_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14, "fortnights": 14, "week's": 7, "days'": 1}
UNIT_MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12, "month's": 1, "year's": 12}
_AFTER_WHAT = frozenset(("lunch", "work", "school", "noon", "hours", "breakfast", "midday", "that's", "i", "my"))
"""After these, "after" and "before" speak of the time of the day, not of another day."""

_COUNTED_THINGS = frozenset((
    "available", "possible", "free", "one", "ones", "thing", "things", "opening", "slot", "slots", "time", "times", "appointment", "half",
    "part", "floor", "visit", "chance", "person", "kid", "child", "try", "option", "choice", "street", "avenue", "door", "name",
    "day", "days",
    "open", "couple", "few", "week", "quarter", "two", "three", "convenient", "i", "party", "patient", "grade", "class", "customer",
))  # fmt: skip
"""After these an ordinal counts something else: "the first available", "the second floor"."""

_CONTRACTED = frozenset((*WEEKDAYS, "today", "tomorrow"))

DayFound = Found[dt.date | None]
"""A phrase that names a day; None for one whose day is not known."""


class MonthDays:
    """Reads days of a month at a place among a turn's words."""

    def __init__(self, tokens: Sequence[Token], today: dt.date) -> None:
        self._tokens = tokens
        # "tuesday's no good": the weekday is what counts of it.
        self._words = [
            token.text.removesuffix("'s") if token.text.removesuffix("'s") in _CONTRACTED else token.text
            for token in tokens
        ]
        self._today = today

    def _says(self, at: int, *words: str) -> bool:
        return at >= 0 and self._words[at : at + len(words)] == list(words)

    def _word(self, at: int) -> str:
        return self._words[at] if 0 <= at < len(self._words) else ""

    def _token(self, at: int) -> Token | None:
        return self._tokens[at] if 0 <= at < len(self._tokens) else None

    def _count(self, at: int) -> tuple[int | None, int]:
        token = self._token(at)
        if token is None:
            return None, at
        if token.text in ("a", "one", "an"):
            return 1, at + 1
        if token.number is None or token.ordinal or not 0 < token.number < 1000:
            return None, at
        return token.number, at + 1

    def _unknown_tail(self, at: int) -> int:
        """Where an addition ends that makes another day of the one before ("in december", "after christmas", "in two weeks"); 0: none."""
        word, after = self._word(at), self._token(at + 1)
        if word in ("in", "of") and after is not None:
            later, end = (self._count(at + 1)) if after.text not in MONTH_NUMBER else (1, at + 1)
            if later is not None and (
                self._word(end) in UNIT_DAYS or self._word(end) in UNIT_MONTHS or after.text in MONTH_NUMBER
            ):
                return end + 1
            if self._says(at + 1, "the", "month") or self._says(at + 1, "next", "month"):
                return at + 3
        if word in ("after", "before"):
            if after is None or not (
                after.number is not None or after.text in _AFTER_WHAT or after.text in ("half", "quarter", "a")
            ):
                return at + 2
        return at + 1 if word in ("ago", "eve", "following", "fortnight", "weeks") else 0

    def _holiday(self, at: int) -> DayFound | None:
        """ "christmas eve", "new year's day"."""
        return self._named(at, season_too=False)

    def _season(self, at: int) -> DayFound | None:
        """ "christmas", as a day to count from."""
        return self._named(at, season_too=True)

    def _named(self, at: int, *, season_too: bool) -> DayFound | None:
        named = holidays.named(self._words, at, season_too=season_too)
        return None if named is None else self._dated(at, at + named[1], *named[0])

    def _month(self, at: int) -> tuple[tuple[int, int] | None, int]:
        """The year and month named at ``at``, and where they end: "december [2027]", "next month", "this month", "the month"."""
        at += self._says(at, "the") and self._says(at + 1, "month")
        for words, ahead in ((("next", "month"), 1), (("this", "month"), 0), (("month",), 0)):
            if self._says(at, *words):
                month = self._today.month - 1 + ahead
                return (self._today.year + month // 12, month % 12 + 1), at + len(words)
        number = MONTH_NUMBER.get(self._word(at))
        if number is None:
            return None, at
        year, end = self._year(at + 1)
        if year is None:
            year = self._today.year + (number < self._today.month)
        return (year, number), end

    def _year(self, at: int) -> tuple[int | None, int]:
        """ "2027", "two thousand twenty seven", "twenty twenty seven"."""
        token, second = self._token(at), self._token(at + 1)
        if token is None or token.number is None or token.ordinal:
            return None, at
        if 2000 <= token.number < 2200:
            return token.number, at + 1
        if token.number in (20, 21) and second is not None and second.number is not None and 10 <= second.number < 100:
            return token.number * 100 + second.number, at + 2
        return None, at

    def _year_or_next(self, at: int) -> tuple[int | None, int]:
        """As ``_year``, or "[of] next year"."""
        of = self._says(at, "of")
        for word, ahead in (("this", 0), ("next", 1)):
            if self._says(at + of, word, "year"):
                return self._today.year + ahead, at + of + 2
        return self._year(at)

    def _nth_of_month(self, at: int) -> DayFound | None:
        """ "first monday in december", "last friday of the month", "third thursday of next month"."""
        token, weekday = self._tokens[at], self._word(at + 1)
        nth = -1 if token.text == "last" else token.number if token.ordinal else None
        if nth is None or weekday not in WEEKDAYS or self._word(at + 2) not in ("in", "of"):
            return None
        month, end = self._month(at + 3)
        if month is None:
            return None
        date = _nth_weekday(month[0], month[1], WEEKDAYS.index(weekday), nth)
        if (
            date is not None
            and date < self._today
            and self._word(at + 3) in MONTH_NUMBER
            and self._year(at + 4)[0] is None
        ):
            date = _nth_weekday(month[0] + 1, month[1], WEEKDAYS.index(weekday), nth)
        return Found(at, end, date, True)

    def _last_day_of_month(self, at: int) -> DayFound | None:
        if not (self._says(at, "last", "day", "of") or self._says(at, "last", "day", "in")):
            return None
        month, end = self._month(at + 3)
        if month is None:
            return None
        return Found(at, end, dt.date(*month, calendar.monthrange(*month)[1]), True)

    def _day_of_a_named_month(self, at: int) -> DayFound | None:
        """ "tenth of next month", "thirtieth of this month"."""
        token = self._tokens[at]
        day = day_number(token)
        if day is None or not token.ordinal:
            return None
        month_at = at + 2 if self._says(at + 1, "of") else at + 1
        if self._word(month_at) in MONTH_NUMBER:
            return None
        month, end = self._month(month_at)
        return Found(at, end, date_of(*month, day), True) if month else None

    def _day_then_month(self, at: int) -> DayFound | None:
        """ "third of may", "3 may", "3rd may 2027"."""
        day = day_number(self._tokens[at])
        month_at = at + 2 if self._says(at + 1, "of") else at + 1
        if day is None or self._word(month_at) not in MONTH_NUMBER:
            return None
        return self._dated(at, month_at + 1, MONTH_NUMBER[self._words[month_at]], day)

    def _month_then_day(self, at: int) -> DayFound | None:
        """ "may third", "may the third", "may 3 2027". A month and a number that is no day of it is no day."""
        if self._words[at] not in MONTH_NUMBER:
            return None
        day_at = at + 2 if self._says(at + 1, "the") else at + 1
        token = self._token(day_at)
        if token is None or token.number is None:
            return None
        day = day_number(token)
        if day is None:
            return Found(at, day_at + 1, None, True) if token.number < 1000 else None
        if not token.ordinal and self._word(day_at + 1) in ("pm", "am", "o'clock", ":"):
            return None
        return self._dated(at, day_at + 1, MONTH_NUMBER[self._words[at]], day)

    def _day_of_some_month(self, at: int) -> DayFound | None:
        """ "the third": of this month, or of the next that has one."""
        token = self._tokens[at]
        if not token.ordinal or not self._says(at - 1, "the") or (day := day_number(token)) is None:
            return None
        date = next(iter(self._same_day_of_months(day, 12)), None)
        tail = self._unknown_tail(at + 1)
        if not tail and self._word(at + 1) in _COUNTED_THINGS:
            return None
        return Found(at, tail or at + 1, None if tail else date, True)

    def _same_day_of_months(self, day: int, months: int) -> list[dt.date]:
        """That day in each of the coming months that has it and in which it is yet to come."""
        found: list[dt.date] = []
        year, month = self._today.year, self._today.month
        for _ in range(months):
            date = date_of(year, month, day)
            if date is not None and date >= self._today:
                found.append(date)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return found

    def _dated(self, start: int, end: int, month: int, day: int) -> DayFound:
        year, year_end = self._year_or_next(end)
        if year is not None:
            return Found(start, year_end, date_of(year, month, day), True)
        date = date_of(self._today.year, month, day)
        if date is None or date < self._today:
            # 29 February waits for the next leap year, at most eight years away.
            years = range(self._today.year + 1, self._today.year + 9)
            date = next((later for year in years if (later := date_of(year, month, day))), None)
        return Found(start, end, date, True)


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> dt.date | None:
    """The nth such weekday of a month; −1 is the last. None where the month has none."""
    days = calendar.monthrange(year, month)[1]
    all_of_them = [day for day in range(1, days + 1) if dt.date(year, month, day).weekday() == weekday]
    if nth == -1:
        return dt.date(year, month, all_of_them[-1])
    return dt.date(year, month, all_of_them[nth - 1]) if 1 <= nth <= len(all_of_them) else None


def day_number(token: Token) -> int | None:
    return token.number if token.number is not None and 1 <= token.number <= 31 else None


def date_of(year: int, month: int, day: int) -> dt.date | None:
    """The date, or None for one that the calendar does not have."""
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
