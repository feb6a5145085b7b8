"""What a rule is: a pattern, and what is said for what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rule:
    """``say`` gives the spoken form of the match's ``group``; None where it is not this rule's after all. Blanks at either end of what it
    gives part it from its neighbours; without one it is joined to what it touches."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]
    group: int = 0
    needs_digit: bool = False
    """It can find nothing in a text without figures: most texts are spared most rules."""


def rule(pattern: str, say: Callable[[re.Match[str]], str | None] | str, *, group: int = 0, flags: int = 0) -> Rule:
    """A rule of a pattern's text and of what is said, always the same or by the match."""
    if isinstance(say, str):
        return Rule(re.compile(pattern, flags), _always(say), group)
    return Rule(re.compile(pattern, flags), say, group)


def _always(said: str) -> Callable[[re.Match[str]], str]:
    return lambda _match: said


def needing_digits(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The same rules, left out where a text holds no figure."""
    return tuple(replace(each, needs_digit=True) for each in rules)
