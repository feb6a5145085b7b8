"""What tells an answer from a cough: fit, voice, coverage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.providers.stt.rejection import (
    FIT_OF_EVEN_ODDS,
    HeardWord,
    Voicing,
    confidence,
    explains_the_voice,
    has_voice,
)

FRAMES_A_SECOND = 100


def voiced_frames(samples: NDArray[np.int16], piece: int = 960) -> NDArray[np.bool_]:
    voicing = Voicing()
    for start in range(0, samples.size, piece):
        voicing.push(samples[start : start + piece])
    return voicing.frames()


def vowel(seconds: float, pitch_hz: float = 120.0) -> NDArray[np.int16]:
    time_s = np.arange(int(16000 * seconds)) / 16000
    wave = sum(np.sin(2 * np.pi * pitch_hz * n * time_s) / n for n in range(1, 20))
    return np.asarray(wave * 4000).astype(np.int16)


def test_a_vowel_is_voiced_and_noise_is_not(noise: Callable[[int, float], NDArray[np.float32]]) -> None:
    hiss = (noise(16000, -25.0) * 32767).astype(np.int16)
    assert voiced_frames(vowel(1.0)).mean() > 0.95
    assert voiced_frames(hiss).mean() < 0.05


def test_noise_far_below_the_voice_is_not_listened_to(noise: Callable[[int, float], NDArray[np.float32]]) -> None:
    faint_hum = (vowel(1.0) / 100).astype(np.int16)
    voiced = voiced_frames(np.concatenate((vowel(1.0), faint_hum)))
    assert voiced[:90].all()
    assert not voiced[110:].any()


@pytest.mark.parametrize("piece", [1, 160, 511, 5000])
def test_pieces_make_no_difference(piece: int) -> None:
    sound = vowel(0.3)
    np.testing.assert_array_equal(voiced_frames(sound, piece), voiced_frames(sound))


def test_silence_and_nothing() -> None:
    assert not has_voice(voiced_frames(np.zeros(16000, dtype=np.int16)))
    assert not has_voice(voiced_frames(np.zeros(0, dtype=np.int16)))


def test_confidence_is_even_at_the_measured_fit_and_rises_with_it() -> None:
    def of(fit: float) -> float:
        return confidence((HeardWord("yes", 0, 29, 30 * fit),))

    assert of(FIT_OF_EVEN_ODDS) == pytest.approx(0.5)
    assert of(FIT_OF_EVEN_ODDS - 2) < 0.1 < 0.9 < of(FIT_OF_EVEN_ODDS + 2)
    assert of(-1e9) == 0.0
    assert confidence(()) == 0.0


def test_long_words_count_for_more() -> None:
    good, bad = HeardWord("yes", 0, 89, 90 * -2.0), HeardWord("no", 90, 99, 10 * -9.0)
    assert confidence((good, bad)) > 0.9


def spoken(first: int, last: int, total: int = 2 * FRAMES_A_SECOND) -> NDArray[np.bool_]:
    voiced = np.zeros(total, dtype=np.bool_)
    voiced[first:last] = True
    return voiced


def test_words_must_lie_on_the_voice() -> None:
    word = HeardWord("yes", 50, 79, -60.0)
    assert explains_the_voice((word,), spoken(55, 70))
    assert not explains_the_voice((word,), spoken(100, 120))
    assert not explains_the_voice((word,), spoken(0, 0))
    assert not explains_the_voice((), spoken(0, 0))


def test_a_word_somewhere_in_a_long_speech_is_not_the_answer() -> None:
    word = HeardWord("yes", 50, 79, -60.0)
    assert not explains_the_voice((word,), spoken(0, 200))
