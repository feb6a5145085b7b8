"""What the streams of all vendors' voices have in common: pieces in their order, deadlines, and audio that is nothing but silence."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from antiphon.audio import codec
from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.base import VoiceChunk, VoiceRequest
from antiphon.providers.stalls import StallTimer
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, WordTiming

FORMATS = (
    TELEPHONE,
    AudioFormat(Encoding.PCM16, 24000),
    AudioFormat(Encoding.PCM16, 16000),
    AudioFormat(Encoding.PCM16, 8000),
)
MAX_TEXT_CHARACTERS = 5_000
"""Of one piece: vendors refuse more, and a piece is a sentence."""
_WORDS_AHEAD = 4
"""Words that a vendor may leave out at once."""
SILENT_PEAK = 0.003
"""−50 dBFS: below it nobody hears a word."""
MOST_LEADING_SILENCE_MS = 2_000
"""So much silence before the first sound is a voice that says nothing; no vendor begins a sentence with it."""


class Lost(ProviderUnavailable):
    """The connection ended before the reply did."""


class _Renew(Exception):
    """What is left is to be said over another connection."""


@dataclass(slots=True)
class Piece:
    """One piece of the reply."""

    number: int
    text: str

    @property
    def sounds(self) -> bool:
        """Whether there is anything to pronounce: of the rest some vendors make silence, some nothing."""
        return any(map(str.isalnum, self.text))


class SaidWords:
    """The words of one piece, found again in what a vendor tells of them: it may leave marks out, or a word."""

    def __init__(self, text: str) -> None:
        self._words = text.split()
        self._next = 0

    def find(self, told: str) -> str:
        """The words of the text up to the one that was told, from where the last one ended; empty where none is left."""
        plain = _plain(told)
        last = self._next
        for at in range(self._next, min(self._next + _WORDS_AHEAD, len(self._words))):
            if _plain(self._words[at]) == plain:
                last = at
                break
        found = " ".join(self._words[self._next : last + 1])
        self._next = last + 1
        return found


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


class VendorStream(ABC):
    """Implements ``VoiceStream``; what goes over the wire is a vendor's own.

    A vendor's methods are called when there is a connection; what it receives it tells by ``audio``, ``piece_done`` and ``failed``."""

    def __init__(self, provider: str, request: VoiceRequest, audio_timeout_s: float) -> None:
        self.provider = provider
        self.request = request
        self.pieces: deque[Piece] = deque()
        """Said, and not yet spoken to their end."""
        self.spoken_bytes = 0
        """Of the piece at work."""
        self.heard = False
        """Whether any audio has come."""
        self.ended = False
        self._audio_timeout_s = audio_timeout_s
        self._chunks: asyncio.Queue[VoiceChunk | Exception | None] = asyncio.Queue()  # bounded by the reply's length
        self._connected = False
        self._cancelled = False
        self._renewing = False
        self.has_failed = False
        """Nothing that comes counts any more."""
        self._held: list[VoiceChunk] = []
        """Silence that nothing has followed yet."""
        self._loud = False
        self._odd = b""
        self._said: SaidWords | None = None
        self._words: list[WordTiming] = []
        """Told, and start in audio to come."""
        self._words_until_ms = 0
        self._stall = StallTimer(self._stalled)

    # ---------------------------------------------------------------------------------- a vendor's own

    @abstractmethod
    async def connect(self) -> bool:
        """Get a place at the vendor's; whether it is one that might have been lost unseen. Raises ProviderError."""

    @abstractmethod
    def send_piece(self, piece: Piece) -> None:
        """Have a piece spoken at once."""

    @abstractmethod
    def send_end(self) -> None:
        """Nothing more will be said."""

    @abstractmethod
    def disconnect(self) -> None:
        """Give the place back; what is still being spoken is not wanted. Called once for each ``connect``."""

    # ---------------------------------------------------------------------------------- VoiceStream

    def say(self, piece: int, text: str) -> None:
        said = Piece(piece, text)
        self.pieces.append(said)
        if self._connected:
            if said.sounds:
                self.send_piece(said)
                self._expect()
            self._advance()

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        if self._connected:
            self.send_end()
            self._advance()

    async def __aiter__(self) -> AsyncIterator[VoiceChunk]:
        self._check()
        try:
            may_be_dead = await self._begin()
            while True:
                chunk = await self._chunks.get()
                if chunk is None:
                    return
                if isinstance(chunk, Lost) and may_be_dead and not self.heard and not self._cancelled:
                    self._leave()
                    may_be_dead = await self._begin()
                elif isinstance(chunk, _Renew):
                    self._leave()
                    await self._begin()
                elif isinstance(chunk, Exception):
                    raise chunk
                else:
                    yield chunk
        finally:
            await self.cancel()

    async def cancel(self) -> None:
        self._cancelled = True
        self._leave()

    # ---------------------------------------------------------------------------------- what a vendor tells

    def audio(self, audio: bytes, words: tuple[WordTiming, ...] = ()) -> None:
        """Of the first of ``pieces``; any number of bytes."""
        if self._cancelled or self.has_failed or not self.pieces:
            return
        if self.request.audio.bytes_per_sample == 2:
            audio = self._odd + audio
            whole = len(audio) & ~1
            audio, self._odd = audio[:whole], audio[whole:]
        if not audio and not words:
            return
        if audio:
            self._expect()
        self.spoken_bytes += len(audio)
        if self._words:
            words += self._due_words()
        chunk = VoiceChunk(self.pieces[0].number, audio, words)
        if not self._loud:
            self._held.append(chunk)
            if not self._is_loud(audio):
                if self.request.audio.ms_of(self.spoken_bytes) > MOST_LEADING_SILENCE_MS:
                    self.failed(ProviderError(self.provider, "it sent nothing but silence"))
                return
            self._loud = True
            held, self._held = self._held, []
            for each in held:
                self._chunks.put_nowait(each)
        else:
            self._chunks.put_nowait(chunk)
        self.heard = True

    def piece_done(self, *, unheard: bool = False) -> None:
        """The first of ``pieces`` has been spoken to its end. ``unheard``: it may have sounded within the piece before."""
        if self._cancelled or self.has_failed or not self.pieces:
            return
        if not self._loud and self.pieces[0].sounds and not (unheard and self.heard):
            problem = "it sent nothing but silence" if self.spoken_bytes else "it sent no audio"
            self.failed(ProviderError(self.provider, problem))
            return
        self._next()
        self._advance()

    def failed(self, problem: Exception) -> None:
        """No more will come of this reply."""
        if not self._cancelled and not self.has_failed:
            self.has_failed = True
            self._chunks.put_nowait(problem)

    def timed_word(self, told: str, start_ms: float, end_ms: float) -> None:
        """A word of the first of ``pieces``, timed from the piece's first sample; it is told with the audio that it starts in."""
        if self.has_failed or not self.pieces:
            return
        if self._said is None:
            self._said = SaidWords(self.pieces[0].text)
        if text := self._said.find(told):
            start = max(round(start_ms), self._words_until_ms)
            self._words_until_ms = max(round(end_ms), start + 1)
            self._words.append(WordTiming(text, start, self._words_until_ms))

    def renew(self) -> None:
        """What is left of the reply is to be said over another connection."""
        if not self._renewing:
            self._renewing = True
            self._chunks.put_nowait(_Renew())

    def _due_words(self, *, all_of_them: bool = False) -> tuple[WordTiming, ...]:
        reached_ms = self.request.audio.ms_of(self.spoken_bytes)
        count = len(self._words) if all_of_them else sum(1 for word in self._words if word.start_ms < reached_ms)
        due, self._words = tuple(self._words[:count]), self._words[count:]
        return due

    # ---------------------------------------------------------------------------------- inside

    def _check(self) -> None:
        audio, speed = self.request.audio, self.request.speed
        if audio not in FORMATS:
            raise ProviderError(self.provider, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        if not math.isfinite(speed) or speed <= 0:
            raise ProviderError(self.provider, "speed must be positive")
        if any(len(piece.text) > MAX_TEXT_CHARACTERS for piece in self.pieces):
            raise ProviderError(self.provider, f"text is longer than {MAX_TEXT_CHARACTERS} characters")

    async def _begin(self) -> bool:
        """Connect, and send what was said so far."""
        may_be_dead = await self.connect()
        self._connected = True
        self._fresh_piece()
        self.has_failed = self._renewing = False
        for piece in tuple(self.pieces):
            if piece.sounds:
                self.send_piece(piece)
        if self.ended:
            self.send_end()
        self._expect()
        self._advance()
        return may_be_dead

    def _leave(self) -> None:
        self._stall.stop()
        if self._connected:
            self._connected = False
            self.disconnect()

    def _advance(self) -> None:
        """Past pieces that make no sound, and to the end where it is reached."""
        while self.pieces and not self.pieces[0].sounds:
            self._next()
        if self.pieces:
            return
        self._stall.stop()
        if self.ended:
            self._chunks.put_nowait(None)

    def _next(self) -> None:
        self._chunks.put_nowait(
            VoiceChunk(self.pieces.popleft().number, b"", self._due_words(all_of_them=True), last=True)
        )
        self._fresh_piece()

    def _fresh_piece(self) -> None:
        self.spoken_bytes, self._loud, self._odd = 0, False, b""
        self._held.clear()
        self._said, self._words_until_ms = None, 0
        self._words.clear()

    def _is_loud(self, audio: bytes) -> bool:
        if not audio:
            return False
        return bool(np.abs(codec.decode_to_float(audio, self.request.audio.encoding)).max() > SILENT_PEAK)

    def _expect(self) -> None:
        """Audio has come, or is wanted: the vendor has so much time again."""
        self._stall.alive()
        self._stall.watch(self._audio_timeout_s)

    def _stalled(self) -> None:
        self.failed(ProviderTimeout(self.provider, f"no audio within {self._audio_timeout_s:g} s"))
