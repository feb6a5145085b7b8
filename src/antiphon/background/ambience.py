"""Sounds of a room, to be heard behind an agent over and over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import pcm

ROOM_DBFS = -40.0
"""How loud a room is (RMS): some 20 dB under a voice. A listener takes the line for alive, and a recogniser is not disturbed."""
_PEAK_DBFS = -18.0
_MOST_GAIN_DB = 40.0
_SEAM_S = 0.5
_OFFICE_S = 20
_SEED = 7


def endless(samples: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
    """A recording of shape (n,) at a room's level, whose end runs on into its beginning: shorter than it was by the half second (or the
    quarter of its length) in which the two are blended."""
    quiet = pcm.normalize(samples, ROOM_DBFS, _PEAK_DBFS, _MOST_GAIN_DB)
    seam = min(int(_SEAM_S * rate_hz), len(quiet) // 4)
    if not seam:
        return quiet
    rises = np.sqrt(np.linspace(0.0, 1.0, seam))
    blended = quiet[:seam] * rises + quiet[-seam:] * rises[::-1]
    return np.concatenate((np.clip(np.rint(blended), -32768, 32767).astype(np.int16), quiet[seam:-seam]))


def office(rate_hz: int) -> NDArray[np.int16]:
    """Twenty seconds of an office, made up and always the same: its ventilation, people who talk in the next room, somebody who types.
    Shape (n,)."""
    random = np.random.default_rng(_SEED)
    size = _OFFICE_S * rate_hz
    room = _noise(random, size, rate_hz, 60, 1200, slope=1.0)
    for _ in range(3):
        room += 0.5 * _noise(random, size, rate_hz, 200, 1600, slope=0.5) * _syllables(random, size, rate_hz)
    room += 0.6 * _typing(random, size, rate_hz)
    return pcm.from_float(0.1 * room / np.abs(room).max())


def _noise(
    random: np.random.Generator, size: int, rate_hz: int, from_hz: float, to_hz: float, slope: float
) -> NDArray[np.float64]:
    """Noise of one band, softer towards its top (``slope`` 1: half the amplitude an octave), with a mean square of 1."""
    spectrum = np.fft.rfft(random.standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    inside = (hz >= from_hz) & (hz <= to_hz)
    shaped = np.fft.irfft(np.where(inside, spectrum / np.maximum(hz, from_hz) ** slope, 0), size)
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)))


def _syllables(random: np.random.Generator, size: int, rate_hz: int) -> NDArray[np.float64]:
    """How loud somebody is who talks for a while, four syllables a second, and listens for a while."""
    talks = np.clip(_noise(random, size, rate_hz, 0.05, 0.3, slope=0.0), 0, 1.5)
    return talks * np.abs(_noise(random, size, rate_hz, 1.5, 5.0, slope=0.0))


def _typing(random: np.random.Generator, size: int, rate_hz: int) -> NDArray[np.float64]:
    """Runs of key strokes with pauses of some seconds between them."""
    keys = np.zeros(size)
    stroke = int(0.012 * rate_hz)
    fall = np.exp(-np.linspace(0, 6, stroke))
    at_s = 1.0
    while at_s < _OFFICE_S - 1:
        for _ in range(random.integers(4, 16)):
            start = int(at_s * rate_hz)
            if start + stroke < size:
                keys[start : start + stroke] += random.standard_normal(stroke) * fall * random.uniform(0.4, 1.0)
            at_s += random.uniform(0.09, 0.3)
        at_s += random.uniform(1.5, 4.0)
    return keys
