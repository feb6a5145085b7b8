"""Pieces of a reply on their way to the mouth: in order, cancellable, with a voice that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from antiphon.clock import ManualClock
from antiphon.conversation import events as ev
from antiphon.errors import ProviderError
from antiphon.media.mouth import Mouth, MouthCounters
from antiphon.media.settings import PlayoutSettings
from antiphon.providers import failover
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.failover import Breakers, FailoverVoice
from antiphon.providers.one_shot import OneShotStream
from antiphon.session.speaking import Speaking
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE, WordTiming

CHUNK_MS = 100


class Voice:
    """One chunk a word, in order; ``!`` raises, ``…`` waits until it is let go."""

    formats = (TELEPHONE,)

    def __init__(self, name: str = "voice") -> None:
        self.name = name
        self.requests: list[SpeechRequest] = []
        self.gate = asyncio.Event()
        self.closed = 0

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        self.requests.append(request)
        try:
            for number, word in enumerate(request.text.split()):
                if word == "!":
                    raise ProviderError(self.name, "no")
                if word == "…":
                    await self.gate.wait()
                start_ms = number * CHUNK_MS
                yield SpeechChunk(sound(word), (WordTiming(word, start_ms, start_ms + CHUNK_MS),))
        finally:
            self.closed += 1


def sound(word: str) -> bytes:
    return bytes([ord(word[0]) % 128]) * CHUNK_MS * 8


class Facts:
    """The listener of the mouth."""

    def __init__(self) -> None:
        self.finished: list[tuple[int, int]] = []

    def playback_started(self, reply: int) -> None: ...
    def playback_finished(self, reply: int, heard_ms: int) -> None:
        self.finished.append((reply, heard_ms))


class Rig:
    """A real mouth on a wire that hands everything over at once."""

    def __init__(self, *voices: Any) -> None:
        self.clock = ManualClock(5000)
        transport, self.phone, self.wire = memory_pair(self.clock, TELEPHONE)
        transport.paced = transport.marks = False
        self.facts = Facts()
        self.counters = MouthCounters()
        self.sounded = b""
        self.mouth = Mouth(
            TELEPHONE, transport, self.facts, PlayoutSettings(), self.counters, self._sounds, lambda now_ms: None, lambda: None,  # type: ignore[arg-type]
        )  # fmt: skip
        self.fed: list[ev.Event] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.characters: list[tuple[str, int]] = []
        self.failures: list[tuple[str, str]] = []
        self.speaking = Speaking(
            FailoverVoice(voices, Breakers(), lambda *failed: self.failures.append(failed)), "ann", 1.5, TELEPHONE, self.mouth,
            self.clock, self.fed.append, self._spawn, lambda name, usage: self.characters.append((name, usage.characters)),
        )  # fmt: skip

    def _sounds(self, audio: bytes, starts_ms: int) -> None:
        self.sounded += audio

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))
        return self.tasks[-1]

    def say(self, reply: int, *pieces: str, end: bool = True) -> None:
        for number, text in enumerate(pieces):
            self.speaking.speak(reply, number, text)
        if end:
            self.speaking.end(reply)
        self.mouth.start(reply, self.clock.now_ms())

    async def settle(self) -> None:
        await asyncio.wait(self.tasks, timeout=5)

    def synthesized(self) -> list[tuple[int, int, int, bool]]:
        return [(e.reply, e.piece, e.duration_ms, e.complete) for e in self.fed if isinstance(e, ev.SpeechSynthesized)]


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


async def test_pieces_are_voiced_one_after_the_other_and_then_the_speech_ends() -> None:
    voice = Voice()
    rig = Rig(voice)
    rig.say(1, "good day", "to you all")
    await rig.settle()
    assert rig.sounded == b"".join(map(sound, ["good", "day", "to", "you", "all"]))
    assert rig.synthesized() == [(1, 0, 200, True), (1, 1, 300, True)]
    assert [word.text for word in rig.fed[1].words] == ["to", "you", "all"]  # type: ignore[union-attr]
    assert rig.facts.finished == [(1, 500)]
    assert rig.characters == [("voice", 8), ("voice", 10)]
    assert voice.requests[0] == SpeechRequest("good day", TELEPHONE, "ann", 1.5)


async def test_a_piece_that_comes_when_the_voice_is_idle_is_voiced_too() -> None:
    rig = Rig(Voice())
    rig.say(1, "good day", end=False)
    await until(lambda: bool(rig.synthesized()))
    rig.speaking.report(1)
    assert rig.synthesized() == [(1, 0, 200, True)]
    assert rig.facts.finished == []
    rig.speaking.speak(1, 1, "friend")
    await until(lambda: len(rig.synthesized()) == 2)
    assert rig.facts.finished == []
    rig.speaking.end(1)
    assert rig.facts.finished == [(1, 300)]
    await rig.settle()
    assert rig.sounded == b"".join(map(sound, ["good", "day", "friend"]))
    assert rig.facts.finished == [(1, 300)]


async def test_cancelling_amid_a_piece_closes_the_voice_and_nothing_more_sounds() -> None:
    voice = Voice()
    rig = Rig(voice)
    rig.say(1, "one … three", "never said")
    await until(lambda: bool(rig.sounded))
    rig.speaking.cancel(1)
    voice.gate.set()
    await rig.settle()
    assert rig.sounded == sound("one")
    assert rig.fed == []
    assert voice.closed == 1
    assert len(voice.requests) == 1


async def test_cancelling_another_reply_changes_nothing() -> None:
    rig = Rig(Voice())
    rig.say(2, "good day")
    rig.speaking.cancel(1)
    rig.speaking.cancel(0)
    rig.speaking.end(1)
    await rig.settle()
    assert rig.sounded == sound("good") + sound("day")


async def test_a_new_reply_takes_the_voice_from_the_old_one() -> None:
    voice = Voice()
    rig = Rig(voice)
    rig.say(1, "old … words")
    await until(lambda: bool(rig.sounded))
    rig.mouth.stop(1, rig.clock.now_ms())
    rig.say(2, "new")
    voice.gate.set()
    await rig.settle()
    assert rig.sounded == sound("old") + sound("new")
    assert rig.synthesized() == [(2, 0, 100, True)]


async def test_what_is_known_of_a_piece_is_told_when_a_cut_is_about_to_be_made() -> None:
    voice = Voice()
    rig = Rig(voice)
    rig.say(1, "one … three")
    await until(lambda: bool(rig.sounded))
    rig.speaking.report(1)
    rig.speaking.report(2)
    assert rig.fed == [ev.SpeechSynthesized(1, 0, 100, (WordTiming("one", 0, 100),), complete=False)]
    voice.gate.set()
    await rig.settle()
    rig.speaking.report(1)
    assert rig.synthesized() == [(1, 0, 100, False), (1, 0, 300, True)]


async def test_a_report_never_speaks_of_the_reply_before() -> None:
    voice = Voice()
    rig = Rig(voice)
    rig.say(1, "one … three")
    await until(lambda: bool(rig.sounded))
    rig.speaking.cancel(1)
    rig.speaking.speak(2, 0, "new")
    rig.speaking.report(2)
    assert rig.fed == [], "nothing of reply 2 has been voiced yet"
    voice.gate.set()
    rig.speaking.end(2)
    await rig.settle()


async def test_a_voice_that_fails_at_once_is_replaced() -> None:
    rig = Rig(Broken("one"), Voice("two"))
    rig.say(1, "good day")
    await rig.settle()
    assert rig.sounded == sound("good") + sound("day")
    assert rig.failures == [("one", "provider")]
    assert rig.characters == [("two", 8)]


class Broken(Voice):
    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        raise ProviderError(self.name, "no")
        yield  # pragma: no cover


class Falling(Voice):
    """Fails at the given word, perhaps in the middle of it; ``told``: its words are timed."""

    def __init__(self, name: str, at: str, told: bool = True, half: bool = False) -> None:
        super().__init__(name)
        self._at, self._told, self._half = at, told, half

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        async for chunk in super().synthesize(request):
            (word,) = chunk.words
            if word.text == self._at:
                if self._half:
                    yield SpeechChunk(chunk.audio[: len(chunk.audio) // 2], chunk.words)
                raise ProviderError(self.name, "cut")
            yield chunk if self._told else SpeechChunk(chunk.audio)


async def test_the_rest_of_a_sentence_is_said_once_by_the_voice_that_stands_in() -> None:
    second = Voice("two")
    rig = Rig(Falling("one", at="three"), second)
    rig.say(1, "one two three four", "five six")
    await rig.settle()
    assert rig.sounded == b"".join(map(sound, ["one", "two", "three", "four", "five", "six"]))
    assert rig.synthesized() == [(1, 0, 400, True), (1, 1, 200, True)]
    first = next(event for event in rig.fed if isinstance(event, ev.SpeechSynthesized))
    assert first.words == tuple(
        WordTiming(word, at * 100, at * 100 + 100) for at, word in enumerate(["one", "two", "three", "four"])
    )
    assert [request.text for request in second.requests] == ["three four", "five six"], (
        "it stays for the rest of the reply"
    )
    assert rig.failures == [("one", "provider")]
    assert rig.characters == [("two", 18), ("two", 8)]
    assert rig.facts.finished == [(1, 600)]


async def test_a_word_that_was_cut_in_half_is_said_again_whole() -> None:
    second = Voice("two")
    rig = Rig(Falling("one", at="three", half=True), second)
    rig.say(1, "one two three")
    await rig.settle()
    assert [request.text for request in second.requests] == ["three"]
    assert rig.synthesized() == [(1, 0, 350, True)]
    (event,) = (event for event in rig.fed if isinstance(event, ev.SpeechSynthesized))
    assert [(word.text, word.start_ms) for word in event.words] == [("one", 0), ("two", 100), ("three", 200)], (
        "told once"
    )


async def test_the_next_reply_begins_with_the_first_voice_again() -> None:
    one, two = Falling("one", at="two"), Voice("two")
    rig = Rig(one, two)
    rig.say(1, "one two")
    await rig.settle()
    rig.say(2, "three")
    await rig.settle()
    assert [request.text for request in one.requests] == ["one two", "three"]
    assert [request.text for request in two.requests] == ["two"]


async def test_a_voice_that_fails_amid_a_piece_without_telling_where_is_not_replaced_and_the_next_piece_is_said() -> (
    None
):
    second = Voice("two")
    rig = Rig(Falling("one", at="two", told=False), second)
    rig.say(1, "one two three", "four")
    await rig.settle()
    assert rig.sounded == sound("one") + sound("four")
    assert rig.synthesized() == [(1, 0, 100, False), (1, 1, 100, True)], "what was heard is what was voiced"
    assert ev.SynthesisFailed(1, 0) in rig.fed
    assert [request.text for request in second.requests] == ["four"]
    assert rig.failures == [("one", "provider")]


async def test_a_voice_that_fails_after_the_last_word_has_said_the_piece() -> None:
    class Late(Voice):
        async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
            async for chunk in super().synthesize(request):
                yield chunk
            raise ProviderError(self.name, "late")

    rig = Rig(Late("one"), Voice("two"))
    rig.say(1, "one two")
    await rig.settle()
    assert rig.sounded == sound("one") + sound("two")
    assert rig.synthesized() == [(1, 0, 200, True)]
    assert rig.facts.finished == [(1, 200)]


class Streaming(Voice):
    """Takes a reply piece by piece: its words sound as those of ``Voice``."""

    def __init__(self, name: str = "voice") -> None:
        super().__init__(name)
        self.opened: list[VoiceRequest] = []
        self.streams: list[OneShotStream] = []

    def open(self, request: VoiceRequest) -> OneShotStream:
        self.opened.append(request)
        self.streams.append(OneShotStream(self, request))
        return self.streams[-1]


async def test_a_reply_is_one_stream_of_the_voice_however_its_pieces_come() -> None:
    voice = Streaming()
    rig = Rig(voice)
    rig.say(1, "one", "two", end=False)
    await until(lambda: len(rig.synthesized()) == 2)
    rig.say(1, end=False)
    rig.speaking.speak(1, 2, "three")
    rig.speaking.end(1)
    await rig.settle()
    assert voice.opened == [VoiceRequest(TELEPHONE, "ann", 1.5)]
    assert rig.synthesized() == [(1, 0, 100, True), (1, 1, 100, True), (1, 2, 100, True)]
    rig.say(2, "four")
    await rig.settle()
    assert len(voice.opened) == 2


async def test_a_voice_that_waits_for_more_to_say_has_not_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "VOICE_STALL_S", 0.01)
    rig = Rig(Streaming())
    rig.say(1, "one", end=False)
    await until(lambda: bool(rig.synthesized()))
    await asyncio.wait(rig.tasks, timeout=0.05)
    assert rig.failures == []
    rig.say(1, "two")
    await rig.settle()
    assert rig.facts.finished == [(1, 200)]


async def test_a_piece_that_no_voice_can_say_has_failed_and_the_speech_still_ends() -> None:
    rig = Rig(Voice("one"), Voice("two"))
    rig.say(1, "! never", "fine")
    await rig.settle()
    assert rig.fed == [ev.SynthesisFailed(1, 0), ev.SpeechSynthesized(1, 1, 100, (WordTiming("fine", 0, 100),))]
    assert [name for name, _ in rig.failures] == ["one", "two"]
    assert rig.facts.finished == [(1, 100)]


async def test_a_bug_in_an_engine_counts_as_a_failure() -> None:
    class Buggy(Voice):
        async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
            raise KeyError("x")
            yield  # pragma: no cover

    rig = Rig(Buggy("one"), Voice("two"))
    rig.say(1, "fine")
    await rig.settle()
    assert rig.failures == [("one", "exception")]
    assert rig.sounded == sound("fine")


async def test_a_voice_that_stops_speaking_has_failed_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "VOICE_STALL_S", 0.01)
    silent = Voice("silent")
    rig = Rig(silent)
    rig.say(1, "… never")
    await rig.settle()
    assert rig.fed == [ev.SynthesisFailed(1, 0)]
    assert rig.failures == [("silent", "provider_timeout")]
    assert silent.closed == 1
