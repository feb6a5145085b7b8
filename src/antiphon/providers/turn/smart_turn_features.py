"""Sound as Smart Turn reads it: Whisper's log-mel picture of the last eight seconds, in numpy.

The definition is that of Whisper's feature extractor (Radford et al. 2022; 80 bands on the Slaney mel scale, 25 ms Hann windows every
10 ms) over a sound that is padded in front with zeros and normalised to zero mean and unit variance.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE_HZ = 16_000
SECONDS = 8
SAMPLES = SECONDS * RATE_HZ
BANDS = 80
FRAMES = 100 * SECONDS

_WINDOW = 400
_HOP = 160
_LINEAR_HZ = 1000.0
"""Up to here the mel scale is linear, 200/3 Hz a mel; above it grows by a factor of 6.4 every 27 mels."""
_HZ_A_MEL = 200.0 / 3.0
_MELS_TO_6_4 = 27.0
_FLOOR = 1e-10
_RANGE_DECADES = 8.0
"""What lies further below the loudest point is shown as that far below."""
_VARIANCE_FLOOR = 1e-7


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture of ``samples`` (16 kHz, −1…1, shape (n,)), of which the last eight seconds count: shape (80, 800)."""
    sound = np.zeros(SAMPLES, dtype=np.float32)
    last = samples[-SAMPLES:]
    sound[SAMPLES - len(last) :] = last
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + np.float32(_VARIANCE_FLOOR))
    padded = np.pad(sound.astype(np.float64), _WINDOW // 2, mode="reflect")
    frames = sliding_window_view(padded, _WINDOW)[::_HOP][:FRAMES]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    picture = np.log10(np.maximum(power @ _filters(), _FLOOR))
    picture = np.maximum(picture, picture.max() - _RANGE_DECADES)
    return np.ascontiguousarray(((picture + 4.0) / 4.0).T, dtype=np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    """The periodic window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW))


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles on the mel scale, each of unit area: shape (201, 80)."""
    top = _mel_of(RATE_HZ / 2)
    edges = np.array([_hz_of(mel) for mel in np.linspace(0.0, top, BANDS + 2)])
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    hz = np.linspace(0.0, RATE_HZ / 2, _WINDOW // 2 + 1)[:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum((hz - low) / (peak - low), (high - hz) / (high - peak)))
    return np.asarray(triangles * (2.0 / (high - low)))


def _mel_of(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz / _HZ_A_MEL
    return _LINEAR_HZ / _HZ_A_MEL + _MELS_TO_6_4 * float(np.log(hz / _LINEAR_HZ) / np.log(6.4))


def _hz_of(mel: float) -> float:
    linear = _LINEAR_HZ / _HZ_A_MEL
    if mel < linear:
        return mel * _HZ_A_MEL
    return float(_LINEAR_HZ * 6.4 ** ((mel - linear) / _MELS_TO_6_4))
