"""Days that are told from another one: "not tuesday but the day after", "friday, or the monday after", "no, a week later".

The day they are told from is the one named before in the same turn, else the one that stands (``Antecedent``). Without one they name no
day, and are asked again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.workflow.found import Found
from antiphon.workflow.month_days import WEEKDAYS
from antiphon.workflow.words import Token

_UNITS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_LATER = {"later": 1, "after": 1, "earlier": -1, "sooner": -1, "before": -1}
_ENDS = frozenset((
    "", "that", "then", "please", "instead", "would", "is", "works", "if", "at", "i", "so", "thanks", "maybe", "or", "and", "but", "thank",
    "for", "in", "same", "around", "right",
))  # fmt: skip
"""What may follow "the day after" where it is told from a day that was named; other words name the day it is told from."""


@dataclass(frozen=True, slots=True)
class Antecedent:
    """The day that a reference is told from."""

    date: dt.date
    is_weekday: bool = False
    """Whether it was named by its weekday in this turn: then "the next one" is a week later."""


def read(
    tokens: Sequence[Token], at: int, before: Antecedent | None, standing: dt.date | None, today: dt.date
) -> Found[dt.date | None] | None:
    """The day told at ``at`` from the one named ``before`` in the turn, or else from the one ``standing``."""
    words = [token.text.removesuffix("'s") for token in tokens[at : at + 4]] + [""] * 4
    same_week = _in_another_week(words, before, today)
    if same_week is not None:
        return Found(at, at + same_week[1], same_week[0], True)
    base = before.date if before is not None else standing
    if words[:4] in (["this", "time", "next", "week"], ["same", "time", "next", "week"]):
        return Found(at, at + 4, today + dt.timedelta(7), True)
    if words[:4] == ["same", "day", "next", "week"]:
        return Found(at, at + 4, (base or today) + dt.timedelta(7), True)
    if base is None:
        return None
    told = _days_apart(tokens, at, words) or (_to_weekday(words, base) if before is not None or words[1] else None)
    if told is None and before is not None and before.is_weekday and _another_one(words):
        told = 7, 2
    return Found(at, at + told[1], base + dt.timedelta(told[0]), True) if told is not None else None


def _days_apart(tokens: Sequence[Token], at: int, words: Sequence[str]) -> tuple[int, int] | None:
    """How many days from the other one, and of how many words: "day after", "next day", "three days later"."""
    if words[0] == "day" and words[1] in ("after", "before"):
        end = 3 if words[2] == "that" else 2
        return (_LATER[words[1]], end) if words[2] in _ENDS else None
    if words[0] in ("following", "next", "previous") and words[1] == "day" and words[2] in _ENDS:
        return (-1 if words[0] == "previous" else 1), 2
    count = 1 if words[0] in ("a", "one") else tokens[at].number
    if count is None or not 0 < count < 100 or tokens[at].ordinal or words[1] not in _UNITS or words[2] not in _LATER:
        return None
    if words[2] in ("after", "before") and words[3] not in _ENDS:
        return None
    return count * _UNITS[words[1]] * _LATER[words[2]], 4 if words[3] == "that" else 3


def _to_weekday(words: Sequence[str], base: dt.date) -> tuple[int, int] | None:
    """How far it is to "monday after", "following monday"."""
    if words[0] in WEEKDAYS and words[1] == "after" and words[2] in _ENDS:
        weekday, size = words[0], 3 if words[2] == "that" else 2
    elif words[0] == "following" and words[1] in WEEKDAYS:
        weekday, size = words[1], 2
    else:
        return None
    return (WEEKDAYS.index(weekday) - base.weekday() - 1) % 7 + 1, size


def _another_one(words: Sequence[str]) -> bool:
    """Whether a weekday was named and the one a week later is meant."""
    return (words[0] == "one" and words[1] == "after" and words[2] in _ENDS) or (
        words[0] in ("next", "following") and words[1] == "one"
    )


def _in_another_week(words: Sequence[str], before: Antecedent | None, today: dt.date) -> tuple[dt.date, int] | None:
    """ "friday, but next week": that weekday, in another week."""
    if before is None or not before.is_weekday or words[:2] != ["next", "week"] or words[2] in (*WEEKDAYS, "on"):
        return None
    return today + dt.timedelta(7 - today.weekday() + before.date.weekday()), 2
