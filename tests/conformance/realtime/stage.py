"""Engines that do what the test says at that moment, and remember what they were asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from antiphon.providers.base import (
    ExpectedAnswers,
    ModelDelta,
    ModelRequest,
    OnTranscription,
    SpeechChunk,
    SpeechRequest,
    Transcribed,
    TranscriptionFailed,
)
from antiphon.providers.scripted import (
    ScriptedLanguageModel,
    ScriptedReply,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedTranscription,
)
from antiphon.vocabulary import AudioFormat, Message, ToolCall

Answer = str | ScriptedReply


@dataclass
class Stage:
    """The script of one test. Everything may be changed while sessions run."""

    hears: list[str] = field(default_factory=lambda: ["what is the weather like"])
    """What the recogniser makes of each utterance of a session; the last one from then on."""
    answers: Callable[[ModelRequest], Answer] = lambda request: "It is sunny."
    transcript_ms: int = 20
    """From the end of speech to its words."""
    transcription_fails: bool = False
    first_token_ms: int = 0
    token_interval_ms: float = 0
    ms_per_character: int = 40
    first_chunk_ms: int = 0
    chunk_interval_ms: int = 0
    asked: list[ModelRequest] = field(default_factory=list)
    """What the model was asked, in order."""
    spoken: list[SpeechRequest] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    """The audio of each utterance as the recogniser got it."""

    def says(self, *answers: Answer) -> None:
        """The model gives these answers one after another, then the last one again and again."""
        given = iter(answers)
        last = answers[-1]
        self.answers = lambda request: next(given, last)

    def duration_ms(self, text: str) -> int:
        """How long the voice takes for it."""
        return len(text) * self.ms_per_character


def tool_call(name: str, call_id: str = "call_1", text: str = "", **arguments: object) -> ScriptedReply:
    """An answer that is a tool call, after ``text``."""
    return ScriptedReply(text, (ToolCall(call_id, name, dict(arguments)),))


def last(request: ModelRequest, role: str) -> Message | None:
    """The last message of a role."""
    return next((message for message in reversed(request.messages) if message.role == role), None)


class _OnStage:
    stage: ClassVar[Stage] = Stage()
    name = "staged"

    async def start(self) -> None:
        """Ready at once."""

    async def close(self) -> None:
        """Nothing to free."""


class StagedSpeechToText(_OnStage):
    """Implements ``SpeechToText``."""

    formats = ScriptedSpeechToText.formats
    continuous = False
    partials = "reliable"
    punctuation = 0.8

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> _StagedTranscription:
        stage = _OnStage.stage
        assert audio in self.formats

        def told(event: Transcribed | TranscriptionFailed) -> None:
            if stage.transcription_fails:
                on_event(TranscriptionFailed(event.utterance, "the script says so"))
            else:
                on_event(event)

        return _StagedTranscription(stage, told)


class _StagedTranscription(ScriptedTranscription):
    def __init__(self, stage: Stage, on_event: OnTranscription) -> None:
        def text(index: int) -> str:
            return stage.hears[min(index, len(stage.hears) - 1)] if stage.hears else ""

        super().__init__(text, on_event, stage.transcript_ms, 0, 1.0)
        self._stage = stage

    def begin(self, utterance: int) -> None:
        super().begin(utterance)
        self._stage.heard.append(b"")

    def push(self, audio: bytes) -> None:
        super().push(audio)
        if self._utterance is not None:
            self._stage.heard[-1] += audio

    def finish(self, utterance: int) -> None:
        self._final_delay_s = self._stage.transcript_ms / 1000
        super().finish(utterance)


class StagedModel(_OnStage):
    """Implements ``LanguageModel``."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        stage = _OnStage.stage
        stage.asked.append(request)
        answer = stage.answers(request)
        model = ScriptedLanguageModel(
            [answer], first_token_ms=stage.first_token_ms, token_interval_ms=stage.token_interval_ms
        )
        async for delta in model.stream(request):
            yield delta


class StagedVoice(_OnStage):
    """Implements ``TextToSpeech``."""

    formats = ScriptedTextToSpeech.formats

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        stage = _OnStage.stage
        stage.spoken.append(request)
        voice = ScriptedTextToSpeech(
            first_chunk_ms=stage.first_chunk_ms,
            ms_per_character=stage.ms_per_character,
            chunk_interval_ms=stage.chunk_interval_ms,
        )
        async for chunk in voice.synthesize(request):
            yield chunk
