"""What a request for an answer in text asks for: read, and refused with all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.chat.history import read_input
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.fields import check
from antiphon.vocabulary import Message

MAX_NAME = 40
_ANSWERING = ("assistantId", "assistant", "squadId", "squad")
_WHO = (*_ANSWERING, "sessionId", "previousChatId")
CHAT_FIELDS = frozenset({*_WHO, "assistantOverrides", "name", "input", "stream", "transport"})
WEB_FIELDS = frozenset(
    {"assistantId", "assistant", "sessionId", "sessionExpirationSeconds", "assistantOverrides", "customer", "input",
     "stream", "sessionEnd"}
)  # fmt: skip
RESPONSES_FIELDS = CHAT_FIELDS | {"model", "instructions", "previous_response_id", "store", "metadata"}
_STRINGS = ("assistantId", "sessionId", "previousChatId", "name", "squadId", "previous_response_id", "instructions")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that makes sense by itself."""

    input: tuple[Message, ...]
    assistant_id: str = ""
    assistant: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    session_id: str = ""
    squad_id: str = ""
    squad: Mapping[str, Any] | None = None
    previous_chat_id: str = ""
    name: str = ""
    stream: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)
    """The other fields, as they came."""


def read_chat(body: Mapping[str, Any], fields: Collection[str] = CHAT_FIELDS) -> ChatRequest:
    """Raises ApiError 400 with everything that is wrong."""
    problems = [f"property {name} should not exist" for name in body if name not in fields]
    for name in _STRINGS:
        value = body.get(name)
        if name in fields and value is not None and not (isinstance(value, str) and value and "\0" not in value):
            problems.append(f"{name} must be a non-empty string")
    if isinstance(body.get("name"), str) and len(body["name"]) > MAX_NAME:
        problems.append(f"name must be shorter than or equal to {MAX_NAME} characters")
    if not isinstance(body.get("stream") or False, bool):
        problems.append("stream must be a boolean value")
    for name in ("assistant", "customer", "metadata"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            problems.append(f"{name} must be an object")
    if body.get("store") is False:
        problems.append("store must be true: chats are kept, and deleted with DELETE /chat/{id}")
    if (squad := body.get("squad")) is not None and "squad" in fields:
        problems += check("CreateSquadDTO", squad, "squad").problems
    problems += _wrong_overrides(body)
    messages: list[Message] = []
    try:
        messages = read_input(body.get("input"))
    except ConfigurationError as error:
        problems.append(f"{error.field} {error.problem}")
    problems += _exclusions(body, fields)
    if problems:
        raise ApiError(400, problems)
    if body.get("instructions"):
        messages.insert(0, Message("system", body["instructions"]))
    taken = {*_WHO, "assistantOverrides", "name", "input", "stream"}
    return ChatRequest(
        input=tuple(messages),
        assistant_id=body.get("assistantId") or "",
        assistant=body.get("assistant"),
        overrides=body.get("assistantOverrides") or {},
        squad_id=body.get("squadId") or "",
        squad=body.get("squad"),
        session_id=body.get("sessionId") or "",
        previous_chat_id=body.get("previousChatId") or body.get("previous_response_id") or "",
        name=body.get("name") or "",
        stream=bool(body.get("stream")),
        rest={name: value for name, value in body.items() if name not in taken},
    )


def _exclusions(body: Mapping[str, Any], fields: Collection[str]) -> list[str]:
    """Who answers must be said once, and be somebody."""
    given = {name for name in (*_WHO, "previous_response_id") if body.get(name)}
    problems = []
    if body.get("transport"):
        problems.append("transport is not supported: text messages cannot be sent from here")
    named = [name for name in _ANSWERING if name in given]
    problems += [f"{named[0]} and {name} are mutually exclusive" for name in named[1:]]
    previous = given & {"previousChatId", "previous_response_id"}
    if "sessionId" in given:
        problems += [f"sessionId and {name} are mutually exclusive" for name in sorted(given - {"sessionId"})]
    elif previous:
        problems += [
            f"previousChatId and {name} are mutually exclusive" for name in sorted(given & {"assistant", "squad"})
        ]
    if not given:
        ways = ", ".join(name for name in _WHO if name in fields)
        problems.append(f"one of {ways} must be provided")
    return problems


def _wrong_overrides(body: Mapping[str, Any]) -> list[str]:
    overrides = body.get("assistantOverrides")
    if overrides is None:
        return []
    if not isinstance(overrides, dict):
        return ["assistantOverrides must be an object"]
    problems = [
        f"assistantOverrides.{name} cannot be overridden in a chat: only variableValues can"
        for name in overrides
        if name != "variableValues"
    ]
    if not isinstance(overrides.get("variableValues") or {}, dict):
        problems.append("assistantOverrides.variableValues must be an object")
    return problems
