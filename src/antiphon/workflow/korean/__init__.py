"""Readers of Korean: dates, times, numbers (Sino-Korean and native), yes and no. Chosen by a workflow's ``language``."""

from __future__ import annotations

import datetime as dt

from antiphon.workflow.korean import agreement, dates, numbers, times
from antiphon.workflow.korean.reading import Reading
from antiphon.workflow.schema import SlotOptions

spoken_date, spoken_time, yes_or_no = dates.spoken, times.spoken, agreement.read
WEEKDAYS = tuple(f"{day}요일" for day in "월화수목금토일")

__all__ = [
    "WEEKDAYS",
    "Reading",
    "read_date",
    "read_number",
    "read_time",
    "read_yes_no",
    "spoken_date",
    "spoken_time",
    "yes_or_no",
]


def read_date(text: str, now: dt.datetime, options: SlotOptions) -> Reading:
    """The day meant, in ISO 8601."""
    return dates.read(text, now.date())


def read_time(text: str, now: dt.datetime, options: SlotOptions) -> Reading:
    """The time meant, in ISO 8601."""
    return times.read(text, options.opens, options.closes)


def read_number(text: str, now: dt.datetime, options: SlotOptions) -> Reading:
    """The amount meant."""
    return numbers.read(text)


def read_yes_no(text: str, now: dt.datetime, options: SlotOptions) -> Reading:
    """Agreement or refusal."""
    answer = agreement.read(text)
    return Reading() if answer is None else Reading((answer, "네" if answer else "아니요"))
