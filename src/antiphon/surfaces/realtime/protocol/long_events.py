"""Events that are too long to be read in one go: an append of minutes, an item with a recording or a picture.

``read_long`` reads all of it but the audio; ``LongEvent.decode`` does that in steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from antiphon.surfaces.realtime.protocol.beta import from_beta
from antiphon.surfaces.realtime.protocol.client_events import (
    AudioAppend,
    ClientEvent,
    ItemCreate,
    load,
    read_event,
    readable_event_id,
)
from antiphon.surfaces.realtime.protocol.errors import ClientError, message_too_large
from antiphon.surfaces.realtime.protocol.items import UNSHOWN_IMAGE, InputAudio, MessageItem
from antiphon.surfaces.realtime.protocol.message_bounds import MAX_MESSAGE_BYTES, cut_long_texts, decode_in_pieces

_ITEM = "conversation.item.create"


@dataclass(slots=True)
class LongEvent:
    """``event`` lacks its audio until ``decode`` has come to its end."""

    event: AudioAppend | ItemCreate
    audio: dict[int, tuple[str, memoryview]]
    """The texts that are still to be decoded, with their paths, by the part of the item's content they belong to."""

    def decode(self) -> Iterator[int]:
        """Gives the bytes decoded in each step, a millisecond's work. Raises ClientError."""
        decoded: dict[int, bytes] = {}
        for index, (param, text) in self.audio.items():
            pieces = []
            for piece in decode_in_pieces(text, param):
                pieces.append(piece)
                yield len(piece)
            decoded[index] = b"".join(pieces)
        self.audio = {}
        event = self.event
        if isinstance(event, AudioAppend):
            self.event = replace(event, audio=decoded.get(0, b""))
        elif isinstance(event.item, MessageItem):
            content = tuple(
                replace(part, audio=decoded[index]) if index in decoded and isinstance(part, InputAudio) else part
                for index, part in enumerate(event.item.content)
            )
            self.event = replace(event, item=replace(event.item, content=content))


def read_long(payload: bytes, *, strict: bool = False, beta: bool = False) -> LongEvent:
    """A message of more than ``MAX_MESSAGE_BYTES``. Raises ClientError where it is not its audio or its pictures that make it so long."""
    skeleton, cut = cut_long_texts(payload)
    value = load(skeleton)
    event_id = readable_event_id(value)
    if event_id in cut:
        event_id = None
    try:
        audio = _take_audio(value, cut)
        if cut:
            raise message_too_large(MAX_MESSAGE_BYTES)
        event: ClientEvent = read_event(from_beta(value) if beta else value, strict=strict and not beta)
        if not isinstance(event, AudioAppend | ItemCreate):
            raise message_too_large(MAX_MESSAGE_BYTES)
    except ClientError as error:
        raise error.answering(event_id) from None
    return LongEvent(event, audio)


def _take_audio(value: dict[str, Any], cut: dict[str, memoryview]) -> dict[int, tuple[str, memoryview]]:
    """Takes audio and pictures out of ``cut``, and their marks out of ``value``."""
    kind = value.get("type")
    if kind == "input_audio_buffer.append":
        text = _taken(value, "audio", cut)
        value["audio"] = value.get("audio") if text is None else ""
        return {} if text is None else {0: ("audio", text)}
    item = value.get("item") if kind == _ITEM else None
    content = item.get("content") if isinstance(item, dict) else None
    audio: dict[int, tuple[str, memoryview]] = {}
    for index, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            continue
        text = _taken(part, "audio", cut)
        if text is not None:
            part["audio"] = ""
            audio[index] = (f"item.content[{index}].audio", text)
        if _taken(part, "image_url", cut) is not None:
            part["image_url"] = UNSHOWN_IMAGE
    return audio


def _taken(value: dict[str, Any], name: str, cut: dict[str, memoryview]) -> memoryview | None:
    mark = value.get(name)
    return cut.pop(mark, None) if isinstance(mark, str) else None
