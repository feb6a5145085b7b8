"""sherpa-onnx, in its worker process (frames: ``utterance_engine``). Runs only there: it has a runtime of its own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import ProviderUnavailable
from antiphon.providers.local_models import not_installed, one_of
from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.utterance_engine import Floats, UtteranceEngine

NAME = "sherpa-onnx"
_SURE = 0.9
"""It tells no confidence for whole texts: words that came are taken for words."""


class SherpaOnnxEngine(UtteranceEngine[None]):
    """The ``PatientEngine`` of this process. One piece of speech is decoded in one go."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the package or a file of the model is not there, or the model cannot be loaded."""
        super().__init__(0)
        try:
            from sherpa_onnx import OfflineRecognizer
        except ImportError:
            raise not_installed(NAME, "sherpa-onnx", "sherpa-onnx") from None
        folder = Path(options["path"])
        make, files = _made_from(OfflineRecognizer, options["family"], folder, options["language"])
        try:
            self._recogniser = make(**files, num_threads=options["threads"])
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ProviderUnavailable(NAME, f"the model in {folder} cannot be loaded: {error}") from None

    def warm(self) -> None:
        """The first run plans its memory."""
        for _ in self.decode(np.zeros(RATE_HZ, dtype=np.float32), None, quick=True):
            pass

    def decode(self, samples: Floats, expected: None, *, quick: bool) -> Generator[None, None, Heard]:
        yield from ()
        stream = self._recogniser.create_stream()
        stream.accept_waveform(RATE_HZ, samples)
        self._recogniser.decode_stream(stream)
        text = stream.result.text.strip()
        return Heard(text, _SURE if text else 0.0, sure=_SURE if text else 0.0)


def _made_from(recogniser: Any, family: str, folder: Path, language: str) -> tuple[Any, dict[str, Any]]:
    """What makes a recogniser of this family, and of which files."""

    def file(*names: str) -> str:
        return str(one_of(NAME, folder, *names))

    given: dict[str, Any] = {"tokens": file("tokens.txt")}
    if family == "sense-voice":
        given |= {"model": file("model.int8.onnx", "model.onnx"), "language": language or "auto", "use_itn": True}
        return recogniser.from_sense_voice, given
    if family == "moonshine":
        given |= {
            "encoder": file("encoder_model.ort", "encoder_model.onnx"),
            "decoder": file("decoder_model_merged.ort", "decoder_model_merged.onnx"),
        }
        return recogniser.from_moonshine_v2, given
    return recogniser.from_nemo_ctc, given | {"model": file("model.int8.onnx", "model.onnx")}
