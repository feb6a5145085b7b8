"""Piper: a neural voice with no account and no download, synthesised in worker processes with onnxruntime.

The voice that comes with Antiphon is "joe" (US English); any other English Piper voice is used by its path. ``piper_worker`` does the
work; what was said lately is kept (``phrase_cache``).
"""

from __future__ import annotations

from pathlib import Path

import orjson

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.tts.piper_names import split_voice
from antiphon.providers.tts.worker_voice import MAX_TEXT_CHARACTERS, WorkerVoice

__all__ = ["MAX_TEXT_CHARACTERS", "PiperTextToSpeech"]

NAME = "piper"
_ENGINE = "antiphon.providers.tts.piper_worker:PiperEngine"


class PiperTextToSpeech(WorkerVoice):
    """Implements ``TextToSpeech``. Words are timed by the durations that the model gives their phonemes."""

    name = NAME

    def __init__(
        self,
        *,
        workers: int = 1,
        path: str = "",
        sha256: str = "",
        piece_timeout_ms: int = 8_000,
        cache_mb: int = 32,
        hung_after_s: float = 4.0,
    ) -> None:
        """``path`` is a Piper voice, NAME.onnx with NAME.onnx.json beside it; empty: joe. ``sha256``, where given, is what its file must
        have. A request's voice is ``joe`` (or the file's stem, or one of its speakers), perhaps moved by semitones: ``joe+2``.
        ``workers`` are processes, each with the voice in its memory (at most 360 MB). ``cache_mb`` is for speech that was made already;
        0 keeps none. A process that gives no sign of life for ``hung_after_s`` is replaced. Raises ConfigurationError.
        """
        if sha256 and not path:
            raise ConfigurationError("tts.sha256", "needs a path")
        self._path = path
        super().__init__(
            _ENGINE,
            {"path": path, "sha256": sha256},
            workers=workers,
            piece_timeout_ms=piece_timeout_ms,
            cache_mb=cache_mb,
            hung_after_s=hung_after_s,
        )

    def check_voice(self, name: str, field: str) -> None:
        """Raises ConfigurationError naming ``field`` where no request for this voice can be met."""
        names = [Path(self._path).stem, *_speakers(Path(f"{self._path}.json"))] if self._path else ["joe"]
        try:
            voice, _ = split_voice(name)
        except ProviderError as error:
            raise ConfigurationError(field, str(error)) from None
        if voice and voice not in names:
            raise ConfigurationError(field, f"unknown voice {name[:40]!r}; piper has {', '.join(names[:20])}")


def _speakers(description: Path) -> list[str]:
    """Those of a voice's file; none where it cannot be read, which the start of the engine tells."""
    try:
        return list(orjson.loads(description.read_bytes()).get("speaker_id_map") or {})
    except (OSError, ValueError, AttributeError, TypeError):
        return []
