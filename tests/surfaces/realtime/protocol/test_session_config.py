"""The session object: defaults, merging, and what is shown of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.surfaces.realtime.protocol.audio_config import (
    PCM,
    PCMA,
    PCMU,
    AudioInput,
    AudioOutput,
    NoiseReduction,
    SemanticVad,
    ServerVad,
    Transcription,
)
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.session_config import (
    MAX_SESSION_BYTES,
    SessionConfig,
    Truncation,
    open_session,
)
from antiphon.surfaces.realtime.protocol.tools import FunctionTool, McpTool, ToolChoice

examples = settings(max_examples=80, deadline=None, derandomize=True, database=None)
BASE = SessionConfig(
    model="gpt-realtime",
    instructions="Be kind.",
    input=AudioInput(transcription=Transcription("whisper-1", "en"), turn_detection=SemanticVad("low")),
    output=AudioOutput(voice="cedar", speed=1.25),
    tools=(FunctionTool("f", "does f", {"type": "object"}),),
    tracing="auto",
    reasoning_effort="low",
    max_output_tokens=100,
)


def merged(patch: dict[str, Any], *, base: SessionConfig = BASE, strict: bool = False) -> SessionConfig:
    return base.merge({"type": base.type, **patch}, strict=strict)


def heard(patch: dict[str, Any], **options: Any) -> AudioInput:
    return merged({"audio": {"input": patch}}, **options).input


def refused(patch: Any, *, base: SessionConfig = BASE, strict: bool = False) -> ClientError:
    with pytest.raises(ClientError) as caught:
        base.merge(patch, strict=strict)
    return caught.value


def test_an_empty_update_changes_nothing() -> None:
    assert merged({}) == BASE
    assert merged({"audio": {}}) == BASE
    assert merged({"audio": {"input": {}, "output": {}}}) == BASE
    assert merged({"audio": None}) == BASE


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"instructions": "Be brief."}, replace(BASE, instructions="Be brief.")),
        ({"instructions": ""}, replace(BASE, instructions="")),
        ({"instructions": None}, replace(BASE, instructions="")),
        ({"output_modalities": ["text"]}, replace(BASE, output_modality="text")),
        ({"output_modalities": None}, BASE),
        ({"tools": []}, replace(BASE, tools=())),
        ({"tools": None}, replace(BASE, tools=())),
        ({"tools": [{"type": "function", "name": "g"}]}, replace(BASE, tools=(FunctionTool("g"),))),
        ({"tool_choice": "required"}, replace(BASE, tool_choice=ToolChoice("required"))),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            replace(BASE, tool_choice=ToolChoice("function", "f")),
        ),
        (
            {"tool_choice": {"type": "mcp", "server_label": "s"}},
            replace(BASE, tool_choice=ToolChoice("mcp", None, "s")),
        ),
        ({"parallel_tool_calls": False}, replace(BASE, parallel_tool_calls=False)),
        ({"reasoning": {"effort": "high"}}, replace(BASE, reasoning_effort="high")),
        ({"reasoning": None}, replace(BASE, reasoning_effort=None)),
        ({"max_output_tokens": "inf"}, replace(BASE, max_output_tokens="inf")),
        ({"max_output_tokens": 4096}, replace(BASE, max_output_tokens=4096)),
        ({"truncation": "disabled"}, replace(BASE, truncation=Truncation("disabled"))),
        (
            {
                "truncation": {
                    "type": "retention_ratio",
                    "retention_ratio": 0.8,
                    "token_limits": {"post_instructions": 9},
                }
            },
            replace(BASE, truncation=Truncation("retention_ratio", 0.8, 9)),
        ),
        ({"tracing": None}, replace(BASE, tracing=None)),
        ({"tracing": {"workflow_name": "w"}}, replace(BASE, tracing={"workflow_name": "w"})),
        ({"prompt": {"id": "p", "version": "2"}}, replace(BASE, prompt={"id": "p", "version": "2"})),
        ({"include": ["x"]}, replace(BASE, include=("x",))),
        ({"include": None}, BASE),
        ({"model": "gpt-realtime-2.1", "id": "sess_9", "object": "x", "expires_at": 1}, BASE),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_there_changes_and_nothing_else(patch: dict[str, Any], expected: SessionConfig, strict: bool) -> None:
    assert merged(patch, strict=strict) == expected


def test_audio_merges_by_halves_and_replaces_what_they_hold() -> None:
    assert heard({"turn_detection": None}) == replace(BASE.input, turn_detection=None)
    assert heard({"turn_detection": {"type": "server_vad", "silence_duration_ms": 300.0}}).turn_detection == ServerVad(
        silence_duration_ms=300
    )
    assert heard({"turn_detection": {"type": "semantic_vad"}}).turn_detection == SemanticVad()
    assert heard({"transcription": {"language": "de"}}).transcription == Transcription(language="de")
    assert heard({"transcription": None}).transcription is None
    assert heard({"noise_reduction": {"type": "far_field", "strength": 0.5}}).noise_reduction == NoiseReduction(
        "far_field", 0.5
    )
    assert heard({"format": {"type": "audio/pcmu"}}) == replace(BASE.input, format=PCMU)
    assert heard({"format": {"type": "audio/pcm"}}).format == PCM
    assert merged({"audio": {"output": {"voice": "ash"}}}).output == replace(BASE.output, voice="ash")
    assert merged({"audio": {"output": {"voice": {"id": "v_1"}}}}).output.voice == "v_1"
    assert merged({"audio": {"output": {"voice": None, "format": None}}}).output == BASE.output
    assert merged({"audio": {"output": {"format": {"type": "audio/pcma"}, "speed": 0.25}}}).output == AudioOutput(
        PCMA, "cedar", 0.25
    )


def test_a_detection_without_a_type_is_the_plain_one_unless_strict() -> None:
    assert heard({"turn_detection": {"threshold": 0}}).turn_detection == ServerVad(threshold=0.0)
    patch = {"type": "realtime", "audio": {"input": {"turn_detection": {"threshold": 0}}}}
    error = refused(patch, strict=True)
    assert (error.code, error.param) == ("missing_required_parameter", "session.audio.input.turn_detection.type")


IN = "session.audio.input"
DETECTION = f"{IN}.turn_detection"
OUT = "session.audio.output"


def detection(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": {"type": "server_vad", **fields}}}}


@pytest.mark.parametrize(
    ("patch", "code", "param"),
    [
        ({"audio": []}, "invalid_type", "session.audio"),
        ({"audio": {"input": 1}}, "invalid_type", IN),
        ({"audio": {"output": "loud"}}, "invalid_type", OUT),
        ({"instructions": 7}, "invalid_type", "session.instructions"),
        ({"instructions": "x" * 200_000}, "invalid_value", "session.instructions"),
        ({"output_modalities": ["text", "audio"]}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": "audio"}, "invalid_type", "session.output_modalities"),
        ({"output_modalities": [1]}, "invalid_type", "session.output_modalities[0]"),
        (detection(type="ears"), "invalid_value", f"{DETECTION}.type"),
        (detection(threshold="high"), "invalid_type", f"{DETECTION}.threshold"),
        (detection(threshold=1.5), "invalid_value", f"{DETECTION}.threshold"),
        (detection(threshold=True), "invalid_type", f"{DETECTION}.threshold"),
        (detection(threshold=float("nan")), "invalid_type", f"{DETECTION}.threshold"),
        (detection(silence_duration_ms=-1), "invalid_value", f"{DETECTION}.silence_duration_ms"),
        (detection(silence_duration_ms=0.5), "invalid_type", f"{DETECTION}.silence_duration_ms"),
        (detection(prefix_padding_ms=10**9), "invalid_value", f"{DETECTION}.prefix_padding_ms"),
        (detection(create_response=None), "invalid_type", f"{DETECTION}.create_response"),
        (detection(interrupt_response="no"), "invalid_type", f"{DETECTION}.interrupt_response"),
        (detection(idle_timeout_ms=4999), "invalid_value", f"{DETECTION}.idle_timeout_ms"),
        (detection(type="semantic_vad", eagerness="very"), "invalid_value", f"{DETECTION}.eagerness"),
        ({"audio": {"input": {"transcription": "on"}}}, "invalid_type", f"{IN}.transcription"),
        ({"audio": {"input": {"transcription": {"delay": "x"}}}}, "invalid_value", f"{IN}.transcription.delay"),
        ({"audio": {"input": {"transcription": {"languages": "en"}}}}, "invalid_type", f"{IN}.transcription.languages"),
        ({"audio": {"input": {"noise_reduction": {}}}}, "missing_required_parameter", f"{IN}.noise_reduction.type"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, "invalid_value", f"{IN}.format.rate"),
        ({"audio": {"input": {"format": {"type": "audio/opus"}}}}, "invalid_value", f"{IN}.format.type"),
        ({"audio": {"input": {"format": "pcm16"}}}, "invalid_type", f"{IN}.format"),
        ({"audio": {"output": {"voice": 7}}}, "invalid_type", f"{OUT}.voice"),
        ({"audio": {"output": {"voice": ""}}}, "invalid_value", f"{OUT}.voice"),
        ({"audio": {"output": {"voice": {}}}}, "missing_required_parameter", f"{OUT}.voice.id"),
        ({"audio": {"output": {"speed": 2}}}, "invalid_value", f"{OUT}.speed"),
        ({"tools": {}}, "invalid_type", "session.tools"),
        ({"tools": [{"type": "function", "name": "f"}] * 129}, "invalid_value", "session.tools"),
        ({"tools": ["f"]}, "invalid_type", "session.tools[0]"),
        ({"tools": [{"name": "f"}]}, "missing_required_parameter", "session.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        (
            {"tools": [{"type": "function", "name": "f", "parameters": "{}"}]},
            "invalid_type",
            "session.tools[0].parameters",
        ),
        ({"tools": [{"type": "mcp"}]}, "missing_required_parameter", "session.tools[0].server_label"),
        ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
        ({"tool_choice": 1}, "invalid_type", "session.tool_choice"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "session.tool_choice.name"),
        ({"parallel_tool_calls": 1}, "invalid_type", "session.parallel_tool_calls"),
        ({"reasoning": {"effort": "much"}}, "invalid_value", "session.reasoning.effort"),
        ({"max_output_tokens": 0}, "invalid_value", "session.max_output_tokens"),
        ({"max_output_tokens": 4097}, "invalid_value", "session.max_output_tokens"),
        ({"max_output_tokens": "many"}, "invalid_type", "session.max_output_tokens"),
        ({"truncation": "never"}, "invalid_value", "session.truncation"),
        (
            {"truncation": {"type": "retention_ratio"}},
            "missing_required_parameter",
            "session.truncation.retention_ratio",
        ),
        ({"tracing": "manual"}, "invalid_type", "session.tracing"),
        ({"prompt": {}}, "missing_required_parameter", "session.prompt.id"),
        ({"include": "x"}, "invalid_type", "session.include"),
        ({"prompt": {"id": "p", "variables": {"x": "\ud800"}}}, "invalid_value", "session"),
    ],
)
def test_one_bad_field_refuses_all(patch: dict[str, Any], code: str, param: str) -> None:
    error = refused({"type": "realtime", "instructions": "Be bad.", **patch})
    assert (error.code, error.param) == (code, param)
    assert BASE.instructions == "Be kind."


def test_the_type_must_be_said_and_stays() -> None:
    error = refused({"instructions": "x"})
    assert (error.code, error.param) == ("missing_required_parameter", "session.type")
    assert error.message == "Missing required parameter: 'session.type'."
    assert refused({"type": None}).code == "invalid_type"
    assert refused({"type": "chat"}).code == "invalid_value"
    error = refused({"type": "transcription"})
    assert (error.code, error.param) == ("invalid_value", "session.type")


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"voice": "ash"}, "session.voice"),
        ({"audio": {"x": 1}}, "session.audio.x"),
        ({"audio": {"input": {"x": 1}}}, "session.audio.input.x"),
        ({"audio": {"output": {"x": 1}}}, "session.audio.output.x"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "x": 1}}}}, "session.audio.input.format.x"),
        ({"audio": {"output": {"voice": {"id": "a", "x": 1}}}}, "session.audio.output.voice.x"),
        (detection(eagerness="low"), f"{DETECTION}.eagerness"),
        ({"audio": {"input": {"transcription": {"x": 1}}}}, f"{IN}.transcription.x"),
        ({"audio": {"input": {"noise_reduction": {"type": "far_field", "x": 1}}}}, f"{IN}.noise_reduction.x"),
        ({"tools": [{"type": "function", "name": "f", "strict": True}]}, "session.tools[0].strict"),
        ({"tool_choice": {"type": "function", "name": "f", "x": 1}}, "session.tool_choice.x"),
        ({"reasoning": {"x": 1}}, "session.reasoning.x"),
        ({"truncation": {"type": "retention_ratio", "retention_ratio": 1, "x": 1}}, "session.truncation.x"),
        (
            {"truncation": {"type": "retention_ratio", "retention_ratio": 1, "token_limits": {"x": 1}}},
            "session.truncation.token_limits.x",
        ),
        ({"prompt": {"id": "p", "x": 1}}, "session.prompt.x"),
    ],
)
def test_strict_knows_every_field(patch: dict[str, Any], param: str) -> None:
    error = refused({"type": "realtime", **patch}, strict=True)
    assert (error.code, error.param, error.message) == ("unknown_parameter", param, f"Unknown parameter: '{param}'.")
    assert merged(patch)


def test_a_session_we_could_not_show_back_is_refused() -> None:
    error = refused({"type": "realtime", "tracing": {"metadata": {"x": "y" * MAX_SESSION_BYTES}}})
    assert (error.code, error.param) == ("invalid_value", "session")
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    assert refused({"type": "realtime", "tracing": deep}).param == "session"


def test_secrets_of_tool_servers_are_not_kept() -> None:
    tool = {"type": "mcp", "server_label": "s", "server_url": "https://x", "authorization": "A", "headers": {"B": "C"}}
    config = merged({"tools": [tool]})
    assert config.tools == (McpTool("s", {"server_url": "https://x"}),)
    assert b"authorization" not in orjson.dumps(config.echo("sess_1", 0))


def test_the_echo_is_complete() -> None:
    assert SessionConfig(model="m").echo("sess_1", 17) == {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "model": "m",
        "expires_at": 17,
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tracing": None,
        "prompt": None,
        "include": None,
    }


def test_a_transcription_session_hears_and_nothing_else() -> None:
    base = SessionConfig(model="m", type="transcription")
    patch = {
        "include": ["item.input_audio_transcription.logprobs"],
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}, "turn_detection": None}},
    }
    config = merged(patch, base=base, strict=True)
    assert config.input == AudioInput(transcription=Transcription("gpt-4o-transcribe"), turn_detection=None)
    assert config.echo("sess_1", 17) == {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": "sess_1",
        "expires_at": 17,
        "include": ["item.input_audio_transcription.logprobs"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-4o-transcribe"},
                "noise_reduction": None,
                "turn_detection": None,
            }
        },
    }
    assert merged({"instructions": "Speak.", "audio": {"output": {"voice": "ash"}}}, base=base) == base
    assert (
        refused({"type": "transcription", "audio": {"output": {}}}, base=base, strict=True).param
        == "session.audio.output"
    )
    assert refused({"type": "realtime"}, base=base).param == "session.type"


def test_a_session_that_opens_takes_its_type_and_model() -> None:
    opened = open_session({"type": "transcription", "model": "gpt-realtime-2.1", "id": "sess_9"}, BASE)
    assert opened == replace(BASE, type="transcription", model="gpt-realtime-2.1")
    assert open_session({}, BASE) == BASE
    with pytest.raises(ClientError, match=r"session\.model"):
        open_session({"model": 7}, BASE)
    with pytest.raises(ClientError, match=r"session\.colour"):
        open_session({"colour": "red"}, BASE, strict=True)


words = st.text(max_size=6)
texts = st.sampled_from(["", "a", "Be kind. Be brief."])
json_object = st.dictionaries(words, st.none() | st.booleans() | st.integers(0, 9) | words, max_size=2)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


audio_format = st.sampled_from(
    [{"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcm"}, {"type": "audio/pcmu"}, {"type": "audio/pcma"}]
)
turn_detection = st.none() | st.one_of(
    some(
        threshold=st.floats(0, 1),
        prefix_padding_ms=st.integers(0, 2000),
        silence_duration_ms=st.integers(0, 2000),
        idle_timeout_ms=st.none() | st.integers(5000, 30000),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
    ).map(lambda fields: {"type": "server_vad", **fields}),
    some(eagerness=st.sampled_from(["low", "medium", "high", "auto"]), create_response=st.booleans()).map(
        lambda fields: {"type": "semantic_vad", **fields}
    ),
)
tools = st.lists(
    st.one_of(
        some(description=texts, parameters=json_object).map(lambda fields: {"type": "function", "name": "f", **fields}),
        some(server_url=words, authorization=words).map(lambda fields: {"type": "mcp", "server_label": "s", **fields}),
    ),
    max_size=3,
)
patches = some(
    instructions=st.none() | texts,
    output_modalities=st.sampled_from([["text"], ["audio"]]),
    audio=some(
        input=some(
            format=audio_format,
            transcription=st.none()
            | some(model=words, language=words, languages=st.lists(words, max_size=2), prompt=texts),
            noise_reduction=st.none()
            | st.just({"type": "near_field", "strength": 0.5})
            | st.just({"type": "far_field"}),
            turn_detection=turn_detection,
        ),
        output=some(format=audio_format, voice=st.sampled_from(["ash", {"id": "v"}]), speed=st.floats(0.25, 1.5)),
    ),
    tools=tools,
    tool_choice=st.sampled_from(
        ["none", {"type": "function", "name": "f"}, {"type": "mcp", "server_label": "s", "name": "n"}]
    ),
    parallel_tool_calls=st.booleans(),
    reasoning=st.none() | some(effort=st.sampled_from(["minimal", "xhigh"])),
    max_output_tokens=st.just("inf") | st.integers(1, 4096),
    truncation=st.sampled_from(["auto", "disabled", {"type": "retention_ratio", "retention_ratio": 0.5}]),
    tracing=st.none() | st.just("auto") | json_object,
    prompt=st.none() | json_object.map(lambda fields: {"id": "p", "variables": fields}),
    include=st.none() | st.lists(words, max_size=2),
).map(lambda fields: {"type": "realtime", **fields})


@examples
@given(patches)
def test_the_same_update_twice_is_one(patch: dict[str, Any]) -> None:
    once = BASE.merge(patch)
    assert once.merge(patch) == once


@examples
@given(patches)
def test_what_is_shown_is_read_as_the_same(patch: dict[str, Any]) -> None:
    config = BASE.merge(patch)
    shown = orjson.loads(orjson.dumps(config.echo("sess_1", 17)))
    plain = SessionConfig(model=config.model, parallel_tool_calls=config.parallel_tool_calls)
    assert plain.merge(shown, strict=True) == config
    assert open_session(shown, SessionConfig(model="other", parallel_tool_calls=config.parallel_tool_calls)) == config


@examples
@given(patches, patches)
def test_fields_an_update_does_not_name_stay(first: dict[str, Any], second: dict[str, Any]) -> None:
    both = BASE.merge(first).merge(second)
    alone = BASE.merge(second)
    for name in ("instructions", "tools", "tracing", "prompt", "include"):
        expected = alone if name in second else BASE.merge(first)
        assert getattr(both, name) == getattr(expected, name)
