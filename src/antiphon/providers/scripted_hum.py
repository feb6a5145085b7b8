"""The sound of the scripted voice: made once for each format, then cut to any length."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat

_PITCH_HZ = 125
_SYLLABLES_PER_SECOND = 4
_RESONANCES_HZ = ((700, 1220), (300, 2300), (500, 900), (400, 2000), (600, 1700), (330, 1000), (650, 1100), (450, 1900))
"""Two of a vowel's, for each syllable."""
_LEVEL_DBFS = -20


@lru_cache(maxsize=8)
def hum(audio: AudioFormat) -> bytes:
    """Two seconds of something speech-like at −20 dBFS: a voice's pitch through the resonances of eight vowels, with a dip
    after each. It repeats without a seam."""
    time_s = np.arange(2 * audio.rate_hz) / audio.rate_hz
    signal: NDArray[np.float64] = np.zeros(time_s.size)
    for number, resonances_hz in enumerate(_RESONANCES_HZ):
        phase = (time_s * _SYLLABLES_PER_SECOND - number) * math.pi
        loudness = np.where((phase >= 0) & (phase <= math.pi), np.sin(phase) ** 2, 0.0)
        for harmonic in range(1, 28):  # up to 3.4 kHz
            hz = _PITCH_HZ * harmonic
            gain = sum(1 / (1 + ((hz - resonance_hz) / 120) ** 2) for resonance_hz in resonances_hz) / harmonic**0.5
            signal += gain * loudness * np.sin(2 * math.pi * hz * time_s)
    samples = signal / signal.std() * 10 ** (_LEVEL_DBFS / 20) * 32767
    return codec.encode(np.clip(np.rint(samples), -32768, 32767).astype(np.int16), audio.encoding)


def endless(audio: bytes, start: int, end: int) -> bytes:
    """Bytes ``start`` … ``end`` of ``audio`` repeated for ever."""
    first = start % len(audio)
    length = end - start
    repeats = -(-(first + length) // len(audio))
    return (audio * repeats)[first : first + length]
