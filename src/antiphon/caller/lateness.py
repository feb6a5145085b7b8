"""Percentiles, and how late many small things were.

Pure.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

PAUSE_MS = 200
"""Media that comes later than this after the last is taken for a pause of the agent, not for lateness."""


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that ``share`` (0 … 1) of them do not exceed; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


_BIN_MS = 0.25
_BINS = 2000


@dataclass(slots=True)
class Lateness:
    """How late many things were, to a quarter of a millisecond, in 8 kB however many.

    Negative lateness counts as none; over half a second, percentiles say the maximum.
    """

    count: int = 0
    worst_ms: float = 0.0
    _bins: array[int] = field(default_factory=lambda: array("I", bytes(4 * (_BINS + 1))), repr=False)

    def add(self, late_ms: float) -> None:
        if late_ms < 0.0:
            late_ms = 0.0
        self.count += 1
        self.worst_ms = max(self.worst_ms, late_ms)
        self._bins[min(_BINS, math.ceil(late_ms / _BIN_MS))] += 1

    def merge(self, other: Lateness) -> None:
        """Add all that ``other`` counted."""
        self.count += other.count
        self.worst_ms = max(self.worst_ms, other.worst_ms)
        for index, count in enumerate(other._bins):
            self._bins[index] += count

    def percentile(self, share: float) -> float | None:
        """As the function of this name, rounded up to a quarter of a millisecond; None when nothing was counted."""
        if not self.count:
            return None
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for index in range(_BINS):
            seen += self._bins[index]
            if seen >= wanted:
                return min(index * _BIN_MS, self.worst_ms)
        return self.worst_ms


@dataclass(slots=True)
class Spacing:
    """How late the server's media messages came, each against the length of the one before.

    Later than ``PAUSE_MS``, the next message starts a new count: the agent was silent, not late.
    """

    lateness: Lateness = field(default_factory=Lateness)
    _last_ms: float | None = None
    _last_length_ms: float = 0.0

    def arrived(self, now_ms: float, length_ms: float) -> None:
        """A media message of ``length_ms`` of audio arrived."""
        if self._last_ms is not None:
            late_ms = now_ms - self._last_ms - self._last_length_ms
            if late_ms < PAUSE_MS:
                self.lateness.add(late_ms)
        self._last_ms = now_ms
        self._last_length_ms = length_ms

    def interrupted(self) -> None:
        """The server cleared: the next message is not late either."""
        self._last_ms = None
