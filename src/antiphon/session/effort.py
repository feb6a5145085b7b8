"""How much of the time the event loop's thread wants a core."""

from __future__ import annotations

import threading
import time
from pathlib import Path


class ThreadEffort:
    """Of the thread that makes it. Linux counts what a thread ran and what it waited for a core, in nanoseconds
    (``schedstat``, Documentation/scheduler/sched-stats.rst); where there is no such file, running is all that is known."""

    def __init__(self, now_ns: int) -> None:
        self._path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._wanted_ns = self._read_wanted_ns()
        self._now_ns = now_ns

    def share(self, now_ns: int) -> float:
        """The share of the time since the last reading, 0 … 1. To be asked on the same thread, with a monotonic clock."""
        wanted_ns = self._read_wanted_ns()
        elapsed_ns = now_ns - self._now_ns
        share = (wanted_ns - self._wanted_ns) / elapsed_ns if elapsed_ns > 0 else 0.0
        self._wanted_ns, self._now_ns = wanted_ns, now_ns
        return min(max(share, 0.0), 1.0)

    def _read_wanted_ns(self) -> int:
        try:
            ran_ns, waited_ns, _ = self._path.read_text().split()
            return int(ran_ns) + int(waited_ns)
        except (OSError, ValueError):
            return time.thread_time_ns()
