"""Giving back what calls held, before it is much.

The parts of a session know each other, so only the cycle collector frees them. Left to itself it waits until they are a quarter of all
there are, some 250 calls, and then stops the process for 150 to 300 ms. Every 25 calls it takes about as long as a beat may be late,
and the heap does not grow around what nobody uses.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

CALLS_A_COLLECTION = 25


class Returning:
    """One per process."""

    def __init__(self) -> None:
        self._ended = 0
        self._trimmed = True
        self._trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone

    def call_ended(self) -> bool:
        """One more. Returns whether it is time to ``collect``, once nothing on the stack belongs to the call any more."""
        self._ended += 1
        self._trimmed = False
        return self._ended == CALLS_A_COLLECTION

    def collect(self) -> None:
        """Free what the sessions that ended held."""
        self._ended = 0
        gc.collect()

    def rest(self) -> None:
        """No call is live: collect the last ones, and let the system have the pages that are free."""
        if self._trimmed:
            return
        self._trimmed = True
        self.collect()
        if self._trim is not None:
            self._trim(0)
