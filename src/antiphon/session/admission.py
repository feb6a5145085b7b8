"""Whether one more call would harm those that are live. Pure: readings of the process's load go in, yes or no comes out.

What harms is waiting: an event loop that is busy for 95 % of the time makes everything wait twenty times as long as an idle one. How
late the beat comes shows that only when it has happened; how busy the loop is shows it before, because it grows by the same amount
with every call. So calls are refused by busyness, and by lateness as well, which sees what busyness cannot (a thread that holds the
interpreter, a hypervisor that takes the core away).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median_low

UNSEEN_MS = 2500
"""A call that was let in needs so long to show altogether: it is answered, its media comes, and readings are smoothed. It shows more with
each reading, so what is reckoned for it fades. Counted in full until then, a ramp of 25 calls a second seemed to want 0.2 of a core that
nobody needed, and callers were refused at 63 % busy."""
UNSEEN_SHARE = 0.004
"""What such a call is taken to cost, in shares of a core, where the live ones do not cost more: being set up costs a call of the phone
workload 4 ms and then 2 ms a second. This also bounds a burst: an idle process lets in 212 calls at once, and more only as these show."""
_READINGS = 3
"""With two a second, the middle one of the last three counts: a spike of half a second, as a neighbour on the host makes it, closes
nothing, however busy the process is beside it."""
_SMOOTHING = 0.5
"""Weight of the newest."""
_SHARE_SMOOTHING = 0.05
"""What a call costs is learnt over ten seconds: while many are set up at once, the present ones seem to cost ten times what they do."""


@dataclass(frozen=True, slots=True)
class Load:
    """One reading of how the process is doing."""

    busy: float
    """Share of the time since the reading before in which the event loop's thread ran or waited for a core, 0 … 1."""
    late_ms: float
    """Lateness of the beat, 90th percentile of the last second."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """When no new call is taken."""

    busy: float = 0.85
    """1: busyness alone refuses nobody."""
    late_ms: float = 20.0
    """One beat: from there on telephones run dry."""
    reopen: float = 0.92
    """Calls are taken again below so much of the limits: without a gap, each call that ends would let in the one that closes again."""
    always: int = 8
    """With fewer calls live it is not they who make the process busy, and refusing would help nobody."""


class Admission:
    """One per process. ``observe`` about twice a second; ``admits`` before each call, ``reserve`` for each that is let in, ``release``
    for each that ends."""

    def __init__(self, limits: AdmissionLimits | None = None) -> None:
        self.limits = limits or AdmissionLimits()
        self.busy = 0.0
        """Smoothed."""
        self.closed = False
        """Whether a limit was reached and the load has not fallen far enough since."""
        self._readings: deque[float] = deque(maxlen=_READINGS)
        self._share = 0.0
        self._let_in_ms: deque[int] = deque()
        self._left_ms: deque[int] = deque()

    def observe(self, load: Load, live: int) -> bool:
        """A reading, with ``live`` calls. Returns whether ``closed`` has changed."""
        limits = self.limits
        self._readings.append(load.busy)
        self.busy += _SMOOTHING * (median_low(self._readings) - self.busy)
        if live > limits.always:
            self._share += _SHARE_SMOOTHING * (load.busy / live - self._share)
        share = limits.reopen if self.closed else 1.0
        before = self.closed
        self.closed = self.busy > limits.busy * share or load.late_ms > limits.late_ms * share
        return self.closed != before

    def admits(self, live: int, now_ms: int) -> bool:
        """Whether a call may be let in beside ``live`` ones."""
        if live < self.limits.always:
            return True
        return not self.closed and (self.limits.busy >= 1.0 or self.expected(now_ms) <= self.limits.busy)

    def reserve(self, now_ms: int) -> None:
        """A call was let in. One that never comes is forgotten like one that has come."""
        _note(self._let_in_ms, now_ms)

    def withdraw(self) -> None:
        """The call that was let in last will not come: nothing is reckoned for it any more."""
        if self._let_in_ms:
            self._let_in_ms.pop()

    def release(self, now_ms: int) -> None:
        """A call has ended. What it cost still shows for as long as a new one does not: who comes in its place costs nothing more."""
        _note(self._left_ms, now_ms)

    def expected(self, now_ms: int) -> float:
        """How busy the loop will be when all who were let in, and one more, have come."""
        unseen = max(_unseen(self._let_in_ms, now_ms) - _unseen(self._left_ms, now_ms), 0.0)
        return self.busy + (unseen + 1) * max(UNSEEN_SHARE, self._share)


def _note(recent: deque[int], now_ms: int) -> None:
    """One more. What shows by now goes each time: with few calls live nobody asks what to expect, for days."""
    _forget(recent, now_ms)
    recent.append(now_ms)


def _forget(recent: deque[int], now_ms: int) -> None:
    """Let go of what shows by now. In order of time."""
    while recent and recent[0] <= now_ms - UNSEEN_MS:
        recent.popleft()


def _unseen(recent: deque[int], now_ms: int) -> float:
    """How many calls' worth the readings do not show yet."""
    _forget(recent, now_ms)
    return len(recent) - sum(now_ms - at_ms for at_ms in recent) / UNSEEN_MS
