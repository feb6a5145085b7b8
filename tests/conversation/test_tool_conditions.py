"""Conditions of what is said around a tool's work, on the arguments of its call."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from antiphon.conversation.tool_words import chosen
from antiphon.vocabulary import ArgumentCondition, ToolSaying

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte"]


def said_for(arguments: dict[str, Any], *conditions: tuple[str, Operator, str]) -> bool:
    saying = ToolSaying("So.", tuple(ArgumentCondition(*condition) for condition in conditions))
    return chosen([saying], arguments, 0) is saying


@pytest.mark.parametrize(
    ("value", "operator", "against", "holds"),
    [
        ("Rome", "eq", "Rome", True),
        ("Rome", "eq", "rome", False),
        ("Rome", "neq", "Oslo", True),
        (10, "gt", "9", True),
        ("10", "gt", "9", True),
        (9.0, "eq", "9", True),
        (9, "gte", "9", True),
        (9, "lt", "9", False),
        (9, "lte", "9.5", True),
        (True, "eq", "true", True),
        (False, "neq", "TRUE", True),
        ("2026-12-01", "lt", "2027-01-01", True),
        (None, "eq", "", False),
        (None, "neq", "anything", True),
        (None, "lt", "9", False),
        ([1], "eq", "[1]", False),
        ("many", "gt", "9", True),
        ("1e999", "gt", "9", True),
        ("nan", "eq", "nan", False),
    ],
)
def test_one(value: Any, operator: Operator, against: str, holds: bool) -> None:
    assert said_for({"it": value}, ("it", operator, against)) is holds


def test_all_must_hold_and_a_path_leads_into_objects() -> None:
    arguments = {"address": {"city": "Rome"}, "a.b": "dotted"}
    assert said_for(arguments, ("address.city", "eq", "Rome"), ("a.b", "eq", "dotted"))
    assert not said_for(arguments, ("address.city", "eq", "Rome"), ("address.city.street", "eq", "x"))
    assert not said_for(arguments, ("missing", "eq", "Rome"))


def test_without_conditions_it_is_said_where_no_other_fits() -> None:
    plain, fitting = ToolSaying("Any."), ToolSaying("Rome.", (ArgumentCondition("city", "eq", "Rome"),))
    assert chosen([plain, fitting], {"city": "Rome"}, 5) is fitting
    assert chosen([plain, fitting], {"city": "Oslo"}, 5) is plain
    assert chosen([fitting], {"city": "Oslo"}, 0) is None
