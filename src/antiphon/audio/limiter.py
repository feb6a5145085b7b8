"""Louder without clipping: above a knee the curve flattens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
