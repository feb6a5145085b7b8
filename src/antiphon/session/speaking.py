"""``Speak`` → the voice → the mouth. Pieces of a reply are voiced one after the other, ahead of their playing, by one stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.media.mouth import Mouth
from antiphon.providers.base import TextToSpeech, VoiceChunk, VoiceRequest, VoiceStream
from antiphon.providers.one_shot import open_voice
from antiphon.session.stalls import StallWatch
from antiphon.vocabulary import AudioFormat, WordTiming

_CHUNK_TIMEOUT_S = 10.0
"""A voice that sends nothing for this long has failed."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Piece:
    """One piece of a reply that has not been voiced to its end."""

    number: int
    text: str
    """What the voice at work was given: all of it, or the rest where another one took over."""
    spoken: int = 0
    """Bytes of its audio so far."""
    words: tuple[WordTiming, ...] = ()
    origin_ms: int = 0
    """Where the audio of the voice at work begins."""
    known: int = 0
    """Of ``words``, those of voices before."""

    def heard(self, chunk: VoiceChunk) -> None:
        self.spoken += len(chunk.audio)
        by_ms = self.origin_ms
        self.words += (
            tuple(replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms) for word in chunk.words)
            if by_ms
            else chunk.words
        )

    def rest(self, spoken_ms: int) -> str | None:
        """The words that its voice, which has failed, did not say to their end; they are forgotten. None where it did not tell which
        words it said."""
        told = [word for word in self.words[self.known :] if word.end_ms <= spoken_ms]
        said = [each for word in told for each in word.text.split()]
        text = self.text.split()
        if not self.words[self.known :] or said != text[: len(said)]:
            return None
        self.words = (*self.words[: self.known], *told)
        return " ".join(text[len(said) :])


class Speaking:
    """One call's voice. At most one reply is voiced at a time."""

    def __init__(
        self,
        voices: Sequence[TextToSpeech],
        voice: str,
        speed: float,
        audio: AudioFormat,
        mouth: Mouth,
        clock: Clock,
        feed: Callable[[ev.Event], object],
        spawn: Callable[..., asyncio.Task[None]],
        on_characters: Callable[[str, int], None],
        on_failure: Callable[[str, str], None],
    ) -> None:
        self._voices = voices
        self.voice = voice
        self.speed = speed
        self._voice_of: tuple[int, str] = (0, "")
        self._audio = audio
        self._mouth = mouth
        self._clock = clock
        self._feed = feed
        self._spawn = spawn
        self._on_characters = on_characters
        self._on_failure = on_failure
        self._reply = 0
        self._pieces: deque[_Piece] = deque()
        self._stream: VoiceStream | None = None
        self._watch: StallWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def speak(self, reply: int, piece: int, text: str) -> None:
        if reply != self._reply:
            self.cancel(self._reply)
            self._reply, self._ended = reply, False
            self._mouth.prepare(reply)
        if not self._pieces and self._watch is not None:
            self._watch.alive()
        self._pieces.append(_Piece(piece, text))
        if self._task is None:
            self._task = self._spawn(self._voice_reply(reply), name=f"voice-{reply}")
        elif self._stream is not None:
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
            self._stream = self._watch = None
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def report(self, reply: int) -> None:
        """Tell what is known of the piece being voiced; a cut is about to be made in it."""
        if reply == self._reply and self._pieces and self._pieces[0].spoken:
            self._tell(reply, self._pieces[0], complete=False)

    def _tell(self, reply: int, piece: _Piece, *, complete: bool) -> None:
        self._feed(ev.SpeechSynthesized(reply, piece.number, self._ms(piece), piece.words, complete=complete))

    def _ms(self, piece: _Piece) -> int:
        return round(self._audio.ms_of(piece.spoken))

    async def _voice_reply(self, reply: int) -> None:
        """With the first voice that can. Another one takes over in the middle of a piece where it is known which words are said: none is
        said twice. It stays for the rest of the reply."""
        at = 0
        while reply == self._reply and self._pieces:
            voice = self._voices[at]
            try:
                await self._voice_with(reply, voice)
                break
            except ProviderError as error:
                name, code = error.provider, error.code
                log.warning("voice_failed", provider=name, code=code, voice=self._voice_for(reply))
            except Exception as error:
                name, code = voice.name, "exception"
                log.error("voice_failed", provider=name, code=type(error).__name__, voice=self._voice_for(reply))
            self._on_failure(name, code)
            if reply == self._reply and self._pieces:
                at = (at + 1) % len(self._voices)
                self._hand_over(reply, last_try=at == 0)
        if reply == self._reply:
            self._task = None

    def _hand_over(self, reply: int, *, last_try: bool) -> None:
        """The voice has failed: what is left of its piece is for the next, if it is known and there is one."""
        piece = self._pieces[0]
        spoken_ms = self._ms(piece)
        fresh = spoken_ms == piece.origin_ms
        rest = piece.text if fresh else piece.rest(spoken_ms)
        if rest == "":
            self._done(reply, complete=True)
        elif last_try or rest is None:
            self._done(reply, complete=False)
        else:
            piece.text, piece.origin_ms, piece.known = rest, spoken_ms, len(piece.words)

    def _done(self, reply: int, *, complete: bool) -> None:
        """With the first piece."""
        piece = self._pieces.popleft()
        if piece.spoken or complete:
            self._tell(reply, piece, complete=complete)
        if not complete:
            self._feed(ev.SynthesisFailed(reply, piece.number))
        if reply == self._reply and self._ended and not self._pieces:
            self._mouth.end_speech(reply, self._clock.now_ms())

    def _voice_for(self, reply: int) -> str:
        """The name of the voice; empty for the engine's own."""
        return self._voice_of[1] if self._voice_of[0] == reply else self.voice

    async def _voice_with(self, reply: int, voice: TextToSpeech) -> None:
        """All pieces that are there, and those that come, until the reply has ended."""
        stream = open_voice(voice, VoiceRequest(self._audio, self._voice_for(reply), self.speed))
        try:
            async with StallWatch(_CHUNK_TIMEOUT_S) as watch:
                self._stream, self._watch = stream, watch
                for piece in self._pieces:
                    stream.say(piece.number, piece.text)
                if self._ended:
                    stream.end()
                async for chunk in stream:
                    if reply != self._reply:
                        return
                    watch.alive()
                    self._take(reply, voice, chunk)
                    if not self._pieces:
                        watch.rest()
                if self._pieces:
                    raise ProviderError(voice.name, "the voice ended before it had said everything")
        except TimeoutError:
            raise ProviderTimeout(voice.name, "the voice stopped speaking") from None
        finally:
            if self._stream is stream:
                self._stream = self._watch = None
            await stream.cancel()

    def _take(self, reply: int, voice: TextToSpeech, chunk: VoiceChunk) -> None:
        if not self._pieces or chunk.piece != self._pieces[0].number:
            raise ProviderError(voice.name, "the voice spoke of another piece than the one it is at")
        piece = self._pieces[0]
        piece.heard(chunk)
        if chunk.audio:
            self._mouth.speak(reply, chunk.audio, self._clock.now_ms())
        if chunk.last and reply == self._reply:
            self._on_characters(voice.name, len(piece.text))
            self._done(reply, complete=True)
