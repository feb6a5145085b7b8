"""One response: what a client asks for (``ResponseConfig``) and what it is told (``Response``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from antiphon.surfaces.realtime.protocol.audio_config import format_to_wire, read_format, read_voice
from antiphon.surfaces.realtime.protocol.client_items import read_input
from antiphon.surfaces.realtime.protocol.errors import out_of_bounds, unsupported
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.items import Item, ItemReference
from antiphon.surfaces.realtime.protocol.session_config import (
    MAX_INSTRUCTIONS_CHARS,
    Effort,
    Modality,
    TokenLimit,
    read_effort,
    read_modality,
    read_prompt,
    read_token_limit,
)
from antiphon.surfaces.realtime.protocol.tools import Tool, ToolChoice, read_tool_choice, read_tools
from antiphon.vocabulary import AudioFormat

ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
CancelReason = Literal["turn_detected", "client_cancelled"]
IncompleteReason = Literal["max_output_tokens", "content_filter"]

MAX_METADATA_PAIRS = 16
MAX_METADATA_NAME_CHARS = 64
MAX_METADATA_VALUE_CHARS = 512
MAX_INPUT_ITEMS = 1024


@dataclass(frozen=True, slots=True)
class ResponseConfig:
    """What ``response.create`` says of this one response. None: as the session has it. Null on the wire counts as absent."""

    output_modality: Modality | None = None
    instructions: str | None = None
    voice: str | None = None
    output_format: AudioFormat | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    max_output_tokens: TokenLimit | None = None
    out_of_band: bool = False
    """``conversation: "none"``: beside the conversation, writing nothing to it."""
    input: tuple[Item | ItemReference, ...] | None = None
    """The whole context of this response; ``()`` is none at all. An item without an id has the id ``""``."""
    metadata: Mapping[str, str] | None = None
    """Echoed in the response object: LiveKit waits for it."""
    prompt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResponseUsage:
    """Tokens of one response. Zero where nobody counted."""

    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0

    def to_wire(self) -> dict[str, Any]:
        """Cached tokens are counted as text."""
        input_tokens = self.input_text_tokens + self.input_audio_tokens
        output_tokens = self.output_text_tokens + self.output_audio_tokens
        return {
            "total_tokens": input_tokens + output_tokens,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "input_token_details": {
                "text_tokens": self.input_text_tokens,
                "audio_tokens": self.input_audio_tokens,
                "image_tokens": 0,
                "cached_tokens": self.cached_tokens,
                "cached_tokens_details": {"text_tokens": self.cached_tokens, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": self.output_text_tokens, "audio_tokens": self.output_audio_tokens},
        }


@dataclass(frozen=True, slots=True)
class Response:
    """The response object of ``response.created`` and ``response.done``."""

    id: str
    conversation_id: str | None
    """None for a response outside the conversation."""
    output_modality: Modality
    voice: str
    output_format: AudioFormat
    status: ResponseStatus = "in_progress"
    reason: CancelReason | IncompleteReason | None = None
    """Why ``cancelled`` or ``incomplete``; agents-python takes no other words."""
    error_code: str = ""
    """Of ``failed``, with ``error_message``."""
    error_message: str = ""
    output: tuple[Item, ...] = ()
    max_output_tokens: TokenLimit = "inf"
    metadata: Mapping[str, str] | None = None
    usage: ResponseUsage | None = None
    """None while in progress."""

    def to_wire(self) -> dict[str, Any]:
        """Every field, null where there is nothing: unlike items, SDKs read this object's nulls."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._status_details(),
            "output": [item.to_wire() for item in self.output],
            "conversation_id": self.conversation_id,
            "output_modalities": [self.output_modality],
            "max_output_tokens": self.max_output_tokens,
            "audio": {"output": {"format": format_to_wire(self.output_format), "voice": self.voice}},
            "metadata": self.metadata,
            "usage": self.usage and self.usage.to_wire(),
        }

    def _status_details(self) -> dict[str, Any] | None:
        if self.status in ("cancelled", "incomplete"):
            return {"type": self.status, "reason": self.reason}
        if self.status == "failed":
            error = {"type": "server_error", "code": self.error_code, "message": self.error_message}
            return {"type": "failed", "error": error}
        return None


def read_response(fields: Fields) -> ResponseConfig:
    """The ``response`` of ``response.create``."""
    conversation = fields.text("conversation", max_chars=64)
    if conversation not in (None, "auto", "none") and not conversation.startswith("conv_"):
        raise unsupported(fields.where("conversation"), conversation, ("auto", "none"))
    audio = fields.nested("audio")
    output = None if audio is None else audio.nested("output")
    config = ResponseConfig(
        output_modality=read_modality(fields),
        instructions=fields.text("instructions", max_chars=MAX_INSTRUCTIONS_CHARS),
        voice=None if output is None else read_voice(output),
        output_format=None if output is None else read_format(output),
        tools=None if fields.value("tools") is None else read_tools(fields),
        tool_choice=read_tool_choice(fields),
        parallel_tool_calls=fields.flag("parallel_tool_calls", nullable=True),
        reasoning_effort=read_effort(fields),
        max_output_tokens=read_token_limit(fields),
        out_of_band=conversation == "none",
        input=read_input(fields, MAX_INPUT_ITEMS),
        metadata=_metadata(fields),
        prompt=read_prompt(fields),
    )
    for part in (output, audio, fields):
        if part is not None:
            part.close()
    return config


def _metadata(fields: Fields) -> Mapping[str, str] | None:
    """At most 16 pairs of text, as the rest of OpenAI's API keeps it."""
    pairs = fields.nested("metadata")
    if pairs is None:
        return None
    named = pairs.rest()
    if len(named) > MAX_METADATA_PAIRS:
        raise out_of_bounds(
            pairs.path, f"too many properties. Expected at most {MAX_METADATA_PAIRS}, but got {len(named)}"
        )
    for name in named:
        if len(name) > MAX_METADATA_NAME_CHARS:
            raise out_of_bounds(
                pairs.path, f"property name too long. Expected at most {MAX_METADATA_NAME_CHARS} characters"
            )
        pairs.text(name, max_chars=MAX_METADATA_VALUE_CHARS)
    return named
