"""Replay: the same call gives the same actions, a changed one is found out, and another policy can be tried on it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest

from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.errors import ConfigurationError
from antiphon.session.event_log import EventLog, read_event_log
from antiphon.session.replay import changed_policy, replay
from antiphon.session.what_if import compared, outcomes, outcomes_under
from antiphon.vocabulary import Message


@pytest.fixture
def log(call_folder: Path) -> EventLog:
    return read_event_log(call_folder / "call-1.jsonl")


def first(log: EventLog, name: str) -> int:
    """The first entry with such an action."""
    return next(at for at, entry in enumerate(log.entries) if any(action[0] == name for action in entry.actions))


def test_a_real_call_replays_identically(log: EventLog) -> None:
    assert log.ended == "customer-ended-call"
    assert len(log.entries) > 30
    assert replay(log) is None


@pytest.mark.parametrize("name", ["HoldPlayback", "InterruptionConfirmed", "TurnClosed", "StartReply", "ReplyClosed"])
def test_an_altered_action_is_the_first_difference(log: EventLog, name: str) -> None:
    at = first(log, name)
    altered = copy.deepcopy(log)
    actions = altered.entries[at].actions
    number = [action[0] for action in actions].index(name)
    fields = actions[number][1]
    field = next(iter(fields))
    fields[field] = 99 if isinstance(fields[field], int) else "altered"
    difference = replay(altered)
    assert difference is not None
    assert difference.entry == at
    assert difference.now_ms == log.entries[at].now_ms - log.header.started_ms
    assert difference.logged == actions
    assert difference.replayed == log.entries[at].actions


def test_a_missing_and_an_added_action_are_found(log: EventLog) -> None:
    at = first(log, "TurnClosed")
    missing = copy.deepcopy(log)
    missing.entries[at].actions.pop()
    added = copy.deepcopy(log)
    added.entries[at].actions.append(["StopPlayback", {"reply": 1}])
    for altered in (missing, added):
        difference = replay(altered)
        assert difference is not None
        assert difference.entry == at


def test_a_difference_names_its_event(log: EventLog) -> None:
    timer = next(at for at, entry in enumerate(log.entries) if entry.event is None and entry.actions)
    sound = first(log, "HoldPlayback")
    for at, name in ((timer, "timer"), (sound, "SpeechStarted")):
        altered = copy.deepcopy(log)
        altered.entries[at].actions.clear()
        difference = replay(altered)
        assert difference is not None
        assert difference.event == name


def test_other_messages_to_the_model_are_a_difference(log: EventLog) -> None:
    header = dataclasses.replace(log.header, messages=(Message("system", "Be rude."),))
    difference = replay(dataclasses.replace(log, header=header))
    assert difference is not None
    assert "StartReply" in [action[0] for action in difference.logged]


def test_a_log_without_an_end_replays_as_far_as_it_goes(log: EventLog) -> None:
    assert replay(dataclasses.replace(log, entries=log.entries[:20], ended=None, torn=True)) is None


# ------------------------------------------------------------------------------------------------ what if


def test_outcomes_tell_the_turns_as_they_were(log: EventLog) -> None:
    turns = outcomes(log)
    assert [(turn.fate, turn.text) for turn in turns] == [
        ("dropped", "mm-hm"),
        ("answered", "wait stop what is the price"),
        ("answered", "4"),
    ]
    assert turns[0].interrupted_reply is None
    assert turns[1].interrupted_reply == 1
    closed = log.entries[first(log, "TurnClosed")]
    assert turns[1].closed_ms == closed.now_ms - log.header.started_ms


def test_under_its_own_policy_nothing_would_have_changed(log: EventLog) -> None:
    assert compared(log, log.header.policy) == outcomes(log)
    modelled = outcomes_under(log, log.header.policy)
    assert [(turn.fate, turn.text, turn.interrupted_reply) for turn in modelled] == [
        (turn.fate, turn.text, turn.interrupted_reply) for turn in outcomes(log)
    ]
    for was, again in zip(outcomes(log), modelled, strict=True):
        assert abs(was.closed_ms - again.closed_ms) <= 40, "the model is right to two beats"


@pytest.mark.parametrize("silence_ms", [200, 350, 500, 3000])
def test_a_turn_closes_so_much_sooner_or_later_as_its_wait_is_shorter_or_longer(log: EventLog, silence_ms: int) -> None:
    was = outcomes(log)
    would = compared(log, changed_policy(log.header.policy, {"endpointing.silence_ms": str(silence_ms)}))
    assert [(turn.fate, turn.text) for turn in would] == [(turn.fate, turn.text) for turn in was]
    # Shorter than the VAD's hangover and the recogniser's last word it cannot be.
    expected_ms = max(silence_ms - log.header.policy.endpointing.silence_ms, -100)
    assert would[1].closed_ms - was[1].closed_ms == pytest.approx(expected_ms, abs=40)
    assert would[2].closed_ms == was[2].closed_ms, "a key waits for no silence"


def test_what_moves_no_turn_changes_none(log: EventLog) -> None:
    for setting in ("endpointing.speculative_reply", "silence.idle_reply"):
        tried = changed_policy(log.header.policy, {setting: "false"})
        assert compared(log, tried) == outcomes(log), setting


def test_without_barge_in_the_caller_is_answered_when_the_reply_has_been_played(log: EventLog) -> None:
    was = outcomes(log)
    would = compared(log, changed_policy(log.header.policy, {"barge_in.enabled": "false"}))
    assert would[1].interrupted_reply is None
    assert (would[1].fate, would[1].text) == ("answered", was[1].text)
    assert would[1].closed_ms > was[1].closed_ms


TIMID = {"barge_in.num_words": "9", "barge_in.voice_alone_ms": "9000", "barge_in.interruption_phrases": "[]"}


def test_a_barge_in_that_needs_more_words_is_none(log: EventLog) -> None:
    would = compared(log, changed_policy(log.header.policy, TIMID))
    assert would[1].interrupted_reply is None
    assert would[1].fate == "dropped"


def test_push_to_talk_never_closes_a_turn_by_silence(log: EventLog) -> None:
    would = outcomes_under(log, changed_policy(log.header.policy, {"endpointing.mode": "manual"}))
    assert would[1].fate != "answered"


def test_changes_of_policy_in_the_log_do_not_undo_the_one_that_is_tried(log: EventLog) -> None:
    entries = list(log.entries)
    entries.insert(1, dataclasses.replace(entries[0], event=ev.PolicyChanged(log.header.policy), actions=[]))
    tried = changed_policy(log.header.policy, TIMID)
    assert compared(dataclasses.replace(log, entries=entries), tried) == compared(log, tried)


# ------------------------------------------------------------------------------------------------ naming a policy


def test_a_policy_is_changed_by_path_and_only_there() -> None:
    base = Policy(endpointing=Endpointing("fixed"))
    changed = changed_policy(
        base, {"policy.endpointing.silence_ms": "300", "barge_in.enabled": "false", "greeting.message": "Hello there", "output": "text"}
    )  # fmt: skip
    assert changed == Policy(
        endpointing=Endpointing("fixed", silence_ms=300),
        barge_in=BargeIn(enabled=False),
        greeting=dataclasses.replace(base.greeting, message="Hello there"),
        output="text",
    )


def test_a_tuple_is_given_as_json() -> None:
    changed = changed_policy(Policy(), {"barge_in.interruption_phrases": '["halt", "stop"]'})
    assert changed.barge_in.interruption_phrases == ("halt", "stop")


@pytest.mark.parametrize(
    "path", ["endpointing.silence", "silence_ms", "endpointing", "", "a.b.c", "endpointing.silence_ms.x"]
)
def test_a_path_that_is_none_is_refused_with_those_there_are(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        changed_policy(Policy(), {path: "300"})
    if path != "endpointing":  # a group: its value is refused, not its name
        assert caught.value.field == path
        assert "endpointing.silence_ms" in caught.value.problem


@pytest.mark.parametrize(
    ("path", "value"), [("endpointing.silence_ms", "soon"), ("endpointing.mode", "never"), ("output", "smoke")]
)
def test_a_value_that_is_wrong_names_its_field(path: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        changed_policy(Policy(), {path: value})
    assert caught.value.field == path
