"""Every event the server can build, read by OpenAI's own models and, where the specification is at hand, by its schemas."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter, ValidationError

from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import (
    PCM,
    PCMA,
    PCMU,
    AudioInput,
    AudioOutput,
    NoiseReduction,
    SemanticVad,
    Transcription,
)
from antiphon.surfaces.realtime.protocol.items import (
    FunctionCallItem,
    FunctionOutputItem,
    InputAudio,
    InputText,
    Item,
    MessageItem,
    OpaqueItem,
    OutputAudio,
    OutputText,
)
from antiphon.surfaces.realtime.protocol.response import Response, ResponseUsage
from antiphon.surfaces.realtime.protocol.server_events import Event, ItemPlace, PartPlace, RateLimit
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig, Truncation
from antiphon.surfaces.realtime.protocol.tools import FunctionTool, McpTool, ToolChoice

SPECIFICATION = Path(__file__).resolve().parents[3] / "data" / "openai-realtime-server-events.json"
NULLS_IN_EXAMPLES = frozenset(
    ["transcription", "noise_reduction", "include", "status_details", "usage", "conversation_id", "transcript"]
)
"""The schemas do not say that these may be null; the examples beside them show them so, and so does OpenAI's server."""

PLAIN = SessionConfig(model="gpt-realtime")
FULL = SessionConfig(
    model="assistant:front-desk",
    instructions="Be kind.",
    output_modality="text",
    input=AudioInput(
        PCMU,
        Transcription("whisper-1", "en", ("en", "de"), ("Antiphon",), "a call", "low"),
        NoiseReduction("far_field", 0.5),
        SemanticVad("low"),
    ),
    output=AudioOutput(PCMA, "cedar", 1.5),
    tools=(FunctionTool("f", "does f", {"type": "object", "$schema": "x"}), McpTool("s", {"server_url": "https://x"})),
    tool_choice=ToolChoice("function", "f"),
    parallel_tool_calls=True,
    reasoning_effort="low",
    max_output_tokens=10,
    truncation=Truncation("retention_ratio", 0.8, 100),
    tracing={"workflow_name": "w"},
    prompt={"id": "p", "version": None, "variables": {"x": "y"}},
    include=("item.input_audio_transcription.logprobs",),
)
SESSIONS = [
    PLAIN,
    FULL,
    SessionConfig(model="m", tool_choice=ToolChoice("mcp", "n", "s"), tracing="auto"),
    SessionConfig(model="m", input=AudioInput(turn_detection=None)),
    SessionConfig(model="m", type="transcription"),
    SessionConfig(model="m", type="transcription", input=FULL.input, include=FULL.include),
]
ITEMS: list[Item] = [
    MessageItem("item_1", "user", (InputText("hi"),)),
    MessageItem("item_1", "user", (InputAudio(None),)),
    MessageItem("item_1", "user", (InputAudio("hi"),)),
    MessageItem("item_1", "system", (InputText("be brief"),)),
    MessageItem("item_1", "assistant", (), "in_progress"),
    MessageItem("item_1", "assistant", (OutputText("hello"),)),
    MessageItem("item_1", "assistant", (OutputAudio("hello"),), "incomplete"),
    FunctionCallItem("item_1", "call_1", "f", "", "in_progress"),
    FunctionCallItem("item_1", "call_1", "f", "{}"),
    FunctionOutputItem("item_1", "call_1", "12 degrees"),
    OpaqueItem("item_1", "mcp_call", {"server_label": "s", "name": "n", "arguments": "{}"}),
    OpaqueItem("item_1", "mcp_list_tools", {"server_label": "s", "tools": []}),
    OpaqueItem("item_1", "mcp_approval_request", {"server_label": "s", "name": "n", "arguments": "{}"}),
    OpaqueItem("item_1", "mcp_approval_response", {"approval_request_id": "a", "approve": True}),
]
BEGUN = Response("resp_1", "conv_1", "audio", "marin", PCM, metadata={"a": "b"})
RESPONSES = [
    Response(
        "resp_1",
        "conv_1",
        "audio",
        "marin",
        PCM,
        "completed",
        output=(ITEMS[6], ITEMS[8]),
        usage=ResponseUsage(1, 2, 0, 3, 4),
    ),
    Response("resp_1", "conv_1", "text", "marin", PCMU, "cancelled", "turn_detected", output=(ITEMS[5],)),
    Response("resp_1", None, "text", "marin", PCMA, "cancelled", "client_cancelled"),
    Response("resp_1", "conv_1", "text", "marin", PCM, "incomplete", "max_output_tokens", max_output_tokens=10),
    Response("resp_1", "conv_1", "text", "marin", PCM, "failed", error_code="server_error", error_message="No."),
]
PART = PartPlace("resp_1", "item_1", 0, 0)
CALL = ItemPlace("resp_1", "item_1", 0)
REFUSALS = [
    errors.not_json(),
    errors.too_deep(100),
    errors.missing("session.type").answering("e1"),
    errors.unknown("session.voice"),
    errors.wrong_type("", "an object", []),
    errors.active_response("resp_1"),
    errors.cancel_not_active(),
    errors.commit_too_small(0),
    errors.no_such_item("retrieving", "item_1"),
    errors.duplicate_item("item_1"),
    errors.unknown_previous_item("item_1"),
    errors.not_truncatable("item_1"),
    errors.not_in_transcription("response.create"),
    errors.too_many_out_of_band(4),
    errors.voice_locked(),
    errors.session_expired(60),
    errors.server_failed(),
]

EXAMPLES: dict[Callable[..., Event], list[Event]] = {
    say.session_created: [say.session_created(config.echo("sess_1", 17)) for config in SESSIONS],
    say.session_updated: [say.session_updated(config.echo("sess_1", 17)) for config in SESSIONS],
    say.rate_limits_updated: [
        say.rate_limits_updated([]),
        say.rate_limits_updated([RateLimit("requests", 1000, 999, 60), RateLimit("tokens", 50_000, 0, 0.5)]),
    ],
    say.speech_started: [say.speech_started("item_1", 0)],
    say.speech_stopped: [say.speech_stopped("item_1", 1000)],
    say.audio_committed: [say.audio_committed("item_1", "item_0"), say.audio_committed("item_1", None)],
    say.audio_cleared: [say.audio_cleared()],
    say.timeout_triggered: [say.timeout_triggered("item_1", 13_216, 19_232)],
    say.item_added: [say.item_added(item, previous) for item in ITEMS for previous in ("item_0", None)],
    say.item_done: [say.item_done(item, previous) for item in ITEMS for previous in ("item_0", None)],
    say.item_retrieved: [say.item_retrieved(item) for item in ITEMS],
    say.item_truncated: [say.item_truncated("item_1", 0, 1500)],
    say.item_deleted: [say.item_deleted("item_1")],
    say.transcription_delta: [say.transcription_delta("item_1", "Hey")],
    say.transcription_completed: [say.transcription_completed("item_1", "Hey", 1.2)],
    say.transcription_failed: [say.transcription_failed("item_1", "audio_unintelligible", "Could not be understood.")],
    say.response_created: [say.response_created(BEGUN)],
    say.response_done: [say.response_done(response) for response in RESPONSES],
    say.output_item_added: [say.output_item_added("resp_1", 0, item) for item in (ITEMS[4], ITEMS[7])],
    say.output_item_done: [say.output_item_done("resp_1", 1, item) for item in (ITEMS[5], ITEMS[6], ITEMS[8])],
    say.audio_part_added: [say.audio_part_added(PART)],
    say.audio_part_done: [say.audio_part_done(PART, "hello")],
    say.text_part_added: [say.text_part_added(PART)],
    say.text_part_done: [say.text_part_done(PART, "hello")],
    say.output_audio_delta: [say.output_audio_delta(PART, b"\0\1\2")],
    say.output_audio_done: [say.output_audio_done(PART)],
    say.output_audio_transcript_delta: [say.output_audio_transcript_delta(PART, "hel")],
    say.output_audio_transcript_done: [say.output_audio_transcript_done(PART, "hello")],
    say.output_text_delta: [say.output_text_delta(PART, "hel")],
    say.output_text_done: [say.output_text_done(PART, "hello")],
    say.function_call_arguments_delta: [say.function_call_arguments_delta(CALL, "call_1", "{")],
    say.function_call_arguments_done: [say.function_call_arguments_done(CALL, "call_1", "f", "{}")],
    say.playout_started: [say.playout_started("resp_1")],
    say.playout_stopped: [say.playout_stopped("resp_1")],
    say.playout_cleared: [say.playout_cleared("resp_1")],
    errors.ClientError.to_event: [error.to_event() for error in REFUSALS],
}
EVENTS = [
    pytest.param({**event, "event_id": "event_1"}, id=f"{event['type']}-{number}")
    for events in EXAMPLES.values()
    for number, event in enumerate(events)
]


@functools.cache
def models() -> TypeAdapter[Any]:
    """OpenAI's own of all events. They take a while to build, and every worker of a test run imports this file."""
    return TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])


def test_every_builder_has_its_examples() -> None:
    builders = [
        builder
        for name, builder in inspect.getmembers(say, inspect.isfunction)
        if builder.__module__ == say.__name__ and not name.startswith("_")
    ]
    assert set(builders) <= set(EXAMPLES)


@pytest.mark.parametrize("event", EVENTS)
def test_openais_models_read_it(event: Event) -> None:
    parsed = models().validate_json(orjson.dumps(event), strict=True)
    assert parsed.type == event["type"]
    assert parsed.event_id == "event_1"


@pytest.mark.parametrize("event", EVENTS)
def test_the_specification_allows_it(event: Event) -> None:
    problems = list(validator(event["type"]).iter_errors(without_known_nulls(event)))
    assert problems == []


def test_the_readers_above_are_not_blind() -> None:
    event = {**say.speech_started("item_1", 0), "event_id": "event_1"}
    del event["item_id"]
    with pytest.raises(ValidationError):
        models().validate_json(orjson.dumps(event), strict=True)


def test_the_specification_is_not_blind() -> None:
    event = {**say.speech_started("item_1", 0), "event_id": "event_1"}
    assert list(validator(event["type"]).iter_errors({**event, "audio_start_ms": "now"}))


@cache
def validator(event_type: str) -> Draft202012Validator:
    """The schema of one event, with all that it refers to."""
    specification = orjson.loads(SPECIFICATION.read_bytes())
    for name, schema in specification["components"]["schemas"].items():
        if name.startswith("RealtimeServerEvent") and event_type in words_of(
            schema.get("properties", {}).get("type", {})
        ):
            whole = {"$ref": f"#/components/schemas/{name}", "components": specification["components"]}
            return Draft202012Validator(whole)
    raise AssertionError(f"{event_type} is not in the specification")


def words_of(schema: dict[str, Any]) -> list[str]:
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def without_known_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_known_nulls(inner)
            for name, inner in value.items()
            if inner is not None or name not in NULLS_IN_EXAMPLES
        }
    return [without_known_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_parts_are_named_differently_in_items_and_in_events() -> None:
    """Both SDKs' validators reject ``output_audio`` in a part."""
    assert say.audio_part_done(PART, "x")["part"] == {"type": "audio", "transcript": "x"}
    assert say.text_part_done(PART, "x")["part"] == {"type": "text", "text": "x"}
    assert OutputAudio("x").to_wire() == {"type": "output_audio", "transcript": "x"}


def test_sound_is_written_as_base64() -> None:
    assert say.output_audio_delta(PART, b"\0\1\2") == {
        "type": "response.output_audio.delta",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "AAEC",
    }
