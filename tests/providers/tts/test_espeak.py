"""espeak-ng in its worker process: the contract, loudness, and requests that are not to be met."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from tests.providers.contract import TEXT, TextToSpeechContract, joined, speak

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import SpeechRequest, WordTiming
from antiphon.providers.espeak_voices import voices
from antiphon.providers.tts.espeak import MAX_TEXT_CHARACTERS, EspeakTextToSpeech
from antiphon.vocabulary import TELEPHONE

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tts() -> AsyncIterator[EspeakTextToSpeech]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = EspeakTextToSpeech()
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_tts() -> AsyncIterator[EspeakTextToSpeech]:
    """One that the test may do anything to."""
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


async def test_a_crash_fails_the_speech(own_tts: EspeakTextToSpeech) -> None:
    speech = own_tts.synthesize(SpeechRequest("word " * 45, TELEPHONE))
    await anext(speech)
    for worker in own_tts._pool._workers:
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


@pytest.mark.parametrize(
    "voice",
    [
        "klingon-opera",
        "en-gb",
        "fr-fr",
        "zh",
        "no",
        "en-au",
        "gmw/en",
        "../en",
        "en+nobody",
        "en+",
        "+f3",
        "",
        "mb/mb-en1",
    ],
)
async def test_a_voice_that_does_not_exist_is_refused_with_those_there_are(voice: str) -> None:
    with pytest.raises(ConfigurationError, match=r"tts\.voice: unknown (voice|variant) .* espeak has .*\w"):
        EspeakTextToSpeech(voice=voice)
    with pytest.raises(ConfigurationError, match=r"^voice\.voiceId: unknown"):
        EspeakTextToSpeech().check_voice(voice, "voice.voiceId")


async def test_the_choices_told_are_those_of_the_same_language_first() -> None:
    with pytest.raises(ConfigurationError, match="espeak has en, en-029, en-gb-scotland"):
        EspeakTextToSpeech(voice="en-gb")


@pytest.mark.speech
async def test_every_voice_that_is_said_to_exist_speaks() -> None:
    engine = EspeakTextToSpeech()
    await engine.start()
    for voice in (*sorted(voices()), "EN-US", "en+f3", "de+croak"):
        assert joined(await speak(engine, SpeechRequest("1 2 3", TELEPHONE, voice=voice))), voice
    await engine.close()


# ------------------------------------------------------------------------------------------------ texts that do harm

HARMFUL = {
    "dotted capitals": "A.B.C.D.E." * 48,
    "dotted capitals, very many": "A.B.C.D.E." * 400,
    "dotted letters": "a.b.c." * 200,
    "dotted letters of another script": "а.б.в.г." * 200,
    "dotted digits": "1.2.3." * 200,
    "a long word": "a" * 3000,
    "a long number": "1234567890" * 200,
    "control characters": "".join(map(chr, range(32))) * 40,
    "halves of characters": "a \ud800 b \udfff" * 40,
    "marks above marks": "a" + "\u0301" * 1500,
    "nothing but blanks between": "a " * 900,
}


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL.keys())
async def test_text_does_not_kill_the_process(tts: EspeakTextToSpeech, text: str) -> None:
    await speak(tts, SpeechRequest(text, TELEPHONE))
    assert await speak(tts, SpeechRequest(TEXT, TELEPHONE))
    assert tts.health.restarts == 0


ALPHABETS = (
    "abcdefghij ", "ABC.", "aB1.-'", "A.B. ", "0123456789.,-:/$%", " .,;:!?-\n", "áéíóúñçßøå ", "абвгд. ", "سلام ", "日本語。",
    "🙂👍🏽\u200d",
    "\u0301\u0302a", "<>[]{}&@#", "\x00\x01\x1b\x7f", "IVXLCDM.", "www.http://a/", "_a", "\u202e\u2066a ", "'’`\"",
)  # fmt: skip


@pytest.mark.speech
@pytest.mark.parametrize("voice", ["en-us", "de", "cmn", "ru", "fa"])
async def test_random_and_hostile_texts_do_not_kill_the_process(tts: EspeakTextToSpeech, voice: str) -> None:
    chance = random.Random(voice)
    for _ in range(60):
        alphabet = "".join(chance.sample(ALPHABETS, chance.randint(1, 3)))
        length = int(10 ** chance.uniform(0, 2.7))
        text = "".join(chance.choices(alphabet, k=length))
        speech = tts.synthesize(SpeechRequest(text, TELEPHONE, voice=voice))
        async with asyncio.timeout(60), aclosing(speech):
            async for _ in speech:
                if chance.random() < 0.02:  # hung up on
                    break
        assert tts.health.restarts == 0, (voice, text)


@pytest.mark.parametrize("text", ["日本語" * 80, "🙂" * 200, "ab12" * 60, "a" * 240])
async def test_a_word_without_end_is_not_waited_for(tts: EspeakTextToSpeech, text: str) -> None:
    speech = tts.synthesize(SpeechRequest(text, TELEPHONE))
    async with aclosing(speech):
        first = await anext(speech)
    assert TELEPHONE.ms_of(len(first.audio)) < 3300
    assert [word.text for word in first.words] == [text]


async def test_a_long_text_is_spoken_whole_and_its_words_are_timed_through(tts: EspeakTextToSpeech) -> None:
    text = "This is a sentence of a long welcome. " * 80
    chunks = await speak(tts, SpeechRequest(text, TELEPHONE))
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == text.split()
    assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(words))
    assert words[-1].end_ms <= TELEPHONE.ms_of(len(joined(chunks))) + 1


async def test_only_the_text_that_kills_the_process_fails(own_tts: EspeakTextToSpeech) -> None:
    """Others that waited behind it are spoken by the next process."""
    guilty = own_tts.synthesize(SpeechRequest("word " * 45, TELEPHONE))
    await anext(guilty)
    [worker] = own_tts._pool._workers
    assert worker.connection is not None
    os.kill(worker.connection._process.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(speak(own_tts, SpeechRequest(TEXT, TELEPHONE))) for _ in range(3)]
    await asyncio.sleep(0)
    worker.connection._process.kill()
    with pytest.raises(ProviderError, match="ended"):
        async for _ in guilty:
            pass
    for speech in await asyncio.gather(*waiting):
        assert joined(speech)


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1000}, {"piece_timeout_ms": 0}, {"hung_after_s": 0}])
async def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        EspeakTextToSpeech(**options)  # type: ignore[arg-type]
