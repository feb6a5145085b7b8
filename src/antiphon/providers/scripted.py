"""Engines that follow a script: the same input gives the same output after the same delay. For tests, the demo and the benchmark.

They cost next to nothing (audio is made once a format and sliced; a reply takes a handful of timers), so what is
measured with them is the server.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswers,
    ModelDelta,
    ModelRequest,
    OnTranscription,
    Partials,
    SpeechChunk,
    SpeechRequest,
    TextDelta,
    ToolCallDelta,
    Transcribed,
    TurnAudio,
)
from antiphon.providers.scripted_hum import endless, hum
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, Message, ToolCall, WordTiming

NAME = "scripted"
SHORTEST_WAIT_MS = 20
"""Tokens due within this time are given together: a timer each would be a benchmark of timers."""
_FORMATS = (
    TELEPHONE,
    AudioFormat(Encoding.PCM16, 24000),
    AudioFormat(Encoding.PCM16, 16000),
    AudioFormat(Encoding.PCM16, 8000),
)


def _not_negative(**values_ms: float) -> None:
    for field, value in values_ms.items():
        if value < 0:
            raise ConfigurationError(field, "must not be negative")


class _Ready:
    """The lifecycle of something that needs nothing."""

    name = NAME

    async def start(self) -> None:
        """Ready at once."""

    async def close(self) -> None:
        """Nothing to free."""


# ---------------------------------------------------------------------------------------------- speech to text

Transcripts = Sequence[str] | Callable[[int], str]


class ScriptedSpeechToText(_Ready):
    """Says what the script says, whatever it hears. Implements ``SpeechToText``."""

    formats = _FORMATS
    continuous = False

    def __init__(
        self,
        transcripts: Transcripts = (),
        *,
        final_delay_ms: int = 0,
        partial_every_ms: int = 0,
        confidence: float = 1.0,
        punctuation: float = 0.95,
    ) -> None:
        """``transcripts`` are each call's utterances in order (then nothing but empty ones), or a function of how many a call has
        had before. The final comes ``final_delay_ms`` after ``finish``; a partial, one word longer each time, for every
        ``partial_every_ms`` of audio pushed (0: none)."""
        _not_negative(final_delay_ms=final_delay_ms, partial_every_ms=partial_every_ms)
        self._transcripts = transcripts
        self._final_delay_ms = final_delay_ms
        self._partial_every_ms = partial_every_ms
        self.partials: Partials = "reliable" if partial_every_ms else "none"
        self.punctuation = punctuation
        self._confidence = confidence

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> ScriptedTranscription:
        if audio not in self.formats:
            raise ProviderError(NAME, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        partial_bytes = audio.bytes_for_ms(self._partial_every_ms)
        return ScriptedTranscription(self._text, on_event, self._final_delay_ms, partial_bytes, self._confidence)

    def _text(self, index: int) -> str:
        if callable(self._transcripts):
            return self._transcripts(index)
        return self._transcripts[index] if index < len(self._transcripts) else ""


class ScriptedTranscription:
    """One call. Implements ``SpeechToTextStream``."""

    def __init__(
        self,
        text: Callable[[int], str],
        on_event: OnTranscription,
        final_delay_ms: int,
        partial_bytes: int,
        confidence: float,
    ) -> None:
        self._text = text
        self._on_event = on_event
        self._final_delay_s = final_delay_ms / 1000
        self._partial_bytes = partial_bytes
        self._confidence = confidence
        self._begun = 0
        self._utterance: int | None = None
        self._words: list[str] = []
        self._heard_bytes = 0
        self._told_words = 0
        self._finals: dict[int, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def behind(self) -> bool:
        return False

    def begin(self, utterance: int) -> None:
        if self._closed:
            return
        if self._utterance is not None:
            self.finish(self._utterance)
        self._utterance = utterance
        self._words = self._text(self._begun).split()
        self._begun += 1
        self._heard_bytes = self._told_words = 0

    def push(self, audio: bytes) -> None:
        if self._utterance is None or not self._partial_bytes:
            return
        self._heard_bytes += len(audio)
        words = min(self._heard_bytes // self._partial_bytes, len(self._words))
        if words > self._told_words:
            self._told_words = words
            self._on_event(Transcribed(self._utterance, " ".join(self._words[:words]), final=False))

    def finish(self, utterance: int) -> None:
        if utterance != self._utterance:
            return
        self._utterance = None
        final = Transcribed(utterance, " ".join(self._words), final=True, confidence=self._confidence)
        self._finals[utterance] = asyncio.get_running_loop().call_later(self._final_delay_s, self._tell, final)

    def expect(self, answers: ExpectedAnswers) -> None:
        """The script knows already."""

    def close(self) -> None:
        self._closed = True
        self._utterance = None
        for timer in self._finals.values():
            timer.cancel()
        self._finals.clear()

    def _tell(self, final: Transcribed) -> None:
        del self._finals[final.utterance]
        self._on_event(final)


# ---------------------------------------------------------------------------------------------- language model


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One reply: text, then tool calls, then perhaps the end of the call."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    end_call: bool = False


Replies = Sequence[str | ScriptedReply | Mapping[str, Any]] | Callable[[ModelRequest], str | ScriptedReply]


def _as_reply(written: Mapping[str, Any], turn: int) -> ScriptedReply:
    calls = enumerate(written.get("tool_calls", ()))
    asked = tuple(ToolCall(f"call_{turn}_{at}", call["name"], call.get("arguments", {})) for at, call in calls)
    return ScriptedReply(written.get("text", ""), asked)


class ScriptedLanguageModel(_Ready):
    """Implements ``LanguageModel``."""

    def __init__(self, replies: Replies = (), *, first_token_ms: int = 0, token_interval_ms: float = 0) -> None:
        """``replies`` are given in turn, starting again after the last, or made by a function of the request. Which turn it is, is
        read from the history (models keep no state): one for each user message and each group of tool results. A token is
        a word with the blanks after it. An assistant's document writes tool calls as
        ``{text, tool_calls: [{name, arguments}]}``."""
        _not_negative(first_token_ms=first_token_ms, token_interval_ms=token_interval_ms)
        self._replies = replies
        self._first_token_ms = first_token_ms
        self._token_interval_ms = token_interval_ms

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        reply = self._reply(request)
        wait_ms: float = self._first_token_ms
        for tokens, lasting_ms in self._bursts(reply.text):
            await _wait(wait_ms)
            yield TextDelta(tokens)
            wait_ms = lasting_ms
        if not reply.text:
            await _wait(wait_ms)
        for call in reply.tool_calls:
            yield ToolCallDelta(call)
        if reply.end_call:
            yield EndCallDelta()

    def _reply(self, request: ModelRequest) -> ScriptedReply:
        if callable(self._replies):
            reply = self._replies(request)
        elif self._replies:
            turn = _turns(request.messages)
            written = self._replies[(turn - 1) % len(self._replies)]
            reply = _as_reply(written, turn) if isinstance(written, Mapping) else written
        else:
            reply = ""
        return reply if isinstance(reply, ScriptedReply) else ScriptedReply(reply)

    def _bursts(self, text: str) -> Iterator[tuple[str, float]]:
        """Pieces of text, and how long each takes to be made."""
        interval_ms = self._token_interval_ms
        if not interval_ms:
            if text:
                yield text, 0
            return
        tokens = re.findall(r"\s*\S+\s*", text)
        size = max(1, math.ceil(SHORTEST_WAIT_MS / interval_ms))
        start = 0
        while start < len(tokens):
            # The first token goes alone: how soon it comes is what a caller notices.
            end = start + size if start else 1
            yield "".join(tokens[start:end]), interval_ms * min(size, max(0, len(tokens) - end))
            start = end


def _turns(messages: Sequence[Message]) -> int:
    """How many replies the history has asked for. At least 1."""
    turns = 0
    before = ""
    for message in messages:
        turns += message.role == "user" or (message.role == "tool" and before != "tool")
        before = message.role
    return max(1, turns)


# ---------------------------------------------------------------------------------------------- text to speech


class ScriptedTextToSpeech(_Ready):
    """A humming voice whose speeches last exactly as long as the script says. Implements ``TextToSpeech``."""

    formats = _FORMATS

    def __init__(
        self, *, first_chunk_ms: int = 0, ms_per_character: int = 60, chunk_ms: int = 200, chunk_interval_ms: int = 0
    ) -> None:
        """Chunks of ``chunk_ms`` come ``chunk_interval_ms`` apart, the first one ``first_chunk_ms`` after the request. Words take their
        share of the time by their characters. ``speed`` is obeyed."""
        _not_negative(first_chunk_ms=first_chunk_ms, chunk_interval_ms=chunk_interval_ms)
        if ms_per_character <= 0 or chunk_ms <= 0:
            raise ConfigurationError("chunk_ms", "chunk_ms and ms_per_character must be positive")
        self._first_chunk_ms = first_chunk_ms
        self._ms_per_character = ms_per_character
        self._chunk_ms = chunk_ms
        self._chunk_interval_ms = chunk_interval_ms
        self._chunks = lru_cache(maxsize=64)(self._spoken)

    def duration_ms(self, text: str, speed: float = 1.0) -> int:
        """How long a speech will be."""
        return round(len(text) * self._ms_per_character / speed)

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        if request.audio not in self.formats:
            raise ProviderError(
                NAME, f"audio format {request.audio.encoding} at {request.audio.rate_hz} Hz is not supported"
            )
        if not request.speed > 0:
            raise ProviderError(NAME, "speed must be positive")
        wait_ms = self._first_chunk_ms
        for chunk in self._chunks(request.text, request.speed, request.audio):
            await _wait(wait_ms)
            yield chunk
            wait_ms = self._chunk_interval_ms

    def _spoken(self, text: str, speed: float, audio: AudioFormat) -> tuple[SpeechChunk, ...]:
        """The whole speech. A script says the same again and again: it is made once."""
        voice = hum(audio)
        duration_ms = self.duration_ms(text, speed)
        words = [
            WordTiming(match.group(), match.start() * duration_ms // len(text), match.end() * duration_ms // len(text))
            for match in re.finditer(r"\S+", text)
        ]
        chunks = []
        for start_ms in range(0, duration_ms, self._chunk_ms):
            end_ms = min(start_ms + self._chunk_ms, duration_ms)
            # Whatever the chunks, their bytes add up to the whole duration's: both ends are rounded alike.
            start, end = audio.bytes_for_ms(start_ms), audio.bytes_for_ms(end_ms)
            inside = tuple(word for word in words if start_ms <= word.start_ms < end_ms)
            chunks.append(SpeechChunk(endless(voice, start, end), inside))
        return tuple(chunks)


async def _wait(duration_ms: float) -> None:
    if duration_ms > 0:
        await asyncio.sleep(duration_ms / 1000)


# ---------------------------------------------------------------------------------------------- end of turn


class ScriptedTurnDetector(_Ready):
    """The same probability whatever was said. Implements ``TurnDetector``."""

    name = "scripted"
    audio_ms = 0

    def __init__(self, value: float = 1.0) -> None:
        if not 0.0 <= value <= 1.0:
            raise ConfigurationError("value", "must be 0 … 1")
        self._value = value

    async def probability(
        self, messages: Sequence[Message], transcript: str, audio: TurnAudio | None = None
    ) -> float | None:
        return self._value
