from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from antiphon.wire_model import parse
from antiphon.workflow.answers import extract, read_object
from antiphon.workflow.schema import ExtractionPlan
from antiphon.workflow.slots import Value

TODAY = dt.date(2026, 5, 12)


def extracted(plan: dict[str, Any], answer: dict[str, Any]) -> dict[str, Value]:
    return dict(extract(parse(ExtractionPlan, plan), answer, TODAY))


def test_declared_fields_become_values_that_can_be_said() -> None:
    plan = {
        "schema": {
            "properties": {
                "booked": {"type": "boolean"},
                "day": {"type": "string", "format": "date"},
                "free": {"type": "array", "items": {"type": "string", "format": "time"}},
                "missing": {"type": "string"},
            }
        },
        "aliases": [{"key": "ref", "value": "number {{ $.data.id }}"}],
    }
    answer = {
        "booked": True,
        "day": "2026-05-13",
        "free": ["09:00", "09:30", "15:00"],
        "data": {"id": 7},
        "other": "dropped",
    }
    assert extracted(plan, answer) == {
        "booked": Value(True, "True"),
        "day": Value("2026-05-13", "Wednesday, May 13th"),
        "free": Value(("09:00", "09:30", "15:00"), "9 am, 9:30 am or 3 pm"),
        "missing": Value("", ""),
        "ref": Value("number 7", "number 7"),
    }


def test_a_field_that_is_not_what_its_schema_says_is_said_as_it_is() -> None:
    plan = {"schema": {"properties": {"day": {"format": "date"}, "deep": {"type": "object"}}}}
    assert extracted(plan, {"day": "someday", "deep": {"a": 1}}) == {
        "day": Value("someday", "someday"),
        "deep": Value("", ""),
    }


@pytest.mark.parametrize("content", ["", "plain words", "[1, 2]", "null", "{", "7"])
def test_only_an_object_is_an_answer_with_fields(content: str) -> None:
    assert read_object(content) is None
