"""espeak-ng in its worker process: the contract, loudness, and requests that are not to be met."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.providers.contract import TEXT, TextToSpeechContract, joined, speak

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechRequest, WordTiming
from antiphon.providers.tts.espeak import MAX_TEXT_CHARACTERS, EspeakTextToSpeech
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def tts() -> AsyncIterator[EspeakTextToSpeech]:
    engine = EspeakTextToSpeech()
    await engine.start()
    yield engine
    await engine.close()


class TestContract(TextToSpeechContract):
    pass


async def words_of(tts: EspeakTextToSpeech, text: str) -> list[WordTiming]:
    return [word for chunk in await speak(tts, SpeechRequest(text, TELEPHONE)) for word in chunk.words]


async def test_loud_enough_and_never_clipped(tts: EspeakTextToSpeech) -> None:
    for audio in tts.formats:
        samples = codec.decode_to_float(joined(await speak(tts, SpeechRequest(TEXT * 3, audio))), audio.encoding)
        assert -20.5 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -17.5
        # µ-law rounds the highest samples up by half a step of 1/32.
        assert 20 * np.log10(np.abs(samples).max()) < -2.9


async def test_words_are_those_of_the_text(tts: EspeakTextToSpeech) -> None:
    text = "The price is 42 dollars. Dr. Smith's café opens at 9:30, isn't it?  Yes."
    words = await words_of(tts, text)
    assert [word.text for word in words] == text.split()
    assert all(word.end_ms - word.start_ms > 40 for word in words)


async def test_markup_is_text(tts: EspeakTextToSpeech) -> None:
    plain = joined(await speak(tts, SpeechRequest("a b", TELEPHONE)))
    marked = joined(await speak(tts, SpeechRequest("<break time='5s'/> a <b> [[h@l'oU]]", TELEPHONE)))
    assert len(plain) < len(marked)
    assert [word.text for word in await words_of(tts, "x <say-as>y")] == ["x", "<say-as>y"]


def timbre(speech: bytes) -> NDArray[np.float64]:
    """The speech's average level (dB) in each band up to 3 kHz."""
    samples = codec.decode_to_float(speech, TELEPHONE.encoding)
    frames = samples[: samples.size // 512 * 512].reshape(-1, 512) * np.hanning(512)
    return 10 * np.log10(np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)[:192] + 1e-9)


async def test_another_voice_sounds_different_and_the_first_one_returns(tts: EspeakTextToSpeech) -> None:
    plain = joined(await speak(tts, SpeechRequest(TEXT, TELEPHONE)))
    other = joined(await speak(tts, SpeechRequest(TEXT, TELEPHONE, voice="en-us+f3")))
    again = joined(await speak(tts, SpeechRequest(TEXT, TELEPHONE)))
    assert abs(len(again) - len(plain)) <= TELEPHONE.bytes_for_ms(10)
    unlike = [np.abs(timbre(speech) - timbre(plain)).mean() for speech in (again, other)]
    assert 2 * unlike[0] < unlike[1]


async def test_the_first_chunk_is_the_first_word(tts: EspeakTextToSpeech) -> None:
    speech = tts.synthesize(SpeechRequest("Hello there, how can I help you?", TELEPHONE))
    first = await anext(speech)
    await speech.aclose()
    assert [word.text for word in first.words] == ["Hello"]
    assert 100 < TELEPHONE.ms_of(len(first.audio)) < 600


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (SpeechRequest("x" * (MAX_TEXT_CHARACTERS + 1), TELEPHONE), "longer than"),
        (SpeechRequest("hi", TELEPHONE, voice="no-such-voice"), "unknown voice"),
        (SpeechRequest("hi", TELEPHONE, voice="../../etc/passwd"), "unknown voice"),
        (SpeechRequest("hi", TELEPHONE, speed=float("nan")), "speed"),
    ],
)
async def test_requests_not_to_be_met(tts: EspeakTextToSpeech, request_: SpeechRequest, problem: str) -> None:
    with pytest.raises(ProviderError, match=problem):
        await speak(tts, request_)
    assert await speak(tts, SpeechRequest("hi", TELEPHONE))


@pytest.mark.parametrize("text", ["...", "\0\0", "🙂", "日本語", "\n\n", "a\0b"])
async def test_odd_text_is_no_error(tts: EspeakTextToSpeech, text: str) -> None:
    await speak(tts, SpeechRequest(text, TELEPHONE))


async def test_a_crash_fails_the_speech(tts: EspeakTextToSpeech) -> None:
    speech = tts.synthesize(SpeechRequest("word " * 390, TELEPHONE))
    await anext(speech)
    for worker in tts._pool._workers:
        assert worker.connection is not None
        worker.connection._process.kill()
        await worker.connection.lost
    with pytest.raises(ProviderError, match="ended"):
        async for _ in speech:
            pass


async def test_two_workers() -> None:
    engine = EspeakTextToSpeech(workers=2, voice="en+m2")
    await engine.start()
    assert await speak(engine, SpeechRequest(TEXT, TELEPHONE))
    await engine.close()


async def test_a_default_voice_that_does_not_exist_is_told_at_the_start() -> None:
    with pytest.raises(ProviderUnavailable, match="unknown voice"):
        await EspeakTextToSpeech(voice="klingon-opera").start()


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1000}, {"piece_timeout_ms": 0}])
def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        EspeakTextToSpeech(**options)  # type: ignore[arg-type]
