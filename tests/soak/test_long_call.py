"""One long call in virtual time: what it holds after an hour is what it held after its fourth minute, and what was said.

``make test`` runs six minutes of it; ``SOAK_MINUTES=60 pytest tests/soak`` the hour (under a minute of CPU).
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.calls.rig import Call, Watcher
from tests.soak.reach import Reach, reach_of

from antiphon.audio.wav import read_wav
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy, Silence
from antiphon.session.event_log import read_event_log
from antiphon.session.replay import replay
from antiphon.vocabulary import EndReason

MINUTES = int(os.environ.get("SOAK_MINUTES", "6"))
WARM_UP_MINUTES = 4
TURN_MS = 15_000
INTERRUPTED_EVERY = 3
HEARD = "what can you tell me about that"
ANSWER = "Here is what you asked for. There is a little more to say. Then one more thing."
KEPT_OF_A_TURN = {"Message", "_Entry", "TurnTimes", "str", "int", "tuple", "list", "dict"}
"""The history of the conversation, and its timeline."""
KEPT_BYTES_A_TURN = 1500
"""Two messages with their texts, and a row of the timeline: 1.1 KB on CPython 3.11."""
FLUCTUATION = 100  # blocks of the recording wait for a thread that looks by the real clock, not by this one
"""Objects that are on their way at one moment and not at the other."""


class Tally(Watcher):
    """Counts what happens and keeps none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self.counts.update(type(action).__name__ for action in actions)


class Sample:
    """What is held at one moment."""

    def __init__(self, call: Call) -> None:
        gc.collect()
        call.phone.forget_heard()
        beyond = (call.phone, call.wire, call.watcher)
        self.reach: Reach = reach_of(call.session, call.plane, call.manager, call.timelines, beyond=beyond)
        self.tasks = len(asyncio.all_tasks())
        self.files = len(os.listdir("/proc/self/fd"))
        self.turns = call.watcher.counts["TurnClosed"]  # type: ignore[attr-defined]


def long_call(folder: Path) -> Call:
    turns = MINUTES * 60_000 // TURN_MS + 10
    policy = Policy(
        endpointing=Endpointing(mode="fixed", silence_ms=300),
        barge_in=BargeIn(backoff_ms=0),
        silence=Silence(max_duration_ms=(MINUTES + 5) * 60_000),
    )
    call = Call(hears=[HEARD] * 2 * turns, answers=[ANSWER] * 2 * turns, folder=folder, policy=policy)
    call.watcher = Tally()
    return call


async def turn(call: Call, number: int) -> None:
    """Fifteen seconds: something is said and answered; every third answer is interrupted."""
    await call.sound(1200)
    await call.wait(1500)
    if number % INTERRUPTED_EVERY == 0:
        await call.sound(800)
    else:
        await call.wait(800)
    # The answer is over before the next turn, whichever it is.
    await call.wait(TURN_MS - 3500)


def test_a_long_call_holds_no_more_than_its_history(tmp_path: Path) -> None:
    call = long_call(tmp_path)
    samples: list[Sample] = []

    async def talk(call: Call) -> None:
        for number in range(MINUTES * 60_000 // TURN_MS):
            await turn(call, number)
            call.phone.forget_heard()
            if (number + 1) * TURN_MS == WARM_UP_MINUTES * 60_000:
                samples.append(Sample(call))
        samples.append(Sample(call))
        call.phone.hang_up()
        await call.wait(100)

    watcher = call.run(talk, limit_ms=(MINUTES + 4) * 60_000)
    assert watcher.ended is EndReason.CUSTOMER_ENDED
    early, late = samples
    turns = late.turns - early.turns
    assert turns >= (MINUTES - WARM_UP_MINUTES) * 60_000 // TURN_MS
    assert watcher.counts["InterruptionConfirmed"] >= late.turns // (2 * INTERRUPTED_EVERY)  # type: ignore[attr-defined]

    assert (late.tasks, late.files) == (early.tasks, early.files)
    grown = late.reach.grown(early.reach)
    more = {kind: count for kind, count in grown.items() if kind not in KEPT_OF_A_TURN and count > FLUCTUATION}
    assert not more, "something is kept that is not history"
    kept = {kind: late.reach.bytes[kind] - early.reach.bytes[kind] for kind in KEPT_OF_A_TURN}
    assert sum(kept.values()) <= KEPT_BYTES_A_TURN * turns, kept

    assert call.plane.calls == 0
    assert call.plane.recordings.lost_blocks == 0
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert log.ended == EndReason.CUSTOMER_ENDED
    assert log.lost == 0
    assert replay(log) is None
    samples_recorded, rate_hz = read_wav(tmp_path / "call-1.wav")
    assert abs(len(samples_recorded) / rate_hz - MINUTES * 60) < 2
