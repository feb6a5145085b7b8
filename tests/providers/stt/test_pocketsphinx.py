"""pocketsphinx in its worker process: the contract, people's speech, and what is not an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from tests.providers.contract import ANSWERS, Ear, SpeechToTextContract
from tests.providers.stt.calls import BOOKING, CARD_CLIPS, CARDS, COMMANDS, FORMATS, WIDE, Call, Clip, Noise, bursts

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, Transcribed, TranscriptionFailed
from antiphon.providers.scripted_hum import hum
from antiphon.providers.stt.pocketsphinx import PocketsphinxSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stt() -> AsyncIterator[PocketsphinxSpeechToText]:
    """Grammars only: the language model is not loaded."""
    engine = PocketsphinxSpeechToText(dictation_decoders=0)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_stt() -> AsyncIterator[PocketsphinxSpeechToText]:
    """One that the test may do anything to."""
    engine = PocketsphinxSpeechToText(dictation_decoders=0)
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@pytest.mark.speech
@FORMATS
async def test_people_naming_cards(stt: PocketsphinxSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    call = Call(stt, audio, CARDS)
    heard = {name: (await call.says(clip(name))).text for name in CARD_CLIPS}
    assert heard == CARD_CLIPS


@pytest.mark.speech
@FORMATS
async def test_an_expected_phrase_comes_back_as_written_and_partials_come_first(
    stt: PocketsphinxSpeechToText, clip: Clip, audio: AudioFormat
) -> None:
    call = Call(stt, audio, COMMANDS)
    final = await call.says(clip("goforward.wav"))
    assert final.text == "Go forward, ten meters!"
    assert final.confidence is not None
    assert final.confidence > 0.7
    assert call.ear.partials
    assert call.ear.events[-1] is final


@pytest.mark.speech
@FORMATS
async def test_other_words_are_not_taken_for_an_answer(
    stt: PocketsphinxSpeechToText, clip: Clip, audio: AudioFormat
) -> None:
    call = Call(stt, audio, BOOKING)
    for name in ("cards-001.wav", "cards-003.wav", "goforward.wav", "librivox-0880.wav"):
        assert (await call.says(clip(name))).text == ""


@FORMATS
async def test_a_cough_is_no_answer(stt: PocketsphinxSpeechToText, noise: Noise, audio: AudioFormat) -> None:
    call = Call(stt, audio, ExpectedAnswers(phrases=("yes", "no", "five", "stop")))
    for length_ms in (60, 120, 250):
        for dbfs in (-30.0, -10.0):
            assert (await call.says(bursts(noise, length_ms, dbfs))).text == ""
    assert call.ear.partials == []


@pytest.mark.speech
async def test_new_answers_are_expected_from_the_next_utterance_on(stt: PocketsphinxSpeechToText, clip: Clip) -> None:
    call = Call(stt, TELEPHONE, BOOKING)
    assert (await call.says(clip("cards-004.wav"))).text == ""
    call.stream.expect(CARDS)
    assert (await call.says(clip("cards-004.wav"))).text == "five five"


@pytest.mark.speech
async def test_a_name_the_dictionary_lacks_can_be_expected(stt: PocketsphinxSpeechToText, clip: Clip) -> None:
    answers = ExpectedAnswers(phrases=("goforwerd ten meterz", "zork", "stop"))
    final = await Call(stt, WIDE, answers).says(clip("goforward.wav"))
    assert final.text == "goforwerd ten meterz"


@pytest.mark.speech
@FORMATS
async def test_dictation(clip: Clip, audio: AudioFormat) -> None:
    # Dictation is heavy work: on a machine with other work it is late, and here its words are judged, not its haste.
    engine = PocketsphinxSpeechToText(dictation_decoders=1, final_timeout_ms=15_000)
    await engine.start()
    try:
        call = Call(engine, audio, ExpectedAnswers())
        final = await call.says(clip("goforward.wav"))
        assert final.text == "go forward ten meters"
        assert len(call.ear.partials) >= 2
        assert (await call.says((np.random.default_rng(1).standard_normal(8000) * 300).astype(np.int16))).text == ""
    finally:
        await engine.close()


async def test_past_the_cap_an_utterance_fails_at_once_and_later_ones_work() -> None:
    engine = PocketsphinxSpeechToText(dictation_decoders=0, grammar_decoders=1)
    await engine.start()
    try:
        first, second = Ear(), Ear()
        one = engine.open(TELEPHONE, ANSWERS, first)
        two = engine.open(TELEPHONE, ANSWERS, second)
        one.begin(1)
        two.begin(1)
        (failure,) = await second.wait_for(1)
        assert isinstance(failure, TranscriptionFailed)
        assert "in use" in failure.problem
        one.finish(1)
        await first.wait_for(1)
        two.begin(2)
        two.finish(2)
        assert isinstance((await second.wait_for(2))[-1], Transcribed)
    finally:
        await engine.close()


async def test_dictation_without_decoders_for_it_fails_the_utterance(stt: PocketsphinxSpeechToText) -> None:
    ear = Ear()
    stream = stt.open(TELEPHONE, ExpectedAnswers(), ear)
    stream.begin(1)
    (failure,) = await ear.wait_for(1)
    assert isinstance(failure, TranscriptionFailed)
    stream.close()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (ExpectedAnswers(grammar="#JSGF V1.0; grammar g; public <a> = yes | ;;"), "syntax"),
        (ExpectedAnswers(grammar="no grammar at all"), "syntax"),
        (ExpectedAnswers(grammar="import <x.y>; public <a> = yes;"), "import"),
        (ExpectedAnswers(phrases=("???",)), "pronounced"),
    ],
)
async def test_answers_that_cannot_be_recognised_fail_utterances_not_the_call(
    stt: PocketsphinxSpeechToText, answers: ExpectedAnswers, problem: str
) -> None:
    ear = Ear()
    stream = stt.open(TELEPHONE, answers, ear)
    stream.begin(1)
    stream.finish(1)
    (failure,) = await ear.wait_for(1)
    assert isinstance(failure, TranscriptionFailed)
    assert problem in failure.problem
    stream.expect(ANSWERS)
    stream.begin(2)
    stream.finish(2)
    assert isinstance((await ear.wait_for(2))[-1], Transcribed)
    stream.close()


async def test_half_a_sample_fails_the_utterance_and_the_call_goes_on(stt: PocketsphinxSpeechToText) -> None:
    ear = Ear()
    stream = stt.open(WIDE, ANSWERS, ear)
    stream.begin(1)
    stream.push(b"\0" * 3)
    stream.finish(1)
    (failure,) = await ear.wait_for(1)
    assert isinstance(failure, TranscriptionFailed)
    stream.begin(2)
    stream.finish(2)
    assert isinstance((await ear.wait_for(2))[-1], Transcribed)
    stream.close()


async def test_a_crash_fails_the_open_utterance_and_the_next_one_is_heard(own_stt: PocketsphinxSpeechToText) -> None:
    ear = Ear()
    stream = own_stt.open(TELEPHONE, ANSWERS, ear)
    stream.begin(1)
    for worker in own_stt._pool._workers:
        assert worker.connection is not None
        worker.connection._process.kill()
    (failure,) = await ear.wait_for(1)
    assert isinstance(failure, TranscriptionFailed)
    utterance = 1
    async with asyncio.timeout(60):
        while not isinstance(ear.answers[-1], Transcribed):  # until a new process is up, utterances fail at once
            utterance += 1
            stream.begin(utterance)
            stream.finish(utterance)
            await ear.wait_for(utterance)
    stream.close()


async def recorded(stt: PocketsphinxSpeechToText, ear: Ear, seconds: int) -> None:
    """Say so much at once, as a client with a recording does."""
    stream = stt.open(WIDE, ANSWERS, ear)
    stream.begin(1)
    second = hum(WIDE)[: WIDE.bytes_for_ms(500)] * 2
    for _ in range(seconds):
        stream.push(second)
    stream.finish(1)


async def test_recordings_leave_the_recogniser_to_those_who_speak(stt: PocketsphinxSpeechToText) -> None:
    hogs = [Ear() for _ in range(4)]
    for hog in hogs:
        await recorded(stt, hog, 55)
    live, short = Ear(), Ear()
    await recorded(stt, short, 4)
    stream = stt.open(TELEPHONE, ANSWERS, live)
    for utterance in (1, 2, 3):
        stream.begin(utterance)
        for _ in range(25):
            stream.push(hum(TELEPHONE)[:160])
        stream.finish(utterance)
        assert isinstance((await live.wait_for(utterance))[-1], Transcribed)
        assert not any(hog.answers for hog in hogs), "the hogs wait, not the caller"
    assert isinstance((await short.wait_for(1))[0], Transcribed)
    assert not any(hog.answers for hog in hogs), "who has a little to say does not wait for those who have much"
    for hog in hogs:
        (answer,) = await hog.wait_for(1, within_s=120)
        assert isinstance(answer, Transcribed), "in their own time they are served, too"


async def test_long_recordings_leave_a_decoder_to_those_who_speak() -> None:
    """In dictation there are few decoders, and each is held for as long as an utterance lasts."""
    engine = PocketsphinxSpeechToText(dictation_decoders=2, final_timeout_ms=120_000)
    await engine.start()
    try:
        hogs = [Ear() for _ in range(3)]
        for hog in hogs:
            stream = engine.open(WIDE, ExpectedAnswers(), hog)
            stream.begin(1)
            stream.push(hum(WIDE)[: WIDE.bytes_for_ms(500)] * 20)
            stream.finish(1)
        live = Ear()
        stream = engine.open(TELEPHONE, ExpectedAnswers(), live)
        for utterance in (1, 2):
            stream.begin(utterance)
            stream.push(hum(TELEPHONE)[: TELEPHONE.bytes_for_ms(400)])
            stream.finish(utterance)
            assert isinstance((await live.wait_for(utterance, within_s=120))[-1], Transcribed)
            assert not all(hog.answers for hog in hogs), "it did not wait for all of them"
        for hog in hogs:
            (answer,) = await hog.wait_for(1, within_s=120)
            assert isinstance(answer, Transcribed), "one after the other"
    finally:
        await engine.close()


async def test_more_than_the_longest_recording_fails_this_utterance_only(stt: PocketsphinxSpeechToText) -> None:
    ear = Ear()
    stream = stt.open(WIDE, ANSWERS, ear)
    stream._max_bytes = WIDE.bytes_for_ms(120_000)
    stream.begin(1)
    stream.push(bytes(WIDE.bytes_for_ms(100_000)))
    (failure,) = await ear.wait_for(1)
    assert isinstance(failure, TranscriptionFailed)
    assert "behind" in failure.problem
    stream.begin(2)
    stream.finish(2)
    assert isinstance((await ear.wait_for(2))[-1], Transcribed)
    stream.close()


async def test_another_utterance_does_not_wait_for_a_recording_that_was_given_up(stt: PocketsphinxSpeechToText) -> None:
    ear = Ear()
    stream = stt.open(WIDE, ANSWERS, ear)
    stream.begin(1)
    stream.push(hum(WIDE)[: WIDE.bytes_for_ms(500)] * 100)
    stream.begin(2)
    stream.finish(2)
    first, second = await ear.wait_for(2)
    assert (first.utterance, second.utterance) == (1, 2)
    assert isinstance(second, Transcribed)
    stream.close()


async def test_a_call_is_opened_while_no_process_runs_and_its_utterances_fail() -> None:
    engine = PocketsphinxSpeechToText(dictation_decoders=0)
    await engine.close()
    ear = Ear()
    stream = engine.open(TELEPHONE, ANSWERS, ear)
    stream.begin(1)
    assert isinstance((await ear.wait_for(1))[0], TranscriptionFailed)
    stream.close()


async def test_who_speaks_while_the_process_starts_is_heard() -> None:
    engine = PocketsphinxSpeechToText(dictation_decoders=0)
    starting = asyncio.create_task(engine.start())
    ear = Ear()
    stream = engine.open(TELEPHONE, ANSWERS, ear)
    stream.begin(1)
    stream.push(hum(TELEPHONE)[: TELEPHONE.bytes_for_ms(500)])
    stream.finish(1)
    assert isinstance((await ear.wait_for(1))[0], Transcribed)
    await starting
    await engine.close()


async def test_audio_past_the_longest_utterance_is_not_heard(stt: PocketsphinxSpeechToText) -> None:
    stream = stt.open(TELEPHONE, ANSWERS, Ear())
    stream._max_bytes = 100
    stream.begin(1)
    stream.push(bytes(90))
    stream.push(bytes(90))
    stream.push(bytes(90))
    assert len(stream._unsent) == 100
    stream.close()


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"dictation_decoders": -1},
        {"dictation_decoders": 0, "grammar_decoders": 0},
        {"min_confidence": 1.5},
        {"partial_every_ms": 0},
        {"max_utterance_ms": 0},
        {"final_timeout_ms": -1},
        {"hung_after_s": 0.5},
    ],
)
async def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        PocketsphinxSpeechToText(**options)  # type: ignore[arg-type]
