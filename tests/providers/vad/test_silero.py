"""Silero VAD in batches: the same numbers as one by one, and right about people and noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio import g711, pcm
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.errors import ConfigurationError
from antiphon.providers.vad.silero import SileroVoiceActivity
from antiphon.providers.vad.silero_onnx import SileroOnnx

RATES = (8000, 16000)
CLIPS = Path(__file__).resolve().parents[2] / "data" / "speech"


def windows_of(samples: NDArray[np.float32], model: SileroVoiceActivity) -> NDArray[np.float32]:
    """Shape (windows, window_samples)."""
    count = samples.size // model.window_samples
    return samples[: count * model.window_samples].reshape(count, model.window_samples)


def alone(model: SileroVoiceActivity, slot: int, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What one slot says to one window after the other."""
    model.reset(slot)
    slots = np.array([slot])
    return np.concatenate([model.infer(slots, window[None]) for window in windows])


def babble(calls: int, windows: int, model: SileroVoiceActivity) -> NDArray[np.float32]:
    """Different sound in every call, loud enough to move the model's state. Shape (calls, windows, window_samples)."""
    time_s = np.arange(windows * model.window_samples) / model.rate_hz
    voices = [
        sum(np.sin(2 * np.pi * (110 + 17 * call) * n * time_s) / n for n in range(1, 12))
        * (1 + np.sin(2 * np.pi * 3 * time_s))
        for call in range(calls)
    ]
    return (np.array(voices) * 0.05).astype(np.float32).reshape(calls, windows, model.window_samples)


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_batch_says_what_each_call_would_say_alone(rate_hz: int) -> None:
    model = SileroVoiceActivity(rate_hz, slots=5)
    sound = babble(5, 12, model)
    together = np.array([model.infer(np.arange(5), sound[:, window]) for window in range(12)])
    for call in range(5):
        np.testing.assert_allclose(together[:, call], alone(model, call, sound[call]), atol=5e-5)
    assert np.ptp(together) > 0.2  # else nothing was compared


def test_calls_need_not_have_windows_at_the_same_time() -> None:
    model = SileroVoiceActivity(8000, slots=4)
    sound = babble(2, 10, model)
    heard: dict[int, list[float]] = {3: [], 1: []}
    for window in range(10):
        heard[3] += model.infer(np.array([3]), sound[0, window][None]).tolist()
        if window % 2:
            both = model.infer(np.array([1]), sound[1, window // 2][None])
            heard[1] += both.tolist()
    np.testing.assert_allclose(heard[3], alone(model, 3, sound[0]), atol=5e-5)
    np.testing.assert_allclose(heard[1], alone(model, 1, sound[1][:5]), atol=5e-5)


def test_resizing_keeps_those_who_stay_and_new_slots_start_fresh() -> None:
    model = SileroVoiceActivity(8000, slots=1)
    sound = babble(1, 8, model)[0]
    expected = alone(model, 0, sound)
    model.reset(0)
    first = [model.infer(np.array([0]), window[None])[0] for window in sound[:4]]
    model.resize(3)
    model.infer(np.array([2]), sound[5][None])
    rest = [model.infer(np.array([0]), window[None])[0] for window in sound[4:]]
    np.testing.assert_allclose(first + rest, expected, atol=5e-5)
    model.resize(1)
    model.resize(3)
    np.testing.assert_allclose(model.infer(np.array([2]), sound[0][None])[0], expected[0], atol=5e-5)


def test_a_reset_slot_has_heard_nothing() -> None:
    model = SileroVoiceActivity(8000, slots=2)
    sound = babble(1, 6, model)[0]
    fresh = alone(model, 0, sound)
    again = alone(model, 0, sound)
    np.testing.assert_allclose(again, fresh, atol=1e-6)


def test_no_window_ready() -> None:
    model = SileroVoiceActivity(8000, slots=2)
    assert model.infer(np.empty(0, dtype=np.intp), np.empty((0, 256), dtype=np.float32)).shape == (0,)


def test_an_unknown_rate_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="8000, 16000"):
        SileroVoiceActivity(44100)


@pytest.mark.speech
@pytest.mark.parametrize("rate_hz", RATES)
def test_people_are_speech_and_line_noise_is_not(
    rate_hz: int, clip: Callable[[str], NDArray[np.int16]], noise: Callable[[int, float], NDArray[np.float32]]
) -> None:
    model = SileroVoiceActivity(rate_hz, slots=2)
    samples = clip("librivox-0870.wav")
    if rate_hz == 8000:
        speech = g711.mulaw_to_float(g711.mulaw_encode(resample(samples, 16000, 8000)))
    else:
        speech = pcm.to_float(samples)
    heard = alone(model, 0, windows_of(speech, model))
    assert np.mean(heard > 0.5) > 0.8
    quiet = alone(model, 1, windows_of(noise(10 * rate_hz, -55.0), model))
    assert quiet.max() < 0.3


def mixes(rate_hz: int) -> dict[str, NDArray[np.float32]]:
    """All speech there is, clean and under noise, and noises alone, at a rate; shape (n,), −1…1."""
    rng = np.random.default_rng(3)
    sounds: dict[str, NDArray[np.float32]] = {
        f"noise at {level} dBFS": rng.normal(0, 10 ** (level / 20), 4 * rate_hz).astype(np.float32)
        for level in (-70, -55, -35, -15)
    }
    for path in sorted(CLIPS.glob("*.wav")):
        samples, recorded_hz = read_wav(path)
        speech = resample(pcm.to_float(samples[:, 0]), recorded_hz, rate_hz)
        sounds[path.stem] = speech
        for level in (-55, -30):
            noise = rng.normal(0, 10 ** (level / 20), speech.size)
            sounds[f"{path.stem} in noise at {level} dBFS"] = (speech + noise).astype(np.float32)
    return sounds


@pytest.mark.parametrize("rate_hz", RATES)
def test_our_arithmetic_says_what_onnxruntime_says(rate_hz: int) -> None:
    """Probabilities to five digits; so every decision at every threshold in use is the same."""
    ours, theirs = SileroVoiceActivity(rate_hz, slots=1), SileroOnnx(rate_hz, slots=1)
    for name, sound in mixes(rate_hz).items():
        windows = windows_of(sound, ours)
        said, expected = alone(ours, 0, windows), alone(theirs, 0, windows)
        np.testing.assert_allclose(said, expected, atol=5e-5, err_msg=name)
        for threshold in (0.15, 0.35, 0.5):
            assert np.array_equal(said >= threshold, expected >= threshold), f"{name} at {threshold}"


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("count", [1, 7, 150])
def test_windows_remembered_are_windows_heard(rate_hz: int, count: int) -> None:
    model = SileroVoiceActivity(rate_hz, slots=2)
    sound = babble(1, count + 4, model)[0]
    expected = alone(model, 0, sound)
    model.remember(1, sound[:count])
    said = [model.infer(np.array([1]), window[None])[0] for window in sound[count:]]
    np.testing.assert_allclose(said, expected[count:], atol=5e-5)
    assert np.ptp(expected) > 0.1  # else nothing was compared
