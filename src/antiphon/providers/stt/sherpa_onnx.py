"""sherpa-onnx: recognisers of many makes over onnxruntime, decoded in worker processes (extra ``sherpa-onnx``).

Its models that hear whole pieces of speech are used: SenseVoice (Chinese, English, Japanese, Korean, Cantonese), Moonshine, NeMo's CTC
models. ``sherpa_onnx_worker`` does the work.
"""

from __future__ import annotations

from typing import Unpack

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.local import ModelOptions, ModelSpeechToText, language_and_threads

FAMILIES = ("sense-voice", "moonshine", "nemo-ctc")


class SherpaOnnxSpeechToText(ModelSpeechToText):
    """Implements ``SpeechToText``."""

    name = "sherpa-onnx"
    engine = "antiphon.providers.stt.sherpa_onnx_worker:SherpaOnnxEngine"

    def __init__(
        self,
        *,
        model: str = "sense-voice",
        family: str = "",
        language: str = "",
        threads: int = 1,
        **common: Unpack[ModelOptions],
    ) -> None:
        """``family``: what kind of model it is; empty where the model's name begins with it. ``language`` is told to SenseVoice (empty: it
        finds out).
        ``threads``: cores of one process. Raises ConfigurationError."""
        family = family or next((each for each in FAMILIES if model.startswith(each)), "")
        if family not in FAMILIES:
            raise ConfigurationError("stt.family", f"must be {', '.join(FAMILIES)}")
        super().__init__(model, {**language_and_threads(language, threads), "family": family}, **common)
