"""Human speech for the engines' tests, from ``tests/data/speech``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio import wav
from antiphon.providers.base import SpeechToText, TextToSpeech

CLIPS = Path(__file__).resolve().parents[1] / "data" / "speech"

Clip = Callable[[str], NDArray[np.int16]]


@pytest.fixture
def own_stt(stt: SpeechToText) -> SpeechToText:
    """Where each test has one of its own anyway."""
    return stt


@pytest.fixture
def own_tts(tts: TextToSpeech) -> TextToSpeech:
    """Where each test has one of its own anyway."""
    return tts


@pytest.fixture
def clip() -> Clip:
    """A clip's samples at 16 kHz by file name."""

    def load(name: str) -> NDArray[np.int16]:
        samples, rate_hz = wav.read_wav(CLIPS / name)
        assert rate_hz == 16000
        return samples.reshape(-1)

    return load


@pytest.fixture
def noise() -> Callable[[int, float], NDArray[np.float32]]:
    """``noise(samples, dbfs)``: white noise, the same every time, in −1…1."""

    def make(samples: int, dbfs: float) -> NDArray[np.float32]:
        generator = np.random.default_rng(7)
        return (generator.standard_normal(samples) * 10 ** (dbfs / 20)).astype(np.float32)

    return make
