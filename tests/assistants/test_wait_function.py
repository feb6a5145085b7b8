"""``waitFunction``: what people write for Vapi is computed, what is no such expression is refused, and nothing of it is run as code."""

from __future__ import annotations

import math

import pytest

from antiphon.assistants.wait_function import LONGEST_MS, STEPS, wait_curve
from antiphon.errors import ConfigurationError


@pytest.mark.parametrize(
    ("expression", "at_0", "at_half", "at_1"),
    [
        ("20 + 500 * sqrt(x) + 2500 * x^3", 20, 686, 3020),
        ("70 + 4000 * x", 70, 2070, 4070),
        ("200 + 8000 * x", 200, 4200, 8200),
        ("4000 * (1 - cos(pi * x))", 0, 4000, 8000),
        ("-100 + 200x", 0, 0, 100),
        ("2^3^2", 512, 512, 512),
        ("-x^2 + 100", 100, 100, 99),
        ("100 max(x, 0.25) (1 + 1)", 50, 100, 200),
        ("1e6 * x", 0, LONGEST_MS, LONGEST_MS),
        ("1e2/4 - 5", 20, 20, 20),
        ("x < 1 ", None, None, None),
    ],
)
def test_an_expression_is_computed(expression: str, at_0: int | None, at_half: int, at_1: int) -> None:
    if at_0 is None:
        with pytest.raises(ConfigurationError):
            wait_curve(expression)
        return
    curve = wait_curve(expression)
    assert len(curve) == STEPS + 1
    assert (curve[0], curve[STEPS // 2], curve[-1]) == (at_0, at_half, at_1)


@pytest.mark.parametrize(
    "expression",
    ["", "x +", "(x", "x)", "y", "sqrt x", "sqrt(x, 2, 3)", "log(x)", "1 / x", "__import__('os')", "x.real", "10^1000", "(x - 1)^0.5",
     "(" * 400 + "x" + ")" * 400, "2^" * 200 + "2", "cos", "1 2 +", "x = 3", "sum(x"],
)  # fmt: skip
def test_what_is_none_is_refused_with_a_reason(expression: str) -> None:
    with pytest.raises(ConfigurationError, match="waitFunction"):
        wait_curve(expression)


def test_names_are_those_of_mathematics() -> None:
    assert wait_curve("1000 * exp(0) * e / e")[0] == 1000
    assert wait_curve("100 * log10(1000)")[0] == 300
    assert wait_curve("tau / pi")[0] == round(math.tau / math.pi)
