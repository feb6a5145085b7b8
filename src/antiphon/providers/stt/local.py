"""Recognisers in worker processes of this machine, as the server sees them; the far side of most is ``utterance_engine``.

``sherpa_onnx.py`` is the example of one more: a class here that names what is its own, a class there that decodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import DOUBTFUL_PUNCTUATION, ExpectedAnswers, OnTranscription, Partials
from antiphon.providers.local_models import model_folder
from antiphon.providers.local_settings import check_positive, check_processes
from antiphon.providers.stt.local_stream import LocalStream
from antiphon.providers.stt.places import Places
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding


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
    places: Places | None = None
    """For long recordings, where only so many can be decoded at once."""

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
        return LocalStream(
            self.name, self._pool, audio, answers, on_event, self._max_utterance_ms, self._final_timeout_ms, self.places
        )


class ModelOptions(TypedDict, total=False):
    """What every ``ModelSpeechToText`` takes, besides what is its own."""

    path: str
    models_dir: str
    workers: int
    max_utterance_ms: int
    final_timeout_ms: int
    hung_after_s: float


class ModelSpeechToText(LocalSpeechToText):
    """One with a model in a folder, decoded by a library that takes a piece of speech in one go. A subclass names its ``engine``."""

    engine: ClassVar[str]
    """``package.module:Class``"""
    patient_s = 20.0
    """The library gives no sign of life meanwhile, on a slow machine for some seconds."""

    def __init__(
        self,
        model: str,
        own: Mapping[str, Any],
        *,
        path: str = "",
        models_dir: str = "",
        workers: int = 1,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 10_000,
        hung_after_s: float = 20.0,
    ) -> None:
        """``model`` is looked for as ``NAME-MODEL`` in the models folder; ``path`` names a folder of your own instead. The engine is made
        with ``path`` and what is its ``own``, in each of ``workers`` processes. Raises ConfigurationError.
        """
        self.model = model
        super().__init__(
            self.engine,
            {"path": str(model_folder(models_dir, f"{self.name}-{model}", path)), **own},
            workers=workers,
            max_utterance_ms=max_utterance_ms,
            final_timeout_ms=final_timeout_ms,
            hung_after_s=hung_after_s,
        )


def language_and_threads(language: str, threads: int) -> dict[str, Any]:
    """For engines that are told them: ISO 639-1, its region left out, and the cores of one process. Raises ConfigurationError."""
    if not 1 <= threads <= 64:
        raise ConfigurationError("stt.threads", "must be 1 … 64")
    return {"language": language.replace("_", "-").partition("-")[0].lower(), "threads": threads}
