"""What may be used once in all workers: nonces of media tokens."""

from __future__ import annotations

from antiphon.cluster.link import RedisLink


class RedisNonces:
    """Kept as long as the token is good, by Redis's own clock."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def spend(self, nonce: str, ttl_ms: int) -> bool:
        """False where it was spent before. Raises StoreUnavailable."""
        with self._link.asking():
            return bool(await self._link.redis.set(self._link.key("spent", nonce), 1, nx=True, px=ttl_ms))
