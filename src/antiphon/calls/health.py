"""How calls have gone lately: how many ended by a fault, and how long callers waited for answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.session.timeline import CallTimeline
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

FAULTS = frozenset(
    {EndReason.PROVIDER_FAILED, EndReason.SERVER_DIED, EndReason.TRANSPORT_LOST, EndReason.TRANSPORT_STALLED}
)
"""Ends that nobody wanted."""
T = TypeVar("T")
_MOST = 10_000
"""Calls, and turns, that are remembered: the newest."""


class CallHealth:
    """A ``SessionObserver`` of all calls. Must come after the observer that keeps timelines."""

    def __init__(self, find_timeline: Callable[[str], CallTimeline | None], window_ms: int) -> None:
        self._find_timeline = find_timeline
        self._window_ms = window_ms
        self._ends: deque[tuple[int, bool]] = deque(maxlen=_MOST)
        self._waits: deque[tuple[int, int]] = deque(maxlen=_MOST)

    def error_share(self, now_ms: int) -> tuple[float, int]:
        """Of calls that ended within the window, 0 to 1; and how many there were."""
        ends = _within(self._ends, now_ms - self._window_ms)
        return (sum(failed for _, failed in ends) / len(ends) if ends else 0.0), len(ends)

    def latency_p95_ms(self, now_ms: int) -> tuple[float, int]:
        """From a caller's last sound to the first of the answer, of turns within the window; and how many there were."""
        waits = sorted(wait_ms for _, wait_ms in _within(self._waits, now_ms - self._window_ms))
        return (float(waits[min(len(waits) * 95 // 100, len(waits) - 1)]) if waits else 0.0), len(waits)

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        """Nothing is known of it yet."""

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if not isinstance(event, ev.PlaybackStarted):
            return
        line = self._find_timeline(call_id)
        turn = line.of_reply(event.reply) if line is not None else None
        if turn is not None and turn.speech_ended_ms is not None and turn.first_audio_ms is not None:
            self._waits.append((now_ms, max(turn.first_audio_ms - turn.speech_ended_ms, 0)))

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Costs are summed elsewhere."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """Another one stood in, or the call ends by it."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._ends.append((now_ms, reason in FAULTS))


def _within(samples: deque[tuple[int, T]], from_ms: int) -> Sequence[tuple[int, T]]:
    """Without those that are older."""
    while samples and samples[0][0] < from_ms:
        samples.popleft()
    return samples
