"""How the calls of this process went since it started: a ``SessionObserver`` whose sums one page shows."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.session.timeline import CallTimeline
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

_KEPT = 5000
"""Latest measurements that percentiles are taken of."""
_HOURS = 24
_MAX_ERRORS = 200
_HOUR_MS = 60 * 60 * 1000


class Overview:
    """Sums, and the last measurements."""

    def __init__(self, find_timeline: Callable[[str], CallTimeline | None], wall_ms: int, now_ms: int) -> None:
        """``wall_ms`` is UTC at ``now_ms``."""
        self._find_timeline = find_timeline
        self._wall_offset_ms = wall_ms - now_ms
        self.since_wall_ms = wall_ms
        self._responses_ms: deque[int] = deque(maxlen=_KEPT)
        self._decisions_ms: deque[int] = deque(maxlen=_KEPT)
        self._held_since: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._hours: Counter[int] = Counter()

    def report(self, now_ms: int) -> dict[str, Any]:
        """One object for the page. Times in ms; null where nothing was measured yet."""
        hour = (now_ms + self._wall_offset_ms) // _HOUR_MS
        hours = [
            {"wall_ms": each * _HOUR_MS, "calls": self._hours[each]} for each in range(hour - _HOURS + 1, hour + 1)
        ]
        return {
            "since_wall_ms": self.since_wall_ms,
            "response_ms": percentiles(self._responses_ms),
            "barge_in_ms": percentiles(self._decisions_ms),
            "calls": self._counts["calls"],
            "turns": self._counts["turns"],
            "dropped_turns": self._counts["dropped"],
            "interruptions": self._counts["interruptions"],
            "false_barge_ins": self._counts["false"],
            "tools": self._counts["tools"],
            "ended": dict(self._ended.most_common()),
            "errors": [
                {"provider": provider, "code": code, "count": count}
                for (provider, code), count in self._errors.most_common(20)
            ],
            "hours": hours,
        }

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        hour = (now_ms + self._wall_offset_ms) // _HOUR_MS
        self._counts["calls"] += 1
        self._hours[hour] += 1
        for old in [each for each in self._hours if each <= hour - _HOURS]:
            del self._hours[old]

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if isinstance(event, ev.PlaybackStarted):
            self._answered(call_id, event.reply)
        for action in actions:
            name = _COUNTED.get(type(action))
            if name is not None:
                self._counts[name] += 1
            if isinstance(action, do.HoldPlayback):
                self._held_since[call_id] = now_ms
            elif isinstance(action, do.InterruptionConfirmed):
                self._decisions_ms.append(now_ms - self._held_since.pop(call_id, now_ms))
            elif isinstance(action, do.InterruptionDismissed):
                self._held_since.pop(call_id, None)

    def _answered(self, call_id: str, reply: int) -> None:
        line = self._find_timeline(call_id)
        turn = line.of_reply(reply) if line is not None else None
        if turn is not None and turn.speech_ended_ms is not None and turn.first_audio_ms is not None:
            self._responses_ms.append(max(0, turn.first_audio_ms - turn.speech_ended_ms))

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Costs belong to the records of calls."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        if (provider, code) in self._errors or len(self._errors) < _MAX_ERRORS:
            self._errors[provider, code] += 1

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._held_since.pop(call_id, None)
        self._ended[str(reason)] += 1


_COUNTED: dict[type, str] = {
    do.TurnClosed: "turns",
    do.TurnDropped: "dropped",
    do.InterruptionConfirmed: "interruptions",
    do.InterruptionDismissed: "false",
    do.RunTool: "tools",
}


def percentiles(values: Sequence[int] | deque[int]) -> dict[str, int | None]:
    """``p50``, ``p95`` (None of nothing), and of how many."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "count": 0}
    return {
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
        "count": len(ordered),
    }
