"""Gemini's Live protocol as its client speaks it: our messages, and what of the server's we read.

Facts: ai.google.dev/api/live, ai.google.dev/gemini-api/docs/live-api/capabilities and /session-management, and google-genai 3.6
(``live.py``, ``types.py``, ``_live_converters.py``), November 2026.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from antiphon.errors import MalformedMessage
from antiphon.providers.base import StopReason
from antiphon.providers.counts import number
from antiphon.providers.llm.gemini import declaration, thinking_config
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import AudioFormat, Encoding, ToolSpec, Usage

HEARD = AudioFormat(Encoding.PCM16, 16000)
SPOKEN = AudioFormat(Encoding.PCM16, 24000)
_MIME = f"audio/pcm;rate={HEARD.rate_hz}"
_VERSION = re.compile(r"/(v\d\w*)$")
_SEEDED_AT_ANY_TIME = re.compile(r"gemini-(live-)?2")
_INVALID, _POLICY, _TROUBLE = 1007, 1008, 1011
_REFUSED = ("PROHIBITED", "SAFETY", "BLOCKLIST", "REJECTED")


def address_of(base_url: str) -> str:
    """The WebSocket of the service whose REST address this is. Raises ConfigurationError."""
    url = websocket_url(base_url)
    version = _VERSION.search(url)
    host = url[: version.start()] if version else url
    service = f"google.ai.generativelanguage.{version[1] if version else 'v1beta'}.GenerativeService"
    return f"{host}/ws/{service}.BidiGenerateContent"


def setup(
    model: str,
    instructions: str,
    tools: Sequence[ToolSpec],
    *,
    voice: str = "",
    language: str = "",
    reasoning_effort: str = "",
    max_tokens: int | None = None,
    handle: str | None = None,
    seeded: bool = False,
) -> bytes:
    """The first message of a session. ``language``: of what is heard (these models choose themselves what they speak).
    ``handle``: of the session that it goes on with, empty for a new one, None where none will be wanted. ``seeded``: a ``history``
    follows."""
    generation: dict[str, Any] = {"responseModalities": ["AUDIO"]}
    if voice:
        generation["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    if max_tokens is not None:
        generation["maxOutputTokens"] = max_tokens
    if (thinking := thinking_config(model, reasoning_effort)) is not None and reasoning_effort:
        generation["thinkingConfig"] = thinking
    fields: dict[str, Any] = {
        "model": f"models/{model.removeprefix('models/')}",
        "generationConfig": generation,
        "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
        "inputAudioTranscription": {"languageCodes": [language]} if language else {},
        "outputAudioTranscription": {},
        "contextWindowCompression": {"slidingWindow": {}},
    }
    if instructions:
        fields["systemInstruction"] = {"parts": [{"text": instructions}]}
    if tools:
        fields["tools"] = [{"functionDeclarations": [declaration(tool) for tool in tools]}]
    if handle is not None:
        fields["sessionResumption"] = {"handle": handle} if handle else {}
    if seeded and not _SEEDED_AT_ANY_TIME.search(model):
        fields["historyConfig"] = {"initialHistoryInClientContent": True}
    return orjson.dumps({"setup": fields})


def history(model: str, turns: Sequence[tuple[str, str]]) -> bytes:
    """What was said before the session: roles (``user``, ``model``) and texts. No answer comes to it."""
    contents = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    # Models since Gemini 3 wait for the end of a history that was announced; before, a whole turn was answered.
    complete = not _SEEDED_AT_ANY_TIME.search(model)
    return orjson.dumps({"clientContent": {"turns": contents, "turnComplete": complete}})


ACTIVITY_START = b'{"realtimeInput":{"activityStart":{}}}'
ACTIVITY_END = b'{"realtimeInput":{"activityEnd":{}}}'


def audio(piece: bytes) -> bytes:
    blob = {"data": base64.b64encode(piece).decode(), "mimeType": _MIME}
    return orjson.dumps({"realtimeInput": {"audio": blob}})


def text(words: str) -> bytes:
    return orjson.dumps({"realtimeInput": {"text": words}})


def tool_response(answers: Sequence[tuple[str, str, Mapping[str, str]]]) -> bytes:
    """Ids, names and answers (``output`` or ``error``) of all calls that were asked for."""
    responses = [{"id": id, "name": name, "response": answer} for id, name, answer in answers]
    return orjson.dumps({"toolResponse": {"functionResponses": responses}})


def failure_of(provider: str, code: int, reason: str, *, new: bool, resuming: bool, secret: str) -> Failure | None:
    """What a close code means; None where it means nothing special. Keys, models and quotas are told by their reasons. ``new``: the session
    was not set up yet; ``resuming``: it should have gone on with another, which may be gone."""
    said = reason.casefold()
    status = 0
    if code in (_INVALID, _POLICY, _TROUBLE):
        if "api key" in said or "api_key" in said:
            status = 401
        elif "quota" in said:
            status = 429
        elif resuming and new:
            status = 0
        elif "not found" in said or "not supported for bidigeneratecontent" in said:
            status = 404
        elif new and code != _TROUBLE:
            status = 400
    return refusal(provider, status, reason, secret=secret) if status else None


def seconds_of(duration: Any) -> float:
    """``50s`` or ``1.5s``, as the protocol writes a length of time; 0 for what is none. At most ten minutes."""
    match = re.fullmatch(r"(\d{1,9}(\.\d{1,9})?)s", str(duration or ""))
    return min(float(match[1]), 600.0) if match else 0.0


def stop_reason_of(turn_complete_reason: Any) -> StopReason:
    return "refused" if any(part in str(turn_complete_reason or "") for part in _REFUSED) else "stop"


def usage_of(usage: Any, model: str) -> tuple[Usage, ...]:
    """Text and sound apart: their prices differ by a factor of six. The sound's is that of the model ``audio:MODEL``. Thoughts are billed
    as output."""
    if not isinstance(usage, Mapping):
        return ()
    given, made = _number(usage, "promptTokenCount"), _number(usage, "responseTokenCount")
    heard, spoken = _audio(usage, "promptTokensDetails"), _audio(usage, "responseTokensDetails")
    cached, cached_sound = _number(usage, "cachedContentTokenCount"), _audio(usage, "cacheTokensDetails")
    sound = Usage(input_tokens=heard, output_tokens=spoken, cached_tokens=cached_sound, model=f"audio:{model}")
    text = Usage(
        input_tokens=max(given - heard, 0) + _number(usage, "toolUsePromptTokenCount"),
        output_tokens=max(made - spoken, 0) + _number(usage, "thoughtsTokenCount"),
        cached_tokens=max(cached - cached_sound, 0),
        model=model,
    )
    return tuple(each for each in (text, sound) if each.input_tokens or each.output_tokens)


def _number(of: Mapping[str, Any], name: str) -> int:
    return number(of.get(name))


def _audio(usage: Mapping[str, Any], name: str) -> int:
    details = usage.get(name)
    parts = [each for each in details if isinstance(each, Mapping)] if isinstance(details, Sequence) else []
    return sum(_number(each, "tokenCount") for each in parts if each.get("modality") == "AUDIO")


# ---------------------------------------------------------------------------------------------- what the server says


class Blob(msgspec.Struct, rename="camel"):
    data: str = ""
    """Base64."""


class Part(msgspec.Struct, rename="camel"):
    inline_data: Blob | None = None
    thought: bool | None = None


class ModelTurn(msgspec.Struct, rename="camel"):
    parts: list[Part] | None = None


class Transcription(msgspec.Struct, rename="camel"):
    text: str | None = None
    finished: bool | None = None


class ServerContent(msgspec.Struct, rename="camel"):
    """May hold several things at once."""

    model_turn: ModelTurn | None = None
    input_transcription: Transcription | None = None
    output_transcription: Transcription | None = None
    interrupted: bool | None = None
    generation_complete: bool | None = None
    turn_complete: bool | None = None
    turn_complete_reason: str | None = None
    interaction_status: str | None = None

    @property
    def of_the_model(self) -> bool:
        """Whether the model makes something, or has made all."""
        return bool(self.model_turn or self.output_transcription or self.generation_complete)


class FunctionCall(msgspec.Struct, rename="camel"):
    name: str
    id: str | None = None
    args: dict[str, Any] | None = None


class FunctionCalls(msgspec.Struct, rename="camel"):
    function_calls: list[FunctionCall]


class Cancellation(msgspec.Struct, rename="camel"):
    ids: list[str]


class GoAway(msgspec.Struct, rename="camel"):
    time_left: Any = None


class Resumption(msgspec.Struct, rename="camel"):
    new_handle: str | None = None
    resumable: bool | None = None


class ServerMessage(msgspec.Struct, rename="camel"):
    """What we read of any message, which may hold several things at once."""

    setup_complete: dict[str, Any] | None = None
    server_content: ServerContent | None = None
    tool_call: FunctionCalls | None = None
    tool_call_cancellation: Cancellation | None = None
    go_away: GoAway | None = None
    session_resumption_update: Resumption | None = None
    usage_metadata: Any = None


_DECODER = msgspec.json.Decoder(ServerMessage)


def read(payload: bytes) -> ServerMessage:
    """Raises MalformedMessage."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedMessage("not_a_message") from None


def audio_of(data: str) -> bytes:
    """Raises MalformedMessage."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedMessage("audio") from None
