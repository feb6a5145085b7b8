"""A bad network between the caller and the server, at the level of messages.

Pure and seeded: the same messages at the same times are delayed, lost and swapped in the same way. A WebSocket runs over
TCP, which delivers all bytes in order; what a bad access network does to a call happens before Twilio. So loss shows as
a media message that never comes, with a hole in ``sequenceNumber``; reordering as two neighbours swapped; jitter and
stalls keep the order, and a stall ends in a burst. Only media is lost or swapped: marks, keys and ``clear`` are
Twilio's own signalling.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from antiphon.errors import ConfigurationError

Item = TypeVar("Item")

HOLD_MS = 60.0
"""A message held back to be swapped goes out alone when no neighbour comes within this time."""
_DAY_MS = 86_400_000.0
QUEUE_LIMIT = 30_000
"""Ten minutes of 20 ms messages; media beyond is lost."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing gets through for ``duration_ms`` from ``at_ms`` after the stream began."""

    at_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Impairment:
    """How bad the network is; the default is perfect. Raises ConfigurationError for values out of range."""

    jitter_ms: float = 0.0
    """Each message is late by 0 … this, evenly spread; order is kept, so a late one holds up those behind it."""
    loss: float = 0.0
    """Share of media messages that never come, 0 … 1."""
    reorder: float = 0.0
    """Share of media messages that change places with the next, 0 … 1."""
    stalls: tuple[Stall, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("loss", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(name, "must be between 0 and 1")
        if not 0 <= self.jitter_ms <= 10_000:
            raise ConfigurationError("jitter_ms", "must be between 0 and 10000")
        if not all(0 <= stall.at_ms <= _DAY_MS and 0 < stall.duration_ms <= _DAY_MS for stall in self.stalls):
            raise ConfigurationError(
                "stall", "must begin at 0 ms or later, last longer than 0 ms, and be over within a day"
            )

    @property
    def perfect(self) -> bool:
        """Whether it changes nothing."""
        return not (self.jitter_ms or self.loss or self.reorder or self.stalls)


class Link(Generic[Item]):
    """One direction of one call's network. ``now_ms`` never goes back."""

    def __init__(self, impairment: Impairment, direction: str) -> None:
        """``direction`` (any text) makes the two directions of a call differ under one seed."""
        self.lost = 0
        self.reordered = 0
        self._impairment = impairment
        self._random = random.Random(f"{impairment.seed}:{direction}")
        self._queue: deque[tuple[float, Item]] = deque()
        self._held: tuple[float, Item] | None = None
        self._last_due_ms = 0.0

    def push(self, item: Item, *, media: bool, now_ms: float) -> None:
        """Send ``item``. Whether and when it arrives is told by ``pop``."""
        if not media:
            self._release(now_ms)  # signalling does not overtake the audio before it
            self._enqueue(item, now_ms)
        elif self._random.random() < self._impairment.loss or len(self._queue) >= QUEUE_LIMIT:
            self.lost += 1
        elif self._held is not None:
            self._enqueue(item, now_ms)
            self._release(now_ms)
            self.reordered += 1
        elif self._random.random() < self._impairment.reorder:
            self._held = (now_ms + HOLD_MS, item)
        else:
            self._enqueue(item, now_ms)

    def next_ms(self) -> float | None:
        """When something may be ready to ``pop``; None while nothing is under way."""
        times = [self._queue[0][0]] if self._queue else []
        if self._held is not None:
            times.append(self._held[0])
        return min(times, default=None)

    def pop(self, now_ms: float) -> list[Item]:
        """What has arrived by ``now_ms``, in order; each item once."""
        if self._held is not None and self._held[0] <= now_ms:
            self._release(now_ms)
        arrived = []
        while self._queue and self._queue[0][0] <= now_ms:
            arrived.append(self._queue.popleft()[1])
        return arrived

    def _release(self, now_ms: float) -> None:
        if self._held is not None:
            item = self._held[1]
            self._held = None
            self._enqueue(item, now_ms)

    def _enqueue(self, item: Item, now_ms: float) -> None:
        due_ms = now_ms + self._random.uniform(0.0, self._impairment.jitter_ms)
        for stall in self._impairment.stalls:
            if stall.at_ms <= due_ms < stall.at_ms + stall.duration_ms:
                due_ms = stall.at_ms + stall.duration_ms
        self._last_due_ms = max(due_ms, self._last_due_ms)
        self._queue.append((self._last_due_ms, item))
