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
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.failover import Breakers, FailoverVoice
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
            self.clock, self.fed.append, self._spawn, lambda *spoken: self.characters.append(spoken),
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
    await rig.settle()
    assert rig.facts.finished == []
    rig.speaking.speak(1, 1, "friend")
    await rig.settle()
    rig.speaking.end(1)
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


async def test_a_voice_that_fails_amid_a_piece_is_not_replaced_and_the_next_piece_is_said() -> None:
    second = Voice("two")
    rig = Rig(Voice("one"), second)
    rig.say(1, "one ! three", "four")
    await rig.settle()
    assert rig.sounded == sound("one") + sound("four")
    assert rig.synthesized() == [(1, 0, 100, False), (1, 1, 100, True)], "what was heard is what was voiced"
    assert ev.SynthesisFailed(1, 0) in rig.fed
    assert second.requests == []
    assert rig.failures == [("one", "provider")]


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
