"""A ``Link`` on the event loop: what goes in comes out when the bad network lets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

from antiphon.caller.impairment import Item, Link


class Path(Generic[Item]):
    """Delivers through ``link``, with one timer at most. Over a perfect network use no path at all."""

    def __init__(self, link: Link[Item], deliver: Callable[[Item], None], now_ms: Callable[[], float]) -> None:
        self.link = link
        self._deliver = deliver
        self._now_ms = now_ms
        self._timer: asyncio.TimerHandle | None = None

    def push(self, item: Item, *, media: bool) -> None:
        """Send ``item`` on its way."""
        self.link.push(item, media=media, now_ms=self._now_ms())
        self._arm()

    def close(self) -> None:
        """Deliver nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        next_ms = self.link.next_ms()
        if self._timer is None and next_ms is not None:
            delay_s = max(0.0, next_ms - self._now_ms()) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        for item in self.link.pop(self._now_ms()):
            self._deliver(item)
        self._arm()
