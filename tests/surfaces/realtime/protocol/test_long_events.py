"""Events of megabytes: their audio is read in steps, and nothing else may make them so long."""

from __future__ import annotations

import base64
import os
from typing import Any

import orjson
import pytest

from antiphon.surfaces.realtime.protocol.client_events import AudioAppend, ItemCreate
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.items import InputAudio, InputImage, InputText, MessageItem
from antiphon.surfaces.realtime.protocol.long_events import LongEvent, read_long

AUDIO = os.urandom(1_500_000)
BASE64 = base64.b64encode(AUDIO).decode()


def read(value: Any, **given: Any) -> LongEvent:
    long = read_long(orjson.dumps(value), **given)
    assert sum(long.decode()) >= 0
    return long


def item(*content: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "conversation.item.create",
        "event_id": "e1",
        "item": {"type": "message", "role": "user", "content": list(content)},
    }


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("beta", [False, True])
def test_an_append_in_any_order_of_its_fields(strict: bool, beta: bool) -> None:
    fields = {"audio": BASE64, "type": "input_audio_buffer.append", "event_id": "e1"}
    for names in (("audio", "type", "event_id"), ("type", "event_id", "audio")):
        event = read({name: fields[name] for name in names}, strict=strict, beta=beta).event
        assert event == AudioAppend(AUDIO, "e1")


def test_an_item_with_recordings_and_pictures() -> None:
    content = (
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 2_000_000},
        {"type": "input_audio", "audio": BASE64},
        {"type": "input_audio", "audio": base64.b64encode(b"ab").decode()},
    )
    event = read(item(*content)).event
    assert isinstance(event, ItemCreate)
    assert event.event_id == "e1"
    assert isinstance(event.item, MessageItem)
    assert event.item.content == (InputText("Look."), InputImage(""), InputAudio(None, AUDIO), InputAudio(None, b"ab"))


@pytest.mark.parametrize(
    "value",
    [
        item({"type": "input_text", "text": "x" * 2_000_000}),
        {**item({"type": "input_audio", "audio": BASE64}), "surprise": "x" * 2_000_000},
        {"type": "session.update", "event_id": "e1", "session": {"instructions": "x" * 2_000_000}},
        {"type": "response.cancel", "event_id": "e1", "x": "a" * 2_000_000},
        {"type": "response.create", "event_id": "e1", "response": {"input": [item({"type": "input_audio", "audio": BASE64})["item"]]}},
        {"type": "input_audio_buffer.append", "event_id": "e1", "audio": {"audio": BASE64}},
        {"type": "x" * 2_000_000, "event_id": "e1"},
    ],
)  # fmt: skip
def test_nothing_else_may_be_so_long_and_the_refusal_names_the_event(value: Any) -> None:
    with pytest.raises(ClientError) as error:
        read(value)
    assert (error.value.code, error.value.event_id) == ("message_too_large", "e1")


def test_a_long_name_of_an_event_is_not_echoed() -> None:
    with pytest.raises(ClientError) as error:
        read({"type": "input_audio_buffer.append", "event_id": "e" * 2_000_000, "audio": "AAAA"})
    assert error.value.event_id is None


@pytest.mark.parametrize("content", [None, "x", [1, None, [], "x"], {"audio": "x"}])
def test_odd_shapes_are_refused_by_the_reader(content: Any) -> None:
    value = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
    with pytest.raises(ClientError):
        read(value)


def test_what_is_no_base64_is_named_by_its_path() -> None:
    with pytest.raises(ClientError) as error:
        read(item({"type": "input_text", "text": ""}, {"type": "input_audio", "audio": BASE64 + "!!!!"}))
    assert (error.value.code, error.value.param) == ("invalid_value", "item.content[1].audio")
