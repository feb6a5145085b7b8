"""``Speak`` → the voice → the mouth. Pieces of a reply are voiced one after the other, ahead of their playing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.errors import ProviderError
from antiphon.media.mouth import Mouth
from antiphon.providers.base import SpeechRequest, TextToSpeech
from antiphon.vocabulary import AudioFormat, WordTiming


class Speaking:
    """One call's voice. At most one reply is voiced at a time."""

    def __init__(
        self,
        speaker: TextToSpeech,
        voice: str,
        speed: float,
        audio: AudioFormat,
        mouth: Mouth,
        clock: Clock,
        feed: Callable[[ev.Event], object],
        spawn: Callable[..., asyncio.Task[None]],
        on_characters: Callable[[str, int], None],
    ) -> None:
        """``speaker.name`` is the voice's that spoke last."""
        self._speaker = speaker
        self.voice = voice
        self.speed = speed
        self._voice_of: tuple[int, str] = (0, "")
        self._audio = audio
        self._mouth = mouth
        self._clock = clock
        self._feed = feed
        self._spawn = spawn
        self._on_characters = on_characters
        self._reply = 0
        self._pieces: deque[tuple[int, str]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._piece = 0
        self._spoken = 0
        self._words: tuple[WordTiming, ...] = ()

    def speak(self, reply: int, piece: int, text: str) -> None:
        if reply != self._reply:
            self.cancel(self._reply)
            self._reply, self._ended = reply, False
            self._mouth.prepare(reply)
        self._pieces.append((piece, text))
        if self._task is None:
            self._task = self._spawn(self._voice_pieces(reply), name=f"voice-{reply}")

    def speak_as(self, reply: int, voice: str) -> None:
        """This reply has a voice of its own."""
        self._voice_of = (reply, voice)

    def end(self, reply: int) -> None:
        """No more pieces will come."""
        if reply == self._reply:
            self._ended = True
            if self._task is None:
                self._mouth.end_speech(reply, self._clock.now_ms())

    def cancel(self, reply: int) -> None:
        if reply and reply == self._reply:
            self._reply = 0
            self._spoken, self._words = 0, ()
            self._pieces.clear()
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def report(self, reply: int) -> None:
        """Tell what is known of the piece being voiced; a cut is about to be made in it."""
        if reply == self._reply and self._task is not None and self._spoken:
            self._feed(ev.SpeechSynthesized(reply, self._piece, self._ms(), self._words, complete=False))

    def _ms(self) -> int:
        return round(self._audio.ms_of(self._spoken))

    async def _voice_pieces(self, reply: int) -> None:
        while self._pieces and reply == self._reply:
            self._piece, text = self._pieces.popleft()
            whole = await self._voice_piece(reply, text)
            if self._spoken or whole:
                self._feed(ev.SpeechSynthesized(reply, self._piece, self._ms(), self._words, complete=whole))
            if not whole:
                self._feed(ev.SynthesisFailed(reply, self._piece))
            self._spoken = 0
        if reply == self._reply:
            self._task = None
            if self._ended:
                self._mouth.end_speech(reply, self._clock.now_ms())

    async def _voice_piece(self, reply: int, text: str) -> bool:
        """Voice one piece. Returns whether it was voiced to its end."""
        self._spoken, self._words = 0, ()
        try:
            await self._stream(reply, text)
        except ProviderError:  # told already, of each voice that failed
            return False
        self._on_characters(self._speaker.name, len(text))
        return True

    def _voice_for(self, reply: int) -> str:
        """The name of the voice; empty for the engine's own."""
        return self._voice_of[1] if self._voice_of[0] == reply else self.voice

    async def _stream(self, reply: int, text: str) -> None:
        stream = self._speaker.synthesize(SpeechRequest(text, self._audio, self._voice_for(reply), self.speed))
        try:
            async for chunk in stream:
                self._spoken += len(chunk.audio)
                self._words += chunk.words
                self._mouth.speak(reply, chunk.audio, self._clock.now_ms())
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
