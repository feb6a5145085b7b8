"""Messages as they stand on the wire (OpenAI's: ``role``, ``content``, ``tool_calls``), and as models read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from antiphon.errors import ConfigurationError
from antiphon.vocabulary import Message, Role, ToolCall, ToolOutcome

MOST_MESSAGES = 1000
"""Of one conversation."""
MAX_CHARACTERS = 200_000
"""Of one message."""
_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "bot": "assistant",
    "tool": "tool",
}
_TEXT_PARTS = ("text", "input_text", "output_text")


def read_input(value: Any, field: str = "input") -> list[Message]:
    """A string is one message of the user's. Raises ConfigurationError naming the field."""
    if isinstance(value, str) and value.strip():
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise ConfigurationError(field, "must be a non-empty string or an array of messages")
    return read_messages(value, field)


def read_messages(
    value: Any, field: str = "messages", outcomes: Mapping[str, ToolOutcome] | None = None
) -> list[Message]:
    """``outcomes``: of tool calls that were not answered, by their ids. Raises ConfigurationError."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigurationError(field, "must be an array")
    if len(value) > MOST_MESSAGES:
        raise ConfigurationError(field, f"must contain no more than {MOST_MESSAGES} elements")
    read = (_read(item, f"{field}.{at}", outcomes or {}) for at, item in enumerate(value))
    return [message for message in read if message is not None]


def written(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages for the wire."""
    return [_written(message) for message in messages]


def outcomes_of(messages: Iterable[Message]) -> dict[str, ToolOutcome]:
    """What the wire has no field for: tools that did not answer."""
    return {
        message.tool_call_id: message.tool_outcome
        for message in messages
        if message.tool_call_id and message.tool_outcome != "answered"
    }


def transcript_of(messages: Iterable[Message]) -> str:
    """What was said, a line for each message, labelled as the platform labels it."""
    labels = {"user": "User", "assistant": "AI"}
    lines = (f"{labels[item.role]}: {item.content}" for item in messages if item.role in labels and item.content)
    return "\n".join(lines)


def _read(item: Any, field: str, outcomes: Mapping[str, ToolOutcome]) -> Message | None:
    if not isinstance(item, Mapping):
        raise ConfigurationError(field, "must be an object")
    kind = item.get("type")
    if kind == "function_call":  # the Responses API's own items
        arguments = _arguments(item.get("arguments"), f"{field}.arguments")
        call = ToolCall(_text(item, "call_id", field), _text(item, "name", field), arguments)
        return Message("assistant", "", (call,))
    if kind == "function_call_output":
        return Message(
            "tool", _content(item.get("output"), f"{field}.output"), tool_call_id=_text(item, "call_id", field)
        )
    if kind == "reasoning":
        return None
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise ConfigurationError(f"{field}.role", f"must be one of the following values: {', '.join(_ROLES)}")
    content = _content(item.get("content", item.get("message")), f"{field}.content")
    if role == "tool":
        call_id = _text(item, "tool_call_id", field)
        return Message("tool", content, tool_call_id=call_id, tool_outcome=outcomes.get(call_id, "answered"))
    calls = _calls(item.get("tool_calls"), f"{field}.tool_calls") if role == "assistant" else ()
    return Message(role, content, calls)


def _content(value: Any, field: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        parts: list[str] = []
        for at, part in enumerate(value):
            text = part.get("text") if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS else None
            if not isinstance(text, str):
                raise ConfigurationError(f"{field}.{at}", "must be a part of text; nothing else can be read here")
            parts.append(text)
        value = "".join(parts)
    if not isinstance(value, str):
        raise ConfigurationError(field, "must be a string")
    if len(value) > MAX_CHARACTERS:
        raise ConfigurationError(field, f"must be shorter than or equal to {MAX_CHARACTERS} characters")
    return value


def _calls(value: Any, field: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigurationError(field, "must be an array")
    calls = []
    for at, item in enumerate(value):
        function = item.get("function") if isinstance(item, Mapping) else None
        if not isinstance(function, Mapping):
            raise ConfigurationError(f"{field}.{at}.function", "must be an object")
        arguments = _arguments(function.get("arguments"), f"{field}.{at}.function.arguments")
        calls.append(ToolCall(_text(item, "id", f"{field}.{at}"), _text(function, "name", f"{field}.{at}"), arguments))
    return tuple(calls)


def _arguments(value: Any, field: str) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except (ValueError, RecursionError):
            raise ConfigurationError(field, "must be a JSON object as text") from None
    if not isinstance(value or {}, dict):
        raise ConfigurationError(field, "must be a JSON object")
    return dict(value or {})


def _text(item: Mapping[str, Any], name: str, field: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise ConfigurationError(f"{field}.{name}", "must be a string of 1 to 255 characters")
    return value


def _written(message: Message) -> dict[str, Any]:
    assert message.role in get_args(Role)
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire
