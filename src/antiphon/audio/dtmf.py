"""The tones of a telephone's keys (ITU-T Q.23, timing of Q.24), as audio."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

ROWS_HZ = (697, 770, 852, 941)
COLUMNS_HZ = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
"""By row and column."""
TONE_MS = 100
GAP_MS = 100
PAUSES_MS = {"w": 500, "W": 1000, ",": 1000}
"""What may stand between keys: time for whoever answers."""
MAX_KEYS = 64
_AMPLITUDE = 0.25
"""Of each of the two, of full scale: together 6 dB below it."""
_RAMP_MS = 2
"""A tone that begins or ends abruptly clicks."""
_WRITTEN = re.compile(rf"[0-9*#A-Da-dwW,]{{1,{MAX_KEYS}}}")


def keys_in(text: str) -> str:
    """The keys and pauses of ``text``, which may be written with spaces, dashes and brackets; empty where something else is in it, or more
    than ``MAX_KEYS``."""
    bare = re.sub(r"[\s().-]", "", text)
    return bare if _WRITTEN.fullmatch(bare) else ""


def tones(keys: str, rate_hz: int) -> NDArray[np.int16]:
    """int16, mono: each key for ``TONE_MS``, silence after it. ``keys`` as ``keys_in`` gives them."""
    return np.concatenate(
        [_silence(PAUSES_MS[key], rate_hz) if key in PAUSES_MS else _key(key, rate_hz) for key in keys]
    )


def _key(key: str, rate_hz: int) -> NDArray[np.int16]:
    row = next(at for at, row in enumerate(KEYS) if key.upper() in row)
    column = KEYS[row].index(key.upper())
    turns = 2 * np.pi * np.arange(rate_hz * TONE_MS // 1000) / rate_hz
    tone = (np.sin(ROWS_HZ[row] * turns) + np.sin(COLUMNS_HZ[column] * turns)) * _AMPLITUDE
    ramp = np.minimum(1.0, np.arange(len(tone)) / (rate_hz * _RAMP_MS / 1000))
    shaped = tone * ramp * ramp[::-1] * 32767
    return np.concatenate([shaped.astype(np.int16), _silence(GAP_MS, rate_hz)])


def _silence(duration_ms: int, rate_hz: int) -> NDArray[np.int16]:
    return np.zeros(rate_hz * duration_ms // 1000, dtype=np.int16)
