"""Who stands in for whom, and when an engine is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers import failover
from antiphon.providers.base import (
    CallContext,
    ExpectedAnswers,
    ModelRequest,
    SpeechChunk,
    SpeechRequest,
    StreamInterrupted,
    TextDelta,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
    UsageDelta,
    doubted_below_of,
)
from antiphon.providers.failover import Breaker, Breakers, ChosenModel, ChosenVoice, FailoverModel, FailoverVoice
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.providers.stt.moonshine import MoonshineSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, Message, Usage

PCM = AudioFormat(Encoding.PCM16, 16000)
REQUEST = ModelRequest((Message("user", "hello"),), (), CallContext("call-1"), {"temperature": 0.3})


class Engine:
    """A model and a voice: yields what it is given; an exception is raised, ``None`` waits for ever."""

    formats = (TELEPHONE,)

    def __init__(self, name: str, *parts: Any) -> None:
        self.name = name
        self.parts = parts
        self.asked: list[Any] = []
        self.closed = 0

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        self.asked.append(request)
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                if part is None:
                    await asyncio.Event().wait()
                yield part
        finally:
            self.closed += 1

    synthesize = stream


BROKEN = ProviderError("first", "no")


def model(*engines: Any, breakers: Breakers | None = None, failures: list[Any] | None = None) -> FailoverModel:
    told = [] if failures is None else failures
    return FailoverModel(engines, breakers or Breakers(), lambda *failed: told.append(failed))


async def answer(model: FailoverModel) -> list[Any]:
    return [delta async for delta in model.stream(REQUEST)]


@pytest.mark.parametrize("nothing", [(), (TextDelta(" \n"),)])
async def test_a_model_that_ends_without_a_word_has_failed(nothing: tuple[Any, ...]) -> None:
    usage = UsageDelta(Usage(output_tokens=3))
    first, second = Engine("first", *nothing, usage), Engine("second", TextDelta("Hello."), usage)
    failures: list[Any] = []
    if not nothing:
        assert (await answer(model(first, second, failures=failures)))[0] == TextDelta("Hello.")
        assert failures == [("first", "provider")]
    with pytest.raises(ProviderError, match="nothing"):
        await answer(model(first))


async def test_after_a_tools_result_a_model_may_have_said_all() -> None:
    request = ModelRequest(
        (Message("user", "hello"), Message("tool", "{}", tool_call_id="1")), (), CallContext("call-1")
    )
    usage = UsageDelta(Usage())
    assert [delta async for delta in model(Engine("first", usage)).stream(request)] == [UsageDelta(Usage(), "first")]


async def test_usage_is_that_of_the_model_that_answered() -> None:
    usage = UsageDelta(Usage(output_tokens=3))
    first, second = Engine("first", BROKEN), Engine("second", TextDelta("Hello."), usage)
    failures: list[Any] = []
    several = model(first, second, failures=failures)
    assert await answer(several) == [TextDelta("Hello."), UsageDelta(Usage(output_tokens=3), "second")]
    assert (several.name, failures) == ("second", [("first", "provider")])


async def test_a_model_that_has_begun_is_not_replaced() -> None:
    second = Engine("second", TextDelta("Hello."))
    stream = model(Engine("first", TextDelta("Hel"), BROKEN), second).stream(REQUEST)
    heard = [await anext(stream)]
    with pytest.raises(ProviderError, match="first: no"):
        await anext(stream)
    assert (heard, second.asked) == ([TextDelta("Hel")], [])


async def test_a_bug_in_an_engine_is_a_failure_like_others() -> None:
    failures: list[Any] = []
    with pytest.raises(ProviderError, match="KeyError"):
        await answer(model(Engine("first", KeyError("SECRET")), failures=failures))
    assert failures == [("first", "exception")]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stall_is_a_failure(monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    monkeypatch.setattr(failover, "MODEL_STALL_S", 0.05)
    first, second = Engine("first", *([TextDelta("Hel")] if begun else []), None), Engine("second", TextDelta("Hello."))
    if begun:
        with pytest.raises(ProviderTimeout):
            await answer(model(first, second))
    else:
        assert await answer(model(first, second)) == [TextDelta("Hello.")]
    assert first.closed == 1


async def test_a_reader_that_takes_its_time_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response outside the conversation is voiced while its model is read."""
    monkeypatch.setattr(failover, "MODEL_STALL_S", 0.05)
    heard: list[Any] = []
    async for delta in model(Engine("first", TextDelta("a"), TextDelta("b"))).stream(REQUEST):
        heard.append(delta)
        await asyncio.sleep(0.2)
    assert len(heard) == 2


async def test_closing_closes_the_engine() -> None:
    engine = Engine("first", TextDelta("Hel"), None)
    stream = model(engine).stream(REQUEST)
    await anext(stream)
    await stream.aclose()
    assert engine.closed == 1


async def test_one_that_keeps_failing_is_left_alone_for_all_calls() -> None:
    first, second, breakers = Engine("first", BROKEN), Engine("second", TextDelta("Hello.")), Breakers()
    for _ in range(6):
        assert await answer(model(first, second, breakers=breakers)) == [TextDelta("Hello.")]
    assert len(first.asked) == 3


async def test_where_nobody_is_left_those_who_fail_are_asked_all_the_same() -> None:
    first, breakers = Engine("first", BROKEN), Breakers()
    for _ in range(5):
        with pytest.raises(ProviderError):
            await answer(model(first, breakers=breakers))
    second = Engine("second", BROKEN)
    for _ in range(5):
        with pytest.raises(ProviderError):
            await answer(model(first, second, breakers=breakers))
    assert (len(first.asked), len(second.asked)) == (10, 5)


async def test_models_of_one_account_fail_apart() -> None:
    account, breakers = Engine("first", TextDelta("Hello.")), Breakers()
    large, small = ChosenModel(account, {"model": "large"}), ChosenModel(account, {"model": "small"})
    for _ in range(3):
        breakers.of(large).failed(0.0)
    assert not breakers.of(ChosenModel(account, {"model": "large"})).closed(1.0)
    assert breakers.of(small).closed(1.0)


def test_what_one_incident_has_ended_is_one_failure() -> None:
    breaker, lost = Breaker(), object()
    for _ in range(5):
        breaker.failed(0.0, lost)
    assert breaker.closed(0.0)
    breaker.failed(0.0, object())
    breaker.failed(0.0)
    assert not breaker.closed(0.0)


def test_after_its_rest_one_request_tries_it() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(100.0)
    assert [breaker.closed(now) for now in (101.0, 119.9, 120.1, 120.2, 140.2)] == [False, False, True, False, True]
    breaker.succeeded()
    assert breaker.closed(140.3)


def test_successes_in_between_keep_it_closed() -> None:
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(1.0)
        breaker.failed(1.0)
        breaker.succeeded()
    assert breaker.closed(1.0)


async def test_a_chosen_model_and_voice_are_told_what_is_chosen() -> None:
    engine = Engine("first", TextDelta("Hello."))
    await answer(model(ChosenModel(engine, {"model": "small"})))
    assert engine.asked[0].options == {"temperature": 0.3, "model": "small"}
    voice = Engine("voice", SpeechChunk(b"\xff" * 80))
    several = FailoverVoice(
        [Engine("first", BROKEN), ChosenVoice(voice, "bob", None)], Breakers(), lambda *failed: None
    )  # type: ignore[list-item]
    assert [chunk async for chunk in several.synthesize(SpeechRequest("Hello.", TELEPHONE, "ann", 1.5))]
    assert voice.asked == [SpeechRequest("Hello.", TELEPHONE, "bob", 1.5)]


# ------------------------------------------------------------------------------------------------ recognisers


class Ears:
    """Writes down what it is told; answers when the test says so."""

    partials = "none"
    punctuation = 0.8

    def __init__(
        self, name: str, *, continuous: bool = False, audio: AudioFormat = TELEPHONE, opens: bool = True
    ) -> None:
        self.name, self.continuous, self.formats, self.opens = name, continuous, (audio,), opens
        self.told: list[Any] = []
        self.on_event: Any = None

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: Any) -> Any:
        if not self.opens:
            raise ProviderError(self.name, "no")
        self.told.append(("open", audio))
        self.on_event = on_event
        ears = self

        class Stream:
            def begin(self, utterance: int) -> None:
                ears.told.append(("begin", utterance))

            def push(self, audio: bytes) -> None:
                ears.told.append(audio)

            def finish(self, utterance: int) -> None:
                ears.told.append(("finish", utterance))

            def expect(self, answers: ExpectedAnswers) -> None:
                ears.told.append(answers)

            def close(self) -> None:
                ears.told.append("close")

        return Stream()

    def hears(self, event: TranscriptionEvent) -> None:
        self.on_event(event)


def opened(*ears: Ears) -> tuple[Any, list[TranscriptionEvent]]:
    events: list[TranscriptionEvent] = []
    stt = FailoverSpeechToText(ears, Breakers())  # type: ignore[arg-type]
    return stt.open(TELEPHONE, ExpectedAnswers(), events.append), events


def test_words_are_doubted_where_all_of_them_would_be() -> None:
    sure: Any = Ears("vendor")
    doubting = MoonshineSpeechToText()
    assert 0 < doubted_below_of(doubting) < 0.5
    for targets, doubted in (([doubting], doubting.doubted_below), ([doubting, sure], 0.0), ([sure, doubting], 0.0)):
        assert doubted_below_of(FailoverSpeechToText(targets, Breakers())) == doubted


async def test_the_next_recogniser_hears_the_utterance_from_its_beginning() -> None:
    first, second = Ears("first"), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    stream.push(b"one")
    stream.push(b"two")
    stream.finish(1)
    first.hears(TranscriptionFailed(1, "gone"))
    assert second.told == [("open", TELEPHONE), ("begin", 1), b"onetwo", ("finish", 1)]
    assert first.told[-1] == "close"
    second.hears(Transcribed(1, "one two", final=True))
    assert events == [Transcribed(1, "one two", final=True)]


async def test_one_that_fails_amid_an_utterance_is_replaced_amid_it() -> None:
    first, second = Ears("first"), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    stream.push(b"one")
    first.hears(TranscriptionFailed(1, "gone"))
    stream.push(b"two")
    stream.finish(1)
    assert second.told[1:] == [("begin", 1), b"one", b"two", ("finish", 1)]
    first.hears(Transcribed(1, "too late", final=True))
    assert events == []


async def test_one_that_gives_up_is_replaced_at_once_and_that_is_told() -> None:
    first, second = Ears("first"), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    stream.push(b"one")
    stream.finish(1)
    stream.begin(2)
    stream.push(b"two")
    first.hears(StreamInterrupted("for good", lasting=True))
    assert second.told[1:] == [("begin", 1), b"one", ("finish", 1), ("begin", 2), b"two"]
    assert events == [StreamInterrupted("for good", lasting=True)]


async def test_of_what_is_too_long_to_be_heard_again_the_failure_is_told() -> None:
    first, second = Ears("first"), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    for _ in range(4000):
        stream.push(b"x" * 80)
    stream.finish(1)
    stream.begin(2)
    first.hears(StreamInterrupted("for good", lasting=True))
    assert second.told[1:] == [("begin", 2)]
    assert isinstance(events[0], TranscriptionFailed) and events[0].utterance == 1


async def test_a_model_that_also_hears_is_not_replaced_for_one_utterance() -> None:
    first, second = Ears("first"), Ears("second")
    first.more_than_ears = True  # type: ignore[attr-defined]
    stream, events = opened(first, second)
    stream.begin(1)
    stream.finish(1)
    first.hears(TranscriptionFailed(1, "no words"))
    assert events == [TranscriptionFailed(1, "no words")] and second.told == []
    first.hears(StreamInterrupted("for good", lasting=True))
    stream.begin(2)
    assert second.told[1:] == [("begin", 2)]


async def test_one_that_cannot_be_opened_is_passed_over_and_the_last_one_s_failure_is_told() -> None:
    first, second = Ears("first", opens=False), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    stream.finish(1)
    second.hears(TranscriptionFailed(1, "gone"))
    assert events == [TranscriptionFailed(1, "gone")]
    stream.begin(2)
    assert second.told[-1] == ("begin", 2), "the last one goes on"
    with pytest.raises(ProviderError):
        opened(Ears("a", opens=False), Ears("b", opens=False))


async def test_audio_is_converted_for_one_that_takes_another_format() -> None:
    first, second = Ears("first"), Ears("second", audio=PCM)
    stream, _ = opened(first, second)
    stream.begin(1)
    stream.push(b"\xff" * 1600)
    first.hears(TranscriptionFailed(1, "gone"))
    assert second.told[0] == ("open", PCM)
    assert len(second.told[2]) == pytest.approx(1600 * 4, abs=400)


async def test_one_that_wants_speech_only_gets_it_with_what_came_before() -> None:
    first, second = Ears("first", continuous=True), Ears("second")
    stt = FailoverSpeechToText([second, first], Breakers())  # type: ignore[list-item]
    assert stt.continuous
    stream = stt.open(TELEPHONE, ExpectedAnswers(), lambda event: None)
    for _ in range(100):
        stream.push(b"s" * 80)
    assert second.told == [("open", TELEPHONE)]
    stream.begin(1)
    stream.push(b"w" * 80)
    assert second.told[1:] == [("begin", 1), b"s" * 80 * 30, b"w" * 80]


async def test_after_the_end_nothing_is_told_and_what_is_kept_is_bounded() -> None:
    first, second = Ears("first"), Ears("second")
    stream, events = opened(first, second)
    stream.begin(1)
    for _ in range(4000):
        stream.push(b"x" * 80)
    first.hears(TranscriptionFailed(1, "gone"))
    assert (
        max(len(told) for told in second.told if isinstance(told, bytes)) <= 240_000 if len(second.told) > 2 else True
    )
    stream.finish(1)
    stream.close()
    second.hears(Transcribed(1, "late", final=True))
    assert events == []
