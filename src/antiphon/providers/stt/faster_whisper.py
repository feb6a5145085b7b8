"""faster-whisper: Whisper in 99 languages on this machine, decoded in worker processes (extra ``faster-whisper``).

It does not stream: words come at pauses and at the end of an utterance. ``faster_whisper_worker`` does the work.
"""

from __future__ import annotations

from antiphon.errors import ConfigurationError
from antiphon.providers.local_models import model_folder
from antiphon.providers.stt.local import PATIENT_S, LocalSpeechToText

NAME = "faster-whisper"
_ENGINE = "antiphon.providers.stt.faster_whisper_worker:FasterWhisperEngine"


class FasterWhisperSpeechToText(LocalSpeechToText):
    """Implements ``SpeechToText``."""

    name = NAME
    patient_s = PATIENT_S

    def __init__(
        self,
        *,
        model: str = "tiny.en",
        language: str = "",
        path: str = "",
        models_dir: str = "",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 1,
        beam_size: int = 1,
        workers: int = 1,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 10_000,
        hung_after_s: float = 20.0,
    ) -> None:
        """``model`` is looked for as ``faster-whisper-MODEL`` in the models folder; ``path`` names a folder of your own instead (a Whisper
        converted to CTranslate2). ``language``: ISO 639-1, its region left out; empty lets a multilingual model find out, which takes it
        one more look at each piece. ``compute_type`` as CTranslate2 names it. ``threads``: cores of one process, of which there are
        ``workers``. Raises ConfigurationError.
        """
        if not 1 <= threads <= 64:
            raise ConfigurationError("stt.threads", "must be 1 … 64")
        if not 1 <= beam_size <= 10:
            raise ConfigurationError("stt.beam_size", "must be 1 … 10")
        if device not in ("cpu", "cuda", "auto"):
            raise ConfigurationError("stt.device", "must be cpu, cuda or auto")
        self.model = model
        options = {
            "path": str(model_folder(models_dir, f"faster-whisper-{model}", path)),
            "language": language.replace("_", "-").partition("-")[0].lower(),
            "device": device,
            "compute_type": compute_type,
            "threads": threads,
            "beam_size": beam_size,
        }
        super().__init__(
            _ENGINE,
            options,
            workers=workers,
            max_utterance_ms=max_utterance_ms,
            final_timeout_ms=final_timeout_ms,
            hung_after_s=hung_after_s,
        )
