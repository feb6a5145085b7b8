"""Telephone speech at 16 kHz, with a faint mirror image above 4 kHz."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.providers.stt.wideband import IMAGE_GAIN, WidebandUpsampler


def amplitude(samples: np.ndarray, hz: float) -> float:
    """Of one frequency in 16 kHz audio, the edges left out."""
    middle = samples[1600:-1600].astype(float)
    turn = np.exp(-2j * np.pi * hz * np.arange(middle.size) / 16000)
    return float(2 * abs(np.mean(middle * turn * np.hanning(middle.size))) / np.mean(np.hanning(middle.size)))


@pytest.mark.parametrize("hz", [500, 1000, 3000])
def test_a_tone_keeps_its_level_and_gets_an_image(hz: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * hz * np.arange(8000) / 8000)).astype(np.int16)
    wide = WidebandUpsampler().process(tone)
    assert wide.size == 2 * tone.size
    assert amplitude(wide, hz) == pytest.approx(8000, rel=0.05)
    assert amplitude(wide, 8000 - hz) == pytest.approx(8000 * IMAGE_GAIN, rel=0.1)


def test_chunks_make_no_difference() -> None:
    speech = np.random.default_rng(1).integers(-32768, 32767, 4000).astype(np.int16)
    whole = WidebandUpsampler().process(speech)
    upsampler = WidebandUpsampler()
    pieces = [upsampler.process(speech[start : start + 7]) for start in range(0, speech.size, 7)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
