"""The earlier dialect, checked by OpenAI's own models of it."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import Annotated, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import (
    PCM,
    PCMA,
    PCMU,
    AudioInput,
    AudioOutput,
    NoiseReduction,
    ServerVad,
    Transcription,
)
from antiphon.surfaces.realtime.protocol.beta import from_beta, parse_beta, to_beta
from antiphon.surfaces.realtime.protocol.client_events import (
    AudioAppend,
    ItemCreate,
    ResponseCreate,
    SessionUpdate,
    parse,
)
from antiphon.surfaces.realtime.protocol.errors import ClientError, cancel_not_active
from antiphon.surfaces.realtime.protocol.items import FunctionCallItem, InputAudio, MessageItem, OutputAudio, OutputText
from antiphon.surfaces.realtime.protocol.response import Response, ResponseConfig
from antiphon.surfaces.realtime.protocol.server_events import Event, PartPlace
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.protocol.tools import FunctionTool

examples = settings(max_examples=80, deadline=None, derandomize=True, database=None)
BASE = SessionConfig(model="gpt-realtime")
PLACE = PartPlace("resp_1", "item_1", 0)
SAID = MessageItem("item_1", "assistant", (OutputAudio("hello"), OutputText("hello")))


@functools.cache
def models() -> TypeAdapter[Any]:
    """OpenAI's own of all events. They take a while to build, and every worker of a test run imports this file."""
    return TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])


def read(event: dict[str, Any]) -> Any:
    return parse_beta(orjson.dumps(event))


def updated(session: dict[str, Any], base: SessionConfig = BASE, kind: str = "session.update") -> SessionConfig:
    event = read({"type": kind, "session": session})
    assert isinstance(event, SessionUpdate)
    return base.merge(event.session)


def test_a_flat_session_is_understood() -> None:
    config = updated(
        {
            "modalities": ["text", "audio"],
            "instructions": "Be kind.",
            "voice": "ash",
            "speed": 1.5,
            "input_audio_format": "g711_ulaw",
            "output_audio_format": "g711_alaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "input_audio_noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
            "tools": [{"type": "function", "name": "f"}],
            "tool_choice": "required",
            "temperature": 0.6,
            "max_response_output_tokens": 100,
        }
    )
    assert config.instructions == "Be kind."
    assert config.input == AudioInput(
        PCMU, Transcription("whisper-1"), NoiseReduction("near_field"), ServerVad(silence_duration_ms=200)
    )
    assert config.output == AudioOutput(PCMA, "ash", 1.5)
    assert config.tools == (FunctionTool("f"),)
    assert config.tool_choice.mode == "required"
    assert config.max_output_tokens == 100
    assert config.output_modality == "audio"


def test_what_is_not_said_stays_and_null_clears() -> None:
    assert updated({}) == BASE
    assert updated({"modalities": ["text"]}).output_modality == "text"
    assert updated({"turn_detection": None}).input.turn_detection is None


def test_a_transcription_session_is_understood() -> None:
    base = SessionConfig(model="m", type="transcription")
    config = updated({"input_audio_transcription": {"language": "de"}}, base, "transcription_session.update")
    assert config.input.transcription == Transcription(language="de")


def test_a_response_is_understood() -> None:
    response = {
        "modalities": ["text"],
        "voice": "ash",
        "output_audio_format": "pcm16",
        "max_response_output_tokens": "inf",
        "conversation": "none",
        "temperature": 0.8,
        "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]}],
    }
    assert read({"type": "response.create", "response": response}) == ResponseCreate(
        ResponseConfig(
            output_modality="text",
            voice="ash",
            output_format=PCM,
            max_output_tokens="inf",
            out_of_band=True,
            input=(MessageItem("", "assistant", (OutputText("hello"),)),),
        )
    )
    assert read({"type": "response.create", "response": {}}) == ResponseCreate(ResponseConfig())
    assert read({"type": "response.create"}) == ResponseCreate(ResponseConfig())


def test_the_rest_is_the_same() -> None:
    assert read({"type": "input_audio_buffer.append", "audio": "AAEC"}) == AudioAppend(b"\0\1\2")
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]}
    assert read({"type": "conversation.item.create", "item": item}) == ItemCreate(
        MessageItem("", "assistant", (OutputText("hello"),))
    )


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": 1}, "invalid_type", "session"),
        ({"type": "response.create", "response": {"modalities": 1}}, "invalid_type", "response.output_modalities"),
        (
            {"type": "response.create", "response": {"output_audio_format": "mp3"}},
            "invalid_value",
            "response.audio.output.format.type",
        ),
        (
            {"type": "response.create", "response": {"output_audio_format": 1}},
            "invalid_type",
            "response.audio.output.format",
        ),
    ],
)
def test_a_bad_event_is_refused(event: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read({"event_id": "e1", **event})
    assert (caught.value.code, caught.value.param, caught.value.event_id) == (code, param, "e1")


@examples
@given(st.binary())
def test_bytes_never_raise_anything_else(payload: bytes) -> None:
    with suppress(ClientError):  # Hypothesis knows the words of the protocol, and may write an event
        parse_beta(payload)


ANSWERS: list[Event] = [
    say.session_created(BASE.echo("sess_1", 17)),
    say.session_updated(SessionConfig(model="gpt-realtime", output_modality="text", tracing="auto").echo("sess_1", 17)),
    say.item_added(SAID, None),
    say.item_added(MessageItem("item_1", "user", (InputAudio(None),)), "item_0"),
    say.item_added(FunctionCallItem("item_1", "call_1", "f", "{}"), "item_0"),
    say.item_retrieved(SAID),
    say.response_created(Response("resp_1", "conv_1", "audio", "marin", PCMU)),
    say.response_done(Response("resp_1", "conv_1", "text", "marin", PCM, "completed", output=(SAID,))),
    say.output_item_added("resp_1", 0, MessageItem("item_1", "assistant", (), "in_progress")),
    say.output_item_done("resp_1", 0, SAID),
    say.audio_part_added(PLACE),
    say.output_audio_delta(PLACE, b"\0\0"),
    say.output_audio_done(PLACE),
    say.output_audio_transcript_delta(PLACE, "hel"),
    say.output_audio_transcript_done(PLACE, "hello"),
    say.output_text_delta(PLACE, "hel"),
    say.output_text_done(PLACE, "hello"),
    say.speech_started("item_1", 0),
    say.rate_limits_updated([]),
    cancel_not_active().to_event(),
]


@pytest.mark.parametrize("event", ANSWERS, ids=lambda event: event["type"])
def test_openais_models_read_the_answers(event: Event) -> None:
    beta = to_beta({**event, "event_id": "event_1"})
    assert beta is not None
    parsed = models().validate_json(orjson.dumps(beta), strict=True)
    assert parsed.event_id == "event_1"


def test_the_answers_in_beta_words() -> None:
    created = to_beta(say.item_added(SAID, None))
    assert created is not None
    assert created["type"] == "conversation.item.created"
    assert [part["type"] for part in created["item"]["content"]] == ["audio", "text"]
    done = to_beta(say.response_done(Response("resp_1", None, "audio", "marin", PCMU, "completed", output=(SAID,))))
    assert done is not None
    assert done["response"]["modalities"] == ["audio", "text"]
    assert done["response"]["voice"] == "marin"
    assert done["response"]["output_audio_format"] == "g711_ulaw"
    assert "audio" not in done["response"]
    assert to_beta(say.item_done(SAID, None)) is None
    assert to_beta(say.timeout_triggered("item_1", 0, 0)) is None


def test_a_transcription_session_in_beta_words() -> None:
    config = SessionConfig(model="m", type="transcription", input=AudioInput(transcription=Transcription("whisper-1")))
    event = to_beta(say.session_updated(config.echo("sess_1", 17)))
    assert event is not None
    assert event["type"] == "transcription_session.updated"
    assert event["session"] == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "expires_at": 17,
        "include": None,
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "input_audio_noise_reduction": None,
        "turn_detection": ServerVad().to_wire(),
    }


def test_what_is_shown_is_read_as_the_same() -> None:
    config = SessionConfig(
        model="m",
        output_modality="text",
        input=AudioInput(PCMU, Transcription("x"), None, None),
        output=AudioOutput(PCMA, "ash", 0.5),
        tools=(FunctionTool("f"),),
        max_output_tokens=9,
    )
    shown = to_beta(say.session_updated(config.echo("sess_1", 17)))
    assert shown is not None
    event = from_beta({"type": "session.update", "session": shown["session"]})
    assert SessionConfig(model="m").merge(event["session"]) == config
    assert parse(orjson.dumps(event)) == SessionUpdate(event["session"])
