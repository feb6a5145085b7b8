"""The clock of the media plane: every 20 ms on an absolute schedule, on the event loop's own thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

BEAT_MS = 20
_REMEMBERED = 1500
"""Lateness of the last thirty seconds' beats."""
_FAILING_BEATS = 100
"""For two seconds after a beat that failed as a whole, the process does not count as ready."""

log = structlog.get_logger(__name__)


class Beat:
    """Calls ``on_beat`` every 20 ms. A beat that comes late does not delay the ones after it; beats missed altogether are skipped
    and counted."""

    def __init__(self, on_beat: Callable[[], None]) -> None:
        self._on_beat = on_beat
        self._handle: asyncio.TimerHandle | None = None
        self._next_s = 0.0
        self.lateness_ms: deque[float] = deque(maxlen=_REMEMBERED)
        self.beats = 0
        self.skipped = 0
        self.failures = 0
        """Faults caught in beats: of one call, which was cut out, or of what all share."""
        self._failed_at_beat = -_FAILING_BEATS

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_s = loop.time() + BEAT_MS / 1000
        self._handle = loop.call_at(self._next_s, self._run)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def failing(self) -> bool:
        """Whether a beat failed as a whole in the last two seconds: nobody is served then."""
        return self.beats - self._failed_at_beat < _FAILING_BEATS

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        late_s = loop.time() - self._next_s
        self.lateness_ms.append(late_s * 1000)
        self.beats += 1
        try:
            self._on_beat()
        except Exception:
            # Each call's part of a beat is guarded by itself (``plane``, ``ears``): what arrives here is a fault of what all calls share.
            self.failures += 1
            if not self.failing:  # one traceback tells as much as fifty a second
                log.exception("beat_failed")
            self._failed_at_beat = self.beats
        self._next_s += BEAT_MS / 1000
        behind = int((loop.time() - self._next_s) * 1000 // BEAT_MS)
        if behind > 0:
            self.skipped += behind
            self._next_s += behind * BEAT_MS / 1000
        self._handle = loop.call_at(self._next_s, self._run)
