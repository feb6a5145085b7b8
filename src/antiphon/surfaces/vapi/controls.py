"""What may be asked of a live call: the same objects on its control URL, as text on its socket, and from the web client. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.calls.directory import Command, Handoff, HangUp, Mute, PauseRecording, Transfer
from antiphon.conversation import events as ev
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.tools.handoff import message_of
from antiphon.vocabulary import EndReason, Message

MAX_TEXT_CHARS = 10_000
SAY_FIRST_MESSAGE = "say-first-message"
_CONTROLS: Mapping[str, Command] = {
    "mute-assistant": Mute("assistant", True),
    "unmute-assistant": Mute("assistant", False),
    "mute-customer": Mute("customer", True),
    "unmute-customer": Mute("customer", False),
    "pause-recording": PauseRecording(True),
    "resume-recording": PauseRecording(False),
}
_HANDED_TO = ("assistant", "squad")
_ROLES = ("system", "user", "assistant")


def command_of(message: Mapping[str, Any], first_message: str = "", by: EndReason = EndReason.CANCELLED) -> Command:
    """``first_message`` is what the call's assistant begins with. ``by``: why the call ends if this ends it. Raises ApiError 400."""
    kind = message.get("type")
    read = _READ.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise ApiError(400, [f"type must be one of the following values: {', '.join(_READ)}"])
    if kind in ("end-call", "hangup"):
        return HangUp(by)
    if kind == "control" and message.get("control") == SAY_FIRST_MESSAGE:
        if not first_message:
            raise ApiError(400, ["control: this call's assistant has no first message"])
        return ev.SayRequested(first_message)
    return read(message)


def _say(message: Mapping[str, Any]) -> Command:
    name = "content" if "content" in message else "message"
    return ev.SayRequested(
        _text(message, name, "content"),
        interruptible=_flag(message, "interruptionsEnabled", True),
        interrupts=_flag(message, "interruptAssistantEnabled", False),
        end_call_after=_flag(message, "endCallAfterSpoken", False),
    )


def _add_message(message: Mapping[str, Any]) -> Command:
    added = message.get("message")
    if not isinstance(added, Mapping):
        raise ApiError(400, ["message must be an object"])
    role = added.get("role")
    if role not in _ROLES:
        raise ApiError(400, [f"message.role must be one of the following values: {', '.join(_ROLES)}"])
    text = _text(added, "content", "message.content")
    return ev.MessageAdded(Message(role, text), reply=_flag(message, "triggerResponseEnabled", True))


def _control(message: Mapping[str, Any]) -> Command:
    control = message.get("control")
    if not isinstance(control, str) or control not in _CONTROLS:
        allowed = ", ".join((*_CONTROLS, SAY_FIRST_MESSAGE))
        raise ApiError(400, [f"control must be one of the following values: {allowed}"])
    return _CONTROLS[control]


def _transfer(message: Mapping[str, Any]) -> Command:
    destination = message.get("destination")
    if not isinstance(destination, Mapping):
        raise ApiError(400, ["destination must be an object"])
    where = destination.get("number") or destination.get("sipUri")
    if not isinstance(where, str) or not where:
        raise ApiError(400, ["destination.number or destination.sipUri must be given"])
    said = message.get("content") or destination.get("message") or ""
    return Transfer(where[:256], said[:MAX_TEXT_CHARS] if isinstance(said, str) else "")


def _handoff(message: Mapping[str, Any]) -> Command:
    destination = message.get("destination")
    if not isinstance(destination, Mapping):
        raise ApiError(400, ["destination must be an object"])
    if destination.get("type") not in _HANDED_TO:
        raise ApiError(400, [f"destination.type must be one of the following values: {', '.join(_HANDED_TO)}"])
    said = message.get("content") or message_of(destination)
    return Handoff(dict(destination), said[:MAX_TEXT_CHARS] if isinstance(said, str) else "")


def _not_possible(message: Mapping[str, Any]) -> Command:
    raise ApiError(400, f"{message.get('type')} is not possible on this server.")


def _end(message: Mapping[str, Any]) -> Command:
    return HangUp()


_READ: Mapping[str, Callable[[Mapping[str, Any]], Command]] = {
    "say": _say,
    "add-message": _add_message,
    "control": _control,
    "end-call": _end,
    "hangup": _end,
    "transfer": _transfer,
    "handoff": _handoff,
    "send-transport-message": _not_possible,
}


def _text(message: Mapping[str, Any], name: str, field: str) -> str:
    text = message.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, [f"{field} must be a non-empty string"])
    if len(text) > MAX_TEXT_CHARS:
        raise ApiError(400, [f"{field} must be shorter than or equal to {MAX_TEXT_CHARS} characters"])
    return text


def _flag(message: Mapping[str, Any], name: str, default: bool) -> bool:
    value = message.get(name, default)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ApiError(400, [f"{name} must be a boolean value"])
    return value
