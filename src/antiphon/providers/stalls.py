"""Finding out that a stream has stopped, at the price of one timer for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType


class StallTimer:
    """Calls ``stalled`` once there has been no sign of life for so long. To arm and to cancel a timer costs with every piece of every
    stream: this one is armed again only when it goes off."""

    def __init__(self, stalled: Callable[[], object]) -> None:
        self._stalled = stalled
        self._loop = asyncio.get_running_loop()
        self._alive_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def alive(self) -> None:
        """Something has come."""
        self._alive_s = self._loop.time()

    def watch(self, stall_s: float) -> None:
        """From now on, unless it does already."""
        if self._timer is None:
            self._timer = self._loop.call_later(stall_s, self._look, stall_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, stall_s: float) -> None:
        rest_s = self._alive_s + stall_s - self._loop.time()
        self._timer = self._loop.call_later(rest_s, self._look, stall_s) if rest_s > 0 else None
        if self._timer is None:
            self._stalled()


class StallWatch(StallTimer):
    """``async with StallWatch(10.0) as watch: …`` raises TimeoutError where ``watch.alive()`` has not been called for so long."""

    def __init__(self, stall_s: float) -> None:
        super().__init__(self._give_up)
        self._stall_s = stall_s
        self._limit = asyncio.timeout(None)
        self.begun = False
        """Whether anything has come at all."""
        self.away = False
        """Whether what has come is being worked on, so that nothing can stall."""

    def alive(self) -> None:
        self.begun = True
        self._alive_s = self._loop.time()

    async def __aenter__(self) -> StallWatch:
        await self._limit.__aenter__()
        self._alive_s = self._loop.time()
        self.watch(self._stall_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        await self._limit.__aexit__(kind, error, traceback)

    def _give_up(self) -> None:
        if self.away:
            self.watch(self._stall_s)
        else:
            self._limit.reschedule(self._loop.time())
