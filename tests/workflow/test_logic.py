from __future__ import annotations

from typing import Any

import pytest

from antiphon.workflow.logic import compile_expression

VARIABLES: dict[str, Any] = {
    "city": "SF",
    "seats": 3,
    "paid": True,
    "late": False,
    "notes": "window seat",
    "empty_text": "",
    "order.total": 9.5,
    "free": ("15:30",),
}


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ('{{ city == "SF" }}', True), ("{{ city != 'SF' }}", False), ("city == 'LA' or city == 'SF'", True), ("seats >= 3", True),
        ("seats < 3", False), ("seats > 2 and paid", True), ("paid == true", True), ("late", False), ("missing", False),
        ("missing == nil", True), ("empty_text", False), ("empty_text == empty", True), ('notes contains "WINDOW"', True),
        ("order.total > 9", True), ("free", True), ('free contains "15:30"', True), ('city < 3', False), ('missing > 1', False),
        # Liquid reads and/or from right to left, whatever their usual rank.
        ("late and late or paid", False), ("paid or late and late", True), ("seats == 3.0", True), ("seats == -3", False),
    ],
)  # fmt: skip
def test_comparisons(source: str, holds: bool) -> None:
    assert compile_expression(source).true(VARIABLES) is holds


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{{ }}",
        "city ==",
        "== city",
        "city = 'SF'",
        "a b",
        "exec('x')",
        "a and",
        "{% if a %}1{% endif %}",
        "a | upcase",
    ],
)
def test_what_is_not_understood_is_said(source: str) -> None:
    with pytest.raises(ValueError, match=r"expected|understood"):
        compile_expression(source)
