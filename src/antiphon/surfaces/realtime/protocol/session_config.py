"""The session object (§2): what a client may set, what it is told back, and how one becomes the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from antiphon.surfaces.realtime.protocol.audio_config import AudioInput, AudioOutput
from antiphon.surfaces.realtime.protocol.errors import ClientError, out_of_bounds, wrong_type
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.tools import Tool, ToolChoice, read_tool_choice, read_tools

SessionType = Literal["realtime", "transcription"]
Modality = Literal["audio", "text"]
TokenLimit = int | Literal["inf"]
Effort = Literal["minimal", "low", "medium", "high", "xhigh"]

MAX_SESSION_BYTES = 224 * 1024
"""Of the session's echo as JSON: a server frame must stay below 256 KiB (§1.1)."""
MAX_INSTRUCTIONS_CHARS = 128 * 1024
"""OpenAI's window for instructions and tools, 16,384 tokens, is half of that."""
MAX_OUTPUT_TOKENS = 4096

_SESSION_TYPES: tuple[SessionType, ...] = ("realtime", "transcription")
_MODALITIES: tuple[Modality, ...] = ("audio", "text")
_EFFORTS: tuple[Effort, ...] = ("minimal", "low", "medium", "high", "xhigh")
_TRUNCATIONS: tuple[Literal["auto", "disabled"], ...] = ("auto", "disabled")
_RETENTION: tuple[Literal["retention_ratio"], ...] = ("retention_ratio",)
_READ_ONLY = ("id", "object", "model", "expires_at")
_MAX_MODEL_CHARS = 256
_MAX_INCLUDES = 16


@dataclass(frozen=True, slots=True)
class Truncation:
    """What to forget when the context is full; kept and echoed."""

    mode: Literal["auto", "disabled", "retention_ratio"] = "auto"
    retention_ratio: float | None = None
    post_instructions_tokens: int | None = None

    def to_wire(self) -> str | dict[str, Any]:
        if self.mode != "retention_ratio":
            return self.mode
        wire: dict[str, Any] = {"type": "retention_ratio", "retention_ratio": self.retention_ratio}
        if self.post_instructions_tokens is not None:
            wire["token_limits"] = {"post_instructions": self.post_instructions_tokens}
        return wire


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """The effective configuration of one session. Of a ``transcription`` session only ``input`` and ``include`` count."""

    model: str
    type: SessionType = "realtime"
    instructions: str = ""
    output_modality: Modality = "audio"
    input: AudioInput = field(default_factory=AudioInput)
    output: AudioOutput = field(default_factory=AudioOutput)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    max_output_tokens: TokenLimit = "inf"
    truncation: Truncation = Truncation()
    tracing: Mapping[str, Any] | Literal["auto"] | None = None
    prompt: Mapping[str, Any] | None = None
    include: tuple[str, ...] = ()

    def merge(self, patch: Mapping[str, Any], *, strict: bool = False) -> SessionConfig:
        """The configuration after ``session.update`` with this ``session`` object: all of it, or ``ClientError`` and nothing.

        Fields that are absent stay. ``audio`` and its halves merge; ``turn_detection``, ``transcription``, ``format``, ``tools`` are
        replaced whole. Null clears what can be off, and says nothing elsewhere (but a boolean must be one). ``model`` and the
        read-only fields are ignored: agents-python names its own model whatever the URL said. Whether the voice may
        still change is the session's to know (``errors.voice_locked``).
        """
        fields = Fields(patch, "session", strict=strict)
        kind = fields.needed_choice("type", _SESSION_TYPES)
        if kind != self.type:
            raise ClientError(
                "invalid_value",
                f"Passing a {kind} session update event to a {self.type} session is not allowed.",
                "session.type",
            )
        fields.allow(*_READ_ONLY)
        return self._with(fields)

    def echo(self, session_id: str, expires_at_s: int) -> dict[str, Any]:
        """The full effective session as ``session.created`` and ``session.updated`` show it; at most 224 KiB of JSON."""
        if self.type == "transcription":
            return {
                "type": "transcription",
                "object": "realtime.transcription_session",
                "id": session_id,
                "expires_at": expires_at_s,
                "include": list(self.include) or None,
                "audio": {"input": self.input.to_wire()},
            }
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": self.model,
            "expires_at": expires_at_s,
            "output_modalities": [self.output_modality],
            "instructions": self.instructions,
            "audio": {"input": self.input.to_wire(), "output": self.output.to_wire()},
            "tools": [tool.to_wire() for tool in self.tools],
            "tool_choice": self.tool_choice.to_wire(),
            "max_output_tokens": self.max_output_tokens,
            "truncation": self.truncation.to_wire(),
            "tracing": self.tracing,
            "prompt": self.prompt,
            "include": list(self.include) or None,
        }
        if self.parallel_tool_calls is not None:
            session["parallel_tool_calls"] = self.parallel_tool_calls
        if self.reasoning_effort is not None:
            session["reasoning"] = {"effort": self.reasoning_effort}
        return session

    def _with(self, fields: Fields) -> SessionConfig:
        merged = self._merged_transcription(fields) if self.type == "transcription" else self._merged(fields)
        fields.close()
        _check_size(merged)
        return merged

    def _merged_transcription(self, fields: Fields) -> SessionConfig:
        audio = fields.nested("audio")
        merged = replace(
            self,
            input=_merged_input(self.input, audio),
            include=read_include(fields) if fields.given("include") else self.include,
        )
        if audio is not None:
            audio.close()
        return merged

    def _merged(self, fields: Fields) -> SessionConfig:
        audio = fields.nested("audio")
        instructions = fields.text("instructions", max_chars=MAX_INSTRUCTIONS_CHARS) or ""
        parallel = fields.flag("parallel_tool_calls")
        merged = replace(
            self,
            input=_merged_input(self.input, audio),
            output=_merged_output(self.output, audio),
            instructions=instructions if fields.given("instructions") else self.instructions,
            output_modality=read_modality(fields) or self.output_modality,
            tools=read_tools(fields) if fields.given("tools") else self.tools,
            tool_choice=read_tool_choice(fields) or self.tool_choice,
            parallel_tool_calls=self.parallel_tool_calls if parallel is None else parallel,
            reasoning_effort=read_effort(fields) if fields.given("reasoning") else self.reasoning_effort,
            max_output_tokens=read_token_limit(fields) or self.max_output_tokens,
            truncation=_truncation(fields) or self.truncation,
            tracing=_tracing(fields) if fields.given("tracing") else self.tracing,
            prompt=read_prompt(fields) if fields.given("prompt") else self.prompt,
            include=read_include(fields) if fields.given("include") else self.include,
        )
        if audio is not None:
            audio.close()
        return merged


def open_session(session: Mapping[str, Any], defaults: SessionConfig, *, strict: bool = False) -> SessionConfig:
    """The configuration of a session that is not open yet: of ``client_secrets``, ``POST /calls`` and ``/accept``.

    Unlike ``merge`` it takes ``type`` (absent: as ``defaults``) and ``model`` from the client.
    """
    fields = Fields(session, "session", strict=strict)
    kind = fields.choice("type", _SESSION_TYPES) or defaults.type
    model = fields.identifier("model", max_chars=_MAX_MODEL_CHARS) or defaults.model
    fields.allow(*_READ_ONLY)
    return replace(defaults, type=kind, model=model)._with(fields)


# What sessions and single responses have in common.


def read_modality(fields: Fields) -> Modality | None:
    """``output_modalities``: exactly one of the two, because audio always has its transcript."""
    words = fields.texts("output_modalities", len(_MODALITIES))
    if words is None:
        return None
    for modality in _MODALITIES:
        if words == (modality,):
            return modality
    listed = ", ".join(f"'{word[:16]}'" for word in words)
    raise ClientError(
        "invalid_value",
        f"Invalid modalities: [{listed}]. Supported combinations are: ['text'] and ['audio'].",
        fields.where("output_modalities"),
    )


def read_token_limit(fields: Fields) -> TokenLimit | None:
    """``max_output_tokens``: 1 to 4096, or "inf"."""
    value = fields.value("max_output_tokens")
    if value == "inf":
        return "inf"
    if isinstance(value, str):
        raise wrong_type(fields.where("max_output_tokens"), "an integer or 'inf'", value)
    return fields.integer("max_output_tokens", 1, MAX_OUTPUT_TOKENS)


def read_effort(fields: Fields) -> Effort | None:
    """``reasoning.effort``."""
    reasoning = fields.nested("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.choice("effort", _EFFORTS)
    reasoning.close()
    return effort


def read_prompt(fields: Fields) -> Mapping[str, Any] | None:
    """``prompt``: a stored prompt's id, version and variables. Kept and echoed."""
    prompt = fields.nested("prompt")
    if prompt is None:
        return None
    prompt.needed_identifier("id", max_chars=256)
    prompt.text("version")
    prompt.mapping("variables")
    prompt.close()
    return fields.mapping("prompt")


def read_include(fields: Fields) -> tuple[str, ...]:
    """``include``. Names we do not know are kept: there is nothing to be wrong about."""
    return fields.texts("include", _MAX_INCLUDES) or ()


def _merged_input(base: AudioInput, audio: Fields | None) -> AudioInput:
    fields = audio.nested("input") if audio is not None else None
    return base if fields is None else base.merge(fields)


def _merged_output(base: AudioOutput, audio: Fields | None) -> AudioOutput:
    fields = audio.nested("output") if audio is not None else None
    return base if fields is None else base.merge(fields)


def _tracing(fields: Fields) -> Mapping[str, Any] | Literal["auto"] | None:
    return "auto" if fields.value("tracing") == "auto" else fields.mapping("tracing")


def _truncation(fields: Fields) -> Truncation | None:
    value = fields.value("truncation")
    if value is None:
        return None
    if isinstance(value, str):
        word = fields.choice("truncation", _TRUNCATIONS)
        return None if word is None else Truncation(word)
    described = fields.needed_nested("truncation")
    described.needed_choice("type", _RETENTION)
    ratio = described.needed_number("retention_ratio", 0.0, 1.0)
    limits = described.nested("token_limits")
    tokens = None if limits is None else limits.integer("post_instructions", 0, 1_000_000)
    if limits is not None:
        limits.close()
    described.close()
    return Truncation("retention_ratio", ratio, tokens)


def _check_size(config: SessionConfig) -> None:
    try:
        size = len(orjson.dumps(config.echo("", 0)))
    except orjson.JSONEncodeError as error:
        raise out_of_bounds("session", "nested too deeply, or text that is no Unicode") from error
    if size > MAX_SESSION_BYTES:
        raise out_of_bounds("session", f"too large. Expected at most {MAX_SESSION_BYTES} bytes of JSON, but got {size}")
