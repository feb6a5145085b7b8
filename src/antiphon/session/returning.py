"""Giving back what calls held, before it is much.

A session's parts do not know each other in circles, so what a call held is freed the moment it ends (``tests/session/test_freed.py``). What
engines and libraries leave in circles only Python's cycle collector frees, and it looks at everything that lives: 16 ms with a hundred
calls, in which nobody is heard. So it is not left to choose the time: it looks when no call is live, and else rarely.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

CALLS_A_COLLECTION = 1000
AGAIN_AFTER_MS = (4_000, 16_000, 64_000)
"""At rest, after the first time: the work after the last calls (their logs are read, their records written) ends some time later."""


_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of glibc's ``mallopt``."""
_MAPPED_FROM_BYTES = 1024 * 1024
_ARENAS = 2


def give_back_what_is_large() -> None:
    """Of glibc's malloc: a piece of a megabyte or more is the system's again the moment it is freed (left to itself the limit follows what
    is freed, up to 32 MiB, and one long message stays in the heap for good), and threads share two arenas instead of keeping the free
    pages of sixteen apart. Elsewhere nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)


def collect_rarely() -> None:
    """What was loaded lives as long as the process: no collection need look at it again (a peer's loop lag fell from 129 to 4 ms by that).
    And while calls leave nothing behind, none looks at all the live ones; but where a library leaks circles, as those of WebRTC may, by
    the hundred thousand, the interpreter still finds them by itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 2)


class Returning:
    """One per process."""

    def __init__(self) -> None:
        self._ended = 0
        self._rests_since_ms: int | None = None
        self._due_ms: list[int] = []
        """When to look again, the soonest first."""
        self._trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone

    def call_ended(self) -> bool:
        """One more. Returns whether it is time to ``collect``, once nothing on the stack belongs to the call any more."""
        self._ended += 1
        self._due_ms, self._rests_since_ms = [0], None
        return self._ended == CALLS_A_COLLECTION

    def collect(self) -> None:
        """Free what the sessions that ended held."""
        self._ended = 0
        gc.collect()

    def rest(self, now_ms: int) -> None:
        """No call is live: collect the last ones and what their work left, and let the system have the pages that are free."""
        if not self._due_ms or now_ms < self._due_ms[0]:
            return
        if self._rests_since_ms is None:
            self._rests_since_ms = now_ms
            self._due_ms = [0, *(now_ms + after_ms for after_ms in AGAIN_AFTER_MS)]
        self._due_ms.pop(0)
        self.collect()
        if self._trim is not None:
            self._trim(0)
