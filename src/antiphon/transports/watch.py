"""Looking after all open media sockets with one timer, or with the media beat's."""

from __future__ import annotations

import asyncio
from typing import Protocol

from antiphon.clock import Clock


class Watched(Protocol):
    """What can be looked after."""

    def check(self, now_ms: int) -> None:
        """Find out whether the peer is still there."""
        ...

    def fail_ours(self, error: Exception) -> None:
        """``check`` raised ``error``. Never raises."""
        ...


class SocketWatch:
    """Checks every open media socket four times a second. One per process."""

    def __init__(self, clock: Clock, interval_ms: int = 250) -> None:
        self.clock = clock
        self._interval_ms = interval_ms
        self._sockets: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Watched) -> None:
        """From now on ``socket`` is checked."""
        self._sockets.add(socket)

    def discard(self, socket: Watched) -> None:
        """No longer. Safe to call twice."""
        self._sockets.discard(socket)

    def check(self, now_ms: int) -> None:
        """Look after every socket once. Never raises."""
        for socket in tuple(self._sockets):
            try:
                socket.check(now_ms)
            except Exception as error:
                socket.fail_ours(error)

    def start(self) -> None:
        """Check by a timer of our own on the running loop, where no media beat calls ``check``."""
        if self._timer is None:
            self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Stop the timer. Safe to call twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._interval_ms / 1000, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._arm(loop)
        self.check(self.clock.now_ms())
