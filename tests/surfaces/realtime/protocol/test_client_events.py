"""What a client sends, well and badly."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.surfaces.realtime.protocol.client_events import (
    EVENT_TYPES,
    MAX_DEPTH,
    AudioAppend,
    AudioClear,
    AudioCommit,
    ClientEvent,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    OutputAudioClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    parse,
)
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.items import InputText, MessageItem
from antiphon.surfaces.realtime.protocol.response import ResponseConfig

examples = settings(max_examples=60, deadline=None, derandomize=True, database=None)
HELLO = MessageItem("item_1", "user", (InputText("hello"),))


def read(event: dict[str, Any], *, strict: bool = False) -> ClientEvent:
    return parse(orjson.dumps(event), strict=strict)


def refused(event: Any, *, strict: bool = False) -> ClientError:
    with pytest.raises(ClientError) as caught:
        parse(event if isinstance(event, bytes | str) else orjson.dumps(event), strict=strict)
    return caught.value


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "session.update", "session": {"type": "realtime"}}, SessionUpdate({"type": "realtime"}, "e1")),
        ({"type": "input_audio_buffer.append", "audio": "AAEC"}, AudioAppend(b"\0\1\2", "e1")),
        ({"type": "input_audio_buffer.append", "audio": ""}, AudioAppend(b"", "e1")),
        ({"type": "input_audio_buffer.commit"}, AudioCommit("e1")),
        ({"type": "input_audio_buffer.clear"}, AudioClear("e1")),
        (
            {"type": "conversation.item.create", "previous_item_id": "root", "item": HELLO.to_wire()},
            ItemCreate(HELLO, "root", "e1"),
        ),
        (
            {"type": "conversation.item.create", "previous_item_id": None, "item": HELLO.to_wire()},
            ItemCreate(HELLO, None, "e1"),
        ),
        ({"type": "conversation.item.retrieve", "item_id": "i"}, ItemRetrieve("i", "e1")),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1500.7},
            ItemTruncate("i", 0, 1500, "e1"),
        ),
        ({"type": "conversation.item.delete", "item_id": "i"}, ItemDelete("i", "e1")),
        ({"type": "response.create"}, ResponseCreate(ResponseConfig(), "e1")),
        ({"type": "response.create", "response": None}, ResponseCreate(ResponseConfig(), "e1")),
        ({"type": "response.cancel"}, ResponseCancel(None, "e1")),
        ({"type": "response.cancel", "response_id": "resp_1"}, ResponseCancel("resp_1", "e1")),
        ({"type": "output_audio_buffer.clear"}, OutputAudioClear("e1")),
    ],
)
def test_each_event_is_read(event: dict[str, Any], expected: ClientEvent, strict: bool) -> None:
    assert read({"event_id": "e1", **event}, strict=strict) == expected


def test_every_type_is_among_the_examples() -> None:
    assert len(EVENT_TYPES) == 11


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_event_need_not_be_named(event_type: str) -> None:
    body = {
        "session": {},
        "audio": "",
        "item": HELLO.to_wire(),
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 0,
    }
    assert read({"type": event_type, **body}).event_id is None
    assert read({"type": event_type, "event_id": None, **body}).event_id is None


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        (b'{"type": NaN}', "invalid_json", None),
        (b'{"type": 1e999}', "invalid_json", None),
        (b'{"type": "\\ud800"}', "invalid_json", None),
        ("\ud800", "invalid_json", None),
        (b"[" * 10_000, "invalid_json", None),
        (b"[" * 100_000, "message_too_large", None),
        ([], "invalid_type", None),
        ("null", "invalid_type", None),
        ("12", "invalid_type", None),
        ({}, "missing_required_parameter", "type"),
        ({"type": None}, "invalid_type", "type"),
        ({"type": 7}, "invalid_type", "type"),
        ({"type": "scooby.dooby.doo"}, "invalid_value", "type"),
        ({"type": "response.cancel", "event_id": 7}, "invalid_type", "event_id"),
        ({"type": "response.cancel", "event_id": "x" * 513}, "invalid_value", "event_id"),
        ({"type": "input_audio_buffer.append", "audio": "", "event_id": "x" * 513}, "invalid_value", "event_id"),
        ({"type": "input_audio_buffer.append", "audio": "", "event_id": []}, "invalid_type", "event_id"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": None}, "invalid_type", "session"),
        ({"type": "session.update", "session": []}, "invalid_type", "session"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": 7}, "invalid_type", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "A"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA\n"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "é==="}, "invalid_value", "audio"),
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        ({"type": "conversation.item.create", "item": "x"}, "invalid_type", "item"),
        ({"type": "conversation.item.retrieve"}, "missing_required_parameter", "item_id"),
        ({"type": "conversation.item.retrieve", "item_id": ""}, "invalid_value", "item_id"),
        ({"type": "conversation.item.delete", "item_id": "x" * 65}, "invalid_value", "item_id"),
        ({"type": "conversation.item.truncate", "item_id": "i"}, "missing_required_parameter", "content_index"),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0},
            "missing_required_parameter",
            "audio_end_ms",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
            "invalid_value",
            "audio_end_ms",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0.5, "audio_end_ms": 1},
            "invalid_type",
            "content_index",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": True, "audio_end_ms": 1},
            "invalid_type",
            "content_index",
        ),
        ({"type": "response.create", "response": "now"}, "invalid_type", "response"),
        ({"type": "response.cancel", "response_id": 1}, "invalid_type", "response_id"),
    ],
)
def test_a_bad_event_is_refused_by_name(event: Any, code: str, param: str | None) -> None:
    error = refused(event)
    assert (error.code, error.param) == (code, param)
    assert error.kind == "invalid_request_error"


def test_the_error_answers_the_event_that_failed() -> None:
    assert refused({"type": "scooby.dooby.doo", "event_id": "e7"}).event_id == "e7"
    assert refused({"type": "input_audio_buffer.append", "audio": "?", "event_id": "e8"}).event_id == "e8"
    assert refused({"type": "response.create", "response": 1, "event_id": "e9"}).event_id == "e9"
    assert refused({"event_id": "e10"}).event_id == "e10"


def test_texts_of_errors_are_those_clients_know() -> None:
    unknown_type = refused({"type": "scooby.dooby.doo"}).message
    assert unknown_type.startswith("Invalid value: 'scooby.dooby.doo'. Supported values are: 'session.update', ")
    assert refused({"type": "session.update"}).message == "Missing required parameter: 'session'."
    assert (
        refused({"type": 1.5}).message
        == "Invalid type for 'type': expected a string, but got a decimal number instead."
    )
    assert refused("[]").message == "Invalid type: expected an object, but got an array instead."


def test_a_long_word_comes_back_short() -> None:
    assert len(refused({"type": "x" * 100_000}).message) < 600


def test_strict_knows_every_field() -> None:
    assert refused({"type": "response.cancel", "why": 1, "event_id": "e1"}, strict=True).to_event() == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": "unknown_parameter",
            "message": "Unknown parameter: 'why'.",
            "param": "why",
            "event_id": "e1",
        },
    }
    assert (
        refused({"type": "input_audio_buffer.append", "audio": "", "x" * 9999: 1}, strict=True).code
        == "unknown_parameter"
    )
    assert read({"type": "response.cancel", "why": 1}) == ResponseCancel()


def test_what_is_longer_than_a_mebibyte_is_not_read_in_one_go() -> None:
    audio = base64.b64encode(bytes(700 * 1024)).decode()
    event = read({"type": "input_audio_buffer.append", "audio": audio})
    assert isinstance(event, AudioAppend)
    assert len(event.audio) == 700 * 1024
    for strict in (False, True):
        error = refused({"type": "input_audio_buffer.append", "audio": audio * 2}, strict=strict)
        assert error.code == "message_too_large"


def nested(levels: int) -> dict[str, Any]:
    """An object of ``levels`` levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_nesting_is_bounded() -> None:
    assert read({"type": "session.update", "session": nested(MAX_DEPTH - 1)})
    assert refused({"type": "session.update", "session": nested(MAX_DEPTH)}).code == "invalid_value"
    assert refused({"type": "session.update", "session": {}, "x": [[[nested(MAX_DEPTH)]]]}).code == "invalid_value"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = (
    "event_id", "session", "audio", "item", "item_id", "previous_item_id", "content_index", "audio_end_ms", "response",
    "response_id", "id", "type", "role", "content", "call_id", "name", "arguments", "output", "status", "text", "transcript",
    "tools", "tool_choice", "input", "metadata", "conversation", "instructions", "max_output_tokens", "output_modalities",
    "format", "voice", "image_url", "detail", "prompt", "reasoning", "server_label",
)  # fmt: skip
WORDS = (
    *EVENT_TYPES, "message", "function_call", "function_call_output", "mcp_call", "user", "assistant", "system", "input_text",
    "input_audio", "input_image", "output_text", "output_audio", "item_reference", "auto", "none", "function", "mcp", "inf",
    "audio/pcm", "text", "audio", "item_1", "AAAA",
)  # fmt: skip
plausible = st.recursive(
    json_values | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=6),
    max_leaves=20,
)


def check_only_client_errors(payload: bytes | str, strict: bool) -> None:
    try:
        event = parse(payload, strict=strict)
    except ClientError as error:
        assert orjson.dumps(error.to_event())  # noqa: PT017 - what matters is that nothing else is raised
    else:
        assert type(event).__module__ == parse.__module__


@examples
@given(st.binary() | st.text(), st.booleans())
def test_bytes_never_raise_anything_else(payload: bytes | str, strict: bool) -> None:
    check_only_client_errors(payload, strict)


@examples
@given(json_values, st.booleans())
def test_json_never_raises_anything_else(value: Any, strict: bool) -> None:
    check_only_client_errors(orjson.dumps(value), strict)


@examples
@given(
    st.sampled_from(EVENT_TYPES), st.dictionaries(st.sampled_from(FIELD_NAMES), plausible, max_size=8), st.booleans()
)
def test_plausible_events_never_raise_anything_else(event_type: str, event: dict[str, Any], strict: bool) -> None:
    check_only_client_errors(orjson.dumps({**event, "type": event_type}), strict)
