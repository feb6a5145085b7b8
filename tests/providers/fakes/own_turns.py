"""What fakes of services that take turns themselves share: they hear the pauses in what the caller says, answer, and stop where they are
interrupted. How that is told is each one's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from typing import Any

import numpy as np
from tests.providers.fakes.server import FakeVendor, Session
from tests.providers.fakes.speaking import LEVEL, MS_PER_CHARACTER, Answer, Trouble

from antiphon.audio import codec
from antiphon.vocabulary import Encoding

PAUSE_MS = 300
"""The caller has finished."""
INTERRUPTS_MS = 200
"""So much voice while it speaks stops it."""
_VOICE = 0.02


class OwnTurnSession(Session):
    """One session. ``lines`` are the conversation as the model would see it."""

    vendor: OwnTurnVendor

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lines: list[str] = []
        self.refused: list[str] = []
        self.ended = False
        """The client has said that it ends the session."""
        self.asked_with: dict[str, Any] = {}
        """What the session was made with."""
        self.voiced_ms = self.paused_ms = 0.0
        """Of what the caller is saying."""
        self.turn = 0
        self.speaking: asyncio.Task[None] | None = None
        self.audible = False
        """It is being heard, and not only waited for."""
        self.waiting: deque[tuple[Answer, bool]] = deque()
        """What is to be said after that, and whether it is words of the client's."""
        self.spoken = ""
        """What has been voiced of what it says."""
        self.interruptions = 0

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await self.stop()

    # ------------------------------------------------------------------------------------------ each one's own

    async def tell_voice(self, *, started: bool) -> None:
        """The caller speaks, or has spoken."""

    async def tell_words(self, words: str) -> None:
        raise NotImplementedError

    async def tell_interrupted(self, said: str) -> None:
        """It has stopped; ``said`` was voiced."""

    async def tell_answer(self, text: str, *, ours: bool) -> None:
        """What it is about to say."""

    async def tell_said(self, token: str) -> None:
        """A word has been voiced."""

    async def tell_over(self, text: str) -> None:
        """It has said all."""

    async def call_tools(self, answer: Answer) -> None:
        raise NotImplementedError

    async def send_sound(self, data: bytes) -> None:
        raise NotImplementedError

    async def trouble(self, trouble: Trouble) -> bool:
        """What is wrong with an answer before anything of it was said; whether that was all of it."""
        raise NotImplementedError

    async def afterwards(self, answer: Answer) -> None:
        """What follows an answer."""

    # ------------------------------------------------------------------------------------------ the caller

    async def progress(self) -> None:
        piece = bytes(self.audio[-self.vendor.pieces[-1] :])
        loud = float(np.abs(codec.decode_to_float(piece, self.format.encoding)).max(initial=0.0)) >= _VOICE
        length_ms = self.format.ms_of(len(piece))
        if loud:
            if not self.voiced_ms:
                await self.tell_voice(started=True)
            self.voiced_ms += length_ms
            self.paused_ms = 0.0
            if self.audible and self.voiced_ms >= INTERRUPTS_MS and not self.vendor.deaf:
                await self.interrupt()
        elif self.voiced_ms:
            self.paused_ms += length_ms
            if self.paused_ms >= PAUSE_MS:
                await self._heard_out()

    async def _heard_out(self) -> None:
        self.voiced_ms = self.paused_ms = 0.0
        words = self.vendor.hears.popleft() if self.vendor.hears else " ".join(word.word for word in self.words())
        self.audio.clear()
        await self.tell_voice(started=False)
        if not words or self.vendor.no_words:
            return
        await self.tell_words(words)
        self.lines.append(f"user: {words}")
        self.turn += 1
        if not self.audible:  # else it was no interruption, and wants no answer
            await self.answer()

    async def interrupt(self) -> None:
        self.interruptions += 1
        said = self.spoken
        await self.stop()
        await self.tell_interrupted(said)

    async def stop(self) -> None:
        task, self.speaking = self.speaking, None
        self.waiting.clear()
        self.audible = False
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self.spoken:
                self.lines.append(f"assistant: {self.spoken}")
        self.spoken = ""

    # ------------------------------------------------------------------------------------------ the model

    async def answer(self) -> None:
        self.vendor.asked.append([*self.lines])
        self.vendor.asked_with.append(self.asked_with)
        answer = self.vendor.answers.popleft() if self.vendor.answers else Answer(("Yes.",))
        if answer.trouble == "drop_before":
            self.socket.transport.abort()
        elif answer.trouble not in ("mute", "silence"):
            if answer.trouble is None or not await self.trouble(answer.trouble):
                self.speak_next(answer, ours=False)

    def speak_next(self, answer: Answer, *, ours: bool) -> None:
        self.waiting.append((answer, ours))
        if self.speaking is None:
            self.speaking = asyncio.create_task(self._speak())

    async def speak_unasked(self, text: str) -> None:
        self.speak_next(Answer((text,)), ours=True)

    async def _speak(self) -> None:
        with contextlib.suppress(Exception):  # the client has gone
            while self.waiting:
                answer, ours = self.waiting.popleft()
                await self._say(answer, ours=ours)
            self.speaking = None

    async def _say(self, answer: Answer, *, ours: bool) -> None:
        self.turn += 1
        text = " ".join(answer.texts)
        if text:
            await self.tell_answer(text, ours=ours)
            self.audible, self.spoken = True, ""
        for token in re.findall(r"\S+\s*", text):
            if answer.trouble != "strange_audio":
                await self._sound(len(token))
            await self.tell_said(token)
            self.spoken += token
            if answer.trouble == "interrupted":
                await self.interrupt()
                return
            if answer.trouble == "drop_in_the_middle":
                self.socket.transport.abort()
                return
            await asyncio.sleep(answer.pace_ms / 1000)
            if answer.held:
                await self.vendor.go.wait()
        self.audible, self.spoken = False, ""
        if text:
            self.lines.append(f"assistant: {text}")
            await self.tell_over(text)
        if answer.calls:
            await self.call_tools(answer)
        await self.afterwards(answer)

    async def _sound(self, characters: int) -> None:
        samples = np.full(self.format.rate_hz * MS_PER_CHARACTER * characters // 1000, LEVEL, np.int16)
        pcm = self.format.encoding is Encoding.PCM16
        data = samples.tobytes() if pcm else codec.encode(samples, self.format.encoding)
        if not self.vendor.paced:
            # An odd number of bytes: messages are cut where it suits the sender.
            cut = len(data) // 2 | 1
            await self.send_sound(data[:cut])
            await self.send_sound(data[cut:])
            return
        frame = self.format.bytes_for_ms(20)
        for start in range(0, len(data), frame):
            await self.send_sound(data[start : start + frame])
            await asyncio.sleep(0.02)

    async def quiet(self, duration_ms: int) -> None:
        """Sound in which there is nothing."""
        level = b"\x00" if self.format.encoding is Encoding.PCM16 else b"\xff"
        await self.send_sound(level * self.format.bytes_for_ms(duration_ms))


class OwnTurnVendor(FakeVendor):
    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[Answer] = deque()
        """What the next answers of the model are; with none left, "Yes."."""
        self.own_words_trouble: deque[Trouble] = deque()
        self.hears: deque[str] = deque()
        """What callers say, where it cannot be read from the sound."""
        self.asked: list[list[str]] = []
        self.asked_with: list[dict[str, Any]] = []
        self.nudged = 0
        """How often it was told to answer."""
        self.no_words = False
        self.paced = False
        """Sound is sent as it is heard, and not as it is made."""
        self.deaf = False
        """It does not notice that it is interrupted."""
        self.go = asyncio.Event()

    def own_words(self, text: str) -> Answer:
        """Words of the client's, to be said."""
        trouble = self.own_words_trouble.popleft() if self.own_words_trouble else None
        return Answer((text,), trouble=trouble)


def said(lines: list[str]) -> list[str]:
    """A conversation without what only the model was told."""
    return [line for line in lines if not line.startswith("system: [")]


def notes_in(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("system: [")]
