"""What the session is told, in the core's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from antiphon.conversation.events import ReplyOptions
from antiphon.media.settings import HearingSettings
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.plan import Engines, SessionPlan
from antiphon.surfaces.realtime import mapping
from antiphon.surfaces.realtime.protocol import items as wire
from antiphon.surfaces.realtime.protocol.audio_config import ServerVad
from antiphon.surfaces.realtime.protocol.response import ResponseConfig
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.protocol.tools import FunctionTool, McpTool, ToolChoice
from antiphon.vocabulary import Message, ToolCall

ENGINES = Engines(ScriptedSpeechToText(), (ScriptedLanguageModel(),), (ScriptedTextToSpeech(),), speed=3.0)
PLAN = SessionPlan("test", mapping.PLAIN_POLICY, (Message("system", "One."), Message("system", "Two.")), ENGINES)
DEFAULTS = mapping.config_for(PLAN, "some-model", "marin")


def updated(**session: Any) -> SessionConfig:
    return DEFAULTS.merge({"type": "realtime", **session})


def detecting(**detection: Any) -> SessionConfig:
    return updated(audio={"input": {"turn_detection": detection or None}})


def policy(config: SessionConfig, *, paced: bool = False) -> Any:
    return mapping.policy_for(config, PLAN.policy, paced=paced, max_duration_ms=3_600_000)


def test_a_session_begins_as_its_plan_says() -> None:
    assert DEFAULTS.instructions == "One.\n\nTwo."
    assert DEFAULTS.input.turn_detection == ServerVad(silence_duration_ms=500)
    assert DEFAULTS.output.speed == 1.5, "as fast as the protocol goes"


def test_the_core_has_one_system_message_and_no_timeouts_of_telephones() -> None:
    plan = mapping.plan_for(DEFAULTS, PLAN, paced=False, max_duration_ms=60_000, voice="deep")
    assert plan.messages == (Message("system", "One.\n\nTwo."),)
    assert plan.engines.voice == "deep"
    silence = plan.policy.silence
    assert (silence.silence_timeout_ms, silence.no_audio_timeout_ms, silence.idle_after_ms) == (0, 0, 0)
    assert silence.max_duration_ms == 60_000
    assert plan.policy.playback_owner == "client"


@pytest.mark.parametrize(
    ("config", "mode", "reply", "interrupts"),
    [
        (detecting(type="server_vad", silence_duration_ms=300), "fixed", True, True),
        (detecting(type="server_vad", create_response=False), "fixed", False, True),
        (detecting(type="semantic_vad", interrupt_response=False), "evidence", True, False),
        (detecting(), "manual", False, False),
    ],
)
def test_turn_detection(config: SessionConfig, mode: str, reply: bool, interrupts: bool) -> None:
    decided = policy(config)
    assert (decided.endpointing.mode, decided.reply_on_turn_end, decided.barge_in.enabled) == (mode, reply, interrupts)


@pytest.mark.parametrize(("eagerness", "longest_ms"), [("low", 8000), ("medium", 4000), ("auto", 4000), ("high", 2000)])
def test_eagerness_is_the_longest_wait(eagerness: str, longest_ms: int) -> None:
    endpointing = policy(detecting(type="semantic_vad", eagerness=eagerness)).endpointing
    assert endpointing.max_wait_ms == longest_ms
    assert endpointing.on_no_punctuation_ms <= longest_ms


def test_who_plays_decides_how_an_interruption_goes() -> None:
    assert policy(DEFAULTS).barge_in.mode == "immediate"
    assert policy(DEFAULTS, paced=True).barge_in.mode == "hold"
    assert policy(DEFAULTS, paced=True).playback_owner == "server"


def test_idle_timeout_and_modality() -> None:
    decided = policy(detecting(type="server_vad", idle_timeout_ms=6000))
    assert (decided.silence.idle_after_ms, decided.silence.idle_reply) == (6000, True)
    assert policy(updated(output_modalities=["text"])).output == "text"


def test_a_transcription_session_never_answers() -> None:
    assert not policy(replace(DEFAULTS, type="transcription")).reply_on_turn_end


def test_the_threshold_counts_where_the_client_names_one() -> None:
    base = HearingSettings(sound_threshold=0.2, speech_threshold=0.6)
    assert mapping.hearing_for(DEFAULTS, base) is base
    assert mapping.hearing_for(detecting(type="semantic_vad"), base) is base
    strict = mapping.hearing_for(detecting(type="server_vad", threshold=0.9), base)
    assert (strict.speech_threshold, strict.sound_threshold, strict.release_threshold) == (0.9, 0.2, 0.35)
    keen = mapping.hearing_for(detecting(type="server_vad", threshold=0.0), base)
    assert keen.speech_threshold == keen.sound_threshold == 0.05
    assert keen.release_threshold < keen.speech_threshold


def test_only_functions_are_tools_of_ours() -> None:
    tools = mapping.client_tools((FunctionTool("f", "Does it.", {"type": "object"}), McpTool("server")))
    assert [(tool.name, tool.client, tool.parameters) for tool in tools] == [("f", True, {"type": "object"})]


def test_model_options() -> None:
    config = updated(
        max_output_tokens=200, tool_choice="required", parallel_tool_calls=False, reasoning={"effort": "low"}
    )
    assert mapping.model_options(config, {"temperature": 0.2}) == {
        "temperature": 0.2, "max_tokens": 200, "tool_choice": "required", "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }  # fmt: skip
    assert mapping.model_options(DEFAULTS, {}) == {}
    one = ResponseConfig(tool_choice=ToolChoice("auto"))
    assert mapping.model_options(one, {}) == {"tool_choice": "auto"}, "lifts the session's own"


def test_reply_options() -> None:
    assert mapping.reply_options(ResponseConfig(metadata={"a": "b"}), None, None) is None
    asked = ResponseConfig(instructions="Be brief.", output_modality="text", tools=())
    assert mapping.reply_options(asked, (), None) == ReplyOptions("Be brief.", (), (), "text", None, {})


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (wire.MessageItem("i", "user", (wire.InputText("a"), wire.InputText("b"))), Message("user", "a\nb", id="i")),
        (wire.MessageItem("i", "user", (wire.InputAudio("a"),)), Message("user", "a", id="i")),
        (wire.MessageItem("i", "user", (wire.InputImage("data:,"),)), None),
        (wire.MessageItem("i", "assistant", (wire.OutputAudio("a"),)), Message("assistant", "a", id="i")),
        (wire.FunctionOutputItem("i", "c", "out"), Message("tool", "out", tool_call_id="c", id="i")),
        (
            wire.FunctionCallItem("i", "c", "f", '{"a":1}'),
            Message("assistant", "", (ToolCall("c", "f", {"a": 1}),), id="i"),
        ),
        (wire.FunctionCallItem("i", "c", "f", "nonsense"), Message("assistant", "", (ToolCall("c", "f"),), id="i")),
        (wire.FunctionCallItem("i", "c", "f", "[]"), Message("assistant", "", (ToolCall("c", "f"),), id="i")),
        (wire.OpaqueItem("i", "mcp_call"), None),
    ],
)
def test_items_are_messages(item: wire.Item, message: Message | None) -> None:
    assert mapping.message_of(item) == message
    assert (mapping.place_of(item) is None) == (message is None)
