"""Run a call again from its event log, under its own policy or another, without a clock or a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from antiphon.conversation.machine import Conversation
from antiphon.conversation.policy import Policy
from antiphon.conversation.ranges import check_ranges
from antiphon.errors import ConfigurationError
from antiphon.session.event_log import EventLog, decode, encode, plain_action
from antiphon.suggestions import unknown


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where a replay departs from the log."""

    entry: int
    """Counted from 0."""
    now_ms: int
    event: str
    logged: list[Any]
    replayed: list[Any]


def replay(log: EventLog) -> Difference | None:
    """The first difference between what was done and what would be done now; None when they are identical."""
    conversation = Conversation(log.header.policy, log.header.messages, log.header.tools)
    for number, entry in enumerate(log.entries):
        if entry.event is None:
            conversation.handle_timer(entry.now_ms)
        else:
            conversation.handle(entry.event, entry.now_ms)
        replayed = decode(encode([plain_action(action) for action in conversation.actions()]))
        if replayed != entry.actions:
            name = "timer" if entry.event is None else type(entry.event).__name__
            return Difference(number, entry.now_ms - log.header.started_ms, name, entry.actions, replayed)
    return None


def changed_policy(policy: Policy, settings: Mapping[str, str]) -> Policy:
    """``{"endpointing.silence_ms": "300"}`` applied. A leading ``policy.`` is allowed. Raises ConfigurationError naming the field
    and what is there."""
    document = decode(encode(policy))
    for path, text in settings.items():
        names = path.removeprefix("policy.").split(".")
        place = document
        for name in names[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        if not isinstance(place, dict) or names[-1] not in place:
            raise ConfigurationError(path, unknown(".".join(names), sorted(_paths(decode(encode(policy)))), "policy"))
        place[names[-1]] = _value(text)
    try:
        changed = TypeAdapter(Policy).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(".".join(str(part) for part in first["loc"]), str(first["msg"])) from None
    check_ranges(changed, [path.removeprefix("policy.") for path in settings])
    return changed


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _paths(document: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, value in document.items():
        paths += _paths(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
    return paths
