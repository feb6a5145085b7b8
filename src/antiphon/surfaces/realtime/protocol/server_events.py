"""What the server says, one function for each event. Every function returns the event without its ``event_id``; who sends it adds one.

What holds for all of them (§0.3, §4.2): every field shown by the reference is there; an optional field that is absent is
left out, never null, except ``previous_item_id``, where null says "at the beginning"; ``part.type`` is ``audio`` or
``text``, while the same content inside an item is ``output_audio`` or ``output_text``. Events of MCP servers, of diarised
transcription and of SIP digits are not here: nothing of ours would send them.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from antiphon.surfaces.realtime.protocol.items import Item
from antiphon.surfaces.realtime.protocol.response import Response

Event = dict[str, Any]


class ItemPlace(NamedTuple):
    """Which item of which response."""

    response_id: str
    item_id: str
    output_index: int


class PartPlace(NamedTuple):
    """Which content part of which item of which response: the four ids that every part's event carries."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int = 0


class RateLimit(NamedTuple):
    """SDKs know the names ``requests`` and ``tokens`` only."""

    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


# The session.


def session_created(session: Mapping[str, Any]) -> Event:
    """The first event of every controller. ``session`` is ``SessionConfig.echo``'s, here and below."""
    return {"type": "session.created", "session": session}


def session_updated(session: Mapping[str, Any]) -> Event:
    """One for every ``session.update``, in their order."""
    return {"type": "session.updated", "session": session}


def rate_limits_updated(limits: Iterable[RateLimit]) -> Event:
    """Follows ``response.done``."""
    return {"type": "rate_limits.updated", "rate_limits": [limit._asdict() for limit in limits]}


# The caller's audio.


def speech_started(item_id: str, audio_start_ms: int) -> Event:
    """``audio_start_ms`` counts from the first byte appended in the session, less the prefix padding."""
    return {"type": "input_audio_buffer.speech_started", "audio_start_ms": audio_start_ms, "item_id": item_id}


def speech_stopped(item_id: str, audio_end_ms: int) -> Event:
    """``audio_end_ms`` counts from the first byte appended in the session."""
    return {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": audio_end_ms, "item_id": item_id}


def audio_committed(item_id: str, previous_item_id: str | None) -> Event:
    """The item itself follows at once, as ``item_added`` and ``item_done``."""
    return {"type": "input_audio_buffer.committed", "previous_item_id": previous_item_id, "item_id": item_id}


def audio_cleared() -> Event:
    return {"type": "input_audio_buffer.cleared"}


def timeout_triggered(item_id: str, audio_start_ms: int, audio_end_ms: int) -> Event:
    """``idle_timeout_ms`` went by in silence: the two times are where it began and ended in the caller's audio."""
    return {
        "type": "input_audio_buffer.timeout_triggered",
        "audio_start_ms": audio_start_ms,
        "audio_end_ms": audio_end_ms,
        "item_id": item_id,
    }


# The conversation's items.


def item_added(item: Item, previous_item_id: str | None) -> Event:
    """``previous_item_id`` must have been announced before; None at the beginning."""
    return {"type": "conversation.item.added", "previous_item_id": previous_item_id, "item": item.to_wire()}


def item_done(item: Item, previous_item_id: str | None) -> Event:
    """The item will not grow any more. Same ``previous_item_id`` as when it was added."""
    return {"type": "conversation.item.done", "previous_item_id": previous_item_id, "item": item.to_wire()}


def item_retrieved(item: Item) -> Event:
    return {"type": "conversation.item.retrieved", "item": item.to_wire()}


def item_truncated(item_id: str, content_index: int, audio_end_ms: int) -> Event:
    """``audio_end_ms`` as it was applied: clamped to the part's length."""
    return {
        "type": "conversation.item.truncated",
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    }


def item_deleted(item_id: str) -> Event:
    return {"type": "conversation.item.deleted", "item_id": item_id}


def transcription_delta(item_id: str, delta: str) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": item_id,
        "content_index": 0,
        "delta": delta,
    }


def transcription_completed(item_id: str, transcript: str, audio_seconds: float) -> Event:
    """``usage`` is required: agents-python fails without it."""
    return {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": item_id,
        "content_index": 0,
        "transcript": transcript,
        "usage": {"type": "duration", "seconds": audio_seconds},
    }


def transcription_failed(item_id: str, code: str, message: str) -> Event:
    """No null anywhere: agents-js drops the event for one."""
    return {
        "type": "conversation.item.input_audio_transcription.failed",
        "item_id": item_id,
        "content_index": 0,
        "error": {"type": "transcription_error", "code": code, "message": message},
    }


# A response.


def response_created(response: Response) -> Event:
    """Before everything else of that response."""
    return {"type": "response.created", "response": response.to_wire()}


def response_done(response: Response) -> Event:
    """Exactly once, after everything else of that response."""
    return {"type": "response.done", "response": response.to_wire()}


def output_item_added(response_id: str, output_index: int, item: Item) -> Event:
    """Before the item's parts, its deltas and its ``item_added``."""
    return _output_item("response.output_item.added", response_id, output_index, item)


def output_item_done(response_id: str, output_index: int, item: Item) -> Event:
    """SDKs run a function call when they see this with ``status: "completed"``."""
    return _output_item("response.output_item.done", response_id, output_index, item)


def audio_part_added(at: PartPlace) -> Event:
    return _part("response.content_part.added", at, {"type": "audio", "transcript": ""})


def audio_part_done(at: PartPlace, transcript: str) -> Event:
    return _part("response.content_part.done", at, {"type": "audio", "transcript": transcript})


def text_part_added(at: PartPlace) -> Event:
    return _part("response.content_part.added", at, {"type": "text", "text": ""})


def text_part_done(at: PartPlace, text: str) -> Event:
    return _part("response.content_part.done", at, {"type": "text", "text": text})


def output_audio_delta(at: PartPlace, audio: bytes) -> Event:
    """``audio`` is raw, in the session's output format: 100 to 250 ms of it, so that the frame stays far below 256 KiB (§1.1)."""
    return _delta("response.output_audio.delta", at, b2a_base64(audio, newline=False).decode("ascii"))


def output_audio_done(at: PartPlace) -> Event:
    return {"type": "response.output_audio.done", **at._asdict()}


def output_audio_transcript_delta(at: PartPlace, delta: str) -> Event:
    return _delta("response.output_audio_transcript.delta", at, delta)


def output_audio_transcript_done(at: PartPlace, transcript: str) -> Event:
    return {"type": "response.output_audio_transcript.done", **at._asdict(), "transcript": transcript}


def output_text_delta(at: PartPlace, delta: str) -> Event:
    return _delta("response.output_text.delta", at, delta)


def output_text_done(at: PartPlace, text: str) -> Event:
    return {"type": "response.output_text.done", **at._asdict(), "text": text}


def function_call_arguments_delta(at: ItemPlace, call_id: str, delta: str) -> Event:
    return {
        "type": "response.function_call_arguments.delta",
        **at._asdict(),
        "call_id": call_id,
        "delta": delta,
    }


def function_call_arguments_done(at: ItemPlace, call_id: str, name: str, arguments: str) -> Event:
    """``name`` is required. After the item's ``item_added``: Pipecat looks the call up by it."""
    return {
        "type": "response.function_call_arguments.done",
        **at._asdict(),
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


# The playout that the server owns (WebRTC, SIP).


def playout_started(response_id: str) -> Event:
    """At the first sound, after ``content_part.added``."""
    return {"type": "output_audio_buffer.started", "response_id": response_id}


def playout_stopped(response_id: str) -> Event:
    """Everything was played; after ``response.done``."""
    return {"type": "output_audio_buffer.stopped", "response_id": response_id}


def playout_cleared(response_id: str) -> Event:
    """What was still to be played was dropped."""
    return {"type": "output_audio_buffer.cleared", "response_id": response_id}


def _output_item(kind: str, response_id: str, output_index: int, item: Item) -> Event:
    return {"type": kind, "response_id": response_id, "output_index": output_index, "item": item.to_wire()}


def _part(kind: str, at: PartPlace, part: dict[str, Any]) -> Event:
    return {"type": kind, **at._asdict(), "part": part}


def _delta(kind: str, at: PartPlace, delta: str) -> Event:
    return {"type": kind, **at._asdict(), "delta": delta}
