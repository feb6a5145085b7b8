"""One clock for many callers: driven by hand, then by the real loop."""

import asyncio
from itertools import pairwise

from antiphon.caller.beat import PHASES, STEP_MS, CallerBeat


class Counter:
    def __init__(self) -> None:
        self.ticks: list[float] = []

    def tick(self, now_ms: float) -> None:
        self.ticks.append(now_ms)


class Clock:
    now_ms = 1000.0

    def __call__(self) -> float:
        return self.now_ms


async def test_every_caller_gets_a_frame_every_20_ms_spread_over_the_phases() -> None:
    clock = Clock()
    beat = CallerBeat(clock)
    callers = [Counter() for _ in range(2 * PHASES)]
    for caller in callers:
        beat.add(caller)
    for _ in range(4 * PHASES):
        beat.run_due()
        clock.now_ms += STEP_MS
    assert all(len(caller.ticks) == 4 for caller in callers)
    assert all(later - earlier == 20 for caller in callers for earlier, later in pairwise(caller.ticks))
    assert len({caller.ticks[0] for caller in callers}) == PHASES
    assert beat.lateness.worst_ms == 0
    for caller in callers:
        beat.remove(caller)


async def test_a_late_beat_catches_up_frame_by_frame() -> None:
    clock = Clock()
    beat, caller = CallerBeat(clock), Counter()
    beat.add(caller)
    clock.now_ms += 100
    for _ in range(10):
        beat.run_due()
    assert len(caller.ticks) == 6
    assert beat.lateness.worst_ms == 100
    beat.remove(caller)


async def test_a_caller_may_leave_or_bring_another_while_it_is_ticked() -> None:
    clock = Clock()
    beat, other = CallerBeat(clock), Counter()

    class Leaver(Counter):
        def tick(self, now_ms: float) -> None:
            super().tick(now_ms)
            beat.remove(self)
            beat.add(other)

    leaver = Leaver()
    beat.add(leaver)
    for _ in range(4 * PHASES):
        beat.run_due()
        clock.now_ms += STEP_MS
    assert len(leaver.ticks) == 1
    assert len(other.ticks) >= 3
    beat.remove(other)
    beat.remove(other)


async def test_on_the_loop_it_runs_while_it_has_callers() -> None:
    beat = CallerBeat()
    enough = asyncio.Event()

    class Patient(Counter):
        def tick(self, now_ms: float) -> None:
            super().tick(now_ms)
            if len(self.ticks) == 5:
                beat.remove(self)
                enough.set()

    caller = Patient()
    began_ms = beat.now_ms()
    beat.add(caller)
    await asyncio.wait_for(enough.wait(), 5)
    assert caller.ticks[-1] - began_ms >= 80
    assert beat.lateness.count == 5
