"""Events of one call, sent one after another in their order. A receiver that hangs costs the oldest of what waits, never the call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from antiphon.losses import Losses

MOST = 256
"""Events of a call that may wait."""


class CallQueue:
    """There is a task only while something waits. ``send`` must not raise."""

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], losses: Losses | None = None, most: int = MOST
    ) -> None:
        self._send = send
        self._losses = losses
        self._waiting: deque[Callable[[], bytes]] = deque()
        self._most = most
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def put(self, event: Callable[[], bytes]) -> None:
        """``event`` makes the body when its turn has come. Never waits. The oldest goes where too many wait."""
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self.dropped += 1
            if self._losses is not None:
                self._losses.count("webhook_events_dropped")
        self._waiting.append(event)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain(), name="webhook events")

    async def _drain(self) -> None:
        while self._waiting:
            await self._send(self._waiting.popleft()())

    async def close(self, within_s: float) -> None:
        """Let what waits go out, for a moment; the rest is dropped and counted. Safe to call twice."""
        task = self._task
        if task is not None and not task.done():
            await asyncio.wait([task], timeout=within_s)
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self.dropped += len(self._waiting)
        if self._waiting and self._losses is not None:
            self._losses.count("webhook_events_dropped", by=len(self._waiting))
        self._waiting.clear()
