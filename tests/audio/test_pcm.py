from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio import pcm
from antiphon.errors import MalformedMessage

samples_lists = st.lists(st.integers(-32768, 32767), min_size=1, max_size=200)


def int16(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int16)


def test_bytes_are_little_endian() -> None:
    assert pcm.from_bytes(b"\x01\x00\xff\x7f\x00\x80").tolist() == [1, 32767, -32768]
    assert pcm.to_bytes(int16([1, 32767, -32768])) == b"\x01\x00\xff\x7f\x00\x80"
    assert pcm.from_bytes(b"").size == 0


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        pcm.from_bytes(b"\x01")
    assert caught.value.kind == "odd_length"


def test_float_and_back_is_exact_for_every_sample() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    as_float = pcm.to_float(every)
    assert as_float.dtype == np.float32
    assert as_float.min() == -1.0
    assert np.array_equal(pcm.from_float(as_float), every)


def test_from_float_rounds_saturates_and_silences_nan() -> None:
    loud = np.array([1.0, -1.0, 7.5, -7.5, np.inf, -np.inf, np.nan, 1.6 / 32768], dtype=np.float32)
    assert pcm.from_float(loud).tolist() == [32767, -32768, 32767, -32768, 32767, -32768, 0, 2]


def test_levels() -> None:
    square = int16([-32768, -32768])
    sine = np.sin(2 * np.pi * np.arange(800) / 80).astype(np.float32)
    assert pcm.rms(square) == 1.0
    assert pcm.dbfs(square) == 0.0
    assert pcm.dbfs(sine) == pytest.approx(-3.0103, abs=1e-3)
    assert pcm.dbfs(int16([0, 0])) == pcm.SILENCE_DBFS
    assert pcm.dbfs(int16([])) == pcm.SILENCE_DBFS
    assert pcm.amplitude_to_db(1e-9) == pcm.SILENCE_DBFS
    assert pcm.db_to_amplitude(-20) == pytest.approx(0.1)


def test_gain() -> None:
    assert pcm.gain(int16([100, -100]), 20).tolist() == [1000, -1000]
    assert pcm.gain(int16([20000, -20000]), 6).tolist() == [32767, -32768]
    assert pcm.gain(int16([12345, -32768]), 0).tolist() == [12345, -32768]


@given(samples_lists, samples_lists)
def test_mix_is_the_saturated_sum(first: list[int], second: list[int]) -> None:
    length = max(len(first), len(second))
    padded = [track + [0] * (length - len(track)) for track in (first, second)]
    expected = [min(32767, max(-32768, a + b)) for a, b in zip(*padded, strict=True)]
    assert pcm.mix(int16(first), int16(second)).tolist() == expected


def test_normalize_reaches_the_target() -> None:
    rng = np.random.default_rng(1)
    quiet = (rng.standard_normal(8000) * 500).astype(np.int16)
    assert pcm.dbfs(pcm.normalize(quiet, -20.0)) == pytest.approx(-20, abs=0.05)


def test_normalize_stops_at_the_peak() -> None:
    clicks = np.zeros(1000, dtype=np.int16)
    clicks[::100] = -3000
    normal = pcm.normalize(clicks, target_dbfs=-10.0, peak_dbfs=-6.0)
    assert int(normal.min()) == pytest.approx(-32768 * 10 ** (-6 / 20), abs=1)


def test_normalize_does_not_make_noise_of_near_silence() -> None:
    assert pcm.normalize(int16([1, -1] * 100), max_gain_db=20.0).tolist() == [10, -10] * 100
    assert pcm.normalize(int16([0] * 8)).tolist() == [0] * 8
    assert pcm.normalize(int16([])).size == 0
