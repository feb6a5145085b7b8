"""The connection to Redis: a deadline on every question, one error for whatever goes wrong, and work that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from antiphon.errors import ConfigurationError, StoreUnavailable
from antiphon.losses import Losses

ANSWER_S = 1.0
"""Redis has so long to answer: whoever waits for it may be a caller."""
_CONNECTIONS = 64
_WAIT_S = 1.0
_CLOSE_S = 2.0
log = structlog.get_logger(__name__)


class RedisLink:
    """One for a process. ``prefix`` begins every key, so that several servers may share a Redis."""

    def __init__(self, url: str, prefix: str, losses: Losses) -> None:
        """Raises ConfigurationError. Nothing is connected yet."""
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=_WAIT_S,
                socket_timeout=ANSWER_S,
                socket_connect_timeout=ANSWER_S,
                decode_responses=True,
                retry=Retry(NoBackoff(), 1),  # a connection that Redis has closed meanwhile
            )
        except ValueError:
            raise ConfigurationError("redis_url", "is not a URL like redis://127.0.0.1:6379/0") from None
        self.redis: Redis = Redis(connection_pool=pool)
        self._pool = pool
        self._prefix = prefix
        self._losses = losses
        self._tasks: set[asyncio.Task[None]] = set()

    def key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around every question. Raises StoreUnavailable where Redis does not answer."""
        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            self._losses.count("redis_failures")
            self._losses.tell("redis_failed", problem=type(error).__name__)
            raise StoreUnavailable(f"Redis does not answer ({type(error).__name__})") from error

    def later(self, work: Awaitable[object]) -> None:
        """Do this soon; nobody waits for it. Where Redis does not answer, what was written expires by itself."""
        task = asyncio.get_running_loop().create_task(self._quietly(work), name="redis")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Awaitable[object]) -> None:
        try:
            with self.asking():
                await work
        except StoreUnavailable:
            pass  # counted and told

    async def reach(self) -> None:
        """Once, at the start. Raises ConfigurationError where nobody is there."""
        try:
            await self.redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise ConfigurationError("redis_url", f"Redis does not answer ({type(error).__name__})") from error

    async def settled(self) -> None:
        """Until all that was asked for ``later`` is done."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def close(self) -> None:
        """What is under way may end, for a moment. Safe to call twice."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_CLOSE_S)
        for task in tuple(self._tasks):
            task.cancel()
        await self.redis.aclose()
        await self._pool.disconnect()
