"""The comparisons an edge may make on variables: the part of Liquid's conditions that needs no template engine.

``{{ city == "SF" }}``, ``{{ seats >= 2 and not_late }}``, ``{{ notes contains "window" }}``. As in Liquid, ``and`` and ``or``
have the same rank and are read from right to left, there are no parentheses, and an undefined variable is ``nil``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"[^"]*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<operator>==|!=|<>|<=|>=|<|>)"""
    r"""|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))""",
    re.VERBOSE,
)
_LITERALS: dict[str, Any] = {"true": True, "false": False, "nil": None, "null": None, "empty": None, "blank": None}
_WRAPPED = re.compile(r"^\s*\{\{(.*)\}\}\s*$", re.DOTALL)

Variables = Mapping[str, Any]
Term = Callable[[Variables], Any]


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return str(right).lower() in left.lower()
    return right in left if isinstance(left, (list, tuple)) else False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """An order that is false, not an error, for values that have none between them (as in Liquid)."""

    def check(left: Any, right: Any) -> bool:
        try:
            return bool(compare(left, right))
        except TypeError:
            return False

    return check


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<>": lambda left, right: bool(left != right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "contains": _contains,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled condition."""

    source: str
    _term: Term

    def true(self, variables: Variables) -> bool:
        """Whether it holds. ``nil`` and ``false`` are false; an empty text counts as undefined."""
        return _truthy(self._term(variables))


def compile_expression(source: str) -> Expression:
    """Read a condition, with or without its ``{{ }}``. Raises ValueError saying what is not understood."""
    wrapped = _WRAPPED.match(source)
    body = wrapped.group(1) if wrapped else source
    parser = _Parser(_tokens(body))
    term = parser.disjunction()
    if not parser.at_end:
        raise ValueError(f"a comparison was expected to end before {parser.peek()[1]!r}")
    return Expression(source, term)


def _tokens(source: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position, source = 0, source.rstrip()
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None or match.lastgroup is None:
            raise ValueError(
                f"not understood at {source[position : position + 20].strip()!r}: allowed are variables, text in quotes, "
                "numbers, ==, !=, <, <=, >, >=, contains, and, or"
            )
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    if not tokens:
        raise ValueError("a comparison was expected")
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def peek(self) -> tuple[str, str]:
        return ("end", "") if self.at_end else self._tokens[self._at]

    def _take(self) -> tuple[str, str]:
        token = self.peek()
        self._at += 1
        return token

    def disjunction(self) -> Term:
        left = self._comparison()
        kind, text = self.peek()
        if kind != "name" or text not in ("and", "or"):
            return left
        self._take()
        right = self.disjunction()
        if text == "and":
            return lambda variables: _truthy(left(variables)) and _truthy(right(variables))
        return lambda variables: _truthy(left(variables)) or _truthy(right(variables))

    def _comparison(self) -> Term:
        left = self._operand()
        kind, text = self.peek()
        if kind == "operator" or (kind, text) == ("name", "contains"):
            self._take()
            right, compare = self._operand(), _OPERATORS[text]
            return lambda variables: compare(left(variables), right(variables))
        return left

    def _operand(self) -> Term:
        kind, text = self._take()
        if kind == "string":
            return lambda variables: text[1:-1]
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda variables: number
        if kind == "name" and text in _LITERALS:
            return lambda variables: _LITERALS[text]
        if kind == "name" and text not in ("and", "or", "contains"):
            return lambda variables: None if (value := variables.get(text)) == "" else value
        raise ValueError("a variable or a value was expected" + (f" instead of {text!r}" if text else " at the end"))


def _truthy(value: Any) -> bool:
    return value is not None and value is not False
