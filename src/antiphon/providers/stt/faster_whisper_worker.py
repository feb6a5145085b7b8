"""faster-whisper, in its worker process (frames: ``utterance_engine``). Runs only there: the library brings PyAV, which is GPL in
effect."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import ProviderUnavailable
from antiphon.providers.local_models import not_installed, one_of
from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.utterance_engine import Floats, UtteranceEngine

NAME = "faster-whisper"
_NO_SPEECH = 0.6
"""The model's own doubt from which on a piece that it is unsure of is none, as in the library's default."""
_UNSURE_LOG = -1.0


class FasterWhisperEngine(UtteranceEngine[None]):
    """The ``PatientEngine`` of this process. One piece of speech is decoded in one go, segment by segment."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the package or the model is not there, or the model cannot be loaded."""
        super().__init__(0)
        folder = Path(options["path"])
        try:
            from faster_whisper import WhisperModel
        except ImportError:
            raise not_installed(NAME, "faster-whisper", "faster-whisper") from None
        # The tokeniser, too: without it the library would ask a hub for one.
        one_of(NAME, folder, "tokenizer.json")
        one_of(NAME, folder, "model.bin")
        try:
            self._model = WhisperModel(
                str(folder),
                device=options["device"],
                compute_type=options["compute_type"],
                cpu_threads=options["threads"],
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise ProviderUnavailable(NAME, f"the model in {folder} cannot be loaded: {error}") from None
        self._language = options["language"] or None
        if self._language is not None and self._language not in self._model.supported_languages:
            known = ", ".join(self._model.supported_languages[:12])
            raise ProviderUnavailable(
                NAME, f"the model in {folder} does not know the language {self._language}; it knows {known}"
            )
        self._beam_size: int = options["beam_size"]

    def warm(self) -> None:
        """The first run plans its memory."""
        for _ in self.decode(np.zeros(RATE_HZ, dtype=np.float32), None, quick=True):
            pass

    def decode(self, samples: Floats, expected: None, *, quick: bool) -> Generator[None, None, Heard]:
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=self._beam_size,
            # One try: the library would repeat what it finds odd at five more temperatures, each at the price of the first.
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        texts: list[str] = []
        logs: list[float] = []
        for segment in segments:
            yield
            doubtful = segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _UNSURE_LOG
            if not doubtful:
                texts.append(segment.text.strip())
                logs.append(segment.avg_logprob)
        sure = min(1.0, math.exp(sum(logs) / len(logs))) if logs else 0.0
        return Heard(" ".join(text for text in texts if text), sure, sure=sure)
