from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from antiphon.wire_model import parse
from antiphon.workflow import slots
from antiphon.workflow.schema import Property
from antiphon.workflow.slots import Hearing, Slot, Value, slot_of
from antiphon.workflow.words import utterance

NOW = dt.datetime(2026, 5, 12, 10, 0)  # noqa: DTZ001 - local time of the workflow


def heard(text: str) -> Hearing:
    return Hearing(utterance(text), NOW, asked=True)


def slot(name: str, **schema: Any) -> Slot:
    return slot_of(name, parse(Property, schema))


DATE = slot(
    "date",
    format="date",
    **{"x-slot": {"future": True, "maxDaysAhead": 60, "weekdays": ["monday", "tuesday", "wednesday"]}},
)
TIME = slot("time", format="time", **{"x-slot": {"opens": "09:00", "closes": "16:30", "onDate": "date"}})
GUESTS = slot("guests", type="integer", minimum=1, maximum=8)
PIN = slot("pin", **{"x-slot": {"type": "digits", "length": 4}})
PHONE = slot("phone", format="phone", **{"x-slot": {"region": "GB"}})
SIZE = slot(
    "size",
    enum=["small", "extra large"],
    **{"x-slot": {"synonyms": {"small": ["little one"], "extra large": ["biggest"]}}},
)
AGREED = slot("agreed", type="boolean")
NAME = slot("name", type="string")
REASON = slot("reason", type="string")


@pytest.mark.parametrize(
    ("asked", "text", "raw", "spoken"),
    [
        (DATE, "wednesday please", "2026-05-13", "Wednesday, May 13th"),
        (DATE, "2026-05-18", "2026-05-18", "Monday, May 18th"),
        (TIME, "half past three", "15:30", "3:30 pm"),
        (TIME, "noon", "12:00", "noon"),
        (GUESTS, "a table for four", 4, "4"),
        (PIN, "one two double three", "1233", "1 2 3 3"),
        (PHONE, "oh two oh seven nine four six oh nine five eight", "+442079460958", "plus 4 4, 2 0, 7 9 4 6, 0 9 5 8"),
        (SIZE, "the little one please", "small", "small"),
        (SIZE, "extra large", "extra large", "extra large"),
        (AGREED, "yeah sure", True, "yes"),
        (AGREED, "no", False, "no"),
        (NAME, "it's mary jones", "Mary Jones", "Mary Jones"),
        (REASON, "my tooth hurts", "my tooth hurts", "my tooth hurts"),
    ],
)
def test_an_answer_is_read_for_tools_and_for_speech(asked: Slot, text: str, raw: object, spoken: str) -> None:
    chosen = slots.read(asked, heard(text)).chosen
    assert chosen is not None
    assert chosen.value == Value(raw, spoken)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [DATE, TIME, GUESTS, PIN, PHONE, SIZE, AGREED, NAME, REASON])
def test_fillers_are_no_answer(asked: Slot) -> None:
    assert slots.read(asked, heard("um uh well")).chosen is None


@pytest.mark.parametrize(
    ("asked", "raw", "reason"),
    [
        (DATE, "2026-05-11", "past"),
        (DATE, "2026-05-12", ""),
        (DATE, "2026-05-14", "closed"),
        (DATE, "2026-09-01", "too-far"),
        (TIME, "09:00", ""),
        (TIME, "16:30", ""),
        (TIME, "16:31", "closed"),
        (TIME, "08:59", "closed"),
        (GUESTS, 0, "range"),
        (GUESTS, 8, ""),
        (GUESTS, 9, "range"),
        (PIN, "123", "length"),
        (PIN, "1234", ""),
        (SIZE, "small", ""),
    ],
)
def test_which_values_will_do(asked: Slot, raw: Any, reason: str) -> None:
    value = Value(raw, str(raw))
    assert slots.problem(asked, value, {}, NOW) == reason
    if reason:
        assert slots.explain(asked, reason, value).startswith("Sorry")


def test_a_time_of_today_must_be_yet_to_come() -> None:
    today = {"date": Value("2026-05-12", "today")}
    assert slots.problem(TIME, Value("09:30", ""), today, NOW) == "past"
    assert slots.problem(TIME, Value("10:30", ""), today, NOW) == ""
    assert slots.problem(TIME, Value("09:30", ""), {"date": Value("2026-05-13", "")}, NOW) == ""


def test_what_is_said_of_a_bad_value_can_be_written() -> None:
    own = slot("n", type="integer", maximum=3, **{"x-slot": {"invalid": {"range": "Three at most, not {{ n }}."}}})
    assert slots.explain(own, "range", Value(9, "9")) == "Three at most, not {{ n }}."
