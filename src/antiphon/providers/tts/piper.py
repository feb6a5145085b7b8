"""Piper: a neural voice with no account and no download, synthesised in worker processes with onnxruntime.

The voice that comes with Antiphon is "joe" (US English); any other English Piper voice is used by its path. ``piper_worker`` does the
work; what was said lately is kept (``phrase_cache``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson

from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.tts.phrase_cache import PhraseCache
from antiphon.providers.tts.piper_names import split_voice
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, WordTiming

NAME = "piper"
_ENGINE = "antiphon.providers.tts.piper_worker:PiperEngine"

MAX_TEXT_CHARACTERS = 4000
"""About four minutes of speech. The worker makes a speech faster than anybody listens, so this is what bounds our buffer: 2 MiB
of µ-law, 12 MiB at 24 kHz."""
SLOWEST, FASTEST = 0.25, 4.0


class PiperTextToSpeech:
    """Implements ``TextToSpeech``. Words are timed by the durations that the model gives their phonemes."""

    name = NAME
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 8000),
    )

    def __init__(
        self,
        *,
        workers: int = 1,
        path: str = "",
        sha256: str = "",
        piece_timeout_ms: int = 8_000,
        cache_mb: int = 32,
        hung_after_s: float = 4.0,
    ) -> None:
        """``path`` is a Piper voice, NAME.onnx with NAME.onnx.json beside it; empty: joe. ``sha256``, where given, is what its file must
        have. A request's voice is ``joe`` (or the file's stem, or one of its speakers), perhaps moved by semitones: ``joe+2``.
        ``workers`` are processes, each with the voice in its memory (at most 360 MB). ``cache_mb`` is for speech that was made already;
        0 keeps none. A process that gives no sign of life for ``hung_after_s`` is replaced. Raises ConfigurationError.
        """
        check_processes("tts", workers, hung_after_s)
        check_positive("tts", piece_timeout_ms=piece_timeout_ms)
        if not 0 <= cache_mb <= 4096:
            raise ConfigurationError("tts.cache_mb", "must be 0 … 4096")
        if sha256 and not path:
            raise ConfigurationError("tts.sha256", "needs a path")
        self._piece_timeout_s = piece_timeout_ms / 1000
        self._path = path
        self._pool = WorkerPool(
            NAME, _ENGINE, {"path": path, "sha256": sha256}, processes=workers, hung_after_s=hung_after_s
        )
        self._cache = PhraseCache(cache_mb * 1024 * 1024)

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    def check_voice(self, name: str, field: str) -> None:
        """Raises ConfigurationError naming ``field`` where no request for this voice can be met."""
        names = [Path(self._path).stem, *_speakers(Path(f"{self._path}.json"))] if self._path else ["joe"]
        try:
            voice, _ = split_voice(name)
        except ProviderError as error:
            raise ConfigurationError(field, str(error)) from None
        if voice and voice not in names:
            raise ConfigurationError(field, f"unknown voice {name[:40]!r}; piper has {', '.join(names[:20])}")

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
                NAME, f"audio format {request.audio.encoding} at {request.audio.rate_hz} Hz is not supported"
            )
        if len(request.text) > MAX_TEXT_CHARACTERS:
            raise ProviderError(NAME, f"text is longer than {MAX_TEXT_CHARACTERS} characters")
        if not math.isfinite(request.speed) or request.speed <= 0:
            raise ProviderError(NAME, "speed must be positive")

    async def _made(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        pieces: asyncio.Queue[Frame] = asyncio.Queue()  # bounded by the text's length
        stream = self._pool.open(
            pieces.put_nowait, lambda problem: pieces.put_nowait(Frame(0, "error", {"problem": problem}))
        )
        try:
            fields = {
                "text": _ended(request.text),
                "voice": request.voice,
                "speed": min(max(request.speed, SLOWEST), FASTEST),
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


def _speakers(description: Path) -> list[str]:
    """Those of a voice's file; none where it cannot be read, which the start of the engine tells."""
    try:
        return list(orjson.loads(description.read_bytes()).get("speaker_id_map") or {})
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def _ended(text: str) -> str:
    """The voice swallows the end of what ends in nothing ("goodbye" is heard as "to buy"): a statement ends with a full stop."""
    whole = text.rstrip()
    return f"{whole}." if whole[-1:].isalnum() else text
