"""Vosk, in its worker process (frames: ``utterance_engine``). Runs only there: its library is Kaldi, which ends a process that it finds in
disorder."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from antiphon.errors import ProviderUnavailable
from antiphon.providers.local_models import not_installed, one_of
from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.utterance_engine import Floats, UtteranceEngine

NAME = "vosk"
_STEP = RATE_HZ // 4
"""So much is decoded in one go; after it, frames are handled."""
_FULL_SCALE = 32767


class VoskEngine(UtteranceEngine[None]):
    """The ``PatientEngine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the package or a file of the model is not there, or the model cannot be loaded."""
        super().__init__(0)
        try:
            import vosk
        except ImportError:
            raise not_installed(NAME, "vosk", "vosk") from None
        folder = Path(options["path"])
        for names in (("am/final.mdl",), ("conf/mfcc.conf",), ("graph/HCLG.fst", "graph/HCLr.fst")):
            one_of(NAME, folder, *names)
        vosk.SetLogLevel(-1)
        self._make = vosk.KaldiRecognizer
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # the library raises no other kind
            raise ProviderUnavailable(NAME, f"the model in {folder} cannot be loaded: {error}") from None

    def warm(self) -> None:
        """The first run plans its memory."""
        for _ in self.decode(np.zeros(RATE_HZ, dtype=np.float32), None, quick=True):
            pass

    def decode(self, samples: Floats, expected: None, *, quick: bool) -> Generator[None, None, Heard]:
        recogniser = self._make(self._model, float(RATE_HZ))
        recogniser.SetWords(True)
        audio = (np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype("<i2")
        told: list[str] = []
        for start in range(0, audio.size, _STEP):
            if recogniser.AcceptWaveform(audio[start : start + _STEP].tobytes()):
                told.append(recogniser.Result())  # at what it takes for an end, it begins anew
            yield
        told.append(recogniser.FinalResult())
        words = [word for each in told for word in orjson.loads(each).get("result", ())]
        sure = sum(float(word["conf"]) for word in words) / len(words) if words else 0.0
        return Heard(" ".join(str(word["word"]) for word in words), sure, sure=sure)
