"""When an assistant's hooks are carried out."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.hook_spec import KNOWN, Hook
from antiphon.calls.hook_rules import HookRules
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.errors import ConfigurationError
from antiphon.wire_model import parse

SAY = {"type": "say", "exact": "Hello?"}
SPEECH = ev.SpeechStarted(1, 100)


def hook(on: str, name: str = "", **fields: Any) -> Hook:
    return parse(Hook, {"on": on, "do": [SAY], "name": name or on, **fields})


def names(hooks: list[Hook]) -> list[str]:
    return [each.name for each in hooks]


def closed(*, taken_back: bool = False, status: do.ReplyStatus = "completed") -> do.ReplyClosed:
    return do.ReplyClosed(1, "Well.", status, taken_back=taken_back)


@pytest.fixture
def rules() -> HookRules:
    return HookRules([hook(on, **({"options": {"seconds": 3}} if "Elapsed" in on else {})) for on in KNOWN], 1000)


def test_an_interruption_is_the_assistant_s_and_a_reply_that_is_taken_back_the_caller_s(rules: HookRules) -> None:
    assert names(rules.happened(SPEECH, [do.InterruptionConfirmed(1, 300)], 2000)) == ["assistant.speech.interrupted"]
    assert names(rules.happened(SPEECH, [closed(taken_back=True, status="interrupted")], 2100)) == [
        "customer.speech.interrupted"
    ]
    assert rules.happened(None, [closed(status="interrupted")], 2200) == []


def test_a_call_s_time_elapses_once(rules: HookRules) -> None:
    assert rules.deadline() == 4000
    assert rules.due(3999) == [] and names(rules.due(4000)) == ["call.timeElapsed"]
    assert rules.deadline() is None and rules.due(9000) == []


@pytest.mark.parametrize(("mode", "again"), [("never", []), ("onUserSpeech", ["s", "s"])])
def test_silence_counts_from_the_end_of_the_agent_s_words_to_the_caller_s(mode: str, again: list[str]) -> None:
    options = {"timeoutSeconds": 2, "triggerMaxCount": 2, "triggerResetMode": mode}
    rules = HookRules([hook("customer.speech.timeout[a=b]", "s", options=options)], 0)
    assert rules.deadline() is None, "nobody has said anything yet"
    rules.happened(None, [do.StartPlayback(1)], 100)
    rules.happened(None, [closed()], 1000)
    assert rules.deadline() == 3000
    rules.happened(SPEECH, [], 2000)
    assert rules.deadline() is None, "the caller speaks"
    rules.happened(None, [closed()], 5000)
    assert names(rules.due(7000)) == ["s"] and rules.deadline() == 9000, "nothing was said: the time runs anew"
    rules.happened(None, [do.StartPlayback(2)], 7100)
    assert rules.deadline() is None, "the agent speaks"
    rules.happened(None, [closed()], 8000)
    assert names(rules.due(10_000)) == ["s"] and rules.deadline() is None, "as often as it may"
    rules.happened(SPEECH, [], 11_000)
    rules.happened(None, [closed()], 12_000)
    assert [*names(rules.due(14_000)), *names(rules.due(16_000)), *names(rules.due(18_000))] == again


def test_a_model_that_says_nothing_in_time(rules: HookRules) -> None:
    start = do.StartReply(1, 1, 0, ())
    assert rules.happened(SPEECH, [start], 2000) == []
    assert names(rules.happened(None, [do.Speak(1, 0, "Sorry."), do.EndSpeech(1)], 9000)) == ["model.response.timeout"]
    assert rules.happened(ev.ReplyFailed(1), [], 9500) == [], "it is told once"
    rules.happened(SPEECH, [start], 10_000)
    assert names(rules.happened(ev.ReplyFailed(1), [], 10_500)) == ["model.response.timeout"]
    rules.happened(SPEECH, [start], 11_000)
    rules.happened(ev.ReplyText(1, "We"), [], 11_100)
    assert rules.happened(None, [do.EndSpeech(1)], 12_000) == rules.happened(ev.ReplyFailed(1), [], 12_100) == []
    rules.happened(SPEECH, [start], 13_000)
    assert rules.happened(SPEECH, [do.CancelReply(1)], 13_100) == [], "the caller went on"


def test_a_call_ends_for_a_reason_that_the_filters_let_through() -> None:
    some = [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["customer-ended-call", "voicemail"]}]
    rules = HookRules([hook("call.ending", "all"), hook("call.ending", "some", filters=some)], 0)
    assert names(rules.ended("voicemail")) == ["all", "some"] and names(rules.ended("silence-timed-out")) == ["all"]


def test_another_assistant_has_hooks_of_its_own(rules: HookRules) -> None:
    rules.due(4000)
    rules.take([hook("call.timeElapsed", "other", options={"seconds": 9})])
    assert rules.deadline() == 10_000 and names(rules.due(10_000)) == ["other"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"on": "call.timeElapsed", "do": [SAY]}, "document"),
        ({"on": "call.ending", "do": [{"type": "say"}]}, "do.0"),
        ({"on": "call.ending", "do": [{"type": "say", "exact": "a", "prompt": "b"}]}, "do.0"),
        ({"on": "call.ending", "do": [{"type": "tool"}]}, "do.0"),
        ({"on": "call.ending", "do": [{"type": "sing"}]}, "do.0"),
        ({"on": "", "do": [SAY]}, "on"),
        ({"on": "x", "do": [SAY], "options": {"timeoutSeconds": 0}}, "options.timeoutSeconds"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(Hook, wrong)
    assert refused.value.field == field
