"""What becomes of a call once it is known who answered it: whole calls in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.calls.rig import MS_PER_CHARACTER, Call, Watcher

from antiphon.answering_machine import AnsweringMachines, detection_of
from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.carriers.base import CallAnswered, DetectionTuning, MachineDetection
from antiphon.conversation import actions as do
from antiphon.errors import ConfigurationError
from antiphon.session.session import Session
from antiphon.vocabulary import AnsweredBy, EndReason

GREETING = "Hello, this is the practice of doctor Miller, am I speaking with Ann?"
MESSAGE = "Please call doctor Miller's practice back."
CALL_SID = "CA1"


class Line:
    """A call whose carrier listens for machines."""

    def __init__(self, assistant: dict[str, Any], **rig: Any) -> None:
        self.spec = parse_assistant({"firstMessage": GREETING, **assistant})
        self.call = Call(greeting=self.spec.first_message or "", policy=policy_of(self.spec), **rig)
        self.outcomes: Counter[tuple[AnsweredBy, str]] = Counter()
        self.answering: AnsweringMachines

    def find(self, session: Session) -> AssistantSpec:
        assert session.plan.assistant == "test"
        return self.spec

    def told(self, by: AnsweredBy, call_sid: str = CALL_SID) -> None:
        self.answering.answered(CallAnswered(call_sid, by, 2400))

    def run(self, talk: Callable[[Call], Awaitable[None]]) -> Watcher:
        async def with_carrier(call: Call) -> None:
            call.session.call = replace(call.session.call, provider_call_id=CALL_SID)
            self.answering = AnsweringMachines(
                call.manager, self.find, lambda by, outcome: self.outcomes.update([(by, outcome)])
            )
            await talk(call)

        return self.call.run(with_carrier)

    def ended_by(self, by: AnsweredBy, after_ms: int = 1000) -> Watcher:
        """A call that this ends. The far side says nothing."""

        async def talk(call: Call) -> None:
            await call.wait(after_ms)
            self.told(by)
            await call.until(lambda: call.session.end_reason is not None, 100_000)

        return self.run(talk)

    def undisturbed_by(self, by: AnsweredBy) -> None:
        """A call that this changes nothing of. The far side says nothing."""

        async def talk(call: Call) -> None:
            await call.wait(1000)
            self.told(by)
            await call.until_replies(1)
            await call.wait(500)

        seen = self.run(talk)
        assert spoken(seen) == [(GREETING, "completed")]
        assert seen.ended is EndReason.SERVER_SHUTDOWN, "it went on to the end of the test"
        assert self.outcomes == {(by, "went_on"): 1}


def spoken(seen: Watcher) -> list[tuple[str, str]]:
    return [(closed.text, closed.status) for closed in seen.of(do.ReplyClosed)]


@pytest.mark.parametrize("by", [AnsweredBy.HUMAN, AnsweredBy.UNKNOWN])
def test_a_person_notices_nothing(by: AnsweredBy) -> None:
    Line({"voicemailMessage": MESSAGE}).undisturbed_by(by)


@pytest.mark.parametrize("by", ["machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other"])
def test_a_machine_gets_the_message_from_its_first_word_and_the_call_ends(by: str) -> None:
    line = Line({"voicemailMessage": MESSAGE, "endCallMessage": "Goodbye, Ann."})
    seen = line.ended_by(AnsweredBy(by))
    greeting, message = seen.of(do.ReplyClosed)
    assert greeting.status == "cancelled"
    assert 0 < len(greeting.text) < len(GREETING)
    assert (message.text, message.status) == (MESSAGE, "completed")
    assert abs(line.call.heard_ms() - greeting.heard_ms - len(MESSAGE) * MS_PER_CHARACTER) <= 40
    assert seen.ended is EndReason.VOICEMAIL
    assert line.outcomes == {(AnsweredBy(by), "message"): 1}


def test_after_the_greeting_the_message_follows_at_once() -> None:
    line = Line({"voicemailMessage": MESSAGE})
    seen = line.ended_by(AnsweredBy.MACHINE_END_BEEP, after_ms=5000)
    assert spoken(seen) == [(GREETING, "completed"), (MESSAGE, "completed")]
    assert seen.of(do.RequestRefused) == []


def test_a_reply_that_is_still_being_thought_is_not_said_to_a_machine() -> None:
    line = Line(
        {"firstMessage": "Hello?", "voicemailMessage": MESSAGE},
        hears=["you have reached ann leave a message"],
        answers=["Never said."],
        first_token_ms=6000,
    )

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(1500)
        await call.until(lambda: call.session.conversation.agent == "thinking")
        line.told(AnsweredBy.MACHINE_END_BEEP)
        await call.until(lambda: call.session.end_reason is not None)

    seen = line.run(talk)
    assert [text for text, _ in spoken(seen) if text] == ["Hello?", MESSAGE]
    assert seen.ended is EndReason.VOICEMAIL


def test_a_machine_that_talks_on_does_not_stop_the_message() -> None:
    line = Line({"firstMessage": "Hello?", "voicemailMessage": MESSAGE}, hears=["after the tone"] * 5)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        line.told(AnsweredBy.MACHINE_START)
        await call.sound(1500)
        await call.until(lambda: call.session.end_reason is not None)

    seen = line.run(talk)
    assert spoken(seen)[-1] == (MESSAGE, "completed")
    assert seen.of(do.HoldPlayback) == []


@pytest.mark.parametrize(
    ("assistant", "by"),
    [
        ({"endCallMessage": "Goodbye, Ann."}, AnsweredBy.MACHINE_START),
        ({"voicemailMessage": "  "}, AnsweredBy.MACHINE_END_BEEP),
        ({"voicemailMessage": MESSAGE}, AnsweredBy.FAX),
    ],
    ids=["no message", "an empty one", "a fax"],
)
def test_with_nothing_to_say_it_hangs_up_at_once(assistant: dict[str, Any], by: AnsweredBy) -> None:
    line = Line(assistant)
    seen = line.ended_by(by)
    [(greeting, status)] = spoken(seen)
    assert status == "cancelled"
    assert 0 < len(greeting) < len(GREETING), "what was heard until then is known"
    assert seen.ended is EndReason.VOICEMAIL
    assert line.outcomes == {(by, "hung_up"): 1}


@pytest.mark.parametrize(
    "detection", ["off", {"provider": "twilio", "voicemailDetectionTypes": ["machine_end_silence"]}]
)
def test_an_assistant_may_not_care(detection: Any) -> None:
    line = Line({"voicemailMessage": MESSAGE, "voicemailDetection": detection})
    line.undisturbed_by(AnsweredBy.MACHINE_END_BEEP)


def test_a_long_message_is_said_to_its_end() -> None:
    message = "We have moved to another street. " * 30
    line = Line({"voicemailMessage": message})
    seen = line.ended_by(AnsweredBy.MACHINE_END_BEEP, after_ms=4000)
    assert spoken(seen)[-1][1] == "completed"
    assert line.call.heard_ms() >= len(message.strip()) * MS_PER_CHARACTER > 45_000


def test_news_of_a_call_that_says_its_message_or_is_over_changes_nothing() -> None:
    line = Line({"voicemailMessage": MESSAGE})

    async def talk(call: Call) -> None:
        await call.wait(600)
        line.told(AnsweredBy.MACHINE_START, "CA2")
        line.told(AnsweredBy.MACHINE_START)
        await call.wait(600)
        line.told(AnsweredBy.MACHINE_END_BEEP)
        await call.until(lambda: call.session.end_reason is not None)
        line.told(AnsweredBy.MACHINE_END_SILENCE)

    seen = line.run(talk)
    assert spoken(seen)[-1] == (MESSAGE, "completed")
    assert line.outcomes == {
        (AnsweredBy.MACHINE_START, "gone"): 1,
        (AnsweredBy.MACHINE_START, "message"): 1,
        (AnsweredBy.MACHINE_END_BEEP, "gone"): 1,
        (AnsweredBy.MACHINE_END_SILENCE, "gone"): 1,
    }


def test_nobody_is_hung_up_on_for_a_spoilt_file() -> None:
    line = Line({"voicemailMessage": MESSAGE})

    def unreadable(name: str) -> AssistantSpec:
        raise ConfigurationError("test.yaml", "is not YAML or JSON")

    line.find = unreadable  # type: ignore[method-assign]
    with capture_logs() as lines:
        line.undisturbed_by(AnsweredBy.MACHINE_END_BEEP)
    assert "voicemail_plan_unreadable" in [each["event"] for each in lines]


def test_the_log_says_who_answered_and_not_what_is_said() -> None:
    with capture_logs() as lines:
        Line({"voicemailMessage": MESSAGE}).ended_by(AnsweredBy.MACHINE_END_BEEP)
    [told] = [each for each in lines if each["event"] == "call_answered"]
    assert (told["answered_by"], told["outcome"], told["detection_ms"]) == ("machine_end_beep", "message", 2400)
    assert MESSAGE not in str(lines)


# ------------------------------------------------------------------------------------------------ what is asked for

TWILIO = {"provider": "twilio"}


@pytest.mark.parametrize(
    ("assistant", "detection"),
    [
        ({}, None),
        ({"voicemailMessage": MESSAGE}, None),
        ({"voicemailDetection": "off", "voicemailMessage": MESSAGE}, None),
        ({"voicemailDetection": {**TWILIO, "enabled": False}}, None),
        ({"voicemailDetection": TWILIO}, MachineDetection(greeting_end=False)),
        ({"voicemailDetection": TWILIO, "voicemailMessage": " "}, MachineDetection(greeting_end=False)),
        ({"voicemailDetection": TWILIO, "voicemailMessage": MESSAGE}, MachineDetection(greeting_end=True)),
        (
            {
                "voicemailDetection": {
                    **TWILIO,
                    "machineDetectionTimeout": 20.4,
                    "machineDetectionSpeechThreshold": 2000,
                    "machineDetectionSpeechEndThreshold": 900,
                    "machineDetectionSilenceTimeout": 4000,
                }
            },
            MachineDetection(greeting_end=False, tuning=DetectionTuning(20, 2000, 900, 4000)),
        ),
    ],
)
def test_what_the_carrier_is_asked_for(assistant: dict[str, Any], detection: MachineDetection | None) -> None:
    assert detection_of(parse_assistant(assistant)) == detection
