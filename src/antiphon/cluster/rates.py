"""``calls.rates.RateLimits`` in Redis: the requests of a key, in all workers together."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.calls.rates import MemoryRates, bucket_of
from antiphon.cluster.link import RedisLink
from antiphon.errors import StoreUnavailable

_TAKE = """
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local burst, per_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
local left, at = tonumber(bucket[1] or burst), tonumber(bucket[2] or now_ms)
left = math.min(burst, left + math.max(0, now_ms - at) * per_ms)
local wait_ms = 0
if left >= 1 then left = left - 1 else wait_ms = math.ceil((1 - left) / per_ms) end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', now_ms)
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) / per_ms) + 1)
return wait_ms
"""
"""A bucket that is full again is forgotten."""


class RedisRates:
    """Where Redis does not answer, this worker counts what it is asked itself: the limit then holds for each worker."""

    def __init__(self, link: RedisLink, per_minute: int, now_ms: Callable[[], int]) -> None:
        self._link = link
        self._arguments = bucket_of(per_minute)
        self._own = MemoryRates(per_minute, now_ms)
        self._take = link.redis.register_script(_TAKE)

    async def take(self, who: str) -> float:
        try:
            with self._link.asking():
                return int(await self._take(keys=[self._link.key("requests-of", who)], args=self._arguments)) / 1000
        except StoreUnavailable:
            return await self._own.take(who)
