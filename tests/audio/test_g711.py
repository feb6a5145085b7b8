"""The tables against ITU-T G.711 read literally: decision values, intervals, output values in their middle."""

from __future__ import annotations

import sys
import warnings
from bisect import bisect_right

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio import g711, pcm

EVERY_CODE = np.arange(256, dtype=np.uint8)
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)


def _mulaw_decision_values() -> list[int]:
    """G.711 table 2: x(0) … x(128) on the scale of 8159."""
    values = [0, 1]
    for segment in range(8):
        for _ in range(16 if segment else 15):
            values.append(values[-1] + (2 << segment))
    return values


def _alaw_decision_values() -> list[int]:
    """G.711 table 1: x(0) … x(128) on the scale of 4096."""
    values = [0]
    for step, intervals in ((2, 32), (4, 16), (8, 16), (16, 16), (32, 16), (64, 16), (128, 16)):
        for _ in range(intervals):
            values.append(values[-1] + step)
    return values


def test_the_reference_tables_end_where_the_standard_says() -> None:
    assert (len(_mulaw_decision_values()), _mulaw_decision_values()[-1]) == (129, 8159)
    assert (len(_alaw_decision_values()), _alaw_decision_values()[-1]) == (129, 4096)


def test_mulaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    x = _mulaw_decision_values()
    middles = [0] + [(x[n] + x[n + 1]) // 2 for n in range(1, 128)]
    expected = [0] * 256
    for n, middle in enumerate(middles):
        expected[0xFF - n] = 4 * middle
        expected[0x7F - n] = -4 * middle
    assert g711.mulaw_decode(EVERY_CODE).tolist() == expected


def test_mulaw_encodes_every_sample_to_its_interval() -> None:
    x = _mulaw_decision_values()
    expected = []
    for sample in EVERY_SAMPLE.tolist():
        in_14_bits = sample >> 2
        interval = min(bisect_right(x, abs(in_14_bits)) - 1, 127)
        expected.append((0x7F if in_14_bits < 0 else 0xFF) - interval)
    assert g711.mulaw_encode(EVERY_SAMPLE).tolist() == expected


def test_alaw_decodes_every_code_to_the_middle_of_its_interval() -> None:
    x = _alaw_decision_values()
    expected = [0] * 256
    for n in range(128):
        middle = 8 * (x[n] + x[n + 1]) // 2
        expected[(0x80 | n) ^ 0x55] = middle
        expected[n ^ 0x55] = -middle
    assert g711.alaw_decode(EVERY_CODE).tolist() == expected


def test_alaw_encodes_every_sample_to_its_interval() -> None:
    x = _alaw_decision_values()
    expected = []
    for sample in EVERY_SAMPLE.tolist():
        centre = (sample >> 3) + 0.5  # a 13-bit value stands for all that was cut off to it
        interval = bisect_right(x, abs(centre)) - 1
        expected.append((interval | (0x80 if centre > 0 else 0)) ^ 0x55)
    assert g711.alaw_encode(EVERY_SAMPLE).tolist() == expected


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="audioop left the standard library in 3.13")
def test_equals_audioop() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop

    pcm16 = EVERY_SAMPLE.astype("<i2").tobytes()
    codes = EVERY_CODE.tobytes()
    assert g711.mulaw_encode(pcm.from_bytes(pcm16)).tobytes() == audioop.lin2ulaw(pcm16, 2)
    assert g711.alaw_encode(pcm.from_bytes(pcm16)).tobytes() == audioop.lin2alaw(pcm16, 2)
    assert pcm.to_bytes(g711.mulaw_decode(np.frombuffer(codes, dtype=np.uint8))) == audioop.ulaw2lin(codes, 2)
    assert pcm.to_bytes(g711.alaw_decode(np.frombuffer(codes, dtype=np.uint8))) == audioop.alaw2lin(codes, 2)


def test_decoded_audio_survives_coding_again() -> None:
    again = g711.mulaw_encode(g711.mulaw_decode(EVERY_CODE))
    differs = EVERY_CODE[again != EVERY_CODE]
    assert differs.tolist() == [0x7F]  # −0 comes back as +0
    assert np.array_equal(g711.alaw_encode(g711.alaw_decode(EVERY_CODE)), EVERY_CODE)


def test_floats_are_the_samples_over_full_scale() -> None:
    def over_full_scale(samples: NDArray[np.int16]) -> list[float]:
        return [sample / 32768 for sample in samples.tolist()]

    assert g711.mulaw_to_float(EVERY_CODE).tolist() == over_full_scale(g711.MULAW_TO_PCM16)
    assert g711.alaw_to_float(EVERY_CODE).tolist() == over_full_scale(g711.ALAW_TO_PCM16)
    assert g711.mulaw_to_float(EVERY_CODE).dtype == g711.alaw_to_float(EVERY_CODE).dtype == np.float32


def test_silence_codes() -> None:
    assert g711.mulaw_encode(np.zeros(1, np.int16)).tolist() == [g711.MULAW_SILENCE]
    assert g711.alaw_encode(np.zeros(1, np.int16)).tolist() == [g711.ALAW_SILENCE]
    assert g711.MULAW_TO_PCM16[g711.MULAW_SILENCE] == 0


def test_shape_is_kept() -> None:
    calls = EVERY_CODE.reshape(4, 64)
    assert g711.mulaw_decode(calls).shape == g711.alaw_to_float(calls).shape == (4, 64)
    assert g711.mulaw_encode(g711.mulaw_decode(calls)[:, ::2]).shape == (4, 32)


def test_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        g711.MULAW_TO_PCM16[0] = 1
