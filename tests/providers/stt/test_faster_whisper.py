"""faster-whisper in its worker process, with a tiny model that always writes one sentence: the library, its files and our side are real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from tests.providers.contract import ANSWERS, Ear, SpeechToTextContract
from tests.providers.stt.calls import FORMATS, Call, Clip, Noise, bursts
from tests.providers.stt.tiny_whisper import SENTENCE, make_whisper

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.base import ExpectedAnswers, Transcribed
from antiphon.providers.stt.faster_whisper import FasterWhisperSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines

LATE_MS = 30_000
"""For answers on a machine that may be busy."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("models") / "faster-whisper-tiny.en")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stt(folder: Path) -> AsyncIterator[FasterWhisperSpeechToText]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = FasterWhisperSpeechToText(models_dir=str(folder.parent), language="en-US", final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_stt(folder: Path) -> AsyncIterator[FasterWhisperSpeechToText]:
    """One that the test may do anything to."""
    engine = FasterWhisperSpeechToText(models_dir=str(folder.parent), language="en-US", final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@FORMATS
async def test_speech_is_written_by_the_model(stt: FasterWhisperSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    final = await Call(stt, audio, ExpectedAnswers()).says(clip("goforward.wav"))
    assert final.text == SENTENCE
    assert final.confidence == pytest.approx(1.0, abs=0.05)


async def test_no_words_for_what_is_no_voice(stt: FasterWhisperSpeechToText, noise: Noise) -> None:
    final = await Call(stt, TELEPHONE, ExpectedAnswers()).says(bursts(noise, 200, -20.0))
    assert final.text == ""


async def test_words_come_at_a_pause(stt: FasterWhisperSpeechToText, clip: Clip) -> None:
    ear = Ear()
    stream = stt.open(stt.formats[1], ANSWERS, ear)
    stream.begin(1)
    # Under three seconds in all: more at once would be taken for a recording, whose partials nobody waits for.
    stream.push(np.concatenate((clip("goforward.wav")[:32_000], np.zeros(8_000, np.int16))).tobytes())
    assert await ear.wait_for_partial() == SENTENCE
    stream.finish(1)
    (final,) = await ear.wait_for(1)
    assert isinstance(final, Transcribed) and final.text == SENTENCE
    stream.close()


async def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    engine = FasterWhisperSpeechToText(model="small", models_dir=str(tmp_path))
    with pytest.raises(ProviderUnavailable) as error:
        await engine.start()
    assert str(tmp_path / "faster-whisper-small") in str(error.value)
    assert "antiphon models pull" in str(error.value)


async def _spoilt(folder: Path, spoil: Callable[[Path], object], **options: object) -> str:
    spoil(folder)
    engine = FasterWhisperSpeechToText(path=str(folder), **options)  # type: ignore[arg-type]
    with pytest.raises(ProviderUnavailable) as error:
        await engine.start()
    return str(error.value)


async def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    whole = make_whisper(tmp_path / "m")
    told = await _spoilt(whole, lambda there: (there / "model.bin").write_bytes(b"nothing of the kind"))
    assert "cannot be loaded" in told and str(whole) in told


async def test_a_tokeniser_that_is_missing_is_not_asked_for_elsewhere(tmp_path: Path) -> None:
    told = await _spoilt(make_whisper(tmp_path / "m"), lambda there: (there / "tokenizer.json").unlink())
    assert "tokenizer.json" in told


async def test_a_language_that_the_model_does_not_know(tmp_path: Path) -> None:
    told = await _spoilt(make_whisper(tmp_path / "m"), lambda there: None, language="ko")
    assert "does not know the language ko; it knows en" in told


async def test_options_that_do_not_fit() -> None:
    for options in ({"threads": 0}, {"beam_size": 99}, {"device": "abacus"}, {"workers": 0}, {"final_timeout_ms": 0}):
        with pytest.raises(ConfigurationError):
            FasterWhisperSpeechToText(**options)  # type: ignore[arg-type]
