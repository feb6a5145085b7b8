"""The sound of one utterance: pauses, cuts, and whether anybody speaks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.providers.stt.calls import CARD_CLIPS, Clip, Noise, whispered

from antiphon.providers.stt.sound import Sound

RATE_HZ = 16000


def pcm(samples: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.int16]:
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def heard(samples: NDArray[np.int16], piece: int = 960) -> Sound:
    sound = Sound()
    for start in range(0, samples.size, piece):
        sound.push(samples[start : start + piece])
    return sound


def test_however_it_is_cut_it_is_the_same(clip: Clip) -> None:
    speech = clip("cards-005.wav")
    whole, pieces = heard(speech, speech.size), heard(speech, 777)
    assert whole.end == pieces.end == speech.size
    assert np.array_equal(whole.samples(0, speech.size), pieces.samples(0, speech.size))
    assert whole.quiet_ms() == pieces.quiet_ms()


@pytest.mark.parametrize("noise_dbfs", [-90.0, -60.0, -55.0])
def test_a_pause_is_quiet_and_the_rest_is_not(clip: Clip, noise: Noise, noise_dbfs: float) -> None:
    speech = clip("goforward.wav").astype(np.float32) / 32768
    said = np.concatenate([speech, np.zeros(RATE_HZ // 2, dtype=np.float32), speech[:RATE_HZ]])
    said = said + noise(said.size, noise_dbfs)
    sound = heard(pcm(said[: speech.size + RATE_HZ // 2]))
    assert sound.quiet_ms() >= 400
    assert not sound.loud_since(speech.size + 1600)
    sound.push(pcm(said[speech.size + RATE_HZ // 2 :]))
    assert sound.loud_since(speech.size + 1600)
    cut = sound.quietest(speech.size - RATE_HZ, speech.size + RATE_HZ)
    assert speech.size - 8000 <= cut <= speech.size + RATE_HZ // 2 + 8000


def test_what_is_forgotten_is_gone_and_positions_stay(clip: Clip) -> None:
    speech = clip("goforward.wav")
    sound = heard(speech)
    sound.forget(10_000)
    assert sound.end == speech.size
    assert np.array_equal(sound.samples(20_000, 20_100), speech[20_000:20_100].astype(np.float32) / 32768)
    sound.push(speech)
    assert sound.end == 2 * speech.size


@pytest.mark.parametrize("name", CARD_CLIPS)
def test_people_speak(clip: Clip, name: str) -> None:
    speech = clip(name)
    assert heard(speech).is_speech(0, speech.size)


@pytest.mark.parametrize("name", CARD_CLIPS)
def test_a_whisper_has_no_pitch(clip: Clip, name: str) -> None:
    speech = whispered(clip(name))
    assert not heard(speech).has_pitch(0, speech.size)
    assert not heard(speech).is_speech(0, speech.size)
    assert heard(clip(name)).has_pitch(0, speech.size)


def test_machines_and_silence_do_not(noise: Noise) -> None:
    at = np.arange(RATE_HZ) / RATE_HZ
    for sound in (
        np.sin(2 * np.pi * 440 * at) * 0.3,
        np.sin(2 * np.pi * 50 * at) * 0.3,
        (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at)) * 0.2,
        sum(np.sin(2 * np.pi * 120 * k * at) / k for k in range(1, 6)) * 0.1,
        np.zeros(RATE_HZ),
    ):
        assert not heard(pcm(np.asarray(sound) + noise(RATE_HZ, -55.0))).is_speech(0, RATE_HZ)


def test_nothing_was_heard() -> None:
    sound = Sound()
    assert (sound.end, sound.quiet_ms(), sound.loud_since(0), sound.is_speech(0, 0)) == (0, 0, False, False)
