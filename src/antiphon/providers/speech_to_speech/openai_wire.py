"""OpenAI's Realtime protocol as its client speaks it: our messages, and what of the server's we read.

Facts: developers.openai.com/api/docs/guides/realtime-conversations, /api/reference/resources/realtime/client-events and /server-events, and
the types of openai 3.57 (``types.realtime``), November 2026.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from antiphon.errors import MalformedMessage
from antiphon.providers.counts import number
from antiphon.vocabulary import AudioFormat, Encoding, ToolSpec, Usage

FORMATS = (
    AudioFormat(Encoding.MULAW, 8000),
    AudioFormat(Encoding.ALAW, 8000),
    AudioFormat(Encoding.PCM16, 24000),
)
_KINDS = {Encoding.MULAW: "audio/pcmu", Encoding.ALAW: "audio/pcma", Encoding.PCM16: "audio/pcm"}
_VERBATIM = (
    "Read the user's text aloud, word for word, in the language it is written in. Say nothing else: no greeting, no answer to it, "
    "no comment."
)
ENDS_THE_SESSION: Mapping[str, int] = {
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "credit_balance_exhausted": 402,
    "billing_hard_limit_reached": 402,
    "account_deactivated": 403,
    "model_not_found": 404,
    "beta_api_shape_disabled": 400,
}
"""Error codes after which this account or model gets nothing more, as HTTP would say them."""


def format_of(audio: AudioFormat) -> dict[str, Any]:
    rate = {"rate": audio.rate_hz} if audio.encoding is Encoding.PCM16 else {}
    return {"type": _KINDS[audio.encoding], **rate}


def session_update(**session: Any) -> bytes:
    return orjson.dumps({"type": "session.update", "session": {"type": "realtime", **session}})


def event(fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps(fields)


def append(audio: bytes) -> bytes:
    return b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(audio) + b'"}'


COMMIT = b'{"type":"input_audio_buffer.commit"}'
CLEAR = b'{"type":"input_audio_buffer.clear"}'
CANCEL = b'{"type":"response.cancel"}'


def truncate(item_id: str, audio_end_ms: int) -> bytes:
    message = {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    }
    return orjson.dumps(message)


def delete(item_id: str) -> bytes:
    return orjson.dumps({"type": "conversation.item.delete", "item_id": item_id})


def create_response(name: str, *, tools_allowed: bool, max_tokens: int | None) -> bytes:
    """An answer to the conversation; ``name`` comes back with everything that is told of it."""
    response: dict[str, Any] = {"metadata": {"antiphon": name}}
    if not tools_allowed:
        response["tool_choice"] = "none"
    if max_tokens is not None:
        response["max_output_tokens"] = max_tokens
    return orjson.dumps({"type": "response.create", "event_id": name, "response": response})


def say_verbatim(name: str, text: str) -> bytes:
    """Words of ours, outside the conversation."""
    response = {
        "metadata": {"antiphon": name},
        "conversation": "none",
        "instructions": _VERBATIM,
        "tools": [],
        "tool_choice": "none",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}],
    }
    return orjson.dumps({"type": "response.create", "event_id": name, "response": response})


def tools_of(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    empty = {"type": "object", "properties": {}}
    return [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters or empty}
        for tool in tools
    ]


def usage_of(usage: Any, model: str) -> tuple[Usage, ...]:
    """Text and sound apart: their prices differ by a factor of eight. The sound's is that of the model ``audio:MODEL``."""
    if not isinstance(usage, Mapping):
        return ()
    given, made = _part(usage, "input_token_details"), _part(usage, "output_token_details")
    cached = _part(given, "cached_tokens_details")
    sound = Usage(
        input_tokens=_number(given, "audio_tokens"),
        output_tokens=_number(made, "audio_tokens"),
        cached_tokens=_number(cached, "audio_tokens"),
        model=f"audio:{model}",
    )
    text = Usage(
        input_tokens=max(_number(usage, "input_tokens") - sound.input_tokens, 0),
        output_tokens=max(_number(usage, "output_tokens") - sound.output_tokens, 0),
        cached_tokens=max(_number(given, "cached_tokens") - sound.cached_tokens, 0),
        model=model,
    )
    return tuple(each for each in (text, sound) if each.input_tokens or each.output_tokens)


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, Mapping) else {}


def _number(of: Mapping[str, Any], name: str) -> int:
    return number(of.get(name))


# ---------------------------------------------------------------------------------------------- what the server says


class ServerError(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    event_id: str | None = None


class StatusDetails(msgspec.Struct):
    reason: str | None = None
    error: ServerError | None = None


class ServerResponse(msgspec.Struct):
    id: str = ""
    status: str = ""
    status_details: StatusDetails | None = None
    metadata: Any = None
    usage: Any = None


class ServerItem(msgspec.Struct):
    """A message of the model's, or a tool call."""

    id: str = ""
    type: str = ""
    status: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class ServerEvent(msgspec.Struct):
    """What we read of any event; a field that its kind has not is empty."""

    type: str
    item_id: str = ""
    response_id: str = ""
    delta: str = ""
    transcript: str | None = None
    response: ServerResponse = msgspec.field(default_factory=ServerResponse)
    item: ServerItem = msgspec.field(default_factory=ServerItem)
    error: ServerError = msgspec.field(default_factory=ServerError)


TRANSCRIPTION = "conversation.item.input_audio_transcription."
_ID_OF: Mapping[str, Callable[[ServerEvent], str]] = {
    "input_audio_buffer.committed": lambda event: event.item_id,
    f"{TRANSCRIPTION}completed": lambda event: event.item_id,
    f"{TRANSCRIPTION}failed": lambda event: event.item_id,
    "response.created": lambda event: event.response.id,
    "response.done": lambda event: event.response.id,
    "response.output_item.added": lambda event: event.item.id,
    "response.output_item.done": lambda event: event.item.id,
}
"""Events that mean nothing without an id."""
_DECODER = msgspec.json.Decoder(ServerEvent)


def read(payload: bytes, *, text: bool) -> ServerEvent:
    """Raises MalformedMessage."""
    if not text:
        raise MalformedMessage("binary")
    try:
        event = _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedMessage("not_an_event") from None
    id_of = _ID_OF.get(event.type)
    if id_of is not None and not id_of(event):
        raise MalformedMessage("no_id")
    return event


def audio_of(delta: str) -> bytes:
    """Raises MalformedMessage."""
    try:
        return base64.b64decode(delta, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedMessage("audio") from None
