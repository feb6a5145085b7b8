"""Whole calls in virtual time: an event loop whose clock leaps to the next thing that happens, shared with the wire."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from antiphon.clock import ManualClock
from antiphon.transports.memory import Wire


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` is the manual clock. Where a real loop would sleep, this one moves the clock, and the wire with it."""

    def __init__(self, clock: ManualClock, wire: Wire) -> None:
        self._virtual_clock = clock
        self._virtual_wire = wire
        super().__init__(_LeapingSelector(self))

    def time(self) -> float:
        return self._virtual_clock.now_ms() / 1000

    def leap(self, wait_s: float) -> None:
        # One millisecond at a time: whatever happens on the wire is seen by the loop at the moment it happens.
        self._virtual_wire.advance(1 if wait_s > 0 else 0)


class _LeapingSelector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self._loop.leap(1.0 if timeout is None else timeout)
        return ready


def run_virtually(
    clock: ManualClock, wire: Wire, main: Callable[[], Coroutine[Any, Any, None]], limit_ms: int = 600_000
) -> None:
    """Run a coroutine to its end in virtual time. A call that does not end in ``limit_ms`` fails."""
    loop = VirtualLoop(clock, wire)
    try:
        loop.run_until_complete(asyncio.wait_for(main(), limit_ms / 1000))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
