"""What a client asks of one response, and the response object it is told."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.surfaces.realtime.protocol.audio_config import PCM, PCMU
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.items import InputText, ItemReference, MessageItem, OutputText
from antiphon.surfaces.realtime.protocol.response import Response, ResponseConfig, ResponseUsage, read_response
from antiphon.surfaces.realtime.protocol.tools import FunctionTool, ToolChoice


def read(response: Any, *, strict: bool = False) -> ResponseConfig:
    return read_response(Fields(response, "response", strict=strict))


EVERYTHING: dict[str, Any] = {
    "output_modalities": ["text"],
    "instructions": "Be brief.",
    "audio": {"output": {"voice": {"id": "v"}, "format": {"type": "audio/pcmu"}}},
    "tools": [{"type": "function", "name": "f"}],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": True,
    "reasoning": {"effort": "low"},
    "max_output_tokens": 10,
    "conversation": "none",
    "input": [
        {"type": "item_reference", "id": "item_1"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    ],
    "metadata": {"client_event_id": "e1"},
    "prompt": {"id": "p"},
}


@pytest.mark.parametrize("strict", [False, True])
def test_everything_a_client_may_ask(strict: bool) -> None:
    assert read(EVERYTHING, strict=strict) == ResponseConfig(
        output_modality="text",
        instructions="Be brief.",
        voice="v",
        output_format=PCMU,
        tools=(FunctionTool("f"),),
        tool_choice=ToolChoice("function", "f"),
        parallel_tool_calls=True,
        reasoning_effort="low",
        max_output_tokens=10,
        out_of_band=True,
        input=(ItemReference("item_1"), MessageItem("", "user", (InputText("hi"),))),
        metadata={"client_event_id": "e1"},
        prompt={"id": "p"},
    )


def test_null_is_absent() -> None:
    assert read(dict.fromkeys(EVERYTHING)) == ResponseConfig()
    assert read({"audio": {"output": None}}) == ResponseConfig()


def test_nothing_is_not_the_same_as_none() -> None:
    config = read({"tools": [], "input": [], "metadata": {}, "instructions": ""})
    assert config == ResponseConfig(tools=(), input=(), metadata={}, instructions="")


@pytest.mark.parametrize("conversation", ["auto", "conv_1"])
def test_the_conversation_is_the_default_one_by_any_name(conversation: str) -> None:
    assert read({"conversation": conversation}).out_of_band is False


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"conversation": "nowhere"}, "invalid_value", "response.conversation"),
        ({"conversation": {"id": "conv_1"}}, "invalid_type", "response.conversation"),
        ({"output_modalities": ["smell"]}, "invalid_value", "response.output_modalities"),
        ({"audio": 1}, "invalid_type", "response.audio"),
        ({"audio": {"output": {"voice": 1}}}, "invalid_type", "response.audio.output.voice"),
        ({"tools": [{}]}, "missing_required_parameter", "response.tools[0].type"),
        ({"parallel_tool_calls": "no"}, "invalid_type", "response.parallel_tool_calls"),
        ({"max_output_tokens": 0}, "invalid_value", "response.max_output_tokens"),
        ({"input": {}}, "invalid_type", "response.input"),
        ({"input": [{"type": "message"}]}, "missing_required_parameter", "response.input[0].role"),
        ({"metadata": []}, "invalid_type", "response.metadata"),
        ({"metadata": {"k": 1}}, "invalid_type", "response.metadata.k"),
        ({"metadata": {"k": "x" * 513}}, "invalid_value", "response.metadata.k"),
        ({"metadata": {"x" * 65: "v"}}, "invalid_value", "response.metadata"),
        ({"metadata": {str(number): "" for number in range(17)}}, "invalid_value", "response.metadata"),
    ],
)
def test_a_bad_field_is_refused_by_name(response: Any, code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read(response)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("response", "param"),
    [
        ({"modalities": ["text"]}, "response.modalities"),
        ({"audio": {"input": {}}}, "response.audio.input"),
        ({"audio": {"output": {"speed": 1}}}, "response.audio.output.speed"),
    ],
)
def test_strict_knows_every_field(response: Any, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read(response, strict=True)
    assert (caught.value.code, caught.value.param) == ("unknown_parameter", param)
    assert read(response)


def response(**fields: Any) -> dict[str, Any]:
    return Response("resp_1", fields.pop("conversation_id", "conv_1"), "audio", "marin", PCM, **fields).to_wire()


def test_a_response_as_it_begins() -> None:
    assert response(metadata={"a": "b"}) == {
        "object": "realtime.response",
        "id": "resp_1",
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}},
        "metadata": {"a": "b"},
        "usage": None,
    }


def test_how_it_ended() -> None:
    assert response(status="completed")["status_details"] is None
    assert response(status="cancelled", reason="turn_detected")["status_details"] == {
        "type": "cancelled",
        "reason": "turn_detected",
    }
    assert response(status="incomplete", reason="max_output_tokens")["status_details"] == {
        "type": "incomplete",
        "reason": "max_output_tokens",
    }
    assert response(status="failed", error_code="c", error_message="m")["status_details"] == {
        "type": "failed",
        "error": {"type": "server_error", "code": "c", "message": "m"},
    }


def test_what_it_said_and_used() -> None:
    item = MessageItem("item_1", "assistant", (OutputText("hi"),))
    done = response(status="completed", output=(item,), usage=ResponseUsage(100, 13, 64, 30, 91), conversation_id=None)
    assert done["output"] == [item.to_wire()]
    assert done["conversation_id"] is None
    assert done["usage"] == {
        "total_tokens": 234,
        "input_tokens": 113,
        "output_tokens": 121,
        "input_token_details": {
            "text_tokens": 100,
            "audio_tokens": 13,
            "image_tokens": 0,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
