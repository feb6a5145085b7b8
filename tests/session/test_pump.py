"""The pump: one input at a time, every action before the next, timers only where they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from antiphon.clock import ManualClock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.conversation.policy import Greeting, Policy, Silence
from antiphon.session.pump import Pump
from antiphon.vocabulary import EndReason

Run = Callable[[Any], None]


class Rig:
    """A real conversation, and a note of everything in the order in which it happened."""

    def __init__(self, clock: ManualClock, policy: Policy) -> None:
        self.clock = clock
        self.noted: list[Any] = []
        self.faults: list[Exception] = []
        self.on_action: dict[type, Callable[[Any], None]] = {}
        self.pump = Pump(Conversation(policy), clock, self._execute, self._observe, self.faults.append)

    def _observe(self, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self.noted.append(("input", now_ms, event))

    def _execute(self, action: do.Action) -> None:
        self.noted.append(("action", self.clock.now_ms(), action))
        if (react := self.on_action.get(type(action))) is not None:
            react(action)

    def inputs(self) -> list[tuple[int, ev.Event | None]]:
        return [(now_ms, what) for kind, now_ms, what in self.noted if kind == "input"]

    def actions(self, kind: type) -> list[tuple[int, Any]]:
        return [(now_ms, what) for noted, now_ms, what in self.noted if noted == "action" and isinstance(what, kind)]


GREETED = Policy(greeting=Greeting(message="Good day to you."))


async def test_every_action_is_carried_out_before_an_input_that_arose_from_one(clock: ManualClock) -> None:
    rig = Rig(clock, GREETED)
    arose = ev.SpeechSynthesized(1, 0, 900)
    rig.on_action[do.Speak] = lambda action: rig.pump.feed(arose)
    rig.pump.feed(ev.CallConnected())
    kinds = [kind for kind, _, _ in rig.noted]
    second = rig.noted.index(("input", clock.now_ms(), arose))
    assert rig.noted[0] == ("input", clock.now_ms(), ev.CallConnected())
    assert kinds[1:second] == ["action"] * (second - 1)
    of_greeting = [type(what) for _, _, what in rig.noted[1:second]]
    assert of_greeting.index(do.Speak) < of_greeting.index(do.StartPlayback), "not stopped at the action that fed"
    rig.pump.stop()


async def test_inputs_that_arise_from_actions_are_taken_in_their_order(clock: ManualClock) -> None:
    rig = Rig(clock, GREETED)
    arising = [ev.SpeechSynthesized(1, 0, 900), ev.PlaybackStarted(1), ev.PlaybackFinished(1, 900)]
    rig.on_action[do.StartPlayback] = lambda action: [rig.pump.feed(event) for event in arising]
    rig.pump.feed(ev.CallConnected())
    assert [event for _, event in rig.inputs()] == [ev.CallConnected(), *arising]
    assert [closed.status for _, closed in rig.actions(do.ReplyClosed)] == ["completed"]
    rig.pump.stop()


async def test_whoever_feeds_is_told_what_it_led_to(clock: ManualClock) -> None:
    rig = Rig(clock, GREETED)
    within: list[object] = []
    rig.on_action[do.Speak] = lambda action: within.append(rig.pump.feed(ev.SpeechSynthesized(1, 0, 900)))
    done = rig.pump.feed(ev.CallConnected())
    assert [type(action) for action in done] == [type(what) for kind, _, what in rig.noted if kind == "action"]
    assert within == [()], "what is fed from within waits"
    [refused] = rig.pump.feed(ev.TurnCommitted(0))
    assert refused == do.RequestRefused("", "nothing_to_commit")
    rig.pump.stop()
    assert rig.pump.feed(ev.CallConnected()) == ()


def test_a_deadline_is_kept_to_the_millisecond(clock: ManualClock, in_virtual_time: Run) -> None:
    rig = Rig(clock, Policy(silence=Silence(no_audio_timeout_ms=1500)))

    async def main() -> None:
        rig.pump.feed(ev.CallConnected())
        await asyncio.sleep(5)

    in_virtual_time(main)
    [(at_ms, end)] = rig.actions(do.EndCall)
    assert (at_ms, end.reason) == (11_500, EndReason.NO_CUSTOMER_AUDIO)
    assert rig.inputs()[-1] == (11_500, None), "a timer is an input without an event"


def test_a_deadline_that_moves_back_arms_no_new_timer(
    clock: ManualClock, in_virtual_time: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(clock, Policy())
    armed: list[float] = []

    async def main() -> None:
        rig.pump.feed(ev.CallConnected())
        rig.pump.feed(ev.AudioArrived())
        loop = asyncio.get_running_loop()
        call_later = loop.call_later
        monkeypatch.setattr(
            loop, "call_later", lambda wait_s, *given: armed.append(wait_s) or call_later(wait_s, *given)
        )
        for digit in "0123456789":
            rig.pump.feed(ev.DtmfPressed(digit))
            await asyncio.sleep(0.1)
        monkeypatch.undo()
        await asyncio.sleep(2.5)
        rig.pump.stop()

    in_virtual_time(main)
    by_pump = [wait_s for wait_s in armed if wait_s > 1]  # the rest are this test's own sleeps
    assert by_pump == [2.0], "each key moves the deadline; the first one's timer looks again"
    [(at_ms, turn)] = rig.actions(do.TurnClosed)
    assert (at_ms, turn.text) == (10_900 + 2000, "0123456789")


def test_a_deadline_that_moves_forward_is_not_missed(clock: ManualClock, in_virtual_time: Run) -> None:
    rig = Rig(clock, Policy(silence=Silence(no_audio_timeout_ms=60_000, silence_timeout_ms=0)))

    async def main() -> None:
        rig.pump.feed(ev.CallConnected())
        rig.pump.feed(ev.DtmfPressed("7"))
        await asyncio.sleep(3)
        rig.pump.stop()

    in_virtual_time(main)
    assert [at_ms for at_ms, _ in rig.actions(do.TurnClosed)] == [12_000]


async def test_a_fault_in_an_action_stops_the_pump_and_is_told_once(clock: ManualClock) -> None:
    rig = Rig(clock, GREETED)
    fault = ValueError("a bug")

    def fail(action: do.Action) -> None:
        rig.pump.feed(ev.AudioArrived())
        raise fault

    rig.on_action[do.Speak] = fail
    rig.pump.feed(ev.CallConnected())
    rig.pump.feed(ev.DtmfPressed("1"))
    assert rig.faults == [fault]
    assert [event for _, event in rig.inputs()] == [ev.CallConnected()], "neither what waited nor what came later"


def test_a_fault_leaves_no_timer_behind(clock: ManualClock, in_virtual_time: Run) -> None:
    rig = Rig(clock, Policy(silence=Silence(no_audio_timeout_ms=500)))

    def fail(action: do.Action) -> None:
        raise ValueError("a bug")

    async def main() -> None:
        rig.pump.feed(ev.CallConnected())
        rig.on_action[do.TurnOpened] = fail
        rig.pump.feed(ev.TextReceived("hello"))
        await asyncio.sleep(2)

    in_virtual_time(main)
    assert len(rig.faults) == 1
    assert rig.actions(do.EndCall) == []


def test_a_stopped_pump_feeds_nothing_and_keeps_no_timer(clock: ManualClock, in_virtual_time: Run) -> None:
    rig = Rig(clock, Policy(silence=Silence(no_audio_timeout_ms=500)))

    async def main() -> None:
        rig.pump.feed(ev.CallConnected())
        rig.pump.stop()
        rig.pump.feed(ev.TextReceived("hello"))
        await asyncio.sleep(1)

    in_virtual_time(main)
    assert [event for _, event in rig.inputs()] == [ev.CallConnected()]


async def test_stopping_from_within_an_action_ends_the_loop(clock: ManualClock) -> None:
    rig = Rig(clock, GREETED)
    rig.on_action[do.StartPlayback] = lambda action: (rig.pump.feed(ev.PlaybackStarted(1)), rig.pump.stop())
    rig.pump.feed(ev.CallConnected())
    assert [event for _, event in rig.inputs()] == [ev.CallConnected()]
    assert rig.faults == []
