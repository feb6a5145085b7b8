"""espeak-ng: text to speech with no account and no download, synthesised in worker processes (it is GPL-3).

A robot's voice, but the first audio comes after about a millisecond and a server speaks hundreds of calls on one core.
``espeak_worker`` does the work.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator

from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.worker import WorkerPool
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, WordTiming

NAME = "espeak"
_ENGINE = "antiphon.providers.tts.espeak_worker:EspeakEngine"

MAX_TEXT_CHARACTERS = 2000
"""About two minutes of speech. The worker makes a speech faster than anybody listens, so this is what bounds our buffer: 1 MiB
of µ-law, 6 MiB at 24 kHz."""


class EspeakTextToSpeech:
    """Implements ``TextToSpeech``. Words are timed by the engine."""

    name = NAME
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 8000),
    )

    def __init__(self, *, workers: int = 1, voice: str = "en-us", piece_timeout_ms: int = 5_000) -> None:
        """``voice`` is an espeak-ng language or voice, perhaps with a variant: ``en-us``, ``en+f3`` (British), ``de``.

        ``workers`` are processes. Raises ConfigurationError.
        """
        if not 1 <= workers <= 64:
            raise ConfigurationError("tts.workers", "must be 1 … 64")
        if piece_timeout_ms <= 0:
            raise ConfigurationError("tts.piece_timeout_ms", "must be positive")
        self._piece_timeout_s = piece_timeout_ms / 1000
        self._pool = WorkerPool(NAME, _ENGINE, {"voice": voice}, processes=workers)

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
        pieces: asyncio.Queue[Frame] = asyncio.Queue()  # bounded by the text's length
        stream = self._pool.open(
            pieces.put_nowait, lambda problem: pieces.put_nowait(Frame(0, "error", {"problem": problem}))
        )
        try:
            fields = {
                # NUL would end the text early; the engine takes nothing else amiss.
                "text": request.text.replace("\0", " "),
                "voice": request.voice,
                "speed": request.speed,
                "encoding": request.audio.encoding,
                "rate_hz": request.audio.rate_hz,
            }
            if not stream.send("speak", fields):
                raise ProviderError(NAME, "its worker process is too far behind")
            while (frame := await self._next(pieces)).kind != "done":
                if frame.kind == "error":
                    raise ProviderError(NAME, frame.fields["problem"])
                yield SpeechChunk(frame.payload, tuple(WordTiming(*word) for word in frame.fields["words"]))
        finally:
            stream.close()

    async def _next(self, pieces: asyncio.Queue[Frame]) -> Frame:
        try:
            async with asyncio.timeout(self._piece_timeout_s):
                return await pieces.get()
        except TimeoutError as late:
            raise ProviderTimeout(NAME, f"no audio within {self._piece_timeout_s:.0f} s") from late
