"""Between the wire's language and the core's: the only file that knows both.

What the session is told (``SessionConfig``) becomes what the conversation decides by (``Policy``, ``HearingSettings``,
tools, options); items become messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from antiphon.conversation.events import Place, ReplyOptions
from antiphon.conversation.policy import BargeIn, Endpointing, Policy, Silence, Speaking
from antiphon.media.settings import HearingSettings
from antiphon.session.plan import SessionPlan
from antiphon.surfaces.realtime.protocol import items as wire
from antiphon.surfaces.realtime.protocol.audio_config import (
    AudioInput,
    AudioOutput,
    SemanticVad,
    ServerVad,
    TurnDetection,
)
from antiphon.surfaces.realtime.protocol.response import ResponseConfig
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.protocol.tools import FunctionTool, Tool
from antiphon.vocabulary import Message, ToolCall, ToolSpec

PLAIN_POLICY = Policy(
    endpointing=Endpointing(mode="fixed"),
    # A failed response is told as such; words of our own would be taken for the model's.
    # Nor is the session ended by failures: whoever asks for each response itself is told of each, and is the one to give up.
    speaking=Speaking(
        failure_message="", not_understood_message="", reply_timeout_ms=20_000, max_consecutive_failures=1_000_000
    ),
)
"""Of a session that names a plain model."""

_LONGEST_WAIT_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}
_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 0.05, 0.95
_RELEASE_SHARE = 0.7
"""Speech pauses below this share of the threshold, as it does at the usual one."""
_IDLE_RESPONSES = 10
"""Idle timeouts in a row that are answered: nobody is there, and every answer is paid for."""


def config_for(plan: SessionPlan, model: str, voice: str) -> SessionConfig:
    """What a session that is led by ``plan`` begins with."""
    policy = plan.policy
    detection: TurnDetection = SemanticVad()
    if policy.endpointing.mode == "fixed":
        detection = ServerVad(silence_duration_ms=policy.endpointing.silence_ms)
    instructions = "\n\n".join(message.content for message in plan.messages if message.role == "system")
    return SessionConfig(
        model=model,
        instructions=instructions,
        output_modality=policy.output,
        input=AudioInput(turn_detection=detection),
        output=AudioOutput(voice=voice, speed=min(max(plan.engines.speed, 0.25), 1.5)),
    )


def plan_for(
    config: SessionConfig,
    base: SessionPlan,
    *,
    paced: bool,
    max_duration_ms: int,
    voice: str,
    greeting_wait_ms: int = 0,
) -> SessionPlan:
    """The plan the core is opened with. ``paced``: the server plays the audio out (WebRTC). ``greeting_wait_ms``: how long the greeting
    waits for the client's first configuration."""
    instructions = (Message("system", config.instructions),) if config.instructions else ()
    others = tuple(message for message in base.messages if message.role != "system")
    policy = policy_for(config, base.policy, paced=paced, max_duration_ms=max_duration_ms)
    return replace(
        base,
        policy=replace(policy, greeting=replace(policy.greeting, wait_ms=greeting_wait_ms)),
        messages=(*instructions, *others),
        hearing=hearing_for(config, base.hearing),
        engines=replace(
            base.engines,
            voice=voice,
            speed=config.output.speed,
            model_options=model_options(config, base.engines.model_options),
        ),
        client_tools=client_tools(config.tools),
    )


def policy_for(config: SessionConfig, base: Policy, *, paced: bool, max_duration_ms: int) -> Policy:
    """How the conversation is led under this configuration."""
    detection = config.input.turn_detection
    idle_ms = detection.idle_timeout_ms if isinstance(detection, ServerVad) else None
    return replace(
        base,
        endpointing=_endpointing(detection, base.endpointing),
        barge_in=_barge_in(detection, base.barge_in, paced=paced),
        silence=Silence(
            idle_after_ms=idle_ms or 0,
            idle_reply=idle_ms is not None,
            idle_max_count=_IDLE_RESPONSES,
            idle_count_resets_on_speech=True,
            silence_timeout_ms=0,
            no_audio_timeout_ms=0,
            max_duration_ms=max_duration_ms,
            goodbye_timeout_ms=base.silence.goodbye_timeout_ms,
            end_call_message=base.silence.end_call_message,
        ),
        reply_on_turn_end=config.type == "realtime" and detection is not None and detection.create_response,
        output=config.output_modality,
        playback_owner="server" if paced else "client",
    )


def _endpointing(detection: TurnDetection | None, base: Endpointing) -> Endpointing:
    if detection is None:
        return replace(base, mode="manual")
    if isinstance(detection, ServerVad):
        return replace(base, mode="fixed", silence_ms=detection.silence_duration_ms)
    longest_ms = _LONGEST_WAIT_MS[detection.eagerness]
    return replace(
        base,
        mode="evidence",
        max_wait_ms=longest_ms,
        on_no_punctuation_ms=min(base.on_no_punctuation_ms, longest_ms),
    )


def _barge_in(detection: TurnDetection | None, base: BargeIn, *, paced: bool) -> BargeIn:
    """Where the client plays the audio it is told of speech at once and stops by itself; where we play it, a cough must not kill the
    reply. With push-to-talk nothing interrupts but the client's own ``response.cancel``."""
    return replace(
        base,
        enabled=detection is not None and detection.interrupt_response,
        mode="hold" if paced else "immediate",
        backoff_ms=0,
        debounce_ms=0,
    )


def hearing_for(config: SessionConfig, base: HearingSettings) -> HearingSettings:
    """The client's threshold, where it names another than the protocol's default; else the operator's."""
    detection = config.input.turn_detection
    if not isinstance(detection, ServerVad) or detection.threshold == ServerVad().threshold:
        return base
    threshold = min(max(detection.threshold, _LOWEST_THRESHOLD), _HIGHEST_THRESHOLD)
    return replace(
        base,
        speech_threshold=threshold,
        sound_threshold=min(base.sound_threshold, threshold),
        release_threshold=min(base.release_threshold, threshold * _RELEASE_SHARE),
    )


def client_tools(tools: Iterable[Tool]) -> tuple[ToolSpec, ...]:
    """The functions among a client's tools; it runs them itself. We speak to no MCP server."""
    return tuple(
        ToolSpec(tool.name, tool.description, dict(tool.parameters), client=True)
        for tool in tools
        if isinstance(tool, FunctionTool)
    )


def model_options(config: SessionConfig | ResponseConfig, base: Mapping[str, Any]) -> dict[str, Any]:
    """The model's options, those the client names laid over the assistant's."""
    options = dict(base)
    if config.max_output_tokens not in (None, "inf"):
        options["max_tokens"] = config.max_output_tokens
    if config.tool_choice is not None and (config.tool_choice.mode != "auto" or isinstance(config, ResponseConfig)):
        options["tool_choice"] = config.tool_choice.to_wire()
    if config.parallel_tool_calls is not None:
        options["parallel_tool_calls"] = config.parallel_tool_calls
    if config.reasoning_effort is not None:
        options["reasoning_effort"] = config.reasoning_effort
    return options


def reply_options(
    response: ResponseConfig, messages: tuple[Message, ...] | None, voice: str | None
) -> ReplyOptions | None:
    """What one ``response.create`` asks for otherwise than the session would; ``messages`` is its ``input``. None: nothing."""
    options = ReplyOptions(
        instructions=response.instructions,
        messages=messages,
        tools=client_tools(response.tools) if response.tools is not None else None,
        output=response.output_modality,
        voice=voice,
        model=model_options(response, {}),
    )
    return None if options == ReplyOptions() else options


def message_of(item: wire.Item, heard: str = "") -> Message | None:
    """An item as the model is shown it; None where it says nothing to a model. ``heard`` are the words of a caller's audio."""
    match item:
        case wire.MessageItem():
            text = heard or text_of(item)
            return Message(item.role, text, id=item.id) if text else None
        case wire.FunctionCallItem():
            call = ToolCall(item.call_id, item.name, _arguments(item.arguments))
            return Message("assistant", "", (call,), id=item.id)
        case wire.FunctionOutputItem():
            return Message("tool", item.output, tool_call_id=item.call_id, id=item.id)
        case wire.OpaqueItem():
            return None


def messages_of(
    given: Iterable[wire.Item | wire.ItemReference], find: Callable[[str], Message | None]
) -> tuple[Message, ...]:
    """``response.create.input`` as messages; ``find`` looks a reference up."""
    found = (find(entry.id) if isinstance(entry, wire.ItemReference) else message_of(entry) for entry in given)
    return tuple(message for message in found if message is not None)


def text_of(item: wire.Item) -> str:
    """The words of a message."""
    parts = item.content if isinstance(item, wire.MessageItem) else ()
    return "\n".join(text for part in parts if (text := _text_of(part)))


def _text_of(part: wire.Part) -> str:
    match part:
        case wire.InputText() | wire.OutputText():
            return part.text
        case wire.InputAudio() | wire.OutputAudio():
            return part.transcript or ""
        case wire.InputImage():
            return ""


def _arguments(text: str) -> dict[str, Any]:
    """Arguments a client gives back from an earlier session; what is no JSON object is none."""
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def place_of(item: wire.Item) -> Place | None:
    """Where the core finds an item that a client created; None where the core was not told of it."""
    return Place(id=item.id) if message_of(item) is not None else None
