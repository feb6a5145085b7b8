"""The session clock: integer milliseconds that only go forward. Nothing that decides anything reads it by itself;
it is handed ``now_ms``. Wall time (UTC) is for records only."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


def iso(wall_ms: int) -> str:
    """A moment as records and APIs write it: ``2026-11-28T19:30:00.000Z``."""
    return f"{datetime.fromtimestamp(wall_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{wall_ms % 1000:03d}Z"


class Clock(Protocol):
    """Where ``now_ms`` comes from."""

    def now_ms(self) -> int:
        """Milliseconds since an arbitrary start; never goes back."""
        ...

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970, for records only."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that a test moves."""

    def __init__(self, now_ms: int = 0, wall_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._wall_start_ms = wall_ms - now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def wall_ms(self) -> int:
        return self._wall_start_ms + self._now_ms

    def advance(self, by_ms: int) -> None:
        """Move forward by ``by_ms`` (never back)."""
        if by_ms < 0:
            raise ValueError("time only goes forward")
        self._now_ms += by_ms
