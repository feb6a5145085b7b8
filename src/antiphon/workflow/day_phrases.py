"""The grammar of spoken days. It knows whole phrases only: of one that it knows in part it says so, rather than read the part.

``third of may`` is a day; ``two fridays from now`` is a day too, but not one this grammar knows, and it must not become this friday.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Sequence

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
_UNIT_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14, "fortnights": 14, "week's": 7, "days'": 1}
_UNIT_MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12, "month's": 1, "year's": 12}
_WEEK = dt.timedelta(days=7)
_AFTER_WHAT = frozenset(("lunch", "work", "school", "noon", "hours", "breakfast", "midday", "that's", "i", "my"))
"""After these, "after" and "before" speak of the time of the day, not of another day."""

_COUNTED_THINGS = frozenset((
    "available", "possible", "free", "one", "ones", "thing", "things", "opening", "slot", "slots", "time", "times", "appointment", "half",
    "part", "floor", "visit", "chance", "person", "kid", "child", "try", "option", "choice", "street", "avenue", "door", "name",
    "day", "days",
    "open", "couple", "few", "week", "quarter", "two", "three", "convenient", "i", "party", "patient", "grade", "class", "customer",
))  # fmt: skip
"""After these an ordinal counts something else: "the first available", "the second floor"."""

DayFound = Found[dt.date | None]
"""A phrase that names a day; None for one whose day is not known."""


class DayReader:
    """Tries each form at a position. Of several that fit, the longest is meant."""

    def __init__(self, tokens: Sequence[Token], today: dt.date) -> None:
        self._tokens = tokens
        self._words = [token.text for token in tokens]
        self._today = today
        self._forms: tuple[Callable[[int], DayFound | None], ...] = (
            self._counted,
            self._beside_a_day,
            self._nth_of_month,
            self._last_day_of_month,
            self._next_week_then_weekday,
            self._day_of_a_named_month,
            *self._simple_forms(),
            self._nth_weekday_of_no_month,
        )

    def _simple_forms(self) -> tuple[Callable[[int], DayFound | None], ...]:
        return (self._relative, self._weekday, self._day_then_month, self._month_then_day, self._day_of_some_month)

    def at(self, at: int) -> DayFound | None:
        """The longest phrase at ``at``."""
        return self._longest(at, self._forms)

    def _longest(self, at: int, forms: Sequence[Callable[[int], DayFound | None]]) -> DayFound | None:
        if not 0 <= at < len(self._tokens):
            return None
        best: DayFound | None = None
        for form in forms:
            found = form(at)
            if found is not None and (best is None or found.end > best.end):
                best = found
        return best

    def _anchor(self, at: int) -> DayFound | None:
        """A day that another one is counted from."""
        at += self._word(at) in ("the", "this")
        at += self._word(at) in ("next", "coming") and self._word(at + 1) in WEEKDAYS
        found = self._longest(at, self._simple_forms())
        return found if found is None or found.start <= at else None

    def _says(self, at: int, *words: str) -> bool:
        return at >= 0 and self._words[at : at + len(words)] == list(words)

    def _word(self, at: int) -> str:
        return self._words[at] if 0 <= at < len(self._words) else ""

    def _token(self, at: int) -> Token | None:
        return self._tokens[at] if 0 <= at < len(self._tokens) else None

    # ------------------------------------------------------------------------------------------ relative days

    def _relative(self, at: int) -> DayFound | None:
        """ "today", "tomorrow", "the day after tomorrow", "yesterday"."""
        forms = (
            (("day", "after", "tomorrow"), 2), (("day", "before", "yesterday"), -2), (("tomorrow",), 1), (("today",), 0),
            (("tonight",), 0), (("yesterday",), -1),
        )  # fmt: skip
        for words, days in forms:
            if self._says(at, *words):
                weeks = {"week": 7, "fortnight": 14}.get(self._word(at + len(words)), 0) if days in (0, 1) else 0
                return Found(at, at + len(words) + bool(weeks), self._today + dt.timedelta(days + weeks), True)
        return None

    def _counted(self, at: int) -> DayFound | None:
        """ "in ten days", "two weeks on friday", "a fortnight today", "three days ago", "a week before the third of may"."""
        start = at
        if self._says(at, "in"):
            at += 1
        elif self._says(at - 1, "in"):
            return None
        count_at = at
        count, at = self._count(at)
        unit = self._word(at)
        if count is None or (unit not in _UNIT_DAYS and unit not in _UNIT_MONTHS):
            return None
        at += 1
        inside = count_at > start
        if self._word(at) == "time":
            at += 1
        direction, anchor, end = self._counted_from(at, inside=inside)
        if end == at and not inside:
            return None  # "two weeks" is a while, not a day
        date = None if anchor is None or direction == 0 else self._moved(anchor, count * direction, unit)
        return Found(start, end, date, True)

    def _count(self, at: int) -> tuple[int | None, int]:
        token = self._token(at)
        if token is None:
            return None, at
        if token.text in ("a", "one", "an"):
            return 1, at + 1
        if token.number is None or token.ordinal or not 0 < token.number < 1000:
            return None, at
        return token.number, at + 1

    def _counted_from(self, at: int, *, inside: bool) -> tuple[int, dt.date | None, int]:
        """Which way is counted, from which day, and where the phrase ends. Counted 0 times: not understood."""
        word = self._word(at)
        if self._says(at, "from", "now") or self._says(at, "from", "here"):
            return 1, self._today, at + 2
        if word in ("ago", "earlier"):
            later = self._anchor(at + 1)
            return (-1, self._today, at + 1) if later is None or later.value == self._today else (0, None, later.end)
        if word in ("from", "on", "after", "before", "since", "prior"):
            anchor = self._anchor(at + 1)
            if anchor is None:
                return (1, self._today, at) if inside else (0, None, at + 1)
            if inside:
                # "in two weeks on friday" may be the friday of that week, or two weeks from friday.
                return 0, None, anchor.end
            return (-1 if word in ("before", "prior") else 1), anchor.value, anchor.end
        anchor = None if inside else self._anchor(at)
        if anchor is not None:
            return 1, anchor.value, anchor.end
        return 1, self._today, at

    def _moved(self, date: dt.date, count: int, unit: str) -> dt.date | None:
        try:
            if unit in _UNIT_DAYS:
                return date + dt.timedelta(days=count * _UNIT_DAYS[unit])
            month = date.month - 1 + count * _UNIT_MONTHS[unit]
            year, month = date.year + month // 12, month % 12 + 1
            return dt.date(year, month, min(date.day, calendar.monthrange(year, month)[1]))
        except (ValueError, OverflowError, calendar.IllegalMonthError):
            return None

    def _beside_a_day(self, at: int) -> DayFound | None:
        """ "the day after friday", "the day before the third of may"; "the day after" alone is counted from nothing we know."""
        if not (self._says(at, "day", "after") or self._says(at, "day", "before")):
            return None
        if self._says(at + 2, "tomorrow") or self._says(at + 2, "yesterday"):
            return None
        anchor = self._anchor(at + 2)
        if anchor is None or self._word(at - 1) in ("any", "every", "some", "each", "no"):
            return Found(at, anchor.end if anchor else at + 2, None, True)
        step = 1 if self._words[at + 1] == "after" else -1
        return Found(at, anchor.end, anchor.value + dt.timedelta(step) if anchor.value else None, True)

    # ------------------------------------------------------------------------------------------ weekdays

    def _weekday(self, at: int) -> DayFound | None:
        """ "wednesday", "this wednesday", "next wednesday" (the one of next week), "last wednesday",
        "wednesday the thirteenth [of may]"."""
        if self._words[at] not in WEEKDAYS:
            return None
        day, before, start = WEEKDAYS.index(self._words[at]), self._word(at - 1), at
        ahead = (day - self._today.weekday()) % 7
        if before in ("this", "next", "coming", "last", "past"):
            start = at - 1
        if before in ("last", "past"):
            ahead -= 7
        elif before == "next":
            ahead = 7 - self._today.weekday() + day
        elif before != "this" and ahead == 0:
            ahead = 7
        date, end = self._today + dt.timedelta(ahead), at + 1
        week, week_end = self._week_after_weekday(end)
        if week is not None:
            return Found(start, week_end, self._in_week(week, day), True)
        if self._says(end, "week") and before not in ("last", "past"):
            return Found(start, end + 1, date + _WEEK, True)
        if self._says(end, "fortnight") and before not in ("last", "past"):
            return Found(start, end + 1, date + 2 * _WEEK, True)
        named = self._number_after_weekday(end, day)
        if named is not None:
            return named if named.start == start else Found(start, named.end, named.value, True)
        tail = self._unknown_tail(end)
        return Found(start, tail, None, True) if tail else Found(start, end, date, True)

    def _week_after_weekday(self, at: int) -> tuple[int | None, int]:
        """ "[of|in] next week", "the week after next", "this week"."""
        at += self._word(at) in ("of", "in")
        return self._week(at)

    def _week(self, at: int) -> tuple[int | None, int]:
        at += self._word(at) == "the"
        for words, weeks in (
            (("week", "after", "next"), 2),
            (("next", "week"), 1),
            (("this", "week"), 0),
            (("last", "week"), -1),
        ):
            if self._says(at, *words):
                return weeks, at + len(words)
        return None, at

    def _in_week(self, weeks: int, day: int) -> dt.date:
        return self._today + dt.timedelta(7 * weeks - self._today.weekday() + day)

    def _next_week_then_weekday(self, at: int) -> DayFound | None:
        """ "next week [on] wednesday"."""
        if self._word(at - 1) in ("of", "in") or self._word(at) == "the":
            return None
        week, end = self._week(at)
        if week is None:
            return None
        end += self._says(end, "on")
        if self._word(end) not in WEEKDAYS:
            return None
        return Found(at, end + 1, self._in_week(week, WEEKDAYS.index(self._words[end])), True)

    def _number_after_weekday(self, at: int, weekday: int) -> DayFound | None:
        """ "[wednesday] the thirteenth [of may]": None where there is no number; no day where it is another weekday."""
        at += self._says(at, "the")
        if at >= len(self._tokens):
            return None
        found = self._day_of_a_named_month(at) or self._day_then_month(at) or self._month_then_day(at)
        if found is not None:
            fits = found.value is not None and found.value.weekday() == weekday
            return found if fits else Found(at, found.end, None, True)
        token = self._tokens[at]
        if not token.ordinal or (day := _day_number(token)) is None:
            return None
        # The month is not said: the next in which that day is that weekday, if it is soon.
        fitting = (date for date in self._same_day_of_months(day, 3) if date.weekday() == weekday)
        return Found(at, at + 1, next(fitting, None), True)

    def _nth_weekday_of_no_month(self, at: int) -> DayFound | None:
        """ "the second friday": of what?"""
        token = self._tokens[at]
        if token.ordinal and self._word(at + 1) in WEEKDAYS:
            return Found(at, at + 2, None, True)
        return None

    def _unknown_tail(self, at: int) -> int:
        """Where an addition ends that makes another day of the one before ("in december", "after christmas", "in two weeks"); 0: none."""
        word, after = self._word(at), self._token(at + 1)
        if word in ("in", "of") and after is not None:
            later, end = (self._count(at + 1)) if after.text not in MONTH_NUMBER else (1, at + 1)
            if later is not None and (
                self._word(end) in _UNIT_DAYS or self._word(end) in _UNIT_MONTHS or after.text in MONTH_NUMBER
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

    # ------------------------------------------------------------------------------------------ days of months

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
        day = _day_number(token)
        if day is None or not token.ordinal:
            return None
        month_at = at + 2 if self._says(at + 1, "of") else at + 1
        if self._word(month_at) in MONTH_NUMBER:
            return None
        month, end = self._month(month_at)
        return Found(at, end, date_of(*month, day), True) if month else None

    def _day_then_month(self, at: int) -> DayFound | None:
        """ "third of may", "3 may", "3rd may 2027"."""
        day = _day_number(self._tokens[at])
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
        day = _day_number(token)
        if day is None:
            return Found(at, day_at + 1, None, True) if token.number < 1000 else None
        if not token.ordinal and self._word(day_at + 1) in ("pm", "am", "o'clock", ":"):
            return None
        return self._dated(at, day_at + 1, MONTH_NUMBER[self._words[at]], day)

    def _day_of_some_month(self, at: int) -> DayFound | None:
        """ "the third": of this month, or of the next that has one."""
        token = self._tokens[at]
        if not token.ordinal or not self._says(at - 1, "the") or (day := _day_number(token)) is None:
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
        year, year_end = self._year(end)
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


def _day_number(token: Token) -> int | None:
    return token.number if token.number is not None and 1 <= token.number <= 31 else None


def date_of(year: int, month: int, day: int) -> dt.date | None:
    """The date, or None for one that the calendar does not have."""
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
