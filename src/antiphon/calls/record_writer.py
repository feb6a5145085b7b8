"""Changes of call records on their way to the database: queued from the event loop without waiting, written one after the other.

What waits for one call is one change, however often it changed. A database that does not answer is asked again, for ever, a little later
each time; meanwhile calls go on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from antiphon.calls.stores import CallRecord, CallStore
from antiphon.errors import StoreUnavailable
from antiphon.losses import Losses

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 15.0
MAX_WAITING = 10_000
"""Calls whose records wait. What is beyond is lost, and counted: hours without a database."""
log = structlog.get_logger(__name__)

OnWritten = Callable[[CallRecord], None]


@dataclass(slots=True)
class _Change:
    wall_ms: int
    body: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


class RecordWriter:
    """One per process."""

    def __init__(self, calls: CallStore, losses: Losses, first_retry_s: float = FIRST_RETRY_S) -> None:
        self._calls = calls
        self._losses = losses
        self._first_retry_s = first_retry_s
        self._waiting: OrderedDict[str, _Change] = OrderedDict()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.on_written: list[OnWritten] = []
        """Told each record as it was written, on the event loop; must be quick, and not raise."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._write_for_ever(), name="call-records")

    async def close(self, timeout_s: float) -> None:
        """Write what waits, bounded."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            self._losses.count("call_records_unwritten", len(self._waiting))
            log.error("call_records_unwritten", calls=len(self._waiting))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def written(self) -> None:
        """Until nothing waits."""
        await self._idle.wait()

    def change(self, call_id: str, wall_ms: int, body: Mapping[str, Any] | None = None, **columns: Any) -> None:
        """As ``CallStore.change``, soon."""
        change = self._waiting.setdefault(call_id, _Change(wall_ms))
        change.wall_ms = wall_ms
        change.body |= body or {}
        change.columns |= columns
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
            self._losses.count("call_records_unwritten")
        self._idle.clear()
        self._news.set()

    async def _write_for_ever(self) -> None:
        retry_s = self._first_retry_s
        while True:
            if not self._waiting:
                self._idle.set()
                self._news.clear()
                await self._news.wait()
            call_id, change = self._waiting.popitem(last=False)
            try:
                record = await self._calls.change(call_id, change.wall_ms, change.body, **change.columns)
            except StoreUnavailable:
                self._put_back(call_id, change)
                self._losses.count("call_record_retries")
                self._losses.tell("call_record_retried", waiting=len(self._waiting))
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, LAST_RETRY_S)
                continue
            except Exception as error:  # of one record: the others are written all the same
                self._losses.count("call_records_unwritten")
                log.exception("call_record_failed", call_id=call_id, error_type=type(error).__name__)
                continue
            retry_s = self._first_retry_s
            if record is not None:  # else it was deleted meanwhile
                self._tell(record)

    def _put_back(self, call_id: str, change: _Change) -> None:
        """In front, with what has come for it meanwhile over it."""
        newer = self._waiting.get(call_id)
        if newer is not None:
            newer.body = change.body | newer.body
            newer.columns = change.columns | newer.columns
        else:
            self._waiting[call_id] = change
            self._waiting.move_to_end(call_id, last=False)

    def _tell(self, record: CallRecord) -> None:
        for listener in self.on_written:
            try:
                listener(record)
            except Exception as error:
                log.exception("call_record_listener_failed", call_id=record.id, error_type=type(error).__name__)
