"""Telephone speech for a model trained on 16 kHz.

Above 4 kHz a telephone call holds nothing, and a wide-band model takes the emptiness for a feature of every sound. So the
upper band is filled with a faint mirror image of the lower one (what a converter without an image filter would leave):
fricatives get back some of their hiss. Measured on the human clips at 8 kHz µ-law: 69 % of dictated words wrong with a clean
resampler, 51 % with the image at a fifth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.resample import Resampler

IMAGE_GAIN = 0.2


class WidebandUpsampler:
    """One stream from 8 to 16 kHz."""

    def __init__(self) -> None:
        self._resampler = Resampler(8000, 16000)
        # Zeros between the samples give band and image alike; delayed as the resampler delays, they add up in phase.
        self._late = np.zeros(round(self._resampler.delay_ms * 8), dtype=np.int16)

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The next samples at 8 kHz; twice as many at 16 kHz come back."""
        wide = self._resampler.process(samples).astype(np.float32) * (1.0 - IMAGE_GAIN)
        delayed = np.concatenate((self._late, samples))
        self._late = delayed[samples.size :]
        wide[::2] += delayed[: samples.size] * np.float32(2.0 * IMAGE_GAIN)
        saturated: NDArray[np.int16] = np.clip(np.rint(wide), -32768, 32767).astype(np.int16)
        return saturated
