"""Items of a client's making: read, and shown back."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.surfaces.realtime.protocol.client_items import MAX_ITEM_BYTES, read_input, read_item
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.items import (
    IMAGE_SHOWN_CHARS,
    FunctionCallItem,
    FunctionOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OpaqueItem,
    OutputAudio,
    OutputText,
)


def read(item: Any, *, strict: bool = False) -> Item:
    return read_item(Fields(item, "item", strict=strict))


def refused(item: Any, *, strict: bool = False) -> ClientError:
    with pytest.raises(ClientError) as caught:
        read(item, strict=strict)
    return caught.value


def message(role: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content), **more}


ITEMS: list[Item] = [
    MessageItem("item_1", "user", (InputText("hi"), InputText(""))),
    MessageItem("item_1", "user", (InputAudio(None), InputAudio("hi"))),
    MessageItem("item_1", "user", (InputImage("https://example.com/a.png", "low"),)),
    MessageItem("item_1", "system", (InputText("be brief"),)),
    MessageItem("item_1", "assistant", (OutputText("hello"), OutputAudio("there")), "incomplete"),
    MessageItem("item_1", "assistant"),
    FunctionCallItem("item_1", "call_1", "f", "{}"),
    FunctionOutputItem("item_1", "call_1", "12 degrees"),
    OpaqueItem("item_1", "mcp_call", {"server_label": "s", "name": "n", "arguments": "{}"}),
    OpaqueItem("item_1", "mcp_list_tools", {"server_label": "s", "tools": []}),
    OpaqueItem("item_1", "mcp_approval_response", {"approval_request_id": "a", "approve": True}),
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_what_is_shown_is_read_as_the_same(item: Item, strict: bool) -> None:
    assert read(item.to_wire(), strict=strict) == item


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_nothing_absent_is_shown(item: Item) -> None:
    wire = item.to_wire()
    assert None not in wire.values()
    for part in wire.get("content", ()):
        assert all(value is not None or name == "transcript" for name, value in part.items())


def test_a_users_audio_always_shows_its_transcript() -> None:
    """Without the key agents-js throws."""
    assert InputAudio(None).to_wire() == {"type": "input_audio", "transcript": None}


def test_audio_is_kept_but_not_shown() -> None:
    item = read(message("user", {"type": "input_audio", "audio": "AAEC"}))
    assert item == MessageItem("", "user", (InputAudio(None, b"\0\1\2"),))
    assert item.to_wire()["content"] == [{"type": "input_audio", "transcript": None}]


def test_a_large_picture_is_neither_kept_nor_shown() -> None:
    url = "data:image/png;base64," + "A" * IMAGE_SHOWN_CHARS
    item = read(message("user", {"type": "input_image", "image_url": url}))
    assert item == MessageItem("", "user", (InputImage(""),))
    assert item.to_wire()["content"] == [{"type": "input_image", "detail": "auto"}]


def test_an_item_we_could_not_show_back_is_refused() -> None:
    assert read({"type": "function_call_output", "call_id": "c", "output": "x" * 200_000})
    error = refused({"type": "function_call_output", "call_id": "c", "output": "x" * MAX_ITEM_BYTES})
    assert (error.code, error.param) == ("invalid_value", "item")


def test_nothing_a_client_tells_is_in_progress() -> None:
    item = read(message("user", status="in_progress"))
    assert isinstance(item, MessageItem)
    assert item.status == "completed"


def test_words_of_earlier_dialects_are_understood_unless_strict() -> None:
    old = message("assistant", {"type": "text", "text": "hello"})
    assert read(old) == MessageItem("", "assistant", (OutputText("hello"),))
    assert read(message("user", {"type": "text", "text": "hello"})) == MessageItem("", "user", (InputText("hello"),))
    error = refused(old, strict=True)
    assert (error.code, error.param) == ("invalid_value", "item.content[0].type")


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "poem"}, "invalid_value", "item.type"),
        (message("user", id=""), "invalid_value", "item.id"),
        (message("user", id="x" * 65), "invalid_value", "item.id"),
        (message("user", id=7), "invalid_type", "item.id"),
        (message("user", status="lost"), "invalid_value", "item.status"),
        (message("narrator"), "invalid_value", "item.role"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "message", "role": "user", "content": "hi"}, "invalid_type", "item.content"),
        ({"type": "message", "role": "user", "content": ["hi"]}, "invalid_type", "item.content[0]"),
        ({"type": "message", "role": "user", "content": [{}] * 129}, "invalid_value", "item.content"),
        (message("user", {"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
        (message("user", {"type": "output_text", "text": "x"}), "invalid_value", "item.content[0].type"),
        (message("system", {"type": "input_audio"}), "invalid_value", "item.content[0].type"),
        (message("assistant", {"type": "input_text", "text": "x"}), "invalid_value", "item.content[0].type"),
        (message("assistant", {"type": "output_audio"}), "missing_required_parameter", "item.content[0].transcript"),
        (message("user", {"type": "input_audio", "audio": "?"}), "invalid_value", "item.content[0].audio"),
        (message("user", {"type": "input_image"}), "missing_required_parameter", "item.content[0].image_url"),
        (
            message("user", {"type": "input_image", "image_url": "x", "detail": "huge"}),
            "invalid_value",
            "item.content[0].detail",
        ),
        ({"type": "function_call", "arguments": "{}"}, "missing_required_parameter", "item.name"),
        ({"type": "function_call", "name": "f"}, "missing_required_parameter", "item.arguments"),
        ({"type": "function_call", "name": "f", "arguments": {}}, "invalid_type", "item.arguments"),
        ({"type": "function_call_output", "output": ""}, "missing_required_parameter", "item.call_id"),
        ({"type": "function_call_output", "call_id": "c"}, "missing_required_parameter", "item.output"),
        ({"type": "mcp_call", "name": "n", "arguments": "{}"}, "missing_required_parameter", "item.server_label"),
        ({"type": "item_reference", "id": "item_1"}, "invalid_value", "item.type"),
    ],
)
def test_a_bad_item_is_refused_by_name(item: Any, code: str, param: str) -> None:
    error = refused(item)
    assert (error.code, error.param) == (code, param)


def test_strict_knows_every_field() -> None:
    assert refused(message("user", mood="good"), strict=True).param == "item.mood"
    bad_part = message("user", {"type": "input_text", "text": "x", "mood": 1})
    assert refused(bad_part, strict=True).param == "item.content[0].mood"
    assert read(bad_part) == MessageItem("", "user", (InputText("x"),))


def test_nulls_of_an_opaque_item_are_taken_out() -> None:
    item = read(
        {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}", "output": None, "error": None}
    )
    assert item == OpaqueItem("", "mcp_call", {"server_label": "s", "name": "n", "arguments": "{}"})


def test_a_responses_input_may_refer_to_items() -> None:
    fields = Fields({"input": [{"type": "item_reference", "id": "item_1"}, message("user")]})
    assert read_input(fields, 2) == (ItemReference("item_1"), MessageItem("", "user"))
    assert read_input(Fields({}), 2) is None
    assert read_input(Fields({"input": []}), 2) == ()
    with pytest.raises(ClientError, match="too long"):
        read_input(fields, 1)
    with pytest.raises(ClientError, match=r"input\[0\]\.id"):
        read_input(Fields({"input": [{"type": "item_reference"}]}), 2)
