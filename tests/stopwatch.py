"""Time that a machine gave us: how a limit can be asserted where others compute as well."""

from __future__ import annotations

import time
from pathlib import Path

_THREADS = Path("/proc/self/task")
"""Linux: of each thread the nanoseconds it ran, those it was ready and another ran in its place, and how often it was let run."""


class Stopwatch:
    """Counts from its making."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._held_up_ms = _held_up_ms()

    @property
    def wall_s(self) -> float:
        """What a clock on the wall says."""
        return time.monotonic() - self._began_s

    @property
    def held_up_ms(self) -> float:
        """How long the threads of this process could have run, and others did, all together."""
        return max(_held_up_ms() - self._held_up_ms, 0.0)

    @property
    def own_s(self) -> float:
        """What it took at most without that."""
        return self.wall_s - self.held_up_ms / 1000


def _held_up_ms() -> float:
    """Of all threads since they began; 0 where the kernel does not say."""
    nanoseconds = 0
    for thread in _THREADS.glob("*/schedstat"):
        try:
            nanoseconds += int(thread.read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):  # it has ended
            continue
    return nanoseconds / 1e6
