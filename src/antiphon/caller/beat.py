"""The clock of all callers: one timer that gives each of them its 20 ms frame, on an absolute schedule.

Callers are spread over ``PHASES`` instants of the 20 ms, as unrelated telephones are; a thousand of them cost four hundred
timer calls a second, not fifty thousand. A beat that comes late catches up frame by frame, so no audio is ever skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from antiphon.caller.lateness import Lateness
from antiphon.caller.wire import FRAME_MS

PHASES = 8
STEP_MS = FRAME_MS / PHASES


class Beaten(Protocol):
    """What a beat drives."""

    def tick(self, now_ms: float) -> None:
        """One 20 ms frame is complete. Must not raise and must not block."""
        ...


def monotonic_ms() -> float:
    """The machine's monotonic clock in milliseconds, unrounded: what is measured here are milliseconds."""
    return time.monotonic_ns() / 1e6


class CallerBeat:
    """Drives any number of callers on the running event loop. Idle while it has none."""

    def __init__(self, now_ms: Callable[[], float] = monotonic_ms) -> None:
        self.lateness = Lateness()
        """How late the frames of all callers were sent: what the measuring machine itself adds."""
        self.now_ms = now_ms
        self._phases: list[set[Beaten]] = [set() for _ in range(PHASES)]
        self._next_phase = 0
        self._next_ms = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, caller: Beaten) -> None:
        """Tick ``caller`` every 20 ms from now on."""
        if not any(self._phases):
            self._next_ms = self.now_ms()
        min(self._phases, key=len).add(caller)
        if self._timer is None:
            self._arm()

    def remove(self, caller: Beaten) -> None:
        """No tick for ``caller`` after this. Removing one that is not there does nothing."""
        for phase in self._phases:
            phase.discard(caller)
        if self._timer is not None and not any(self._phases):
            self._timer.cancel()
            self._timer = None

    def run_due(self) -> None:
        """Tick what is due by now: at most one frame each, so that the loop can read sockets between."""
        now_ms = self.now_ms()
        for _ in range(PHASES):
            if self._next_ms > now_ms:
                break
            callers = self._phases[self._next_phase]
            for caller in tuple(callers):
                self.lateness.add(now_ms - self._next_ms)
                caller.tick(now_ms)
                now_ms = self.now_ms()
            self._next_ms += STEP_MS
            self._next_phase = (self._next_phase + 1) % PHASES

    def _arm(self) -> None:
        delay_s = max(0.0, self._next_ms - self.now_ms()) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.run_due()
        # A tick may have added a caller, and with it armed the timer.
        if self._timer is None and any(self._phases):
            self._arm()
