"""What was said on a call (``calls.history``), in the shapes of the API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

Entry = Mapping[str, Any]
_SPOKEN = ("user", "assistant")


def artifact_messages(history: Sequence[Entry], started_wall_ms: int) -> list[dict[str, Any]]:
    """``artifact.messages``: roles system, user, bot, tool_calls, tool_call_result."""
    return [_message(entry, started_wall_ms) for entry in history]


def _message(entry: Entry, started_wall_ms: int) -> dict[str, Any]:
    role, from_ms = entry["role"], entry["from_ms"]
    times = {"time": from_ms, "secondsFromStart": max(from_ms - started_wall_ms, 0) / 1000}
    if role == "tool_calls":
        return {"role": role, "toolCalls": [_tool_call(call) for call in entry["calls"]], "message": "", **times}
    if role == "tool":
        return {
            "role": "tool_call_result", "toolCallId": entry["id"], "name": entry["name"], "result": entry["text"], **times,
        }  # fmt: skip
    if role not in _SPOKEN:
        return {"role": role, "message": entry["text"], **times}
    until = {"endTime": entry["to_ms"], "duration": entry["to_ms"] - from_ms}
    said = {"role": "bot" if role == "assistant" else role, "message": entry["text"], **times, **until}
    if role != "assistant":
        return said
    said_by = {"assistantName": entry.get("assistant"), "assistantId": entry.get("assistant_id")}
    return {**said, "source": "", **{name: value for name, value in said_by.items() if value}}


def openai_messages(history: Iterable[Entry]) -> list[dict[str, Any]]:
    """The same as OpenAI's chat API has it."""
    messages: list[dict[str, Any]] = []
    for entry in history:
        role = entry["role"]
        if role == "tool_calls":
            messages.append({"role": "assistant", "tool_calls": [_tool_call(call) for call in entry["calls"]]})
        elif role == "tool":
            messages.append({"role": "tool", "tool_call_id": entry["id"], "content": entry["text"]})
        else:
            messages.append({"role": role, "content": entry["text"]})
    return messages


def transcript(history: Iterable[Entry], assistant: str = "AI", user: str = "User") -> str:
    """One line for each thing that was said."""
    names = {"assistant": assistant, "user": user}
    return "".join(f"{names[entry['role']]}: {entry['text']}\n" for entry in history if entry["role"] in names)


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(call["arguments"]).decode()
    return {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def destination_document(address: str) -> dict[str, str]:
    """Where a call was transferred to: a number or a SIP URI, as the API writes it."""
    if address.lower().startswith("sip"):
        return {"type": "sip", "sipUri": address}
    return {"type": "number", "number": address}
