"""OpenAI's Live protocol (GPT-Live) as its client speaks it over a WebSocket: our messages, and what of the server's we read.

Facts: developers.openai.com/api/docs/guides/live, /guides/live-conversations and /guides/live-delegation, learn.microsoft.com
/azure/foundry/openai/gpt-live-reference, and the types of openai 3.52 (``types.live``), November 2026. The model listens and speaks at the
same time; no event says whose turn it is, or that a turn has begun or ended.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from antiphon.errors import MalformedMessage
from antiphon.providers.counts import number
from antiphon.providers.speech_to_speech import openai_wire
from antiphon.vocabulary import AudioFormat, Encoding, ToolCall, ToolSpec, Usage

FORMATS = (
    AudioFormat(Encoding.MULAW, 8000),
    AudioFormat(Encoding.ALAW, 8000),
    AudioFormat(Encoding.PCM16, 24000),
    AudioFormat(Encoding.PCM16, 16000),
)
_KINDS = {Encoding.MULAW: "audio/pcmu", Encoding.ALAW: "audio/pcma", Encoding.PCM16: "audio/pcm"}
_MOST_HISTORY = 100
"""Messages of the history that a session begins with: the service takes 128."""
_MOST_HISTORY_CHARS = 16_000
"""And 8,192 tokens, in any language."""
_MOST_CHARS = 1_000
"""Of what is appended at a time: the service takes 500 tokens."""


def start(
    model: str,
    instructions: str,
    audio: AudioFormat,
    voice: str,
    history: Sequence[tuple[str, str]],
    backend: Mapping[str, Any],
) -> bytes:
    """``history``: roles (user, assistant, developer) and texts. ``backend``: the Responses model that the session delegates to."""
    session: dict[str, Any] = {
        "model": model,
        "audio": {"format": {"type": _KINDS[audio.encoding], "rate": audio.rate_hz}, "output": {"voice": voice}},
        "delegation": {"type": "responses", "responses": dict(backend)},
    }
    if instructions:
        session["instructions"] = instructions
    if history:
        session["input"] = _input(history)
    return orjson.dumps({"type": "session.start", "session": session})


def _input(history: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The latest of it, as much as the service takes."""
    items: list[dict[str, Any]] = []
    left = _MOST_HISTORY_CHARS
    for role, text in reversed(history[-_MOST_HISTORY:]):
        left -= len(text)
        if left < 0:
            break
        part = "output_text" if role == "assistant" else "input_text"
        items.append({"type": "message", "role": role, "content": [{"type": part, "text": text}]})
    return items[::-1]


def backend(model: str, instructions: str, tools: Sequence[ToolSpec], effort: str) -> dict[str, Any]:
    config: dict[str, Any] = {"model": model, "tools": openai_wire.tools_of(tools)}
    if instructions:
        config["instructions"] = instructions
    if effort:
        config["reasoning"] = {"effort": effort}
    return config


def update(config: Mapping[str, Any]) -> bytes:
    delegation = {"type": "responses", "responses": dict(config)}
    return orjson.dumps({"type": "session.update", "session": {"delegation": delegation}})


def audio(data: bytes) -> bytes:
    return b'{"type":"session.input_audio.append","audio":"' + base64.b64encode(data) + b'"}'


def append(kind: str, text: str) -> list[bytes]:
    """``instructions`` (to be followed), ``thinking`` (to be known) or ``commentary`` (to be said)."""
    pieces = [text[at : at + _MOST_CHARS] for at in range(0, len(text), _MOST_CHARS)]
    return [
        orjson.dumps({"type": f"session.{kind}.append", "content": piece, "delegation_id": None}) for piece in pieces
    ]


def tool_output(call_id: str, output: str) -> bytes:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return orjson.dumps({"type": "response.item.create", "item": item})


CREATE_RESPONSE = b'{"type":"response.create"}'
CLOSE = b'{"type":"session.close"}'


# ---------------------------------------------------------------------------------------------- what the server says


class ServerEvent(msgspec.Struct):
    """What we read of any event; a field that its kind has not is empty."""

    type: str
    delta: str = ""
    reason: str = ""
    event: Any = None
    error: openai_wire.ServerError = msgspec.field(default_factory=openai_wire.ServerError)


_DECODER = msgspec.json.Decoder(ServerEvent)


def read(payload: bytes, *, text: bool) -> ServerEvent:
    """Raises MalformedMessage."""
    if not text:
        raise MalformedMessage("binary")
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedMessage("not_an_event") from None


def tool_call_of(event: Any) -> ToolCall | None:
    """The function call that an event of the delegated model completes; None for other events. Raises MalformedMessage."""
    item = (
        event.get("item") if isinstance(event, Mapping) and event.get("type") == "response.output_item.done" else None
    )
    if not isinstance(item, Mapping) or item.get("type") != "function_call":
        return None
    try:
        arguments = orjson.loads(item.get("arguments") or "{}")
    except (orjson.JSONDecodeError, TypeError):
        arguments = None
    id, name = item.get("call_id"), item.get("name")
    if not isinstance(arguments, dict) or not isinstance(id, str) or not isinstance(name, str) or not id or not name:
        raise MalformedMessage("tool_call")
    return ToolCall(id, name, arguments)


def usage_of(event: Any, model: str) -> tuple[Usage, ...]:
    """What the delegated model has cost, where an event tells it."""
    response = (
        event.get("response") if isinstance(event, Mapping) and event.get("type") == "response.completed" else None
    )
    usage = response.get("usage") if isinstance(response, Mapping) else None
    if not isinstance(usage, Mapping):
        return ()
    details = usage.get("input_tokens_details")
    cached = number(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    given, made = number(usage.get("input_tokens")), number(usage.get("output_tokens"))
    return (Usage(input_tokens=given, output_tokens=made, cached_tokens=cached, model=model),)
