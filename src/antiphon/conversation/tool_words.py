"""Which of an author's words are said around one call of a tool.

Source: the voice platform's tool messages (``ToolMessageStart`` … ``ToolMessageDelayed``, ``Condition``). Variants are taken in turn, not
by chance, so that a call can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.vocabulary import ArgumentCondition, ToolSaying


def chosen(sayings: Sequence[ToolSaying], arguments: Mapping[str, Any], run: int) -> ToolSaying | None:
    """The one for the ``run``-th call of a tool (from 0): of those that were written for such arguments, or else of those for any."""
    fitting = [saying for saying in sayings if saying.conditions and _all_hold(saying.conditions, arguments)]
    fitting = fitting or [saying for saying in sayings if not saying.conditions]
    return fitting[run % len(fitting)] if fitting else None


def staged(sayings: Sequence[ToolSaying], arguments: Mapping[str, Any], run: int) -> list[ToolSaying]:
    """One for each moment, in their order."""
    moments = sorted({saying.after_ms for saying in sayings})
    at = [chosen([saying for saying in sayings if saying.after_ms == moment], arguments, run) for moment in moments]
    return [saying for saying in at if saying is not None]


def _all_hold(conditions: Sequence[ArgumentCondition], arguments: Mapping[str, Any]) -> bool:
    return all(_holds(condition, arguments) for condition in conditions)


def _holds(condition: ArgumentCondition, arguments: Mapping[str, Any]) -> bool:
    """An argument that is not there is unequal to everything, and neither more nor less."""
    value: Any = arguments
    for name in [condition.param] if condition.param in arguments else condition.param.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, Mapping | list):
        return condition.operator == "neq"
    ours, theirs = _comparable(value, condition.value)
    match condition.operator:
        case "eq":
            return bool(ours == theirs)
        case "neq":
            return bool(ours != theirs)
        case "gt":
            return bool(ours > theirs)
        case "gte":
            return bool(ours >= theirs)
        case "lt":
            return bool(ours < theirs)
        case "lte":
            return bool(ours <= theirs)


def _comparable(value: Any, against: str) -> tuple[Any, Any]:
    """Two numbers, or two texts."""
    if isinstance(value, bool):
        return str(value).lower(), against.strip().lower()
    try:
        return float(value), float(against)
    except (ValueError, OverflowError):
        return str(value), against
