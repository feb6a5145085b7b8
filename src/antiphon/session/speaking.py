"""``Speak`` → the voice → the mouth. Pieces of a reply are voiced one after the other, ahead of their playing, by one stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.errors import ProviderError
from antiphon.media.mouth import Mouth
from antiphon.providers.base import TextToSpeech, VoiceChunk, VoiceRequest, VoiceStream, model_of
from antiphon.providers.one_shot import chunks_of, open_voice
from antiphon.vocabulary import AudioFormat, CallContext, OnUsage, Usage, WordTiming


@dataclass(slots=True)
class _Piece:
    """One piece of a reply that has not been voiced to its end."""

    number: int
    text: str
    spoken: int = 0
    """Bytes of its audio so far."""
    words: tuple[WordTiming, ...] = ()


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
        on_usage: OnUsage,
        context: CallContext | None = None,
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
        self._on_usage = on_usage
        self._context = context or CallContext("")
        self._reply = 0
        self._pieces: deque[_Piece] = deque()
        self._stream: VoiceStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def engage(self, speaker: TextToSpeech, voice: str, speed: float) -> None:
        """Another voice, from the next reply on. Nothing is being voiced."""
        self._speaker, self.voice, self.speed = speaker, voice, speed

    def speak(self, reply: int, piece: int, text: str) -> None:
        if reply != self._reply:
            self.cancel(self._reply)
            self._reply, self._ended = reply, False
            self._mouth.prepare(reply)
        self._pieces.append(_Piece(piece, text))
        if self._task is None:
            wanted = VoiceRequest(self._audio, self._voice_for(reply), self.speed, context=self._context)
            self._stream = open_voice(self._speaker, wanted)
            self._task = self._spawn(self._voice(reply, self._stream), name=f"voice-{reply}")
        if self._stream is not None:
            self._stream.say(piece, text)

    def speak_as(self, reply: int, voice: str) -> None:
        """This reply has a voice of its own."""
        self._voice_of = (reply, voice)

    def end(self, reply: int) -> None:
        """No more pieces will come."""
        if reply == self._reply and not self._ended:
            self._ended = True
            if self._stream is not None:
                self._stream.end()
            if not self._pieces:
                self._mouth.end_speech(reply, self._clock.now_ms())

    def cancel(self, reply: int) -> None:
        if reply and reply == self._reply:
            self._reply = 0
            self._pieces.clear()
            self._stream = None
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def report(self, reply: int) -> None:
        """Tell what is known of the piece being voiced; a cut is about to be made in it."""
        if reply == self._reply and self._pieces and self._pieces[0].spoken:
            self._tell(reply, self._pieces[0], complete=False)

    def _tell(self, reply: int, piece: _Piece, *, complete: bool) -> None:
        duration_ms = round(self._audio.ms_of(piece.spoken))
        self._feed(ev.SpeechSynthesized(reply, piece.number, duration_ms, piece.words, complete=complete))

    def _voice_for(self, reply: int) -> str:
        """The name of the voice; empty for the engine's own."""
        return self._voice_of[1] if self._voice_of[0] == reply else self.voice

    async def _voice(self, reply: int, stream: VoiceStream) -> None:
        """All pieces of a reply, until it has ended."""
        try:
            async with chunks_of(stream) as chunks:
                async for chunk in chunks:
                    if reply != self._reply:
                        return
                    self._take(reply, chunk)
        except ProviderError:  # told already, of each voice that failed
            pass
        if reply == self._reply:
            self._stream = self._task = None
            while self._pieces and reply == self._reply:
                self._done(reply, whole=False)

    def _take(self, reply: int, chunk: VoiceChunk) -> None:
        piece = self._pieces[0]
        piece.spoken += len(chunk.audio)
        piece.words += chunk.words
        if chunk.audio:
            self._mouth.speak(reply, chunk.audio, self._clock.now_ms())
        if chunk.last and reply == self._reply:
            if chunk.whole:
                self._on_usage(self._speaker.name, Usage(characters=len(piece.text), model=model_of(self._speaker)))
            self._done(reply, whole=chunk.whole)

    def _done(self, reply: int, *, whole: bool) -> None:
        """With the first piece."""
        piece = self._pieces.popleft()
        if piece.spoken or whole:
            self._tell(reply, piece, complete=whole)
        if not whole:
            self._feed(ev.SynthesisFailed(reply, piece.number))
        if reply == self._reply and self._ended and not self._pieces:
            self._mouth.end_speech(reply, self._clock.now_ms())
