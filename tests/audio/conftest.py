"""Sounds to test with: made-up speech, and people's from ``tests/data/speech``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav

REAL_SPEECH = Path(__file__).resolve().parents[1] / "data" / "speech"


def _speech_like(seed: int, seconds: float) -> NDArray[np.float32]:
    """Syllables of a buzzing throat (own pitch, wandering) through three resonances, with hissing consonants; 8 kHz, about −20 dBFS."""
    rng = np.random.default_rng(seed)
    pitch_hz = rng.uniform(90, 220)
    time = np.arange(400) / 8000
    pieces = []
    length = 0
    while length < seconds * 8000:
        count = int(rng.integers(800, 2400))
        pitch = pitch_hz * (1 + 0.15 * np.sin(np.linspace(0, rng.uniform(2, 6), count) + rng.uniform(0, 6)))
        phase = np.cumsum(pitch / 8000)
        throat = np.diff(np.floor(phase), prepend=0.0) + 0.03 * rng.standard_normal(count)
        for centre_hz, width_hz in (
            (rng.uniform(300, 800), 80),
            (rng.uniform(900, 2200), 120),
            (rng.uniform(2300, 3200), 200),
        ):
            mouth = np.exp(-np.pi * width_hz * time) * np.cos(2 * np.pi * centre_hz * time)
            throat = np.convolve(throat, mouth)[:count]
        vowel = throat * np.hanning(count)
        vowel /= np.sqrt(np.mean(vowel**2))
        hiss = np.diff(rng.standard_normal(int(rng.integers(200, 700))), prepend=0.0) * 0.1
        pieces += [vowel, hiss, np.zeros(int(rng.integers(0, 400)))]
        length += sum(piece.size for piece in pieces[-3:])
    whole = np.concatenate(pieces)[: int(seconds * 8000)]
    return (0.1 * whole / np.sqrt(np.mean(whole**2))).astype(np.float32)


@pytest.fixture(scope="session")
def speech_like() -> Callable[[int, float], NDArray[np.float32]]:
    """Makes the same speech for the same seed, another speaker for another."""
    return _speech_like


@pytest.fixture(scope="session")
def real_speech() -> dict[str, NDArray[np.int16]]:
    """Human speech by file name, 8 kHz."""
    clips = {}
    for file in sorted(REAL_SPEECH.glob("*.wav")):
        samples, rate_hz = read_wav(file)
        clips[file.stem] = resample(samples[:, 0], rate_hz, 8000)
    return clips
