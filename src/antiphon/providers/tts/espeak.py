"""espeak-ng: text to speech with no account and no download, synthesised in worker processes (it is GPL-3).

A robot's voice, but the first audio comes after about a millisecond and a server speaks hundreds of calls on one core.
``espeak_worker`` does the work.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.espeak_voices import check_voice
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.tts.espeak_text import pieces, speakable
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, WordTiming

NAME = "espeak"
_ENGINE = "antiphon.providers.tts.espeak_worker:EspeakEngine"

MAX_TEXT_CHARACTERS = 20_000
"""About twenty minutes of speech: more can only be a mistake. It is spoken a piece at a time (``espeak_text``), and a piece is asked for
when the one before was taken: the worker makes a speech faster than anybody listens, so this is what bounds our buffer."""
_TRIES = 3
"""A text that waited while another one killed the process is spoken by the next process."""


class _NeverBegun(ProviderError):
    """The process was lost before it came to this text."""


class EspeakTextToSpeech:
    """Implements ``TextToSpeech``. Words are timed by the engine."""

    name = NAME
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 8000),
    )

    def __init__(
        self, *, workers: int = 1, voice: str = "en-us", piece_timeout_ms: int = 5_000, hung_after_s: float = 4.0
    ) -> None:
        """``voice`` is an espeak-ng language or voice, perhaps with a variant: ``en-us``, ``en+f3`` (British), ``de``.

        ``workers`` are processes; one that gives no sign of life for ``hung_after_s`` is replaced. Raises ConfigurationError.
        """
        check_processes("tts", workers, hung_after_s)
        check_positive("tts", piece_timeout_ms=piece_timeout_ms)
        check_voice(voice, "tts.voice")
        self._piece_timeout_s = piece_timeout_ms / 1000
        self._pool = WorkerPool(NAME, _ENGINE, {"voice": voice}, processes=workers, hung_after_s=hung_after_s)

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    def check_voice(self, name: str, field: str) -> None:
        """Raises ConfigurationError naming ``field`` where no request for this voice can be met."""
        check_voice(name, field)

    async def start(self) -> None:
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Text is text (no SSML). Text with nothing to pronounce gives no audio."""
        if request.audio not in self.formats:
            raise ProviderError(
                NAME, f"audio format {request.audio.encoding} at {request.audio.rate_hz} Hz is not supported"
            )
        if len(request.text) > MAX_TEXT_CHARACTERS:
            raise ProviderError(NAME, f"text is longer than {MAX_TEXT_CHARACTERS} characters")
        if not math.isfinite(request.speed) or request.speed <= 0:
            raise ProviderError(NAME, "speed must be positive")
        if not request.text.strip():
            return
        spoken_bytes = 0
        for _, part in pieces(speakable(request.text)):
            if not part.strip():
                continue
            spoken_ms = int(request.audio.ms_of(spoken_bytes))
            async with aclosing(self._speak_part(part, request)) as chunks:
                async for chunk in chunks:
                    spoken_bytes += len(chunk.audio)
                    yield SpeechChunk(chunk.audio, tuple(_later(word, spoken_ms) for word in chunk.words))

    async def _speak_part(self, text: str, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        fields = {
            "text": text,
            "voice": request.voice,
            "speed": request.speed,
            "encoding": request.audio.encoding,
            "rate_hz": request.audio.rate_hz,
        }
        for attempt in range(_TRIES):
            try:
                async with aclosing(self._speak(fields)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except _NeverBegun:
                if attempt == _TRIES - 1:
                    raise

    async def _speak(self, fields: Mapping[str, Any]) -> AsyncGenerator[SpeechChunk, None]:
        begun = False
        frames: asyncio.Queue[Frame] = asyncio.Queue()  # bounded by the text's length
        stream = self._pool.open(
            frames.put_nowait, lambda problem: frames.put_nowait(Frame(0, "lost", {"problem": problem}))
        )
        try:
            if not stream.send("speak", fields):
                raise ProviderError(NAME, "its worker process is too far behind")
            while (frame := await self._next(frames)).kind != "done":
                if frame.kind == "begun":
                    begun = True
                elif frame.kind == "lost" and not begun:
                    raise _NeverBegun(NAME, frame.fields["problem"])
                elif frame.kind in ("error", "lost"):
                    raise ProviderError(NAME, frame.fields["problem"])
                else:
                    yield SpeechChunk(frame.payload, tuple(WordTiming(*word) for word in frame.fields["words"]))
        finally:
            stream.close()

    async def _next(self, pieces: asyncio.Queue[Frame]) -> Frame:
        try:
            async with asyncio.timeout(self._piece_timeout_s):
                return await pieces.get()
        except TimeoutError as late:
            raise ProviderTimeout(NAME, f"no audio within {self._piece_timeout_s:.0f} s") from late


def _later(word: WordTiming, by_ms: int) -> WordTiming:
    return WordTiming(word.text, word.start_ms + by_ms, word.end_ms + by_ms) if by_ms else word
