"""Fills holes in a stream so that the time base never shifts and the hole is hardly heard.

The last 20 ms are repeated, fading to silence over 60 ms; after that, silence. (Longer repetition sounds like a robot and keeps a
voice-activity model awake.)
"""

from __future__ import annotations

import numpy as np

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat

REPEAT_MS = 20
FADE_MS = 60


class Concealer:
    """One stream's concealment. ``hear`` what arrived, ``fill`` what did not."""

    def __init__(self, audio: AudioFormat, max_fill_ms: int = 1000) -> None:
        """``max_fill_ms`` bounds one ``fill``: what a far side may make us invent by skipping numbers."""
        self._audio = audio
        self._repeat_bytes = audio.bytes_for_ms(REPEAT_MS)
        self._fade_samples = audio.rate_hz * FADE_MS // 1000
        self._max_fill_samples = audio.rate_hz * max_fill_ms // 1000
        self._last = b""
        self._filled_samples = 0  # since the last real audio: one long gap may be filled in several steps

    def hear(self, audio: bytes) -> None:
        """Remember real audio (a whole number of samples)."""
        if not audio:
            return
        recent = audio if len(audio) >= self._repeat_bytes else self._last + audio
        self._last = recent[-self._repeat_bytes :]
        self._filled_samples = 0

    def fill(self, missing_samples: int) -> bytes:
        """Exactly ``missing_samples`` samples (``max_fill_ms`` of them where more were asked for) to put in the hole."""
        count = min(missing_samples, self._max_fill_samples)
        start = self._filled_samples
        self._filled_samples += count
        faded = min(count, max(0, self._fade_samples - start))
        if not self._last or not faded:
            return codec.silence(self._audio, count)
        last = codec.decode(self._last, self._audio.encoding)
        position = np.arange(start, start + faded)
        loudness = (self._fade_samples - position) / self._fade_samples
        samples = np.zeros(count, dtype=np.int16)
        samples[:faded] = last[position % last.size] * loudness
        return codec.encode(samples, self._audio.encoding)
