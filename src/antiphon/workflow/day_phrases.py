"""The grammar of spoken days. It knows whole phrases only: of one that it knows in part it says so, rather than read the part.

``third of may`` is a day; ``two fridays from now`` is a day too, but not one this grammar knows, and it must not become this friday.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Sequence

from antiphon.workflow.found import Found
from antiphon.workflow.month_days import UNIT_DAYS, UNIT_MONTHS, WEEKDAYS, DayFound, MonthDays, day_number
from antiphon.workflow.words import Token

_WEEK = dt.timedelta(days=7)


class DayReader(MonthDays):
    """Tries each form at a position. Of several that fit, the longest is meant."""

    def __init__(self, tokens: Sequence[Token], today: dt.date) -> None:
        super().__init__(tokens, today)
        self._forms: tuple[Callable[[int], DayFound | None], ...] = (
            self._counted,
            self._beside_a_day,
            self._nth_of_month,
            self._last_day_of_month,
            self._next_week_then_weekday,
            self._day_of_a_named_month,
            *self._simple_forms(),
            self._holiday,
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
        found = self._longest(at, (*self._simple_forms(), self._season))
        return found if found is None or found.start <= at else None

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
        if count is None or (unit not in UNIT_DAYS and unit not in UNIT_MONTHS):
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
            if unit in UNIT_DAYS:
                return date + dt.timedelta(days=count * UNIT_DAYS[unit])
            month = date.month - 1 + count * UNIT_MONTHS[unit]
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
        if self._says(end, "after", "next") and before not in ("last", "past", "this", "next"):
            # Of the coming week's days nobody is sure which one is the next; of those before today's weekday it is clear.
            return Found(start, end + 2, self._in_week(2, day) if day < self._today.weekday() else None, True)
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
        if not token.ordinal or (day := day_number(token)) is None:
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
