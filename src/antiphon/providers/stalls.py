"""Finding out that a stream has stopped, at the price of one timer for all of it."""

from __future__ import annotations

import asyncio
from types import TracebackType


class StallWatch:
    """``async with StallWatch(10.0) as watch: …`` raises TimeoutError where ``watch.alive()`` has not been called for so long.

    ``asyncio.timeout`` around each wait would arm and cancel a timer for every piece of every stream."""

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._alive_s = 0.0
        self.begun = False
        """Whether anything has come at all."""
        self.away = False
        """Whether what has come is being worked on, so that nothing can stall."""
        self._timer: asyncio.TimerHandle | None = None

    def alive(self) -> None:
        """Something has come."""
        self.begun = True
        self._alive_s = self._loop.time()

    async def __aenter__(self) -> StallWatch:
        await self._limit.__aenter__()
        self._alive_s = self._loop.time()
        self._timer = self._loop.call_later(self._stall_s, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._timer is not None
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def _look(self) -> None:
        now_s = self._loop.time()
        rest_s = self._alive_s + self._stall_s - now_s
        if rest_s > 0 or self.away:
            self._timer = self._loop.call_later(self._stall_s if self.away else rest_s, self._look)
        else:
            self._limit.reschedule(now_s)
