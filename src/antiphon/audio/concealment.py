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


def conceal(before: bytes, missing_samples: int, audio: AudioFormat) -> bytes:
    """What to put in a hole of exactly so many samples after ``before``, of which the last 20 ms count (less where there is less). Both are
    ``audio``, ``before`` a whole number of samples. The caller bounds ``missing_samples``: a far side that skips numbers must not make us
    invent a speech."""
    faded = min(missing_samples, audio.rate_hz * FADE_MS // 1000)
    last = codec.decode(before[-audio.bytes_for_ms(REPEAT_MS) :], audio.encoding)
    if not last.size or not faded:
        return codec.silence(audio, missing_samples)
    position = np.arange(faded)
    loudness = 1 - position / (audio.rate_hz * FADE_MS // 1000)
    samples = np.zeros(missing_samples, dtype=np.int16)
    samples[:faded] = last[position % last.size] * loudness
    return codec.encode(samples, audio.encoding)
