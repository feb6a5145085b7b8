"""Vapi's calls over a WebSocket, as their client speaks them: how a call is made, our messages, and what of the service's we read.

Facts: docs.vapi.ai/calls/websocket-transport, /calls/call-features (live control), /api-reference/calls/create, and the types of
vapi-server-sdk 3.0 (``ClientMessage…``, ``ClientInboundMessage…``, ``AssistantOverrides``), November 2026. Sound is binary, both ways in
one format, with no header; everything else is JSON in text messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from antiphon.errors import MalformedMessage
from antiphon.vocabulary import AudioFormat, Encoding

FORMATS = (
    AudioFormat(Encoding.MULAW, 8000),
    AudioFormat(Encoding.PCM16, 16000),
    AudioFormat(Encoding.PCM16, 8000),
    AudioFormat(Encoding.PCM16, 24000),
    AudioFormat(Encoding.PCM16, 32000),
    AudioFormat(Encoding.PCM16, 44100),
    AudioFormat(Encoding.PCM16, 48000),
)
_NAMES = {Encoding.MULAW: "mulaw", Encoding.PCM16: "pcm_s16le"}
_LONGEST_S = 43_200
"""The longest call that may be asked for: how long ours lasts, our assistant says."""
OVERRIDES: Mapping[str, Any] = {
    "firstMessageMode": "assistant-waits-for-user",
    "clientMessages": [
        "assistant.speechStarted", "hang", "model-output", "speech-update", "status-update", "transcript", "transfer-update",
        "user-interrupted",
    ],
    "maxDurationSeconds": _LONGEST_S,
    "backgroundSound": "off",
    "voicemailDetection": "off",
}  # fmt: skip
"""What a hosted assistant does otherwise in our calls: who speaks first, how long a call lasts and who answers it is our side's to say, and
nothing but speech is to be heard of it."""


def create_call(
    assistant_id: str, assistant: Mapping[str, Any], overrides: Mapping[str, Any], audio: AudioFormat
) -> bytes:
    """``overrides``: the operator's own, which ours win over."""
    whom = {"assistant": dict(assistant)} if assistant else {"assistantId": assistant_id}
    transport = {
        "provider": "vapi.websocket",
        "audioFormat": {"format": _NAMES[audio.encoding], "container": "raw", "sampleRate": audio.rate_hz},
    }
    return orjson.dumps({**whom, "assistantOverrides": {**overrides, **OVERRIDES}, "transport": transport})


END_CALL = b'{"type":"end-call"}'
SAY_FIRST_MESSAGE = b'{"type":"control","control":"say-first-message"}'


def say(text: str, *, at_once: bool) -> bytes:
    """Whether the caller may interrupt is decided here: its own rules are to let it."""
    message = {"type": "say", "content": text, "endCallAfterSpoken": False, "interruptionsEnabled": True}
    return orjson.dumps(message | ({"interruptAssistantEnabled": True} if at_once else {}))


def add_message(role: str, content: str, *, answer: bool) -> bytes:
    message = {"role": role, "content": content}
    return orjson.dumps({"type": "add-message", "message": message, "triggerResponseEnabled": answer})


# ---------------------------------------------------------------------------------------------- what the service says


class _Transport(msgspec.Struct):
    websocketCallUrl: str = ""


class _Call(msgspec.Struct):
    id: str = ""
    transport: _Transport = msgspec.field(default_factory=_Transport)


_CALL = msgspec.json.Decoder(_Call)


def url_of(body: bytes, *, secure: bool) -> str:
    """Where the socket of a new call is. ``secure``: the account's address is, and the call's has to be. Raises MalformedMessage."""
    try:
        url = _CALL.decode(body).transport.websocketCallUrl
    except (msgspec.DecodeError, RecursionError):
        raise MalformedMessage("not_a_call") from None
    schemes = ("wss://",) if secure else ("wss://", "ws://")
    if not url.startswith(schemes) or len(url) > 2048 or not url.isascii() or not url.isprintable() or " " in url:
        raise MalformedMessage("no_address")
    return url


class Destination(msgspec.Struct):
    type: str | None = None
    number: str | None = None
    sipUri: str | None = None


class ServerMessage(msgspec.Struct):
    """What we read of any message; a field that its kind has not is empty."""

    type: str
    role: str | None = None
    status: str | None = None
    transcript: str | None = None
    transcriptType: str | None = None
    output: Any = None
    turnId: str | None = None
    source: str | None = None
    endedReason: str | None = None
    destination: Destination | None = None


_DECODER = msgspec.json.Decoder(ServerMessage)


def read(payload: bytes) -> ServerMessage:
    """Raises MalformedMessage."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedMessage("not_a_message") from None


def token_of(output: Any) -> str:
    """A piece of text of the model's; empty for a tool call."""
    return output if isinstance(output, str) else ""


def number_of(destination: Destination | None) -> str:
    """A telephone or SIP address that a call is handed over to; empty where it stays with assistants of the service's own."""
    if destination is None:
        return ""
    return (destination.number or destination.sipUri or "")[:256]


def ended_by_assistant(reason: str) -> bool:
    """Whether an ``endedReason`` means that the conversation is over, and not that something went wrong."""
    return reason.startswith(("assistant-ended-call", "assistant-said-end-call-phrase")) or reason in (
        "assistant-said-message-with-end-call-enabled",
        "assistant-forwarded-call",
    )
