"""Louder without clipping: above a knee the curve flattens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import pcm

KNEE = 0.5
CEILING = 0.7
"""Peaks between the knee and full scale are bent to stay under −3 dBFS (0.708)."""


def limited(samples: NDArray[np.float32], gain: float) -> NDArray[np.int16]:
    """Samples in −1…1 times ``gain``, as 16-bit samples that never pass the ceiling."""
    loud = samples * np.float32(gain)
    room = CEILING - KNEE
    over = np.maximum(np.abs(loud) - KNEE, 0.0)
    shaped = np.clip(loud, -KNEE, KNEE) + np.sign(loud) * room * np.tanh(over / room)
    bent: NDArray[np.int16] = np.rint(shaped * 32768.0).astype(np.int16)
    return bent


def gain_for(samples: NDArray[np.float32], loudness_dbfs: float, most: float) -> float:
    """The gain with which ``limited`` makes samples so loud; at most ``most``. It takes off what a gain adds to the peaks, so the gain is
    looked for."""
    gain = 1.0
    for _ in range(6):
        gain = min(gain * pcm.db_to_amplitude(loudness_dbfs) / max(pcm.rms(limited(samples, gain)), 1e-6), most)
    return gain
