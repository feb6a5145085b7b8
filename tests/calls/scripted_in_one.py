"""A model that hears and speaks, by a script: whole calls with one run in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np

from antiphon.audio import g711
from antiphon.providers.base import ExpectedAnswers, ModelRequest, StreamInterrupted, Transcribed
from antiphon.providers.speech_to_speech.base import (
    HeardMs,
    OnSpeech,
    ReplyAudio,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyWords,
    SpeechEvent,
)
from antiphon.vocabulary import TELEPHONE, AudioFormat, ToolCall, Usage

MS_PER_CHARACTER = 50
FIRST_MS = 100
_WORD_MS = 10
"""It makes a word in so long: much faster than anybody speaks."""


@dataclass(frozen=True)
class Said:
    """One answer: messages and a tool call, or a failure after what was said."""

    texts: tuple[str, ...] = ()
    call: ToolCall | None = None
    fails: bool = False
    gone: bool = False
    """There is no session to ask any more."""
    held: bool = False
    """Nothing more comes of it after what was said."""
    silent_words: bool = False
    """It has sound, and does not tell its words."""
    cut_after: int = 0
    """It breaks off after so many words, having told all of them."""
    ends: SpeechEvent | None = None
    """What it tells after that."""


class ScriptedInOne:
    """Implements ``SpeechToSpeech``."""

    name = "scripted-in-one"
    model = "scripted"
    transcriber = "scripted-words"
    formats: tuple[AudioFormat, ...] = (TELEPHONE,)
    spoken_formats: tuple[AudioFormat, ...] = (TELEPHONE,)

    def __init__(self, hears: list[str], answers: list[Said], *, own_words_fail: bool = False) -> None:
        self.hears, self.answers = deque(hears), deque(answers)
        self.own_words_fail = own_words_fail
        self.asked: list[ModelRequest] = []
        self.prepared: list[ModelRequest] = []
        self.heard_ms: HeardMs = lambda reply: None
        self.said: list[str] = []
        """Words of ours."""
        self.cancelled: list[tuple[int, int]] = []
        self.heard_in_all = 0
        self.heard_bytes: list[int] = []
        """Of each utterance."""
        self.opened = self.closed = 0
        self._streams: list[ScriptedStream] = []

    def tell(self, event: SpeechEvent) -> None:
        """Something of its own, on the latest session."""
        self._streams[-1].tell(event)

    def voice(self, reply: int, word: str) -> None:
        """More of a reply: a word as it is heard."""
        self.tell(ReplyAudio(reply, _sound(word)))
        self.tell(ReplyWords(reply, word))

    def go(self) -> None:
        """Its sessions give up: nothing more comes of any."""
        for stream in self._streams:
            stream.give_up()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def open(
        self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech
    ) -> ScriptedStream:
        self.opened += 1
        self._streams.append(ScriptedStream(self, on_event))
        return self._streams[-1]


class ScriptedStream:
    behind = False

    def __init__(self, engine: ScriptedInOne, on_event: OnSpeech) -> None:
        self._engine, self._tell = engine, on_event
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self._last: asyncio.Task[None] | None = None
        self._heard = 0

    def tell(self, event: SpeechEvent) -> None:
        self._tell(event)

    def give_up(self) -> None:
        self._cancel_all()
        self._tell(StreamInterrupted("the vendor closed the connection", lasting=True))

    def begin(self, utterance: int) -> None:
        self._heard = 0

    def push(self, audio: bytes) -> None:
        self._heard += len(audio)
        self._engine.heard_in_all += len(audio)

    def finish(self, utterance: int) -> None:
        self._engine.heard_bytes.append(self._heard)
        text = self._engine.hears.popleft() if self._engine.hears else ""
        self._loop.call_later(0.06, self._tell, Transcribed(utterance, text, True))

    def expect(self, answers: ExpectedAnswers) -> None: ...

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        self._engine.prepared.append(request)
        self._engine.heard_ms = heard_ms

    def respond(self, reply: int, request: ModelRequest) -> None:
        self._engine.asked.append(request)
        answer = self._engine.answers.popleft() if self._engine.answers else Said(("Yes.",))
        self._run(reply, answer, ours=False)

    def say(self, reply: int, text: str) -> None:
        self._engine.said.append(text)
        self._run(reply, Said((text,), fails=self._engine.own_words_fail), ours=True)

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._engine.cancelled.append((reply, heard_ms))
        for task in self._tasks.pop(reply, []):
            task.cancel()

    def close(self) -> None:
        self._engine.closed += 1
        self._cancel_all()

    def _cancel_all(self) -> None:
        for tasks in self._tasks.values():
            for task in tasks:
                task.cancel()

    def _run(self, reply: int, answer: Said, *, ours: bool) -> None:
        self._last = self._loop.create_task(self._answer(reply, answer, self._last, ours=ours))
        self._last.add_done_callback(lambda task: task.cancelled() or task.result())
        self._tasks.setdefault(reply, []).append(self._last)

    async def _answer(self, reply: int, answer: Said, before: asyncio.Task[None] | None, *, ours: bool) -> None:
        if before is not None:
            await asyncio.wait((before,))
        await asyncio.sleep(FIRST_MS / 1000)
        if answer.cut_after:
            (text,) = answer.texts
            self._tell(ReplyWords(reply, text))
            heard = " ".join(text.split(" ")[: answer.cut_after])
            self._tell(ReplyAudio(reply, _sound(heard)))
            self._tell(ReplyOver(reply, cut=True))
            return
        for number, text in enumerate(answer.texts if not (ours and answer.fails) else ()):
            if number and not ours:
                self._tell(ReplyWords(reply, " "))
            for at, word in enumerate(text.split(" ")):
                piece = f" {word}" if at else word
                if not ours and not answer.silent_words:
                    self._tell(ReplyWords(reply, piece))
                self._tell(ReplyAudio(reply, _sound(piece)))
                await asyncio.sleep(_WORD_MS / 1000)
        if answer.call is not None:
            self._tell(ReplyToolCall(reply, answer.call))
        if answer.held:
            await asyncio.Event().wait()
        if answer.fails or answer.gone:
            self._tell(ReplyFailed(reply, "it fails", gone=answer.gone))
        else:
            self._tell(ReplyOver(reply, (Usage(input_tokens=10, output_tokens=5, model="scripted"),)))
        if answer.ends is not None:
            self._tell(answer.ends)


def _sound(text: str) -> bytes:
    return g711.mulaw_encode(np.full(len(text) * MS_PER_CHARACTER * 8, 8000, np.int16)).tobytes()
