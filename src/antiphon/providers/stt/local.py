"""The server's side of a recogniser that decodes whole pieces of speech in worker processes (``utterance_engine`` is the far side)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.errors import ProviderError
from antiphon.providers.base import DOUBTFUL_PUNCTUATION, ExpectedAnswers, OnTranscription, Partials
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.stt.pocketsphinx import PocketsphinxStream
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

PATIENT_S = 20.0
"""``patient_s`` of a library that decodes a piece of speech in one go: it gives no sign of life meanwhile, on a slow machine for some
seconds."""


class LocalStream(PocketsphinxStream):
    """One call's recogniser. Implements ``SpeechToTextStream``; this side of every recogniser in a worker is the same."""

    def __init__(self, provider: str, *given: Any) -> None:
        self._provider = provider
        super().__init__(*given)


class LocalSpeechToText:
    """Implements ``SpeechToText`` for an engine that its subclass names."""

    name = ""
    formats = (TELEPHONE, AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 8000))
    continuous = False
    partials: Partials = "doubtful"
    """At pauses: each is a whole decoding."""
    punctuation = DOUBTFUL_PUNCTUATION
    patient_s = 0.0
    """A process is given at least so long for a sign of life, whatever ``hung_after_s`` says."""

    def __init__(
        self,
        engine: str,
        options: Mapping[str, Any],
        *,
        workers: int,
        max_utterance_ms: int,
        final_timeout_ms: int,
        hung_after_s: float,
    ) -> None:
        """``engine`` is ``package.module:Class``, built with ``options`` in each of the processes. Raises ConfigurationError."""
        check_processes("stt", workers, hung_after_s)
        check_positive("stt", max_utterance_ms=max_utterance_ms, final_timeout_ms=final_timeout_ms)
        self._max_utterance_ms = max_utterance_ms
        self._final_timeout_ms = final_timeout_ms
        self._pool = WorkerPool(
            self.name, engine, options, processes=workers, hung_after_s=max(hung_after_s, self.patient_s)
        )

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    async def start(self) -> None:
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> LocalStream:
        if audio not in self.formats:
            raise ProviderError(self.name, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        bounds = (self._max_utterance_ms, self._final_timeout_ms)
        return LocalStream(self.name, self._pool, audio, answers, on_event, *bounds, None)
