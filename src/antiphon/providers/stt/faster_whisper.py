"""faster-whisper: Whisper in 99 languages on this machine, decoded in worker processes (extra ``faster-whisper``).

It does not stream: words come at pauses and at the end of an utterance. ``faster_whisper_worker`` does the work.
"""

from __future__ import annotations

from typing import Unpack

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.local import ModelOptions, ModelSpeechToText, language_and_threads


class FasterWhisperSpeechToText(ModelSpeechToText):
    """Implements ``SpeechToText``."""

    name = "faster-whisper"
    engine = "antiphon.providers.stt.faster_whisper_worker:FasterWhisperEngine"

    def __init__(
        self,
        *,
        model: str = "tiny.en",
        language: str = "",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 1,
        beam_size: int = 1,
        **common: Unpack[ModelOptions],
    ) -> None:
        """Its folder holds a Whisper converted to CTranslate2. Without a ``language`` a multilingual model finds out, which takes it one
        more look at each piece. ``compute_type`` as CTranslate2 names it. ``threads``: cores of one
        process. Raises ConfigurationError."""
        if not 1 <= beam_size <= 10:
            raise ConfigurationError("stt.beam_size", "must be 1 … 10")
        if device not in ("cpu", "cuda", "auto"):
            raise ConfigurationError("stt.device", "must be cpu, cuda or auto")
        super().__init__(
            model,
            {
                **language_and_threads(language, threads),
                "device": device,
                "compute_type": compute_type,
                "beam_size": beam_size,
            },
            **common,
        )
