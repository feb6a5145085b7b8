"""Sounds that are not speech: what must not end an agent's reply. Synthetic, so that everybody measures the same ones.

Each is 8 kHz mono 16-bit PCM. The shapes: a cough is two bursts of throat noise (300-3000 Hz), 60 and 140 ms, each with a
5 ms attack and an exponential fall; a slam is a 90 Hz thud with a broadband click, falling within 250 ms; a hum ("mm-hm")
is two nasal syllables of a 120 Hz voice, the second higher.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.caller.clips import RATE_HZ, Pcm

_PEAK = 32768 * 10 ** (-9 / 20)
"""-9 dBFS, a loud sound close to the telephone."""


def cough(seed: int = 0) -> Pcm:
    """Two bursts of shaped noise, 360 ms."""
    rng = np.random.default_rng(seed)
    first = _throat(rng, 60) * _burst(60, fall_ms=25)
    second = 0.7 * _throat(rng, 140) * _burst(140, fall_ms=50)
    return _loud(np.concatenate([first, _gap(100), second, _gap(60)]))


def slam(seed: int = 0) -> Pcm:
    """A low thud that dies away, 300 ms."""
    rng = np.random.default_rng(seed)
    t = np.arange(RATE_HZ * 300 // 1000) / RATE_HZ
    thud = (np.sin(2 * np.pi * 90 * t) + 0.6 * np.sin(2 * np.pi * 210 * t + 1)) * np.exp(-t / 0.06)
    click = rng.normal(0, 0.5, len(t)) * np.exp(-t / 0.008)
    return _loud(thud + click)


def hum() -> Pcm:
    """ "Mm-hm", 480 ms."""
    return _loud(np.concatenate([_nasal(180, 120), _gap(60), _nasal(240, 150)]))


SOUNDS: dict[str, Callable[[], Pcm]] = {"cough": cough, "slam": slam, "hum": hum}


def _throat(rng: np.random.Generator, duration_ms: int) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.normal(0, 1, RATE_HZ * duration_ms // 1000))
    hz = np.fft.rfftfreq(RATE_HZ * duration_ms // 1000, 1 / RATE_HZ)
    spectrum[(hz < 300) | (hz > 3000)] = 0
    return np.fft.irfft(spectrum)


def _burst(duration_ms: int, *, fall_ms: float) -> NDArray[np.float64]:
    t_ms = np.arange(RATE_HZ * duration_ms // 1000) * 1000 / RATE_HZ
    return np.minimum(t_ms / 5, 1) * np.exp(-t_ms / fall_ms)


def _nasal(duration_ms: int, pitch_hz: float) -> NDArray[np.float64]:
    t = np.arange(RATE_HZ * duration_ms // 1000) / RATE_HZ
    # A closed mouth lets little through over 500 Hz: harmonics fall by 9 dB each.
    voice = sum(10 ** (-9 * (k - 1) / 20) * np.sin(2 * np.pi * k * pitch_hz * t) for k in range(1, 9))
    return np.asarray(voice * np.sin(np.pi * t / t[-1]) ** 0.5)


def _gap(duration_ms: int) -> NDArray[np.float64]:
    return np.zeros(RATE_HZ * duration_ms // 1000)


def _loud(samples: NDArray[np.float64]) -> Pcm:
    scaled: NDArray[np.float64] = samples * (_PEAK / float(np.abs(samples).max()))
    return np.rint(scaled).astype(np.int16)
