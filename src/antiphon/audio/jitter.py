"""Puts numbered packets back in order without making those that are in order wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Payload = TypeVar("Payload")

MAX_DROPOUT_PACKETS = 3000
"""A jump ahead by more than this is a sender that numbers anew, not loss (RFC 3550, appendix A.1)."""

_REMEMBERED_GAPS = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """``missing`` packets (1 … ``MAX_DROPOUT_PACKETS``) did not come in time."""

    missing: int


@dataclass(slots=True)
class JitterCounters:
    """What one stream has seen so far, in packets."""

    received: int = 0
    """All that arrived, the dropped ones too."""
    reordered: int = 0
    """Arrived ahead of an earlier one and were held."""
    duplicates: int = 0
    """Dropped: this number had arrived before."""
    late: int = 0
    """Dropped: arrived after its gap had been given up."""
    lost: int = 0
    """Given up as gaps; a late packet counts here too."""
    resets: int = 0
    """How often the numbering started anew."""


class JitterBuffer(Generic[Payload]):
    """One stream's packets, reordered.

    A packet that continues the stream is released at once. One that comes too early is held until the missing ones arrive, until it
    has waited ``max_wait_ms``, or until more than ``max_packets`` are held; then the hole is released as a ``Gap``.
    A number more than ``max_packets`` behind (or ``MAX_DROPOUT_PACKETS`` ahead) starts the numbering anew.
    ``modulus`` is where the wire's counter wraps (65536 for RTP); None for counters that do not.
    """

    def __init__(self, max_packets: int = 50, max_wait_ms: int = 60, modulus: int | None = None) -> None:
        self.counters = JitterCounters()
        self._max_packets = max_packets
        self._max_wait_ms = max_wait_ms
        self._modulus = modulus
        self._started = False
        self._next = 0  # the number due now, counted without wrapping
        self._held: dict[int, tuple[int, Payload]] = {}  # number -> (arrived_ms, payload)
        self._given_up: deque[range] = deque(maxlen=_REMEMBERED_GAPS)  # tells late packets from duplicates

    def put(self, sequence: int, payload: Payload, now_ms: int) -> list[Payload | Gap]:
        """A packet has arrived. Returns what may be played now, in order; often just this packet."""
        self.counters.received += 1
        if not self._started:
            self._started, self._next = True, sequence
        ahead = self._ahead(sequence)
        if ahead == 0:
            self._next += 1
            return [payload, *self._continue(now_ms)] if self._held else [payload]
        if ahead < -self._max_packets or ahead > MAX_DROPOUT_PACKETS:
            return self._restart(sequence, payload)
        number = self._next + ahead
        if ahead < 0 or number in self._held:
            self._count_dropped(number)
            return []
        self.counters.reordered += 1
        self._held[number] = (now_ms, payload)
        return list(self._continue(now_ms))

    def release(self, now_ms: int) -> list[Payload | Gap]:
        """What has waited long enough, in order. To be called at ``deadline``; harmless before."""
        return list(self._continue(now_ms))

    def deadline(self) -> int | None:
        """When ``release`` will have something to give, in ``now_ms`` time; None while nothing is held."""
        if not self._held:
            return None
        return min(arrived_ms for arrived_ms, _ in self._held.values()) + self._max_wait_ms

    def drain(self) -> list[Payload | Gap]:
        """All that is held, with its gaps, without waiting: the stream has ended."""
        items: list[Payload | Gap] = []
        while self._held:
            items.extend(self._give_up_gap())
        return items

    def _ahead(self, sequence: int) -> int:
        """How far ahead of the number due (negative: behind) this one is, by the shorter way round."""
        if self._modulus is None:
            return sequence - self._next
        half = self._modulus // 2
        return (sequence - self._next + half) % self._modulus - half

    def _continue(self, now_ms: int) -> Iterator[Payload | Gap]:
        """Everything that is due: what follows on, and gaps that waited too long or stand before too many packets."""
        while True:
            yield from self._following()
            deadline = self.deadline()
            if deadline is None or (now_ms < deadline and len(self._held) <= self._max_packets):
                return
            yield from self._give_up_gap()

    def _following(self) -> Iterator[Payload]:
        while self._next in self._held:
            yield self._held.pop(self._next)[1]
            self._next += 1

    def _give_up_gap(self) -> Iterator[Payload | Gap]:
        first_held = min(self._held)
        missing = range(self._next, first_held)
        self._given_up.append(missing)
        self.counters.lost += len(missing)
        self._next = first_held
        yield Gap(len(missing))
        yield from self._following()

    def _restart(self, sequence: int, payload: Payload) -> list[Payload | Gap]:
        items = self.drain()
        self.counters.resets += 1
        self._given_up.clear()
        self._next = sequence + 1
        items.append(payload)
        return items

    def _count_dropped(self, number: int) -> None:
        if any(number in missing for missing in self._given_up):
            self.counters.late += 1
        else:
            self.counters.duplicates += 1
