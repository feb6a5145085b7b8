"""What was lost or refused in this process: each loss counted for the metrics, and told in the log without flooding it.

The first of like messages is told at once. Those that follow within half a minute are counted, and told as one line, with ``repeated``,
when that time is over. Safe to use from several threads.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

EVERY_MS = 30_000
"""A full disk fails each block of each call, a guesser of keys asks a hundred times a second: two lines a minute for each say as much."""
MAX_KINDS = 1000
"""Kinds of messages (by event and whom it is about) looked after at once: two a call of the largest servers. What is beyond is told as one
kind for each event."""
_OTHERS = "others"

Level = Literal["info", "warning", "error"]
Count = tuple[str, tuple[tuple[str, str], ...]]
"""A counter's name and its labels."""


@dataclass(slots=True)
class _Kind:
    told_ms: int
    level: Level
    fields: Mapping[str, Any]
    repeated: int = 0


@dataclass(slots=True)
class Losses:
    """One per process."""

    now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000
    every_ms: int = EVERY_MS
    max_kinds: int = MAX_KINDS
    _kinds: OrderedDict[tuple[str, str], _Kind] = field(default_factory=OrderedDict)
    """In the order in which they were last told."""
    _counts: dict[Count, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, counter: str, by: int = 1, **labels: str) -> None:
        """``labels`` are few and never hold anything a caller can choose."""
        key = (counter, tuple(sorted(labels.items())))
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + by

    def counts(self) -> dict[Count, int]:
        """All counters that have counted so far."""
        with self._lock:
            return dict(self._counts)

    def tell(self, event: str, about: str = "", level: Level = "warning", **fields: Any) -> None:
        """A line in the log, unless one of this event ``about`` the same was told lately: then it is counted, and told later."""
        now_ms = self.now_ms()
        self.tell_due(now_ms)
        with self._lock:
            if (event, about) not in self._kinds and len(self._kinds) >= self.max_kinds:
                about = _OTHERS
            kind = self._kinds.get((event, about))
            if kind is not None:
                kind.repeated += 1
                kind.fields = fields
                return
            self._kinds[event, about] = _Kind(now_ms, level, fields)
        self._write(event, level, fields)

    def tell_due(self, now_ms: int | None = None) -> None:
        """Tell what was held back, once its time has come. Asked regularly by the session manager, and by every ``tell``."""
        now_ms = self.now_ms() if now_ms is None else now_ms
        due: list[tuple[str, _Kind]] = []
        with self._lock:
            while self._kinds:
                key, kind = next(iter(self._kinds.items()))
                if now_ms - kind.told_ms < self.every_ms:
                    break
                del self._kinds[key]
                if kind.repeated:
                    due.append((key[0], kind))
                    self._kinds[key] = _Kind(now_ms, kind.level, kind.fields)
        for event, kind in due:
            self._write(event, kind.level, {**kind.fields, "repeated": kind.repeated})

    def tell_all(self) -> None:
        """Tell what is still held back: the process ends."""
        with self._lock:
            held = [(event, kind) for (event, _), kind in self._kinds.items() if kind.repeated]
            self._kinds.clear()
        for event, kind in held:
            self._write(event, kind.level, {**kind.fields, "repeated": kind.repeated})

    def _write(self, event: str, level: Level, fields: Mapping[str, Any]) -> None:
        getattr(structlog.get_logger(__name__), level)(event, **fields)
