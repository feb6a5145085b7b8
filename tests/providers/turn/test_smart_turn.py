"""Smart Turn in its worker process: its own file, people's speech, many questions at once, and what it does when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.providers.stt.calls import Clip, wire

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers import registry
from antiphon.providers.base import TurnAudio
from antiphon.providers.turn.smart_turn import SmartTurnDetector, installed
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

pytestmark = pytest.mark.skipif(not installed(), reason="the model is not installed")
WIDE = AudioFormat(Encoding.PCM16, 16000)


@pytest.fixture
async def detector() -> AsyncIterator[SmartTurnDetector]:
    engine = SmartTurnDetector()
    await engine.start()
    yield engine
    await engine.close()


def spoken(clip: Clip, name: str, audio: AudioFormat, share: float = 1.0) -> TurnAudio:
    data = wire(clip(name), audio)
    whole = int(len(data) * share) // audio.bytes_per_sample * audio.bytes_per_sample
    return TurnAudio(audio, data[:whole])


@pytest.mark.parametrize("audio", [TELEPHONE, WIDE], ids=["telephone", "wide"])
async def test_a_whole_sentence_sounds_more_finished_than_half_of_it(
    detector: SmartTurnDetector, clip: Clip, audio: AudioFormat
) -> None:
    whole = await detector.probability((), "", spoken(clip, "goforward.wav", audio))
    half = await detector.probability((), "", spoken(clip, "goforward.wav", audio, 0.45))
    assert whole is not None and half is not None
    assert 0.0 <= half < whole <= 1.0 and whole > 0.5


async def test_a_question_without_sound_has_no_answer(detector: SmartTurnDetector) -> None:
    assert await detector.probability((), "hello") is None
    assert await detector.probability((), "hello", TurnAudio(TELEPHONE, b"")) is None


async def test_more_questions_than_can_be_answered_in_time_are_left_unanswered(detector: SmartTurnDetector) -> None:
    sound = TurnAudio(TELEPHONE, bytes(np.random.default_rng(1).integers(0, 256, 16000, dtype=np.uint8)))
    answers = await asyncio.gather(*(detector.probability((), "", sound) for _ in range(60)))
    assert answers.count(None) >= 60 - 16, "beyond its queue they are refused at once"
    assert any(answer is not None for answer in answers)
    assert await detector.probability((), "", sound) is not None, "and the next is answered again"


async def test_a_question_nobody_waits_for_is_forgotten(detector: SmartTurnDetector) -> None:
    sound = TurnAudio(TELEPHONE, b"\xff" * 8000)
    tasks = [asyncio.ensure_future(detector.probability((), "", sound)) for _ in range(8)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await detector.probability((), "", sound) is not None


async def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.onnx"
    other.write_bytes(b"not it")
    for path, problem in ((other, "is not the file"), (tmp_path / "none.onnx", "cannot be read")):
        engine = SmartTurnDetector(model=str(path))
        with pytest.raises(ProviderUnavailable, match=problem):
            await engine.start()
        await engine.close()


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"turn\.workers"):
        registry.create("turn", "smart-turn", {"workers": 0})
    with pytest.raises(ConfigurationError, match=r"turn\.hung_after_s"):
        registry.create("turn", "smart-turn", {"hung_after_s": 0.1})
