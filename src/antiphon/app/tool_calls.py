"""Tool calls as they come in messages, and results as they go back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from antiphon.vocabulary import ToolCall

MAX_RESULT_CHARS = 32_000


def asked_calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    """The calls, from wherever they stand: applications and versions differ in which of three lists they know."""
    seen = set()
    for name in ("toolCallList", "toolCalls", "toolWithToolCallList"):
        each = message.get(name)
        for one in each if isinstance(each, list) else ():
            asked = one.get("toolCall", one) if isinstance(one, Mapping) else None
            found = _one(asked) if isinstance(asked, Mapping) else None
            if found is not None and found.id not in seen:
                seen.add(found.id)
                yield found


def _one(asked: Mapping[str, Any]) -> ToolCall | None:
    nested = asked.get("function")
    function = nested if isinstance(nested, Mapping) else asked
    id, name = asked.get("id"), function.get("name", asked.get("name"))
    if not isinstance(id, str) or not 0 < len(id) <= 256 or not isinstance(name, str):
        return None
    given: Any = next(
        (part[key] for part in (function, asked) for key in ("arguments", "parameters") if key in part), {}
    )
    return ToolCall(id, name[:64], arguments(given))


def arguments(given: Any) -> dict[str, Any]:
    """An object, or its JSON as text (as the published specification has it)."""
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            given = {}
    return dict(given) if isinstance(given, Mapping) else {}


def written(said: Any) -> bytes:
    """As JSON; what JSON does not know, as text. Raises TypeError for what is neither."""
    return orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS)


def line(text: str) -> str:
    """Results are one line: there are receivers that take no more."""
    return " ".join(text.split("\n"))[:MAX_RESULT_CHARS]
