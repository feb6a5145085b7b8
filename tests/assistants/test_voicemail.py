from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import parse_assistant
from antiphon.assistants.voicemail import MACHINES, VoicemailPlan, voicemail_of
from antiphon.conversation.policy import Silence
from antiphon.vocabulary import AnsweredBy


@pytest.mark.parametrize(
    ("said", "machines"),
    [
        ({}, MACHINES),
        ({"voicemailDetection": {"provider": "twilio"}}, MACHINES),
        ({"voicemailDetection": {"provider": "google", "beepMaxAwaitSeconds": 25, "type": "audio"}}, MACHINES),
        ({"voicemailDetection": "off"}, frozenset()),
        ({"voicemailDetection": {"provider": "twilio", "enabled": False}}, frozenset()),
        ({"voicemailDetection": {"provider": "twilio", "voicemailDetectionTypes": []}}, frozenset()),
        (
            {"voicemailDetection": {"provider": "twilio", "voicemailDetectionTypes": ["machine_end_beep", "unknown"]}},
            frozenset({AnsweredBy.MACHINE_END_BEEP, AnsweredBy.UNKNOWN}),
        ),
    ],
)
def test_who_counts_as_a_machine(said: dict[str, Any], machines: frozenset[AnsweredBy]) -> None:
    assert voicemail_of(parse_assistant(said)) == VoicemailPlan(machines)


def test_people_and_those_nobody_could_tell_are_no_machines() -> None:
    assert set(AnsweredBy) - MACHINES == {AnsweredBy.HUMAN, AnsweredBy.UNKNOWN}


@pytest.mark.parametrize(("said", "message"), [(" Please call back. ", "Please call back."), ("  ", ""), (None, "")])
def test_the_message(said: str | None, message: str) -> None:
    plan = voicemail_of(parse_assistant({"voicemailMessage": said}))
    assert plan.message_for(AnsweredBy.MACHINE_END_BEEP) == message
    assert plan.message_for(AnsweredBy.FAX) == ""


@pytest.mark.parametrize("field", ["voicemailMessage", "endCallMessage"])
def test_a_long_last_message_gets_the_time_it_takes(field: str) -> None:
    assert policy_of(parse_assistant({field: "x" * 1000})).silence.goodbye_timeout_ms == 105_000
    assert policy_of(parse_assistant({field: "Bye."})).silence.goodbye_timeout_ms == Silence().goodbye_timeout_ms
