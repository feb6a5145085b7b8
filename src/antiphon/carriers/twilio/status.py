"""What became of a call, from status callbacks that arrive late, twice and out of order.

A status only moves forward: queued, initiated, ringing, in-progress, then exactly one of the final ones.
"""

from __future__ import annotations

from collections import OrderedDict

_RANKS = {"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3}
_FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_FINAL_RANK = 4


def is_known(status: str) -> bool:
    """Whether Twilio documents ``status`` as a call status."""
    return status in _RANKS or status in _FINAL


class CallStatuses:
    """The latest status of recent calls; the oldest calls are forgotten beyond ``capacity``."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._status_by_call: OrderedDict[str, str] = OrderedDict()

    def observe(self, call_sid: str, status: str) -> bool:
        """True where this is news: further along than what was known. The first final status stays."""
        known = self._status_by_call.get(call_sid)
        if known is not None and _rank(status) <= _rank(known):
            return False
        self._status_by_call[call_sid] = status
        self._status_by_call.move_to_end(call_sid)
        if len(self._status_by_call) > self._capacity:
            self._status_by_call.popitem(last=False)
        return True

    def status(self, call_sid: str) -> str | None:
        """The furthest status seen, or None for a call never heard of (or long forgotten)."""
        return self._status_by_call.get(call_sid)


def _rank(status: str) -> int:
    return _FINAL_RANK if status in _FINAL else _RANKS[status]
