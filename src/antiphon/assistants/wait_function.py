"""``waitFunction``: an expression in ``x`` as people write it for Vapi (mathjs), computed once for all the odds it will be asked about."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from antiphon.errors import ConfigurationError

STEPS = 100
LONGEST_MS = 15_000
_MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|[-+*/^(),]))")
_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "PI": math.pi, "e": math.e, "E": math.e, "tau": math.tau}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "cbrt": lambda x: math.copysign(abs(x) ** (1 / 3), x), "exp": math.exp, "log": math.log, "log2": math.log2,
    "log10": math.log10, "pow": math.pow, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh, "abs": abs,
    "min": min, "max": max, "round": round, "floor": math.floor, "ceil": math.ceil, "square": lambda x: x * x, "cube": lambda x: x**3,
}  # fmt: skip
Value = Callable[[float], float]


def wait_curve(expression: str) -> tuple[int, ...]:
    """Milliseconds for ``x`` from 0 to 1 in ``STEPS`` equal steps, none below 0. Raises ConfigurationError for what is no such expression,
    or has no value somewhere."""
    value = _Parser(expression).whole()
    return tuple(_ms(value, step / STEPS) for step in range(STEPS + 1))


def _ms(value: Value, x: float) -> int:
    try:
        ms = value(x)
    except (ArithmeticError, ValueError, TypeError) as error:  # a logarithm of 0, three arguments for a root
        raise ConfigurationError("waitFunction", f"has no value at x = {x:g} ({type(error).__name__})") from None
    if isinstance(ms, complex) or math.isnan(ms):
        raise ConfigurationError("waitFunction", f"has no value at x = {x:g}")
    return round(min(max(ms, 0.0), LONGEST_MS))


class _Parser:
    """Sums of products of powers. ``2 x`` is a product, as mathjs has it."""

    def __init__(self, expression: str) -> None:
        self._tokens = _tokens(expression)
        self._at = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._sum()
        if self._at < len(self._tokens):
            raise _unclear(self._tokens[self._at])
        return value

    def _sum(self) -> Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConfigurationError("waitFunction", "is nested too deep")
        value = self._product()
        while (sign := self._next("+", "-")) is not None:
            value = _added(value, self._product(), 1 if sign == "+" else -1)
        self._depth -= 1
        return value

    def _product(self) -> Value:
        value = self._signed()
        while True:
            if self._next("*") is not None:
                value = _times(value, self._signed())
            elif self._next("/") is not None:
                value = _over(value, self._signed())
            elif self._at < len(self._tokens) and self._tokens[self._at] not in ("+", "-", "^", "**", ")", ","):
                value = _times(value, self._power())
            else:
                return value

    def _signed(self) -> Value:
        negative = False
        while (sign := self._next("+", "-")) is not None:
            negative ^= sign == "-"
        value = self._power()
        return (lambda x: -value(x)) if negative else value

    def _power(self) -> Value:
        base = self._single()
        if self._next("^", "**") is None:
            return base
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConfigurationError("waitFunction", "is nested too deep")
        exponent = self._signed()
        self._depth -= 1
        return lambda x: math.pow(base(x), exponent(x))

    def _single(self) -> Value:
        token = self._take()
        if token == "(":
            value = self._sum()
            self._expect(")")
            return value
        if token[0].isdigit() or token[0] == ".":
            number = float(token)
            return lambda x: number
        if token == "x":
            return lambda x: x
        if (constant := _CONSTANTS.get(token)) is not None:
            return lambda x: constant
        if (function := _FUNCTIONS.get(token)) is not None:
            return self._call(function)
        raise _unclear(token)

    def _call(self, function: Callable[..., float]) -> Value:
        self._expect("(")
        arguments = [self._sum()]
        while self._next(",") is not None:
            arguments.append(self._sum())
        self._expect(")")
        return lambda x: function(*(argument(x) for argument in arguments))

    def _next(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return None

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise ConfigurationError("waitFunction", "ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._next(token) is None:
            raise ConfigurationError("waitFunction", f"lacks a {token}")


def _tokens(expression: str) -> list[str]:
    found, at, text = [], 0, expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unclear(text[at:].lstrip()[:1])
        found.append(match.group().strip())
        at = match.end()
    return found


def _unclear(token: str) -> ConfigurationError:
    return ConfigurationError("waitFunction", f"is not understood at {token[:20]}")


def _added(one: Value, other: Value, sign: int) -> Value:
    return lambda x: one(x) + sign * other(x)


def _times(one: Value, other: Value) -> Value:
    return lambda x: one(x) * other(x)


def _over(one: Value, other: Value) -> Value:
    return lambda x: one(x) / other(x)
