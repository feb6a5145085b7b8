"""How often somebody may ask: a bucket of requests for each key, refilled evenly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

_MAX_BUCKETS = 10_000


class RateLimits(Protocol):
    """``per_minute`` requests on average, a sixth of them at once."""

    async def take(self, who: str) -> float:
        """0 where the request is within the limit; else in how many seconds one would be."""
        ...


def bucket_of(per_minute: int) -> tuple[float, float]:
    """How many requests there may be at once, and how many come back in a millisecond."""
    return max(1.0, per_minute / 6), per_minute / 60_000


class MemoryRates:
    """In one process. Buckets that nobody has used for longest are forgotten: they are full again after ten seconds anyway."""

    def __init__(self, per_minute: int, now_ms: Callable[[], int]) -> None:
        self._burst, self._per_ms = bucket_of(per_minute)
        self._now_ms = now_ms
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def take(self, who: str) -> float:
        now_ms = self._now_ms()
        left, at_ms = self._buckets.pop(who, (self._burst, now_ms))
        left = min(self._burst, left + (now_ms - at_ms) * self._per_ms)
        allowed = left >= 1
        self._buckets[who] = (left - 1 if allowed else left, now_ms)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._per_ms / 1000
