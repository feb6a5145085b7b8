"""Moonshine tiny-en: English speech to text with no account, 4 % word errors over the telephone, decoded in worker processes.

It writes as people do (capitals, marks, figures). Expected answers come back in their author's words; other words, too, are told unless
``expected_only`` is set. ``moonshine_worker`` does the work.
"""

from __future__ import annotations

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import DOUBTFUL_PUNCTUATION, ExpectedAnswers, OnTranscription, Partials
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.stt.pocketsphinx import PocketsphinxStream
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

NAME = "moonshine"
_ENGINE = "antiphon.providers.stt.moonshine_worker:MoonshineEngine"


class MoonshineStream(PocketsphinxStream):
    """One call's recogniser. Implements ``SpeechToTextStream``; the server's side of every recogniser in a worker is the same."""

    _provider = NAME


class MoonshineSpeechToText:
    """Implements ``SpeechToText``."""

    name = NAME
    formats = (TELEPHONE, AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 8000))
    continuous = False
    partials: Partials = "doubtful"
    punctuation = DOUBTFUL_PUNCTUATION

    def __init__(
        self,
        *,
        workers: int = 1,
        min_confidence: float = 0.5,
        expected_only: bool = False,
        partial_every_ms: int = 500,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 5_000,
        hung_after_s: float = 4.0,
    ) -> None:
        """``workers`` are processes of 130 MB and one core each. An answer is taken for an expected one from ``min_confidence`` on; with
        ``expected_only``, what is none is told as an empty text. Partials come at each pause, and every ``partial_every_ms`` of speech as
        long as they take no more than half of a process's time. Audio past ``max_utterance_ms`` is not heard. A process that
        gives no sign of life for ``hung_after_s`` is replaced. Raises ConfigurationError.
        """
        check_processes("stt", workers, hung_after_s)
        if not 0.0 <= min_confidence <= 1.0:
            raise ConfigurationError("stt.min_confidence", "must be 0 … 1")
        if not isinstance(expected_only, bool):
            raise ConfigurationError("stt.expected_only", "must be true or false")
        check_positive(
            "stt",
            partial_every_ms=partial_every_ms,
            max_utterance_ms=max_utterance_ms,
            final_timeout_ms=final_timeout_ms,
        )
        self._max_utterance_ms = max_utterance_ms
        self._final_timeout_ms = final_timeout_ms
        options = {
            "min_confidence": min_confidence,
            "expected_only": expected_only,
            "partial_every_ms": partial_every_ms,
        }
        self._pool = WorkerPool(NAME, _ENGINE, options, processes=workers, hung_after_s=hung_after_s)

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    async def start(self) -> None:
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> MoonshineStream:
        if audio not in self.formats:
            raise ProviderError(NAME, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        return MoonshineStream(
            self._pool, audio, answers, on_event, self._max_utterance_ms, self._final_timeout_ms, None
        )
