from __future__ import annotations

import pytest

from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import parse_assistant
from antiphon.conversation.endpointing import Evidence, required_silence_ms
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Keypad, Policy, Silence, Speaking
from antiphon.errors import ConfigurationError


def test_what_was_not_said_keeps_its_default() -> None:
    assert policy_of(parse_assistant({})) == Policy()


def test_every_plan_is_mapped_with_seconds_as_milliseconds() -> None:
    spec = parse_assistant(
        {
            "firstMessage": "Hi.",
            "firstMessageMode": "assistant-waits-for-user",
            "firstMessageInterruptionsEnabled": False,
            "startSpeakingPlan": {
                "waitSeconds": 0.7,
                "transcriptionEndpointingPlan": {
                    "onPunctuationSeconds": 0.2,
                    "onNoPunctuationSeconds": 1.1,
                    "onNumberSeconds": 0,
                },
            },
            "stopSpeakingPlan": {
                "numWords": 2,
                "voiceSeconds": 0.3,
                "backoffSeconds": 2,
                "acknowledgementPhrases": ["Aye"],
                "interruptionPhrases": [],
            },
            "messagePlan": {
                "idleMessages": ["Still there?"],
                "idleTimeoutSeconds": 7.5,
                "idleMessageMaxSpokenCount": 2,
                "idleMessageResetCountOnUserSpeechEnabled": True,
                "silenceTimeoutMessage": "Goodbye.",
            },
            "keypadInputPlan": {"enabled": False, "timeoutSeconds": 1, "delimiters": "*"},
            "silenceTimeoutSeconds": 45,
            "maxDurationSeconds": 120,
            "endCallMessage": "Bye.",
            "endCallPhrases": ["See You"],
        }
    )
    assert policy_of(spec) == Policy(
        endpointing=Endpointing(wait_ms=700, on_punctuation_ms=200, on_no_punctuation_ms=1100, on_number_ms=0),
        barge_in=BargeIn(
            num_words=2, voice_ms=300, backoff_ms=2000, acknowledgement_phrases=("aye",), interruption_phrases=()
        ),
        speaking=Speaking(end_call_phrases=("see you",)),
        silence=Silence(
            idle_after_ms=7500,
            idle_messages=("Still there?",),
            idle_max_count=2,
            idle_count_resets_on_speech=True,
            silence_timeout_ms=45_000,
            silence_timeout_message="Goodbye.",
            max_duration_ms=120_000,
            end_call_message="Bye.",
        ),
        greeting=Greeting(mode="assistant-waits-for-user", message="Hi.", interruptible=False),
        keypad=Keypad(enabled=False, timeout_ms=1000, delimiters="*"),
    )


def test_legacy_fields_count_where_the_plans_are_silent() -> None:
    legacy = {"numWordsToInterruptAssistant": 3, "responseDelaySeconds": 1}
    assert policy_of(parse_assistant(legacy)).barge_in.num_words == 3
    assert policy_of(parse_assistant(legacy)).endpointing.wait_ms == 1000
    both = {**legacy, "stopSpeakingPlan": {"numWords": 0}, "startSpeakingPlan": {"waitSeconds": 0}}
    assert policy_of(parse_assistant(both)).barge_in.num_words == 0
    assert policy_of(parse_assistant(both)).endpointing.wait_ms == 0


def test_a_wait_beyond_the_ceiling_lifts_the_ceiling() -> None:
    endpointing = policy_of(parse_assistant({"startSpeakingPlan": {"waitSeconds": 5}})).endpointing
    assert endpointing.max_wait_ms == endpointing.wait_ms == 5000


def test_numbers_without_a_plan_of_their_own_can_be_said_directly() -> None:
    policy = policy_of(parse_assistant({"policy": {"endpointing": {"mode": "fixed", "silence_ms": 200}}}))
    assert (policy.endpointing.mode, policy.endpointing.silence_ms) == ("fixed", 200)
    assert policy.barge_in == Policy().barge_in


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"endpoint": {}}, "policy.endpoint"),
        ({"endpointing": {"silence": 3}}, "policy.endpointing.silence"),
        ({"endpointing": {"mode": "psychic"}}, "policy.endpointing.mode"),
        ({"endpointing": 5}, "policy.endpointing"),
    ],
)
def test_a_wrong_number_is_named(said: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy_of(parse_assistant({"policy": said}))
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize("field", ["onNoPunctuationSeconds", "onNumberSeconds"])
def test_a_wait_longer_than_the_ceiling_is_kept_to(field: str) -> None:
    plan = {"startSpeakingPlan": {"transcriptionEndpointingPlan": {field: 3}}}
    endpointing = policy_of(parse_assistant(plan)).endpointing
    text = "chapter twelve" if field == "onNumberSeconds" else "i want a pizza"
    assert required_silence_ms(endpointing, Evidence(text)) == 3000


def test_a_shorter_wait_without_punctuation_is_shorter_whatever_the_sound() -> None:
    plan = {"startSpeakingPlan": {"transcriptionEndpointingPlan": {"onNoPunctuationSeconds": 0.5}}}
    endpointing = policy_of(parse_assistant(plan)).endpointing
    for sound in (None, 0.05, 0.5, 0.99):
        evidence = Evidence("i want a pizza", sound)
        assert (required_silence_ms(endpointing, evidence) or 0) <= (required_silence_ms(Endpointing(), evidence) or 0)
