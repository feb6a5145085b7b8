"""The eleven events a client may send, read into frozen values.

``parse`` raises ``ClientError`` and nothing else, whatever the bytes are. The error carries the client's ``event_id``
wherever that could be read, because agents SDKs wait for it (§5(g)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from antiphon.surfaces.realtime.protocol.client_items import MAX_AUDIO_CHARS, MAX_ITEM_ID_CHARS, decode_audio, read_item
from antiphon.surfaces.realtime.protocol.errors import (
    ClientError,
    not_json,
    too_deep,
    unsupported,
    wrong_type,
)
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.items import Item
from antiphon.surfaces.realtime.protocol.message_bounds import UNCOUNTED_BYTES, check_bounds
from antiphon.surfaces.realtime.protocol.response import ResponseConfig, read_response

MAX_EVENT_ID_CHARS = 512
MAX_DEPTH = 100
"""Of a message's nesting: orjson reads 1024 levels but writes 254, and what we read we may have to write."""
_APPEND = "input_audio_buffer.append"
_MAX_CONTENT_INDEX = 1000
_MAX_AUDIO_MS = 24 * 60 * 60 * 1000
_MAX_TYPE_CHARS = 128


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """``session`` is the client's patch, unread: ``SessionConfig.merge`` reads it against the configuration it meets."""

    session: Mapping[str, Any]
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class AudioAppend:
    """``audio`` is decoded; it may be empty, or end in half a sample."""

    audio: bytes
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class AudioCommit:
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class AudioClear:
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemCreate:
    """``item.id`` is empty where the client leaves the name to us. ``previous_item_id``: None at the end, ``"root"`` at the beginning."""

    item: Item
    previous_item_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemRetrieve:
    item_id: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemTruncate:
    """``audio_end_ms`` counts from the first sample of that content part and is never negative; it may be beyond the end (clamp it)."""

    item_id: str
    content_index: int
    audio_end_ms: int
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemDelete:
    item_id: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseCreate:
    response: ResponseConfig
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseCancel:
    """``response_id``: None is the active one."""

    response_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutputAudioClear:
    """Stop the playout that the server owns (WebRTC, SIP)."""

    event_id: str | None = None


ClientEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
    | OutputAudioClear
)


def parse(payload: bytes, *, strict: bool = False) -> ClientEvent:
    """One message of a client. ``strict``: a field we do not know is an error (``unknown_parameter``), as at OpenAI."""
    return read_event(load(payload), strict=strict)


def load(payload: bytes) -> dict[str, Any]:
    """The object a message is, unread. One of more than a MiB is read by ``long_events``. Raises ClientError."""
    if len(payload) > UNCOUNTED_BYTES:
        check_bounds(payload)
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise not_json() from None
    if not isinstance(value, dict):
        raise wrong_type("", "an object", value)
    return value


def read_event(value: dict[str, Any], *, strict: bool = False) -> ClientEvent:
    """As ``parse``, of a message that is loaded."""
    event_id = readable_event_id(value)
    try:
        audio = value.get("audio")
        if value.get("type") == _APPEND and not strict and isinstance(audio, str) and event_id == value.get("event_id"):
            # Fifty a second for every session: no more is looked at than what is used.
            return AudioAppend(decode_audio(audio), event_id)
        return _event(value, event_id, strict)
    except ClientError as error:
        raise error.answering(event_id) from None


def _event(value: dict[str, Any], event_id: str | None, strict: bool) -> ClientEvent:
    fields = Fields(value, strict=strict)
    fields.text("event_id", max_chars=MAX_EVENT_ID_CHARS)
    kind = fields.needed_text("type")
    read = _READERS.get(kind)
    if read is None:
        raise unsupported("type", kind, EVENT_TYPES)
    _check_depth(value)
    event = read(fields, event_id)
    fields.close()
    return event


def readable_event_id(value: dict[str, Any]) -> str | None:
    """The client's name for this event, where it is one that can be echoed."""
    event_id = value.get("event_id")
    return event_id if isinstance(event_id, str) and len(event_id) <= MAX_EVENT_ID_CHARS else None


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise too_deep(MAX_DEPTH)


def _inside(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read_session_update(fields: Fields, event_id: str | None) -> SessionUpdate:
    fields.needed_nested("session")
    return SessionUpdate(fields.value("session"), event_id)


def _read_append(fields: Fields, event_id: str | None) -> AudioAppend:
    return AudioAppend(decode_audio(fields.needed_text("audio", max_chars=MAX_AUDIO_CHARS)), event_id)


def _read_item_create(fields: Fields, event_id: str | None) -> ItemCreate:
    previous = fields.identifier("previous_item_id", max_chars=MAX_ITEM_ID_CHARS)
    return ItemCreate(read_item(fields.needed_nested("item")), previous, event_id)


def _read_truncate(fields: Fields, event_id: str | None) -> ItemTruncate:
    """Clients compute ``audio_end_ms`` from a clock, so it may have a fraction."""
    return ItemTruncate(
        _item_id(fields),
        fields.needed_integer("content_index", 0, _MAX_CONTENT_INDEX),
        int(fields.needed_number("audio_end_ms", 0, _MAX_AUDIO_MS)),
        event_id,
    )


def _read_response_create(fields: Fields, event_id: str | None) -> ResponseCreate:
    response = fields.nested("response")
    return ResponseCreate(ResponseConfig() if response is None else read_response(response), event_id)


def _item_id(fields: Fields) -> str:
    return fields.needed_identifier("item_id", max_chars=MAX_ITEM_ID_CHARS)


_READERS: dict[str, Callable[[Fields, str | None], ClientEvent]] = {
    "session.update": _read_session_update,
    _APPEND: _read_append,
    "input_audio_buffer.commit": lambda _, event_id: AudioCommit(event_id),
    "input_audio_buffer.clear": lambda _, event_id: AudioClear(event_id),
    "conversation.item.create": _read_item_create,
    "conversation.item.retrieve": lambda fields, event_id: ItemRetrieve(_item_id(fields), event_id),
    "conversation.item.truncate": _read_truncate,
    "conversation.item.delete": lambda fields, event_id: ItemDelete(_item_id(fields), event_id),
    "response.create": _read_response_create,
    "response.cancel": lambda fields, event_id: ResponseCancel(fields.identifier("response_id"), event_id),
    "output_audio_buffer.clear": lambda _, event_id: OutputAudioClear(event_id),
}
EVENT_TYPES = tuple(_READERS)
"""Every type a client may send."""
