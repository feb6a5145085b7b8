"""The server's side of a voice in worker processes: Piper's and Kokoro's. What was said lately is kept (``phrase_cache``).

Frames out: ``speak``, ``close``; in: ``audio`` (with the words that start in it), ``done``, ``error``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.tts.phrase_cache import PhraseCache
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, WordTiming

MAX_TEXT_CHARACTERS = 4000
"""About four minutes of speech. A worker may make a speech faster than anybody listens, so this is what bounds our buffer: 2 MiB
of µ-law, 12 MiB at 24 kHz."""


class WorkerVoice:
    """Implements ``TextToSpeech`` for an engine that its subclass names."""

    name = ""
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 8000),
    )
    slowest, fastest = 0.25, 4.0

    def __init__(
        self,
        engine: str,
        options: Mapping[str, Any],
        *,
        workers: int,
        piece_timeout_ms: int,
        cache_mb: int,
        hung_after_s: float,
    ) -> None:
        """``engine`` is ``package.module:Class``, built with ``options`` in each of the processes. Raises ConfigurationError."""
        check_processes("tts", workers, hung_after_s)
        check_positive("tts", piece_timeout_ms=piece_timeout_ms)
        if not 0 <= cache_mb <= 4096:
            raise ConfigurationError("tts.cache_mb", "must be 0 … 4096")
        self._piece_timeout_s = piece_timeout_ms / 1000
        self._pool = WorkerPool(self.name, engine, options, processes=workers, hung_after_s=hung_after_s)
        self._cache = PhraseCache(cache_mb * 1024 * 1024)

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    async def start(self) -> None:
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Text is text (no SSML). Text with nothing to pronounce gives no audio."""
        self._check(request)
        if not request.text.strip():
            return
        kept = self._cache.get(request)
        if kept is not None:
            for chunk in kept:
                yield chunk
            return
        made: list[SpeechChunk] = []
        async for chunk in self._made(request):
            made.append(chunk)
            yield chunk
        self._cache.put(request, made)

    def _check(self, request: SpeechRequest) -> None:
        if request.audio not in self.formats:
            raise ProviderError(
                self.name, f"audio format {request.audio.encoding} at {request.audio.rate_hz} Hz is not supported"
            )
        if len(request.text) > MAX_TEXT_CHARACTERS:
            raise ProviderError(self.name, f"text is longer than {MAX_TEXT_CHARACTERS} characters")
        if not math.isfinite(request.speed) or request.speed <= 0:
            raise ProviderError(self.name, "speed must be positive")

    async def _made(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        pieces: asyncio.Queue[Frame] = asyncio.Queue()  # bounded by the text's length
        stream = self._pool.open(
            pieces.put_nowait, lambda problem: pieces.put_nowait(Frame(0, "error", {"problem": problem}))
        )
        try:
            fields = {
                "text": _ended(request.text),
                "voice": request.voice,
                "speed": min(max(request.speed, self.slowest), self.fastest),
                "encoding": request.audio.encoding,
                "rate_hz": request.audio.rate_hz,
            }
            if not stream.send("speak", fields):
                raise ProviderError(self.name, "its worker process is too far behind")
            while (frame := await self._next(pieces)).kind != "done":
                if frame.kind == "error":
                    raise ProviderError(self.name, frame.fields["problem"])
                yield SpeechChunk(frame.payload, tuple(WordTiming(*word) for word in frame.fields["words"]))
        finally:
            stream.close()

    async def _next(self, pieces: asyncio.Queue[Frame]) -> Frame:
        try:
            async with asyncio.timeout(self._piece_timeout_s):
                return await pieces.get()
        except TimeoutError as late:
            raise ProviderTimeout(self.name, f"no audio within {self._piece_timeout_s:.0f} s") from late


def _ended(text: str) -> str:
    """Such voices swallow the end of what ends in nothing ("goodbye" is heard as "to buy"): a statement ends with a full stop."""
    whole = text.rstrip()
    return f"{whole}." if whole[-1:].isalnum() else text
