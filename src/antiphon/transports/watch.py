"""Looking after all open media sockets with one timer."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from antiphon.clock import Clock

HELD_UP_MS = 1000
"""A look that comes so late comes after everything else did: the process was frozen (its machine was moved, or copied), or blocked."""
LONGEST_EXCUSE_MS = 5000
"""What a peer sent meanwhile has been read at the next look; what was lost on its way comes again after a few seconds (TCP)."""
log = structlog.get_logger(__name__)


class Watched(Protocol):
    """What can be looked after."""

    def check(self, now_ms: int) -> None:
        """Find out whether the peer is still there."""
        ...

    def excuse(self, now_ms: int) -> None:
        """This process was held up: what came, or did not come, until now says nothing of the peer."""
        ...

    def fail_ours(self, error: Exception) -> None:
        """``check`` or ``excuse`` raised ``error``. Never raises."""
        ...


class SocketWatch:
    """Checks every open media socket four times a second. One per process."""

    def __init__(self, clock: Clock, interval_ms: int = 250) -> None:
        self.clock = clock
        self._interval_ms = interval_ms
        self._sockets: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looked_ms: int | None = None
        self._excused_until_ms: int | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Watched) -> None:
        """From now on ``socket`` is checked."""
        self._sockets.add(socket)

    def discard(self, socket: Watched) -> None:
        """No longer. Safe to call twice."""
        self._sockets.discard(socket)

    def look(self, now_ms: int) -> None:
        """Check every socket, as is to be done each ``interval_ms``. Where this process was held up, timers go off before it has read what
        came meanwhile: nobody is taken for gone, or for a flood, until that is over. Never raises."""
        late_ms = 0 if self._looked_ms is None else now_ms - self._looked_ms - self._interval_ms
        self._looked_ms = now_ms
        if late_ms >= HELD_UP_MS:
            self._excused_until_ms = now_ms + min(late_ms, LONGEST_EXCUSE_MS)
            if self._sockets:
                log.warning("process_held_up", late_ms=late_ms, sockets=len(self._sockets))
        if self._excused_until_ms is None:
            self.check(now_ms)
            return
        for socket in tuple(self._sockets):
            try:
                socket.excuse(now_ms)
            except Exception as error:
                socket.fail_ours(error)
        if now_ms >= self._excused_until_ms:
            self._excused_until_ms = None

    def check(self, now_ms: int) -> None:
        """Look after every socket once. Never raises."""
        for socket in tuple(self._sockets):
            try:
                socket.check(now_ms)
            except Exception as error:
                socket.fail_ours(error)

    def start(self) -> None:
        """Look by a timer of our own on the running loop."""
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
        self.look(self.clock.now_ms())
