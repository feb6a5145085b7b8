"""Vosk: small Kaldi models for some thirty languages, decoded in worker processes (extra ``vosk``).

It writes words without capitals, marks or figures. ``vosk_worker`` does the work.
"""

from __future__ import annotations

from typing import Unpack

from antiphon.providers.stt.local import ModelOptions, ModelSpeechToText


class VoskSpeechToText(ModelSpeechToText):
    """Implements ``SpeechToText``."""

    name = "vosk"
    engine = "antiphon.providers.stt.vosk_worker:VoskEngine"
    punctuation = 0.0

    def __init__(self, *, model: str = "model-small-en-us-0.15", **common: Unpack[ModelOptions]) -> None:
        """A model knows one language, its own, and works on one core. Raises ConfigurationError."""
        super().__init__(model, {}, **common)
