"""Tones that a telephone exchange would know."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.dtmf import COLUMNS_HZ, GAP_MS, KEYS, MAX_KEYS, ROWS_HZ, TONE_MS, keys_in, tones


def heard_in(samples: NDArray[np.int16], rate_hz: int) -> str:
    """What a receiver makes of it: a key for each stretch of two tones, one of each group, that stand out."""
    found, step = "", rate_hz // 50
    for at in range(0, len(samples) - step + 1, step):
        piece = samples[at : at + step].astype(float)
        if np.sqrt((piece**2).mean()) < 200:
            found += " "
            continue
        seconds = np.arange(step) / rate_hz
        power = {
            hz: abs(np.exp(-2j * np.pi * hz * seconds) @ piece) ** 2 / step / (piece**2).sum()
            for hz in (*ROWS_HZ, *COLUMNS_HZ)
        }
        row, column = max(ROWS_HZ, key=power.__getitem__), max(COLUMNS_HZ, key=power.__getitem__)
        clear = power[row] + power[column] > 0.35
        found += KEYS[ROWS_HZ.index(row)][COLUMNS_HZ.index(column)] if clear else "?"
    once = [key for key, before in zip(found, " " + found, strict=False) if key != before]
    return "".join(once).replace(" ", "")


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000, 48_000])
def test_every_key_is_known_again(rate_hz: int) -> None:
    keys = "1234567890*#ABCD"
    sound = tones(keys, rate_hz)
    assert len(sound) == len(keys) * rate_hz * (TONE_MS + GAP_MS) // 1000
    assert heard_in(sound, rate_hz) == keys
    assert 15_000 < np.abs(sound).max() < 17_000, "neither clipped nor faint"


def test_the_same_key_twice_is_two_and_pauses_are_silent() -> None:
    assert heard_in(tones("11", 8000), 8000) == "11"
    assert not tones("wW,", 8000).any() and len(tones("wW,", 8000)) == 8000 * 5 // 2


@pytest.mark.parametrize(
    ("written", "keys"),
    [("1", "1"), ("(555) 123-4567", "5551234567"), ("12w*#", "12w*#"), ("a", "a"), ("", ""), ("one", ""), ("1;2", ""),
     ("9" * MAX_KEYS, "9" * MAX_KEYS), ("9" * (MAX_KEYS + 1), ""), ("١", "")],
)  # fmt: skip
def test_what_is_no_key_is_none(written: str, keys: str) -> None:
    assert keys_in(written) == keys
