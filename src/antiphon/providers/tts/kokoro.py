"""Kokoro: a natural neural voice in nine languages, synthesised in worker processes (extra ``kokoro``).

On two cores it makes speech hardly faster than it is heard, and a sentence is made before it is heard: for machines with cores to spare, or
for words that are said often (what was said lately is kept). ``kokoro_worker`` does the work.
"""

from __future__ import annotations

from antiphon.errors import ConfigurationError
from antiphon.providers.local_models import model_folder
from antiphon.providers.tts.worker_voice import WorkerVoice

NAME = "kokoro"
_ENGINE = "antiphon.providers.tts.kokoro_worker:KokoroEngine"
PATIENT_S = 20.0
"""A sentence is made in one go, without a sign of life: on a slow machine, for some seconds."""


class KokoroTextToSpeech(WorkerVoice):
    """Implements ``TextToSpeech``. It does not time its words."""

    name = NAME
    slowest, fastest = 0.5, 2.0

    def __init__(
        self,
        *,
        voice: str = "af_heart",
        model: str = "v1.0-int8",
        path: str = "",
        models_dir: str = "",
        threads: int = 1,
        workers: int = 1,
        piece_timeout_ms: int = 20_000,
        cache_mb: int = 64,
        hung_after_s: float = 20.0,
    ) -> None:
        """``voice`` speaks where a request names none; its first letter tells the language. ``model`` is looked for as ``kokoro-MODEL`` in
        the models folder; ``path`` names a folder of your own instead. ``threads``: cores of one process, of which there are ``workers``,
        each with the model in its memory (230 MB). ``cache_mb`` is for speech that was made already. Raises ConfigurationError.
        """
        if not 1 <= threads <= 64:
            raise ConfigurationError("tts.threads", "must be 1 … 64")
        self.model = model
        options = {
            "path": str(model_folder(models_dir, f"kokoro-{model}", path)),
            "voice": voice,
            "threads": threads,
        }
        super().__init__(
            _ENGINE,
            options,
            workers=workers,
            piece_timeout_ms=piece_timeout_ms,
            cache_mb=cache_mb,
            hung_after_s=max(hung_after_s, PATIENT_S),
        )
