"""Linear PCM: bytes to arrays and back, loudness, gain and mixing.

Full scale is 32768 (int16) or 1.0 (float32). Levels are RMS in dBFS against a full-scale *square* wave, so a full-scale
sine reads −3.01 dBFS. Arrays are one-dimensional unless a function says otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import MalformedMessage

SILENCE_DBFS = -100.0
"""The level given to digital silence, and the lowest level ever reported (16-bit audio reaches −90)."""

_FULL_SCALE = 32768.0


def from_bytes(data: bytes) -> NDArray[np.int16]:
    """Little-endian 16-bit bytes as samples (read-only view where the machine is little-endian).

    Raises MalformedMessage("odd_length").
    """
    if len(data) % 2:
        raise MalformedMessage("odd_length", "16-bit PCM needs an even number of bytes")
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)


def to_bytes(samples: NDArray[np.int16]) -> bytes:
    """Samples as little-endian 16-bit bytes."""
    return samples.astype("<i2", copy=False).tobytes()


def to_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """int16 to float32 in −1…1, exactly."""
    return samples * np.float32(1 / _FULL_SCALE)


def from_float(samples: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.int16]:
    """Float to int16: rounded to nearest, saturated at full scale; NaN becomes silence.

    The inverse of ``to_float`` for every int16.
    """
    limited = np.clip(samples, -1.0, (_FULL_SCALE - 1) / _FULL_SCALE)
    rounded: NDArray[np.int16] = np.rint(np.nan_to_num(limited) * _FULL_SCALE).astype(np.int16)
    return rounded


def rms(samples: NDArray[np.int16] | NDArray[np.float32]) -> float:
    """Root mean square as a fraction of full scale; 0 for no samples."""
    if samples.size == 0:
        return 0.0
    wide = samples.astype(np.float64)
    if samples.dtype == np.int16:
        wide /= _FULL_SCALE
    return float(np.sqrt(np.mean(wide * wide)))


def dbfs(samples: NDArray[np.int16] | NDArray[np.float32]) -> float:
    """RMS level in dBFS, never below ``SILENCE_DBFS``."""
    return amplitude_to_db(rms(samples))


def amplitude_to_db(amplitude: float) -> float:
    """An amplitude (1.0 is full scale) in dB, never below ``SILENCE_DBFS``."""
    return max(SILENCE_DBFS, 20 * float(np.log10(amplitude))) if amplitude > 0 else SILENCE_DBFS


def db_to_amplitude(level_db: float) -> float:
    """The factor that ``level_db`` stands for; 1.0 at 0 dB."""
    return float(10 ** (level_db / 20))


def gain(samples: NDArray[np.int16], gain_db: float) -> NDArray[np.int16]:
    """Louder (or softer) by ``gain_db``, saturated."""
    return from_float(samples.astype(np.float64) * (db_to_amplitude(gain_db) / _FULL_SCALE))


def mix(first: NDArray[np.int16], second: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sum of two tracks that start together, saturated; the shorter one is followed by silence."""
    longer, shorter = (first, second) if first.size >= second.size else (second, first)
    total = longer.astype(np.int32)
    total[: shorter.size] += shorter
    return np.clip(total, -32768, 32767).astype(np.int16)


def normalize(
    samples: NDArray[np.int16], target_dbfs: float = -19.0, peak_dbfs: float = -3.0, max_gain_db: float = 30.0
) -> NDArray[np.int16]:
    """A whole piece of speech at ``target_dbfs`` RMS, less where a peak would pass ``peak_dbfs``.

    The defaults suit a telephone. ``max_gain_db`` keeps near-silence from becoming loud noise; digital silence stays as it is.
    Not for the chunks of a stream: each would get its own gain.
    """
    wanted_db = min(target_dbfs - dbfs(samples), peak_dbfs - _peak_dbfs(samples), max_gain_db)
    return gain(samples, wanted_db)


def _peak_dbfs(samples: NDArray[np.int16]) -> float:
    if samples.size == 0:
        return SILENCE_DBFS
    # In int32, because |−32768| does not fit int16.
    return amplitude_to_db(float(np.abs(samples.astype(np.int32)).max()) / _FULL_SCALE)
