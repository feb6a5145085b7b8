"""Piper in its worker process: the contract, loudness, streaming, and requests that are not to be met."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from tests.providers.contract import TEXT, TextToSpeechContract, joined, speak

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechRequest, WordTiming
from antiphon.providers.tts.piper import MAX_TEXT_CHARACTERS, PiperTextToSpeech
from antiphon.vocabulary import TELEPHONE

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tts() -> AsyncIterator[PiperTextToSpeech]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = PiperTextToSpeech(cache_mb=0)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_tts() -> AsyncIterator[PiperTextToSpeech]:
    """One that the test may do anything to."""
    engine = PiperTextToSpeech()
    await engine.start()
    yield engine
    await engine.close()


class TestContract(TextToSpeechContract):
    pass


async def words_of(tts: PiperTextToSpeech, text: str) -> list[WordTiming]:
    return [word for chunk in await speak(tts, SpeechRequest(text, TELEPHONE)) for word in chunk.words]


async def test_loud_enough_and_never_clipped(tts: PiperTextToSpeech) -> None:
    for audio in tts.formats:
        samples = codec.decode_to_float(joined(await speak(tts, SpeechRequest(TEXT * 3, audio))), audio.encoding)
        # The voice says one sentence louder than another; −19 is its measure.
        assert -22 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -17
        # µ-law rounds the highest samples up by half a step of 1/32.
        assert 20 * np.log10(np.abs(samples).max()) < -2.9


async def test_a_speech_comes_in_pieces_the_first_one_short(tts: PiperTextToSpeech) -> None:
    chunks = await speak(tts, SpeechRequest(TEXT, TELEPHONE))
    assert len(chunks) > 3
    assert 200 < TELEPHONE.ms_of(len(chunks[0].audio)) < 400


async def test_the_same_text_is_the_same_speech_and_made_once(own_tts: PiperTextToSpeech) -> None:
    first = await speak(own_tts, SpeechRequest(TEXT, TELEPHONE))
    again = await speak(own_tts, SpeechRequest(TEXT, TELEPHONE))
    assert again == first
    assert all(one is other for one, other in zip(first, again, strict=True))


async def test_without_a_cache_the_same_text_still_is_the_same_speech() -> None:
    engine = PiperTextToSpeech(cache_mb=0)
    await engine.start()
    first = joined(await speak(engine, SpeechRequest(TEXT, TELEPHONE)))
    again = joined(await speak(engine, SpeechRequest(TEXT, TELEPHONE)))
    await engine.close()
    assert first == again


async def test_words_are_those_of_the_text(tts: PiperTextToSpeech) -> None:
    text = "Well — the price is high. Mister Nguyen's café opens late, isn't it?  Yes."
    words = await words_of(tts, text)
    assert [word.text for word in words] == text.split()
    assert all(word.end_ms - word.start_ms > 40 for word in words)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (SpeechRequest("x" * (MAX_TEXT_CHARACTERS + 1), TELEPHONE), "longer than"),
        (SpeechRequest("hi", TELEPHONE, voice="no-such-voice"), "unknown voice"),
        (SpeechRequest("hi", TELEPHONE, speed=float("nan")), "speed"),
    ],
)
async def test_requests_not_to_be_met(tts: PiperTextToSpeech, request_: SpeechRequest, problem: str) -> None:
    with pytest.raises(ProviderError, match=problem):
        await speak(tts, request_)
    assert await speak(tts, SpeechRequest("hi", TELEPHONE, voice="joe"))


@pytest.mark.parametrize("text", ["...", "\0\0", "🙂", "日本語", "\n\n", "a\0b", "-", "—", "'", "a" * 300, "?!" * 50])
async def test_odd_text_is_no_error(tts: PiperTextToSpeech, text: str) -> None:
    await speak(tts, SpeechRequest(text, TELEPHONE))


async def test_a_crash_fails_the_speech(own_tts: PiperTextToSpeech) -> None:
    speech = own_tts.synthesize(SpeechRequest("word " * 390, TELEPHONE))
    await anext(speech)
    for worker in own_tts._pool._workers:
        live = worker.alive
        assert live is not None
        live._process.kill()
        await live.lost
    with pytest.raises(ProviderError, match="ended"):
        async for _ in speech:
            pass


def write_voice(path: Path, model: bytes, language: str) -> None:
    path.write_bytes(model)
    description = (
        f'{{"espeak": {{"voice": "{language}"}}, "phoneme_id_map": {{"_": [0], "^": [1], "$": [2], " ": [3]}}}}'
    )
    Path(f"{path}.json").write_text(description, encoding="utf-8")


async def test_a_voice_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    for name, content, problem in (
        ("none.onnx", None, "none.onnx"),
        ("broken.onnx", b"\xff\xff", "ONNX"),
    ):
        path = tmp_path / name
        if content is not None:
            write_voice(path, content, "en-us")
        with pytest.raises(ProviderUnavailable, match=problem):
            await PiperTextToSpeech(path=str(path)).start()


async def test_a_voice_whose_phonemes_need_espeak_is_refused_and_so_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "german.onnx"
    write_voice(path, b"", "de")
    with pytest.raises(ProviderUnavailable, match="espeak"):
        await PiperTextToSpeech(path=str(path)).start()
    with pytest.raises(ProviderUnavailable, match="checksum"):
        await PiperTextToSpeech(path=str(path), sha256="00" * 32).start()


@pytest.mark.parametrize(
    "options", [{"workers": 0}, {"workers": 1000}, {"piece_timeout_ms": 0}, {"cache_mb": -1}, {"sha256": "ab"}]
)
async def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        PiperTextToSpeech(**options)  # type: ignore[arg-type]


async def test_a_voice_moved_by_semitones_says_the_same_as_long(tts: PiperTextToSpeech) -> None:
    """Higher, not quicker: the middle of its spectrum lies higher."""
    plain, high = [joined(await speak(tts, SpeechRequest(TEXT, TELEPHONE, voice=voice))) for voice in ("joe", "joe+5")]
    assert 0.85 < len(high) / len(plain) < 1.15
    assert centre_hz(high) > 1.1 * centre_hz(plain)
    with pytest.raises(ProviderError, match="semitones"):
        await speak(tts, SpeechRequest(TEXT, TELEPHONE, voice="joe+13"))


def centre_hz(speech: bytes) -> float:
    power = np.abs(np.fft.rfft(codec.decode_to_float(speech, TELEPHONE.encoding))) ** 2
    return float((power * np.linspace(0, 4000, power.size)).sum() / power.sum())
