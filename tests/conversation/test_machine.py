"""Every event in every state the three machines can be in together; and what is true of the machine as a whole."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import get_args

import pytest
from tests.conversation.driver import CallDriver, connected
from tests.conversation.witness import OBSERVABLE
from tests.conversation.world import Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.context import ContextPlan
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Policy, Silence
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec, WordTiming

TOOL = ToolSpec("look_up")
CLIENT_TOOL = ToolSpec("open_door", client=True)
LONG = "We are open from Monday to Friday and on the first Saturday of every month."
INSISTENT = Policy(barge_in=BargeIn(enabled=False))


def a_call(policy: Policy | None = None) -> CallDriver:
    return connected(policy, tools=[TOOL, CLIENT_TOOL])


def thinking(policy: Policy | None = None) -> CallDriver:
    """With a tool at work, so that its answer finds somebody waiting."""
    return a_call(policy).types("When are you open?").model_asks_for("look_up")


def speaking(policy: Policy | None = None) -> CallDriver:
    return a_call(policy).types("When are you open?").model_says(LONG).passes(1000)


def losing_its_floor() -> CallDriver:
    call = speaking()
    call.mouth_answers = False
    return call.happens(ev.ReplyCancelled())


def ending(call: CallDriver, message: str = "Goodbye, and thank you.") -> CallDriver:
    return call.happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, message))


def held_while_ending() -> CallDriver:
    call = ending(a_call()).passes(200)
    call.mouth_answers = False
    return call.happens(ev.ReplyCancelled())


def asked_while_speaking(answer: str = "") -> CallDriver:
    call = a_call().speech_starts().partial("I want").happens(ev.ReplyRequested("r1"))
    return call.model_says(answer).passes(200) if answer else call


WAYS: dict[str, Callable[[], CallDriver]] = {
    "connecting": lambda: CallDriver(tools=[TOOL]),
    "idle": lambda: a_call(),
    "idle after a reply": lambda: speaking().passes(5000),
    "idle, written": lambda: a_call(Policy(output="text")),
    "thinking": thinking,
    "thinking, with a voice that does not answer": lambda: CallDriver(voice=Voice(silent=True)).connects().types("Hi").model_says("Yes."),
    "speaking": speaking,
    "speaking, another reply asked for": lambda: speaking().happens(ev.ReplyRequested("r9")),
    "thinking, for a tool of the client's": lambda: a_call().types("Hi").happens(ev.ReplyAskedForTool(1, ToolCall("c9", "open_door"))),
    "idle after a tool of the client's": lambda: a_call().types("Hi").model_asks_for("open_door", "c9").happens(ev.ReplyDone(1)),
    "softened for a sound": lambda: speaking().caller_sounds(),
    "held, the words discarded": lambda: speaking().speech_starts().happens(ev.TurnDiscarded()),
    "held, its interruption decided": losing_its_floor,
    "held while thinking": lambda: thinking().caller_sounds(),
    "the caller speaks": lambda: a_call().speech_starts().partial("I want"),
    "the caller speaks, push-to-talk": lambda: a_call().speech_starts().policy_is(Policy(endpointing=Endpointing(mode="manual"))),
    "the caller speaks, the agent thinks": asked_while_speaking,
    "the caller speaks, the agent insists": lambda: asked_while_speaking(LONG),
    "the caller speaks, the agent is held": lambda: speaking().speech_starts(),
    "the caller pauses": lambda: a_call().caller_speaks("I want"),
    "the caller pauses, a guess is made": lambda: a_call().caller_speaks("When are you open?").passes(150),
    "the caller has committed": lambda: a_call(Policy(endpointing=Endpointing(mode="manual"))).happens(ev.TurnCommitted(1)),
    "the caller pauses, the agent thinks": lambda: asked_while_speaking().passes(100).speech_stops(),
    "the caller pauses, the agent insists": lambda: speaking(INSISTENT).speech_starts().passes(300).speech_stops(),
    "the caller pauses, the agent is held": lambda: speaking().speech_starts().passes(300).speech_stops(),
    "ending, the goodbye not yet heard": lambda: ending(CallDriver(voice=Voice(silent=True)).connects()),
    "ending, the goodbye is heard": lambda: ending(a_call()).passes(100),
    "ending, the goodbye is cut": held_while_ending,
    "ended": lambda: a_call().drops(),
}  # fmt: skip


def events_for(call: CallDriver) -> list[ev.Event]:
    """Every kind of event; those that name a reply or a turn for one that lives, one that is over and one that never was."""
    reply = max(
        [1, *(asked.reply for asked in call.all(do.StartReply)), *(spoken.reply for spoken in call.all(do.Speak))]
    )
    utterance = call.utterance
    word = WordTiming("Yes", 0, 100)
    events: list[ev.Event] = [
        ev.CallConnected(), ev.CallDropped(EndReason.CUSTOMER_ENDED), ev.PolicyChanged(Policy()), ev.PolicyChanged(INSISTENT),
        ev.PolicyChanged(Policy(endpointing=Endpointing(mode="manual"), output="text")),
        ev.EndRequested(EndReason.ASSISTANT_ENDED), ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."),
        ev.ClientReady(), ev.AudioArrived(), ev.SoundStarted(5000), ev.SoundFaded(5000, 400), ev.SilenceReached(5000),
        ev.DtmfPressed("1"), ev.DtmfPressed("#"), ev.TurnDiscarded(), ev.ReplyRequested(), ev.ReplyRequested("r2"),
        ev.ReplyRequested("r3", ev.ReplyOptions("Be brief.", (), (CLIENT_TOOL,), "text", "amy", {"temperature": 0})),
        ev.InstructionsChanged("Be brief."), ev.InstructionsChanged(""), ev.ToolsChanged(()), ev.ToolsChanged((CLIENT_TOOL,)),
        ev.MessageAdded(Message("user", "First.", id="m1"), after=ev.Place()),
        ev.MessageAdded(Message("user", "Later.", id="m2"), reply=True, after=ev.Place(reply=reply)),
        ev.MessageAdded(Message("user", "Nowhere.", id="m3"), after=ev.Place(id="unknown")),
        ev.MessageAdded(Message("tool", "open", tool_call_id="c9", id="m4")),
        ev.MessageRemoved(ev.Place(reply=reply)), ev.MessageRemoved(ev.Place(turn=1)), ev.MessageRemoved(ev.Place(id="m1")),
        ev.ReplyOffered(), ev.ReplyCancelled("c1"), ev.TextReceived("Hello."), ev.TextReceived("Hello.", reply=False),
        ev.MessageAdded(Message("system", "Note.")), ev.MessageAdded(Message("user", "Hello."), reply=True),
        ev.ToolFinished("call-1", "Gone.", hands_over=True), ev.TransferRequested("+15550100"),
        ev.ToolFinished("call-1", "nine"), ev.ToolFailed("call-1", "no"), ev.ToolFinished("never asked for", "x"),
    ]  # fmt: skip
    greetings = (Greeting(message="I am B."), Greeting(), Greeting("assistant-waits-for-user"))
    events += [
        ev.AssistantReady(1, "B", Policy(greeting=greeting), (Message("system", "Be B."),), (), plan)
        for greeting, plan in zip(
            greetings, (ContextPlan(), ContextPlan("spoken"), ContextPlan("rolling")), strict=True
        )
    ]
    events += [ev.AssistantReady(1, "B", INSISTENT, (), (CLIENT_TOOL,), ContextPlan("last", 2))]
    events += [
        ev.SayRequested("A word from us.", interruptible, interrupts, end_call_after)
        for interruptible, interrupts, end_call_after in itertools.product((True, False), repeat=3)
    ]
    for number in (utterance, utterance - 1, utterance + 1):
        events += [
            ev.SpeechStarted(number, 5000), ev.SpeechContinued(number, 1300), ev.SpeechStopped(number, 5000, 100),
            ev.TranscriptChanged(number, "stop"), ev.TranscriptFinal(number, "stop it"), ev.TranscriptFinal(number, ""),
            ev.TranscriptFailed(number), ev.TurnCommitted(max(number, 0)), ev.EndOfTurnScored(number, 0.9),
            ev.WaitTold(number, 700, "stop it"),
            ev.VendorTurnSignal(number, "end"), ev.VendorTurnSignal(number, "resumed"),
        ]  # fmt: skip
    for number in (reply, reply - 1, reply + 1):
        events += [
            ev.ReplyText(number, "Yes. "), ev.ReplyPaused(number), ev.ReplyVoiced(number), ev.ReplyPlaced(number, "day"),
            ev.ReplyAskedForTool(number, ToolCall("new", "look_up")), ev.ReplyDone(number),
            ev.ReplyAskedToEnd(number), ev.ReplyAskedToTransfer(number, "+15550100"), ev.ReplyFailed(number),
            ev.SpeechSynthesized(number, 99, 100, (word,)), ev.SynthesisFailed(number, 99), ev.PlaybackStarted(number),
            ev.PlaybackTruncated(number, 300),
        ]  # fmt: skip
        if number != reply:
            # What is played is the driver's mouth to tell; of another reply nothing may be believed.
            events += [ev.PlaybackReached(number, 300), ev.PlaybackFinished(number, 300)]
    return events


def test_the_ways_lead_to_every_combination_of_states_there_is() -> None:
    assert {way().states for way in WAYS.values()} == OBSERVABLE


@pytest.mark.parametrize("way", WAYS)
def test_every_event_is_taken_in_every_state(way: str) -> None:
    """No exception, the joint rules, the witness's rules, an end by timers alone, and an exact replay."""
    for number in range(len(events_for(WAYS[way]()))):
        call = WAYS[way]()
        call.happens(events_for(call)[number])
        if call.conversation.call == "connecting":
            call.connects()
        call.only_timers().replays()
        assert call.conversation.ended


@pytest.mark.parametrize("way", WAYS)
def test_a_timer_that_comes_too_early_does_nothing(way: str) -> None:
    call = WAYS[way]()
    before = len(call.log)
    deadline = call.conversation.deadline()
    call.timer()
    assert call.log[before][2] == () and call.conversation.deadline() == deadline


@pytest.mark.parametrize("way", WAYS)
def test_a_timer_that_comes_late_brings_the_call_to_its_end_all_the_same(way: str) -> None:
    call = WAYS[way]()
    call.now_ms += 700_000
    call.timer().connects().only_timers()
    assert call.conversation.ended


def test_every_kind_of_event_is_among_them() -> None:
    assert {type(event) for event in events_for(speaking())} | {ev.PlaybackReached, ev.PlaybackFinished} == set(
        get_args(ev.Event)
    )


def test_events_and_actions_are_values() -> None:
    for kind in (*get_args(ev.Event), *get_args(do.Action)):
        assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen and kind.__slots__ is not None


def test_an_event_of_an_unknown_kind_is_a_bug_and_says_so() -> None:
    with pytest.raises(KeyError):
        a_call().happens(object())  # type: ignore[arg-type]


def test_actions_are_given_once() -> None:
    call = a_call()
    call.conversation.handle(ev.TextReceived("Hi"), 0)
    assert call.conversation.actions() and not call.conversation.actions()


def test_a_clock_that_goes_back_is_not_followed() -> None:
    conversation = a_call(Policy(silence=Silence(silence_timeout_ms=1000))).conversation
    conversation.handle(ev.TextReceived("Hi"), 500)
    conversation.handle(ev.ReplyCancelled(), 50)
    assert conversation.deadline() == 1500


def test_what_the_model_is_shown_begins_with_the_messages_given() -> None:
    call = CallDriver(messages=[Message("system", "Be kind."), Message("user", "before")]).connects().types("Hi")
    assert [message.content for message in call.asked.messages] == ["Be kind.", "before", "Hi"]
