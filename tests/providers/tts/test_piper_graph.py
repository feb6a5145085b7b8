"""The two halves of a voice's graph say what the whole says."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from antiphon.errors import MalformedMessage
from antiphon.providers.tts.piper_graph import split
from antiphon.providers.tts.piper_model import PiperModel, joe
from antiphon.providers.tts.piper_sounds import WordSounds


@pytest.fixture(scope="module")
def model() -> PiperModel:
    return PiperModel(joe())


@pytest.fixture(scope="module")
def ids() -> tuple[int, ...]:
    return WordSounds(joe().description["phoneme_id_map"]).of(["How", "can", "I", "help", "you", "today?"]).ids


def test_in_pieces_it_is_what_it_is_in_one(model: PiperModel, ids: tuple[int, ...]) -> None:
    frames = model.prepare(ids, 1.0)
    whole = model.samples(frames, 0, frames.count)
    pieces = [model.samples(frames, at, min(at + 24, frames.count)) for at in range(0, frames.count, 24)]
    # A 16-bit step is 3e-5; the seams may be off by a few, far below the hiss of a telephone (-60 dB is 1e-3).
    assert np.abs(np.concatenate(pieces) - whole).max() < 3e-3
    assert whole.size == frames.count * model.hop


def test_the_halves_without_chance_are_the_whole_without_chance(ids: tuple[int, ...]) -> None:
    """With both noises at nothing the voice's own graph is exact, so that the halves can be held against it."""
    files = joe()
    quiet = {**files.description, "inference": {"noise_scale": 0.0, "length_scale": 1.0, "noise_w": 0.0}}
    model = PiperModel(type(files)(files.model, quiet))
    frames = model.prepare(ids, 1.0)
    session = onnxruntime.InferenceSession(files.model, providers=["CPUExecutionProvider"])
    feed = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([0.0, 1.0, 0.0], np.float32),
    }
    whole = session.run(None, feed)[0].reshape(-1)
    assert np.abs(model.samples(frames, 0, frames.count) - whole).max() < 1e-4


def test_durations_are_those_of_the_phonemes(model: PiperModel, ids: tuple[int, ...]) -> None:
    frames = model.prepare(ids, 1.0)
    assert frames.ends is not None
    assert frames.ends.size == len(ids)
    assert frames.ends[-1] == frames.count


@pytest.mark.parametrize("data", [b"", b"\xff", b"hello", b"\x3a\x00"])
def test_what_is_no_voice_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        split(data)
