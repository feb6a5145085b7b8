"""``calls.limits.CallLimits`` in Redis: calls of an organisation in all workers, each with a time after which its place is free again."""

from __future__ import annotations

from antiphon.calls.limits import MemoryLimits
from antiphon.cluster.link import RedisLink
from antiphon.errors import StoreUnavailable

TTL_MS = 60_000
"""A worker that lives says every few seconds that its calls do (``renew``). The places of one that died come free when its calls are ended,
or else after this."""
_TAKE = """
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
local limit = tonumber(ARGV[2])
if limit > 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= limit then
  return 0
end
redis.call('ZADD', KEYS[1], now_ms + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_COUNT = """
local clock = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], '(' .. (clock[1] * 1000 + math.floor(clock[2] / 1000)), '+inf')
"""


class RedisLimits:
    """Where Redis does not answer, this worker counts its own calls alone: the limit then holds for each worker, and nobody is kept from
    telephoning."""

    def __init__(self, link: RedisLink, limit: int) -> None:
        self.limit = limit
        self._link = link
        self._own = MemoryLimits(limit)
        self._held: set[tuple[str, str]] = set()
        self._take = link.redis.register_script(_TAKE)
        self._count = link.redis.register_script(_COUNT)

    async def take(self, org_id: str, call_id: str) -> bool:
        try:
            with self._link.asking():
                taken = bool(await self._take(keys=[self._key(org_id)], args=[call_id, self.limit, TTL_MS]))
        except StoreUnavailable:
            taken = await self._own.take(org_id, call_id)
        if taken:
            await self._own.take(org_id, call_id)
            self._held.add((org_id, call_id))
        return taken

    async def taken(self, org_id: str) -> int:
        try:
            with self._link.asking():
                return int(await self._count(keys=[self._key(org_id)]))
        except StoreUnavailable:
            return await self._own.taken(org_id)

    def release(self, org_id: str, call_id: str) -> None:
        self._held.discard((org_id, call_id))
        self._own.release(org_id, call_id)
        self._link.later(self._link.redis.zrem(self._key(org_id), call_id))

    async def renew(self) -> None:
        """The calls of this worker go on. To be said a few times within ``TTL_MS``. Raises StoreUnavailable."""
        for org_id, call_id in tuple(self._held):
            with self._link.asking():
                await self._take(keys=[self._key(org_id)], args=[call_id, 0, TTL_MS])
            if (org_id, call_id) not in self._held:  # it ended meanwhile
                self._link.later(self._link.redis.zrem(self._key(org_id), call_id))

    def _key(self, org_id: str) -> str:
        return self._link.key("calls-of", org_id)
