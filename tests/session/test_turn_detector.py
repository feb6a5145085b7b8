"""A detector that hears the turn: what it is given, and what its answer, its silence and its failure do to the wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from tests.calls.rig import Call

from antiphon.conversation import actions as do
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.errors import ProviderError
from antiphon.providers.base import TurnAudio
from antiphon.vocabulary import TELEPHONE, Message

EVIDENCE = Policy(endpointing=Endpointing(speculative_reply=False), barge_in=BargeIn(backoff_ms=0))


class Detector:
    """Answers what ``judge`` says. Implements ``TurnDetector``."""

    name = "test"
    audio_ms = 8000

    def __init__(self, judge: Callable[[], Awaitable[float | None]]) -> None:
        self._judge = judge
        self.heard: list[tuple[str, TurnAudio | None]] = []

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def probability(
        self, messages: Sequence[Message], transcript: str, audio: TurnAudio | None = None
    ) -> float | None:
        self.heard.append((transcript, audio))
        return await self._judge()


def closed_after_ms(judge: Callable[[], Awaitable[float | None]] | None) -> tuple[int, Detector | None]:
    """Silence before a turn of "i want a pizza" was closed."""
    call = Call(hears=["i want a pizza"], answers=["Which one?"], policy=EVIDENCE)
    detector = Detector(judge) if judge is not None else None
    call.engines = replace(call.engines, turn_detector=detector)
    silent_since_ms = 0

    async def talk(call: Call) -> None:
        nonlocal silent_since_ms
        await call.wait(1000)
        await call.sound(1500)
        silent_since_ms = call.clock.now_ms()
        await call.wait(3000)
        call.phone.hang_up()
        await call.wait(50)

    call.run(talk)
    (closed_ms,) = [at for at, action in call.watcher.actions if isinstance(action, do.TurnClosed)]
    return closed_ms - silent_since_ms, detector


async def sure() -> float | None:
    return 1.0


async def unsure() -> float | None:
    return 0.02


async def silent() -> float | None:
    return None


async def broken() -> float | None:
    raise ProviderError("test", "it failed")


def test_it_hears_the_turn_with_its_silence() -> None:
    _, detector = closed_after_ms(sure)
    assert detector is not None
    (said, audio), *_ = detector.heard
    assert said == "i want a pizza"
    assert audio is not None and audio.format == TELEPHONE
    # Half a second before the voice was noticed, the voice, and 200 ms of silence.
    assert 2000 <= TELEPHONE.ms_of(len(audio.data)) <= 2500


def test_its_opinion_moves_the_wait() -> None:
    plain_ms, _ = closed_after_ms(None)
    assert closed_after_ms(sure)[0] < plain_ms < closed_after_ms(unsure)[0]


@pytest.mark.parametrize("judge", [silent, broken], ids=["says nothing", "fails"])
def test_without_an_opinion_words_and_silence_decide(judge: Callable[[], Awaitable[float | None]]) -> None:
    assert closed_after_ms(judge)[0] == closed_after_ms(None)[0]
