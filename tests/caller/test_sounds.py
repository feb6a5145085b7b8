"""The shapes of sounds that are not speech."""

import numpy as np
import pytest

from antiphon.caller.clips import LineNoise, make_clip
from antiphon.caller.sounds import SOUNDS, cough, hum, slam


def energy_share(pcm: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(pcm.astype(float))) ** 2
    hz = np.fft.rfftfreq(len(pcm), 1 / 8000)
    return float(power[(hz >= low_hz) & (hz < high_hz)].sum() / power.sum())


@pytest.mark.parametrize("name", SOUNDS)
def test_each_is_loud_never_clips_and_is_the_same_every_time(name: str) -> None:
    pcm = SOUNDS[name]()
    assert pcm.dtype == np.int16
    assert -9.5 < 20 * np.log10(np.abs(pcm).max() / 32768) < -8.5
    assert np.array_equal(pcm, SOUNDS[name]())
    clip = make_clip(pcm, LineNoise(None))
    assert 30 <= clip.offset_ms - clip.onset_ms < 500


def test_a_cough_is_two_bursts_of_throat_noise() -> None:
    pcm = cough().astype(float)
    loud = np.sqrt(np.mean(pcm[: len(pcm) // 80 * 80].reshape(-1, 80) ** 2, axis=1)) > 300
    assert np.count_nonzero(np.diff(loud.astype(int)) == -1) == 2
    assert energy_share(cough(), 250, 3100) > 0.9


def test_a_slam_is_low_and_dies_away() -> None:
    pcm = slam()
    assert energy_share(pcm, 0, 400) > 0.6
    assert np.abs(pcm[-400:]).max() < 0.05 * np.abs(pcm).max()


def test_a_hum_is_a_low_voice() -> None:
    assert energy_share(hum(), 80, 600) > 0.95
