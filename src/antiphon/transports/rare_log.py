"""Log lines that strangers can cause: so many a minute of each kind, and a number for those that were left out."""

from __future__ import annotations

from typing import Any

import structlog

from antiphon.clock import Clock, SystemClock

LINES_A_MINUTE = 10
"""Enough to see who comes and why; a flood is told by the number of lines left out, and by the metrics."""
_MINUTE_MS = 60_000
_logger = structlog.get_logger(__name__)


class RareLog:
    """One per process or per place. Its events are few and static, as are all of ours."""

    def __init__(self, clock: Clock | None = None, lines_a_minute: int = LINES_A_MINUTE) -> None:
        self._clock = clock or SystemClock()
        self._lines_a_minute = lines_a_minute
        self._minutes: dict[str, _Minute] = {}

    def warning(self, event: str, **fields: Any) -> None:
        """Log it, unless this event had its lines in this minute. The first line of the next minute says how many were ``left_out``."""
        now_ms = self._clock.now_ms()
        minute = self._minutes.get(event)
        left_out = 0
        if minute is None or now_ms - minute.began_ms >= _MINUTE_MS:
            left_out = max(0, minute.lines - self._lines_a_minute) if minute is not None else 0
            minute = self._minutes[event] = _Minute(now_ms)
        minute.lines += 1
        if minute.lines <= self._lines_a_minute:
            _logger.warning(event, **fields, **({"left_out": left_out} if left_out else {}))


class _Minute:
    __slots__ = ("began_ms", "lines")

    def __init__(self, began_ms: int) -> None:
        self.began_ms = began_ms
        self.lines = 0
