"""Kokoro in its worker process, with a tiny model that hums: the library, its files and our side of it are the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from tests.providers.contract import TEXT, TextToSpeechContract, joined, speak, words_of
from tests.providers.tts.tiny_kokoro import make_kokoro

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechRequest, TextToSpeech
from antiphon.providers.tts.kokoro import KokoroTextToSpeech
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kokoro(tmp_path_factory.mktemp("models") / "kokoro-v1.0-int8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tts(folder: Path) -> AsyncIterator[KokoroTextToSpeech]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = KokoroTextToSpeech(models_dir=str(folder.parent), cache_mb=0)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_tts(folder: Path) -> AsyncIterator[KokoroTextToSpeech]:
    """One that the test may do anything to."""
    engine = KokoroTextToSpeech(models_dir=str(folder.parent))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(TextToSpeechContract):
    async def test_words_follow_each_other_and_come_with_their_audio(self, tts: TextToSpeech) -> None:
        assert words_of(await speak(tts, SpeechRequest(TEXT, tts.formats[0]))) == []  # it times none


async def test_a_voice_by_its_name(tts: KokoroTextToSpeech) -> None:
    wide = AudioFormat(Encoding.PCM16, 24000)
    crossings = []
    for voice in ("", "af_heart", "am_low"):
        audio = joined(await speak(tts, SpeechRequest("Hello there.", wide, voice=voice)))
        samples = codec.decode_to_float(audio, wide.encoding)
        crossings.append(int(np.count_nonzero(np.diff(np.signbit(samples)))) / len(samples))
    assert crossings[0] == crossings[1]
    assert crossings[2] == pytest.approx(2 * crossings[1], rel=0.1)


async def test_a_voice_that_there_is_not(tts: KokoroTextToSpeech) -> None:
    with pytest.raises(ProviderError, match="unknown voice"):
        await speak(tts, SpeechRequest("Hello.", TELEPHONE, voice="nobody"))
    assert await speak(tts, SpeechRequest("Hello.", TELEPHONE))


async def test_marks_alone_are_silence(tts: KokoroTextToSpeech) -> None:
    assert joined(await speak(tts, SpeechRequest("… -", TELEPHONE))) == b""


async def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    engine = KokoroTextToSpeech(models_dir=str(tmp_path))
    with pytest.raises(ProviderUnavailable) as error:
        await engine.start()
    assert str(tmp_path / "kokoro-v1.0-int8") in str(error.value)
    assert "antiphon models pull" in str(error.value)


async def test_files_that_are_no_model(tmp_path: Path) -> None:
    for name in ("kokoro-v1.0.int8.onnx", "voices-v1.0.bin"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    engine = KokoroTextToSpeech(path=str(tmp_path))
    with pytest.raises(ProviderUnavailable, match="cannot be loaded"):
        await engine.start()


async def test_a_default_voice_that_there_is_not(folder: Path) -> None:
    engine = KokoroTextToSpeech(path=str(folder), voice="nobody")
    with pytest.raises(ProviderUnavailable, match="there are af_heart, am_low"):
        await engine.start()


async def test_options_that_do_not_fit() -> None:
    for options in ({"threads": 0}, {"workers": 0}, {"cache_mb": -1}, {"piece_timeout_ms": 0}):
        with pytest.raises(ConfigurationError):
            KokoroTextToSpeech(**options)
