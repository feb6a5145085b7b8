"""Whole calls in which an engine fails: the caller notices nothing but a moment."""

from __future__ import annotations

from typing import Any

from tests.calls.rig import Call

from antiphon.providers.base import ExpectedAnswers, TranscriptionFailed
from antiphon.providers.failover import Breakers
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat


class Dead:
    """A recogniser whose connection is made and then dies: every utterance fails when it is over. As an engine
    from outside may, it says nothing of what its words are worth."""

    name = "dead"
    formats = (TELEPHONE,)
    continuous = False

    def __init__(self) -> None:
        self.opened = 0

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: Any) -> Any:
        self.opened += 1

        class Stream:
            def begin(self, utterance: int) -> None: ...
            def push(self, audio: bytes) -> None: ...
            def expect(self, answers: ExpectedAnswers) -> None: ...
            def close(self) -> None: ...

            def finish(self, utterance: int) -> None:
                on_event(TranscriptionFailed(utterance, "the connection died"))

        return Stream()


async def two_turns(call: Call) -> None:
    for number in range(2):
        await call.wait(300)
        await call.sound(600)
        await call.until_replies(number + 1)


def test_a_recogniser_that_fails_is_replaced_within_the_turn() -> None:
    dead = Dead()
    stt = FailoverSpeechToText([dead, ScriptedSpeechToText(["hello", "bye"], final_delay_ms=60)], Breakers())  # type: ignore[list-item]
    call = Call(stt=stt, answers=["Good day.", "Goodbye."])
    call.run(two_turns)
    said = [message.content for message in call.messages]
    assert said == ["hello", "Good day.", "bye", "Goodbye."]
    assert dead.opened == 1


def test_a_recogniser_whose_connections_die_is_passed_over_by_later_calls() -> None:
    dead, breakers = Dead(), Breakers()
    for _ in range(5):
        stt = FailoverSpeechToText([dead, ScriptedSpeechToText(["hello", "bye"], final_delay_ms=60)], breakers)  # type: ignore[list-item]
        Call(stt=stt, answers=["Good day.", "Goodbye."]).run(two_turns)
    assert dead.opened == 3, "a handshake that succeeds is no success"
