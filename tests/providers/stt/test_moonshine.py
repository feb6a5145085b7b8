"""Moonshine in its worker process: the contract, people's speech, and what is not an answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from tests.providers.contract import ANSWERS, Ear, SpeechToTextContract
from tests.providers.stt.calls import (
    BOOKING,
    CARD_CLIPS,
    CARDS,
    COMMANDS,
    FORMATS,
    WIDE,
    Call,
    Clip,
    Noise,
    bursts,
    whispered,
    wire,
)

from antiphon.assistants.loader import load, package_library
from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, Transcribed, TranscriptionFailed
from antiphon.providers.stt.moonshine import MoonshineSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat, CallContext, Message
from antiphon.workflow.engine import Engine

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines

FOREIGN = ("cards-001.wav", "cards-003.wav", "goforward.wav", "librivox-0880.wav")
LATE_MS = 30_000
"""For answers on a machine that may be busy: words are judged here, not haste."""


def words(text: str) -> str:
    """Without capitals and marks; a number in letters or in figures is the same."""
    return re.sub(r"[^a-z0-9' ]", "", text.lower()).replace("10", "ten")


def asked_by_the_front_desk(*said: str) -> ExpectedAnswers:
    """What it expects after a caller has said so much."""
    spec = load(package_library() / "front-desk.yaml")
    assert spec.model is not None and spec.model.workflow is not None
    desk = Engine(spec.model.workflow)
    messages = [message for line in said for message in (Message("user", line), Message("assistant", "…"))]
    return desk.expected(desk.state(messages, CallContext("call-1", wall_ms=1_778_580_000_000), ("book_appointment",)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stt() -> AsyncIterator[MoonshineSpeechToText]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = MoonshineSpeechToText(final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_stt() -> AsyncIterator[MoonshineSpeechToText]:
    """One that the test may do anything to."""
    engine = MoonshineSpeechToText(final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@pytest.mark.speech
@FORMATS
async def test_people_naming_cards(stt: MoonshineSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    call = Call(stt, audio, CARDS)
    heard = {name: (await call.says(clip(name))).text for name in CARD_CLIPS}
    assert heard == CARD_CLIPS


@pytest.mark.speech
@FORMATS
async def test_an_expected_phrase_comes_back_as_written(
    stt: MoonshineSpeechToText, clip: Clip, audio: AudioFormat
) -> None:
    final = await Call(stt, audio, COMMANDS).says(clip("goforward.wav"))
    assert final.text == "Go forward, ten meters!"
    assert final.confidence is not None
    assert final.confidence > 0.7


@pytest.mark.speech
@FORMATS
async def test_other_words_are_not_taken_for_an_answer_but_told(
    stt: MoonshineSpeechToText, clip: Clip, audio: AudioFormat
) -> None:
    call = Call(stt, audio, BOOKING)
    heard = [words((await call.says(clip(name))).text) for name in FOREIGN]
    assert not set(heard) & set(BOOKING.phrases)
    assert heard[1].startswith("seven of")
    assert heard[2] == "go forward ten meters"


@pytest.mark.speech
async def test_an_answer_the_model_would_never_write_alone_needs_little_and_another_much(
    stt: MoonshineSpeechToText, clip: Clip
) -> None:
    """What was heard freely ("First day.", "When the Williams.") is none of the answers; the evidence decides."""
    booking = ("book an appointment", "wednesday", "three pm")
    for said, answer in ((1, "thursday"), (1, "the third of may"), (3, "linda williams")):
        call = Call(stt, TELEPHONE, asked_by_the_front_desk(*booking[:said]))
        heard = await call.says(clip(f"../answers/{answer.replace(' ', '-')}.wav"))
        assert (heard.text, heard.expected) == (answer, True)
    call = Call(stt, TELEPHONE, asked_by_the_front_desk(*booking[:1]))
    heard = await call.says(clip("cards-001.wav"))
    assert (words(heard.text), heard.expected) == ("ten of clubs", False)  # and not "ten o'clock"


@pytest.mark.speech
async def test_a_short_word_is_heard_several_times(stt: MoonshineSpeechToText, clip: Clip) -> None:
    """Heard once, "run" is "One." and "jack" is "Jet."; however it is cut, the one is no card, and the other a "jack"."""
    call = Call(stt, TELEPHONE, CARDS)
    assert not (await call.says(clip("../answers/run.wav"))).expected
    heard = await call.says(clip("../answers/jack.wav"))
    assert (heard.text, heard.expected) == ("jack", True)


@pytest.mark.speech
@FORMATS
async def test_where_only_answers_count_other_words_are_nothing(clip: Clip, audio: AudioFormat) -> None:
    engine = MoonshineSpeechToText(expected_only=True, final_timeout_ms=LATE_MS)
    await engine.start()
    try:
        call = Call(engine, audio, BOOKING)
        assert [(await call.says(clip(name))).text for name in FOREIGN] == ["", "", "", ""]
        assert call.ear.partials == []
        call.stream.expect(CARDS)
        assert (await call.says(clip("cards-004.wav"))).text == "five five"
    finally:
        await engine.close()


@FORMATS
async def test_noises_are_nothing(stt: MoonshineSpeechToText, noise: Noise, audio: AudioFormat) -> None:
    for answers in (ExpectedAnswers(), ExpectedAnswers(phrases=("yes", "no", "five", "stop"))):
        call = Call(stt, audio, answers)
        for length_ms in (60, 120, 250):
            for dbfs in (-30.0, -10.0):
                assert (await call.says(bursts(noise, length_ms, dbfs))).text == ""
        for dbfs in (-55.0, -30.0):
            hiss = (np.clip(noise(24_000, dbfs), -1, 1) * 32767).astype(np.int16)
            assert (await call.says(hiss)).text == ""
        assert (await call.says(np.zeros(16_000, dtype=np.int16))).text == ""
        assert call.ear.partials == []


@pytest.mark.speech
@FORMATS
@pytest.mark.parametrize(("name", "said"), [("cards-003.wav", "seven of clubs"), ("cards-004.wav", "five five")])
async def test_who_whispers_is_understood(
    stt: MoonshineSpeechToText, clip: Clip, audio: AudioFormat, name: str, said: str
) -> None:
    call = Call(stt, audio, ExpectedAnswers())
    final = await call.says(whispered(clip(name)))
    assert words(final.text) == said
    assert final.confidence is not None and final.confidence > 0.6


@pytest.mark.speech
@FORMATS
async def test_dictation(stt: MoonshineSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    call = Call(stt, audio, ExpectedAnswers())
    assert words((await call.says(clip("goforward.wav"))).text) == "go forward ten meters"
    final = await call.says(clip("librivox-0870.wav"))
    assert words(final.text) == (
        "and mr john dashwood had then leisure to consider how much there might be prudently in his power to do for them"
    )
    assert final.confidence is not None
    assert 0.8 < final.confidence <= 1.0


@pytest.mark.speech
async def test_partials_come_while_somebody_speaks_and_the_end_brings_all_of_the_words(
    stt: MoonshineSpeechToText, clip: Clip
) -> None:
    ear = Ear()
    stream = stt.open(WIDE, ExpectedAnswers(), ear)
    speech = wire(clip("librivox-0870.wav"), WIDE)
    # At once, but less than a recording is: what is far ahead of the clock gets no partials.
    half = WIDE.bytes_for_ms(2_800)
    stream.begin(1)
    stream.push(speech[:half])
    # How much of it the first partial has depends on how busy the machine is, and a half-heard word may still be another.
    assert words(await ear.wait_for_partial()).startswith("and m")
    stream.push(speech[half:])
    stream.finish(1)
    (final,) = await ear.wait_for(1)
    assert isinstance(final, Transcribed)
    assert words(final.text).endswith("in his power to do for them")
    stream.close()


@pytest.mark.speech
async def test_a_long_recording_is_heard_whole_and_live_speech_need_not_wait_for_it(
    stt: MoonshineSpeechToText, clip: Clip
) -> None:
    reading, pause = clip("librivox-0870.wav"), np.zeros(8000, dtype=np.int16)
    recorded, live = Ear(), Ear()
    recording = stt.open(WIDE, ExpectedAnswers(), recorded)
    recording.begin(1)
    recording.push(wire(np.concatenate([reading, pause] * 3), WIDE))
    recording.finish(1)
    caller = stt.open(WIDE, ExpectedAnswers(), live)
    caller.begin(1)
    caller.push(wire(clip("cards-003.wav"), WIDE))
    caller.finish(1)
    (answer,) = await live.wait_for(1)
    assert isinstance(answer, Transcribed)
    assert words(answer.text) == "seven of clubs"
    assert recorded.answers == []
    (whole,) = await recorded.wait_for(1)
    assert isinstance(whole, Transcribed)
    assert words(whole.text).count("in his power to do for them") == 3
    for stream in (recording, caller):
        stream.close()


@pytest.mark.speech
async def test_new_answers_are_expected_from_the_next_utterance_on(stt: MoonshineSpeechToText, clip: Clip) -> None:
    call = Call(stt, TELEPHONE, ExpectedAnswers(phrases=("yes", "no")))
    assert words((await call.says(clip("cards-004.wav"))).text) == "five five"
    call.stream.expect(ExpectedAnswers(phrases=("FIVE five", "double six")))
    assert (await call.says(clip("cards-004.wav"))).text == "FIVE five"


@pytest.mark.speech
async def test_an_answer_may_be_spelled_in_another_way(stt: MoonshineSpeechToText, clip: Clip) -> None:
    answers = ExpectedAnswers(phrases=("go foreword 10 metres", "zork", "stop"))
    final = await Call(stt, WIDE, answers).says(clip("goforward.wav"))
    assert final.text == "go foreword 10 metres"


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
    stt: MoonshineSpeechToText, answers: ExpectedAnswers, problem: str
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


async def test_half_a_sample_fails_the_utterance_and_the_call_goes_on(stt: MoonshineSpeechToText) -> None:
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


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"min_confidence": 1.5},
        {"expected_only": "yes"},
        {"partial_every_ms": 0},
        {"max_utterance_ms": 0},
        {"final_timeout_ms": -1},
        {"hung_after_s": 0},
    ],
)
async def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        MoonshineSpeechToText(**options)  # type: ignore[arg-type]
