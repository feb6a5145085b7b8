"""The picture of a sound: its shape and what is known of it by definition."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.providers.turn.smart_turn_features import BANDS, FRAMES, RATE_HZ, SAMPLES, log_mel


def tone(hz: float, seconds: float = 8.0) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ), dtype=np.float32)


@pytest.mark.parametrize("samples", [0, 1, 4000, SAMPLES, SAMPLES + 777])
def test_whatever_is_heard_gives_a_picture_of_eight_seconds(samples: int) -> None:
    picture = log_mel(np.random.default_rng(1).standard_normal(samples).astype(np.float32))
    assert picture.shape == (BANDS, FRAMES) and picture.dtype == np.float32
    assert np.isfinite(picture).all() and picture.max() - picture.min() <= 2.0 + 1e-6, "eight decades are two"


def test_a_tone_lies_in_its_band() -> None:
    bands = [int(log_mel(tone(hz))[:, 400].argmax()) for hz in (200, 500, 1000, 2000, 4000)]
    assert bands == sorted(bands) and len(set(bands)) == 5
    # On the Slaney scale 1 kHz is mel 15 of 45.25 up to 8 kHz, and there are 81 steps.
    assert bands[2] == round(15 / 45.245 * 81) - 1


def test_only_the_last_eight_seconds_count() -> None:
    sound = np.concatenate([tone(3000, 2.0), tone(400)])
    assert np.array_equal(log_mel(sound), log_mel(sound[-SAMPLES:]))


def test_a_short_sound_stands_at_the_end() -> None:
    picture = log_mel(tone(1000, 1.0))
    assert picture[:, 100].max() < picture[:, 750].max()


def test_loudness_makes_no_difference() -> None:
    assert np.allclose(log_mel(tone(700)), log_mel(0.1 * tone(700)), atol=1e-3)
