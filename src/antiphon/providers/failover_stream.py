"""One reply by the first voice that can: where it fails amid a sentence, the rest of that sentence is said once by the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers.base import TextToSpeech, VoiceChunk, VoiceRequest, VoiceStream
from antiphon.providers.one_shot import chunks_of, open_voice
from antiphon.providers.stalls import StallWatch
from antiphon.vocabulary import WordTiming


class Voices(Protocol):
    """Who may speak, and what is known of them."""

    @property
    def stall_s(self) -> float: ...

    def order(self) -> list[TextToSpeech]:
        """Those to be asked, best first; at least one."""
        ...

    def answered(self, voice: TextToSpeech) -> None: ...

    def failed(self, voice: TextToSpeech, problem: Exception) -> None: ...


@dataclass(slots=True)
class _Piece:
    """One piece of a reply that has not been voiced to its end."""

    number: int
    text: str
    """What the voice at work was given: all of it, or the rest where another one took over."""
    spoken: int = 0
    """Bytes of its audio so far."""
    origin_ms: int = 0
    """Where the audio of the voice at work begins."""
    words: tuple[WordTiming, ...] = ()
    """Of the voice at work."""
    told_before: int = 0
    """Words at the beginning of ``text`` that were told already: they were cut in half, and are said again."""

    def take(self, chunk: VoiceChunk) -> VoiceChunk:
        """The chunk as one of the whole piece."""
        self.spoken += len(chunk.audio)
        if not chunk.words:
            return chunk
        self.words += chunk.words
        by_ms = self.origin_ms
        if not by_ms:  # nobody has spoken of it before
            return chunk
        told = []
        for word in chunk.words:
            if self.told_before > 0:
                self.told_before -= len(word.text.split())
            else:
                told.append(replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms))
        return replace(chunk, words=tuple(told))

    def hand_over(self, spoken_ms: int) -> bool:
        """Leave to the next voice what was not said to its end. False where it is not known what that is."""
        if spoken_ms == self.origin_ms:  # nothing has come of it
            self.words = ()
            return True
        told = _text(self.words)
        said = _text(tuple(word for word in self.words if word.end_ms <= spoken_ms - self.origin_ms))
        text = self.text.split()
        if not told or told != text[: len(told)]:
            return False
        self.text = " ".join(text[len(said) :])
        self.told_before += len(told) - len(said)
        self.origin_ms, self.words = spoken_ms, ()
        return True


def _text(words: tuple[WordTiming, ...]) -> list[str]:
    return [each for word in words for each in word.text.split()]


class FailoverStream:
    """Implements ``VoiceStream``. The voice that took over stays for the rest of the reply. A piece that no voice can say is ended all the
    same, as one that is not ``whole``."""

    def __init__(self, voices: Voices, request: VoiceRequest) -> None:
        self._voices = voices
        self._request = request
        self._pieces: deque[_Piece] = deque()
        self._stream: VoiceStream | None = None
        self._watch: StallWatch | None = None
        self._ended = False
        self._wanted = asyncio.Event()
        """Set when there is something to do for a voice that has failed when there was nothing."""

    def say(self, piece: int, text: str) -> None:
        if not self._pieces and self._watch is not None:
            self._watch.away = False
            self._watch.alive()
        self._pieces.append(_Piece(piece, text))
        self._wanted.set()
        if self._stream is not None:
            self._stream.say(piece, text)

    def end(self) -> None:
        self._ended = True
        self._wanted.set()
        if self._stream is not None:
            self._stream.end()

    async def cancel(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.cancel()

    async def __aiter__(self) -> AsyncIterator[VoiceChunk]:
        order, at = self._voices.order(), 0
        while True:
            voice = order[at]
            failed = False
            try:
                stream = open_voice(voice, self._request)
                async with chunks_of(stream) as chunks, StallWatch(self._voices.stall_s) as watch:
                    self._hand_to(stream, watch)
                    async for chunk in chunks:
                        taken = self._take(voice, chunk)
                        watch.away = True
                        yield taken
                        watch.away = not self._pieces
                        watch.alive()
                if self._pieces:
                    raise ProviderError(voice.name, "it ended before it had said everything")
            except Exception as problem:
                if failed := bool(self._pieces):
                    if isinstance(problem, TimeoutError):
                        problem = ProviderTimeout(voice.name, f"nothing came for {self._voices.stall_s:g} s")
                    self._voices.failed(voice, problem)
            finally:
                self._stream = self._watch = None
            if not failed:  # nothing is lost: what comes next begins anew
                if self._pieces:
                    continue
                if self._ended:
                    return
                self._wanted.clear()
                await self._wanted.wait()
                continue
            at += 1
            if (end := self._hand_over(last_try=at >= len(order))) is not None:
                yield end
            if at >= len(order):
                order, at = self._voices.order(), 0

    def _hand_to(self, stream: VoiceStream, watch: StallWatch) -> None:
        """What is left of the reply."""
        for piece in self._pieces:
            stream.say(piece.number, piece.text)
        if self._ended:
            stream.end()
        self._stream, self._watch = stream, watch
        watch.away = not self._pieces

    def _take(self, voice: TextToSpeech, chunk: VoiceChunk) -> VoiceChunk:
        if not self._pieces or chunk.piece != self._pieces[0].number:
            raise ProviderError(voice.name, "it spoke of another piece than the one it is at")
        taken = self._pieces[0].take(chunk)
        if chunk.last:
            self._pieces.popleft()
            self._voices.answered(voice)
        return taken

    def _hand_over(self, *, last_try: bool) -> VoiceChunk | None:
        """What is left of the piece in which a voice failed is for the next one, if it is known and there is one; else it is ended."""
        piece = self._pieces[0]
        known = piece.hand_over(round(self._request.audio.ms_of(piece.spoken)))
        said_all = known and bool(piece.spoken) and not piece.text.split()
        if not said_all and known and not last_try:
            return None
        self._pieces.popleft()
        return VoiceChunk(piece.number, last=True, whole=said_all)
