"""What became of a call, and who answered it, from callbacks that arrive late, twice and out of order.

A status only moves forward: queued, initiated, ringing, in-progress, then exactly one of the final ones. So does what is known
of who answered: nothing, a machine, then a person, a fax or the end of the machine's greeting.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from antiphon.vocabulary import AnsweredBy

_FINAL = ("completed", "busy", "failed", "no-answer", "canceled")
_STATUS_RANKS = {"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3, **dict.fromkeys(_FINAL, 4)}
_ANSWER_RANKS: Mapping[str, int] = {**dict.fromkeys(AnsweredBy, 2), AnsweredBy.UNKNOWN: 0, AnsweredBy.MACHINE_START: 1}


def is_known(status: str) -> bool:
    """Whether Twilio documents ``status`` as a call status."""
    return status in _STATUS_RANKS


def is_final(status: str) -> bool:
    """Whether nothing comes after ``status``."""
    return status in _FINAL


class _Furthest:
    """The furthest that each of the recent calls has come; the oldest calls are forgotten beyond ``capacity``."""

    def __init__(self, ranks: Mapping[str, int], capacity: int) -> None:
        self._ranks = ranks
        self._capacity = capacity
        self._known_by_call: OrderedDict[str, str] = OrderedDict()

    def observe(self, call_sid: str, news: str) -> bool:
        """True where this is news: further along than what was known. Of those that are final, the first stays."""
        known = self._known_by_call.get(call_sid)
        if known is not None and self._ranks[news] <= self._ranks[known]:
            return False
        self._known_by_call[call_sid] = news
        self._known_by_call.move_to_end(call_sid)
        if len(self._known_by_call) > self._capacity:
            self._known_by_call.popitem(last=False)
        return True

    def known(self, call_sid: str) -> str | None:
        """The furthest seen, or None for a call never heard of (or long forgotten)."""
        return self._known_by_call.get(call_sid)


class CallStatuses(_Furthest):
    """How far recent calls have come."""

    def __init__(self, capacity: int = 10_000) -> None:
        super().__init__(_STATUS_RANKS, capacity)


class CallAnswers(_Furthest):
    """Who answered recent calls, as far as it is known."""

    def __init__(self, capacity: int = 10_000) -> None:
        super().__init__(_ANSWER_RANKS, capacity)
