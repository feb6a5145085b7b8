"""How loud each 20 ms of each call is, for many calls at once, and how loud its background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import g711
from antiphon.audio.pcm import SILENCE_DBFS

_MULAW_POWER: NDArray[np.float32] = np.square(g711.MULAW_TO_FLOAT)
_SILENCE_POWER = np.float32(10 ** (SILENCE_DBFS / 10))


def mulaw_frame_levels(codes: NDArray[np.uint8], frame_samples: int = 160) -> NDArray[np.float32]:
    """RMS level of each frame in dBFS, never below ``SILENCE_DBFS``.

    ``codes`` is µ-law of shape (calls, samples), samples a multiple of ``frame_samples`` (160 is 20 ms at 8 kHz).
    Returns shape (calls, samples / frame_samples). Raises ValueError for a broken frame.
    """
    calls, samples = codes.shape
    if samples % frame_samples:
        raise ValueError(f"{samples} samples are not a whole number of frames of {frame_samples}")
    framed = _MULAW_POWER[codes].reshape(calls, samples // frame_samples, frame_samples)
    levels_db: NDArray[np.float32] = 10 * np.log10(np.maximum(framed.mean(axis=2), _SILENCE_POWER))
    return np.maximum(levels_db, np.float32(SILENCE_DBFS))  # the logarithm of _SILENCE_POWER rounds to a little less


class NoiseFloor:
    """The background level of many calls: for each slot the quietest frame of the last two seconds (minimum statistics,
    R. Martin, 2001).

    Speech of any length does not lift it, because speech has pauses and stop consonants; a line that becomes noisier is followed
    within two seconds, one that becomes quieter at once. The minimum of white noise lies about 1 dB under its mean.
    """

    FRAMES_PER_WINDOW = 20
    """400 ms of 20 ms frames."""
    WINDOWS = 5
    """Windows remembered: five make two seconds."""
    LOWEST_DBFS = -65.0
    """Phones that send digital silence between words must not make a breath look loud."""
    HIGHEST_DBFS = -30.0
    """Above this it is not background, it is somebody speaking without a pause."""

    def __init__(self, slots: int = 0) -> None:
        self.floor_db: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        """Shape (slots,): the background level of each slot, dBFS. ``LOWEST_DBFS`` until something was heard."""
        self._minima: NDArray[np.float32] = np.empty((0, self.WINDOWS), dtype=np.float32)
        self._frames: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.resize(slots)

    def resize(self, slots: int) -> None:
        """Make room for slots 0 … slots-1, keeping those that exist."""
        kept = min(slots, self.floor_db.size)
        floor_db = np.full(slots, self.LOWEST_DBFS, dtype=np.float32)
        minima = np.full((slots, self.WINDOWS), np.inf, dtype=np.float32)
        frames = np.zeros(slots, dtype=np.int64)
        floor_db[:kept], minima[:kept], frames[:kept] = self.floor_db[:kept], self._minima[:kept], self._frames[:kept]
        self.floor_db, self._minima, self._frames = floor_db, minima, frames

    def reset(self, slot: int) -> None:
        """A new call in this slot."""
        self.floor_db[slot] = self.LOWEST_DBFS
        self._minima[slot] = np.inf
        self._frames[slot] = 0

    def update(self, slots: NDArray[np.intp], frame_db: NDArray[np.float32]) -> NDArray[np.float32]:
        """One more frame for each of ``slots`` (each at most once), levels in dBFS. Both of shape (n,), and so is the answer: the
        floors of these slots."""
        window = self._frames[slots] // self.FRAMES_PER_WINDOW % self.WINDOWS
        starts_window = self._frames[slots] % self.FRAMES_PER_WINDOW == 0
        before = np.where(starts_window, np.float32(np.inf), self._minima[slots, window])
        self._minima[slots, window] = np.minimum(before, frame_db)
        self._frames[slots] += 1
        floor_db: NDArray[np.float32] = np.clip(self._minima[slots].min(axis=1), self.LOWEST_DBFS, self.HIGHEST_DBFS)
        self.floor_db[slots] = floor_db
        return floor_db
