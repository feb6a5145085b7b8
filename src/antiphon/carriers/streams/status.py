"""News of calls, from callbacks that arrive late, twice and out of order: it only moves forward."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from antiphon.vocabulary import AnsweredBy

_ANSWER_RANKS: Mapping[str, int] = {**dict.fromkeys(AnsweredBy, 2), AnsweredBy.UNKNOWN: 0, AnsweredBy.MACHINE_START: 1}


class Furthest:
    """The furthest that each of the recent calls has come; the oldest calls are forgotten beyond ``capacity``."""

    def __init__(self, ranks: Mapping[str, int], capacity: int = 10_000) -> None:
        """``ranks``: how far along each piece of news is. Of those of one rank the first stays."""
        self._ranks = ranks
        self._capacity = capacity
        self._known_by_call: OrderedDict[str, str] = OrderedDict()

    def observe(self, provider_call_id: str, news: str) -> bool:
        """True where this is news: further along than what was known. Of those that are final, the first stays."""
        known = self._known_by_call.get(provider_call_id)
        if known is not None and self._ranks[news] <= self._ranks[known]:
            return False
        self._known_by_call[provider_call_id] = news
        self._known_by_call.move_to_end(provider_call_id)
        if len(self._known_by_call) > self._capacity:
            self._known_by_call.popitem(last=False)
        return True

    def known(self, provider_call_id: str) -> str | None:
        """The furthest seen, or None for a call never heard of (or long forgotten)."""
        return self._known_by_call.get(provider_call_id)


class CallAnswers(Furthest):
    """Who answered recent calls, as far as it is known: nothing, a machine, then a person, a fax or the end of the machine's greeting."""

    def __init__(self, capacity: int = 10_000) -> None:
        super().__init__(_ANSWER_RANKS, capacity)
