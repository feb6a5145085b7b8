"""Variables taken out of what tools answer, for later templates of the same call, and for what is left of it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from antiphon.errors import ConfigurationError

log = structlog.get_logger(__name__)

MAX_VARIABLES = 100
"""Of one call."""
MAX_VALUE_BYTES = 32_000
MAX_CALLS = 2048
_BODY = "answer_of_the_tool"
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_IN_TAG = re.compile(r"""("[^"]*"|'[^']*')|(?<![\w$])\$(?=[.\[\s|}%])""")
Fill = Callable[[str, Mapping[str, Any]], str]
"""Fills in a template. Raises ConfigurationError for what is none."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is taken out of an answer: the properties of ``schema``, and ``aliases``, pairs of a name and a template."""

    schema: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[tuple[str, str], ...] = ()

    def of(self, body: Any, headers: Mapping[str, str], variables: Mapping[str, Any], fill: Fill) -> dict[str, Any]:
        """``body`` is JSON, read. In an alias the answer's own fields stand beside the call's ``variables`` and win over them; ``$`` is all
        of it, ``tool.response.body`` and ``.headers`` too. An alias that is no template is left out."""
        found = dict(_chosen(self.schema, body)) if self.schema else {}
        known = {
            **variables,
            **found,
            **(body if isinstance(body, Mapping) else {}),
            "tool": {"response": {"body": body, "headers": headers}},
            _BODY: body,
        }
        for name, template in self.aliases:
            try:
                found[name] = fill(_with_dollars_named(template), known)
            except ConfigurationError as error:
                log.warning("variable_not_extracted", problem=error.problem)
        return found


class ExtractedVariables:
    """Of all calls of the process; those of the call that was heard of least lately make room."""

    def __init__(self, on_change: Callable[[str, Mapping[str, Any]], None] = lambda call_id, values: None) -> None:
        """``on_change`` is told all of a call's variables each time."""
        self._calls: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.on_change = on_change

    def of(self, call_id: str) -> Mapping[str, Any]:
        return self._calls.get(call_id, {})

    def add(self, call_id: str, found: Mapping[str, Any]) -> None:
        """Values that are too large, and names beyond the bound, are left out."""
        kept = self._calls.setdefault(call_id, {})
        self._calls.move_to_end(call_id)
        for name, value in found.items():
            if _size(value) > MAX_VALUE_BYTES or (name not in kept and len(kept) >= MAX_VARIABLES):
                log.warning("variable_not_kept", call_id=call_id, variables=len(kept))
            else:
                kept[name] = value
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        self.on_change(call_id, dict(kept))

    def forget(self, call_id: str) -> None:
        self._calls.pop(call_id, None)


def _chosen(schema: Mapping[str, Any], body: Any) -> Mapping[str, Any]:
    """Properties become variables of their names; an array one of its ``title`` (or ``name``)."""
    if schema.get("type") == "array" or "items" in schema:
        name = schema.get("title") or schema.get("name")
        return {name: _narrowed(schema, body)} if isinstance(name, str) and name and isinstance(body, list) else {}
    narrowed = _narrowed(schema, body)
    return narrowed if isinstance(narrowed, Mapping) else {}


def _narrowed(schema: Any, value: Any) -> Any:
    """Those properties that the schema names, as deep as it names any."""
    if not isinstance(schema, Mapping):
        return value
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(properties, Mapping) and isinstance(value, Mapping):
        return {name: _narrowed(each, value[name]) for name, each in properties.items() if name in value}
    if items is not None and isinstance(value, list):
        return [_narrowed(items, each) for each in value]
    return value


def _with_dollars_named(template: str) -> str:
    """``$`` in tags, as a name that a template can have; in a tag's quoted texts it stays what it is."""
    return _TAG.sub(lambda tag: _IN_TAG.sub(lambda found: found[1] or _BODY, tag[0]), template)


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value, default=str))
    except (TypeError, orjson.JSONEncodeError):
        return MAX_VALUE_BYTES + 1
