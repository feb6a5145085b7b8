"""sherpa-onnx: recognisers of many makes over onnxruntime, decoded in worker processes (extra ``sherpa-onnx``).

Its models that hear whole pieces of speech are used: SenseVoice (Chinese, English, Japanese, Korean, Cantonese), Moonshine, NeMo's CTC
models. ``sherpa_onnx_worker`` does the work.
"""

from __future__ import annotations

from antiphon.errors import ConfigurationError
from antiphon.providers.local_models import model_folder
from antiphon.providers.stt.local import PATIENT_S, LocalSpeechToText

NAME = "sherpa-onnx"
FAMILIES = ("sense-voice", "moonshine", "nemo-ctc")
_ENGINE = "antiphon.providers.stt.sherpa_onnx_worker:SherpaOnnxEngine"


class SherpaOnnxSpeechToText(LocalSpeechToText):
    """Implements ``SpeechToText``."""

    name = NAME
    patient_s = PATIENT_S

    def __init__(
        self,
        *,
        model: str = "sense-voice",
        family: str = "",
        language: str = "",
        path: str = "",
        models_dir: str = "",
        threads: int = 1,
        workers: int = 1,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 10_000,
        hung_after_s: float = 20.0,
    ) -> None:
        """``model`` is looked for as ``sherpa-onnx-MODEL`` in the models folder; ``path`` names a folder of your own instead. ``family``:
        what kind of model it is; empty where the model's name begins with it. ``language`` is told to SenseVoice (ISO 639-1; empty: it
        finds out). ``threads``: cores of one process, of which there are ``workers``. Raises ConfigurationError.
        """
        if not 1 <= threads <= 64:
            raise ConfigurationError("stt.threads", "must be 1 … 64")
        family = family or next((each for each in FAMILIES if model.startswith(each)), "")
        if family not in FAMILIES:
            raise ConfigurationError("stt.family", f"must be {', '.join(FAMILIES)}")
        self.model = model
        options = {
            "path": str(model_folder(models_dir, f"sherpa-onnx-{model}", path)),
            "family": family,
            "language": language.replace("_", "-").partition("-")[0].lower(),
            "threads": threads,
        }
        super().__init__(
            _ENGINE,
            options,
            workers=workers,
            max_utterance_ms=max_utterance_ms,
            final_timeout_ms=final_timeout_ms,
            hung_after_s=hung_after_s,
        )
