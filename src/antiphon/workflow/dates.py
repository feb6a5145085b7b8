"""Days as people say them: "wednesday", "next tuesday", "the third of may", "two weeks on friday", "the last friday in january".

A grammar reads the spoken forms (``day_phrases``): exact, microseconds each. It reads more of them than ``dateparser``, which gives up
on "the third of may" and "june twenty third"; what people *type* in other forms ("2026-05-13", "13 May 26") is left to ``dateparser``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache

from antiphon.workflow import day_references
from antiphon.workflow.clauses import HARMLESS
from antiphon.workflow.day_phrases import DayReader
from antiphon.workflow.found import without_overlaps
from antiphon.workflow.month_days import MONTHS, WEEKDAYS, DayFound
from antiphon.workflow.settling import Surroundings
from antiphon.workflow.words import FILLERS, Token

__all__ = ["AROUND", "MONTHS", "WEEKDAYS", "find", "find_typed", "spoken", "warm_up"]

_AROUND_A_TYPED_DATE = FILLERS | {
    "on", "for", "the", "i", "would", "make", "it", "let's", "say", "maybe", "how", "about", "can", "we", "do", "come", "at",
}  # fmt: skip
_WRITTEN_DATE = re.compile(r"\d\s*[/.-]\s*\d|[a-z]{3,9}\.? \d|\d(?:st|nd|rd|th)? [a-z]{3,9}")

AROUND = Surroundings(
    before=frozenset((
        "last", "past", "previous", "week", "weeks", "fortnight", "month", "months", "day", "days", "year", "years", "easter", "black",
        "good", "ash", "palm", "bank", "holiday", "boxing", "cyber", "whit", "shrove", "following", "end", "beginning", "start", "middle",
        "weekend", "early", "late", "mid", "christmas", "half", "fridays", "mondays", "ago", "maundy", "pancake", "fat", "alternate",
        "other", "next",
    )),
    after=frozenset((
        "week", "weeks", "fortnight", "ago", "following", "eve", "month", "months", "years", "next", "last", "fortnightly", "weekly",
    )),
    harmless=HARMLESS,
    or_so=False,
)  # fmt: skip
"""What makes another day of a day next to it."""


def find(tokens: Sequence[Token], today: dt.date, standing: dt.date | None = None) -> list[DayFound]:
    """Every phrase in ``tokens`` that names a day; days without a year are the next ones, ``today`` excluded for bare weekdays.

    "The day after" and its like are told from the day named before in the turn, else from ``standing``, the day agreed on so far.
    """
    reader = DayReader(tokens, today)
    found: list[DayFound] = []
    for at in range(len(tokens)):
        told = day_references.read(tokens, at, _named_before(found, tokens, at), standing, today)
        match = told or reader.at(at)
        if match is not None:
            found.append(match)
    return without_overlaps(found)


def _named_before(found: Sequence[DayFound], tokens: Sequence[Token], at: int) -> day_references.Antecedent | None:
    """The last day named before ``at``."""
    earlier = [item for item in without_overlaps(found) if item.end <= at and item.value is not None]
    if not earlier or (date := earlier[-1].value) is None:
        return None
    words = (token.text.removesuffix("'s") for token in tokens[earlier[-1].start : earlier[-1].end])
    return day_references.Antecedent(date, any(word in WEEKDAYS for word in words))


def find_typed(text: str, today: dt.date) -> dt.date | None:
    """A whole answer in any form of date ``dateparser`` knows, for words ``find`` makes nothing of. Only for an answer
    to "which day?"."""
    lower = text.lower().replace(",", " ")
    if len(text) > 60 or not _WRITTEN_DATE.search(lower):
        return None
    words = [word for word in lower.split() if word not in _AROUND_A_TYPED_DATE]
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


def spoken(date: dt.date, today: dt.date) -> str:
    """As an agent says it: "Wednesday, May 13th", with the year where it is not the running one."""
    ending = "th" if 11 <= date.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    year = "" if date.year == today.year or (date - today).days < 180 else f", {date.year}"
    return f"{WEEKDAYS[date.weekday()].title()}, {MONTHS[date.month - 1].title()} {date.day}{ending}{year}"
