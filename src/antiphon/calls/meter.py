"""Counts what live calls cost, and ends those that reach a cap, politely. A ``SessionObserver``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from antiphon.calls.cost import CallCost
from antiphon.conversation.actions import Action, ChangeAssistant
from antiphon.conversation.events import EndRequested, Event
from antiphon.providers.prices import Prices
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

_LOOK_EVERY_MS = 1000
"""Minutes cost money, too: so often a call is looked at that nothing is used in. (At inputs: a call has some each second.)"""
_KEPT = 500
"""Calls that are over, whose meter can still be read."""
GOODBYE = "I am sorry, I have to end this call now. Goodbye."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caps:
    """US dollars; 0: no cap."""

    call_usd: float = 0.0
    day_usd: float = 0.0
    """Of all calls since midnight UTC."""
    message: str = GOODBYE
    """Said before a call ends for a cap."""


@dataclass(slots=True)
class _Metered:
    call: CallStarted
    cost: CallCost
    caps: Caps
    started_ms: int
    looked_ms: int
    handed_over: bool = False
    """Whoever leads now has caps of its own, which are not looked up yet."""
    over: bool = False
    """It has been asked to end."""


class CostMeter:
    """All live calls of this process."""

    def __init__(
        self,
        prices: Prices,
        caps_of: Callable[[CallStarted], Caps],
        feed: Callable[[str, Event], object],
        spent_today_usd: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``feed`` gives an event to a live call. ``spent_today_usd``: by calls that are over, in all processes."""
        self.prices = prices
        self._caps_of = caps_of
        self._feed = feed
        self._spent_today_usd = spent_today_usd
        self._live: dict[str, _Metered] = {}
        self._ended: dict[str, CallCost] = {}

    def find(self, call_id: str) -> CallCost | None:
        """Of a live call, or one of the last."""
        live = self._live.get(call_id)
        return live.cost if live is not None else self._ended.get(call_id)

    def so_far_usd(self, call_id: str, now_ms: int) -> float:
        """Of a live call; 0 where there is none."""
        live = self._live.get(call_id)
        if live is None:
            return 0.0
        live.cost.duration_ms = now_ms - live.started_ms
        return live.cost.total_usd(self.prices)

    @property
    def live_usd(self) -> float:
        return sum(metered.cost.total_usd(self.prices) for metered in self._live.values())

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        cost = CallCost(call.provider, call.direction)
        self._live[call.call_id] = _Metered(call, cost, self._caps_of(call), now_ms, now_ms - _LOOK_EVERY_MS)

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        metered = self._live.get(call_id)
        if metered is None:
            return
        if now_ms - metered.looked_ms >= _LOOK_EVERY_MS:
            metered.looked_ms = now_ms
            metered.cost.duration_ms = now_ms - metered.started_ms
            self._look(call_id, metered)
        for action in actions:
            if type(action) is ChangeAssistant:
                metered.handed_over = True

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        metered = self._live.get(call_id)
        if metered is not None:
            metered.cost.add(provider, usage, self.prices)
            self._look(call_id, metered)

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """What failed is not paid for, as far as we know."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        metered = self._live.pop(call_id, None)
        if metered is not None:
            metered.cost.duration_ms = now_ms - metered.started_ms
            self._ended[call_id] = metered.cost
            while len(self._ended) > _KEPT:
                del self._ended[next(iter(self._ended))]

    def _look(self, call_id: str, metered: _Metered) -> None:
        if metered.handed_over:
            metered.caps, metered.handed_over = self._caps_of(metered.call), False
        caps = metered.caps
        if metered.over or not (caps.call_usd or caps.day_usd):
            return
        if caps.call_usd and metered.cost.total_usd(self.prices) >= caps.call_usd:
            which = "call"
        elif caps.day_usd and self._spent_today_usd() + self.live_usd >= caps.day_usd:
            which = "day"
        else:
            return
        metered.over = True
        log.warning("cost_cap_reached", call_id=call_id, cap=which)
        self._feed(call_id, EndRequested(EndReason.EXCEEDED_COST_LIMIT, caps.message))
