"""What was asked of the API, and what applications were told: one entry for each request that really was made, without its words.

Bodies are not kept here: of what must arrive the outbox has them (``webhooks.deliveries``), of documents their versions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from antiphon.calls.stores import Order, Span
from antiphon.clock import Clock
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.losses import Losses

LogType = Literal["API", "Webhook", "Call"]
MAX_WAITING = 5000
"""Entries that wait for the database; beyond, the oldest are lost, and counted."""
MAX_KEPT = 1_000_000
"""Entries that are kept, of all organisations."""
_WRITE_EVERY_S = 1.0
_FORGET_EVERY_S = 3600.0
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request, or (``Call``) a call that is over. Times are UTC milliseconds."""

    org_id: str
    type: LogType
    wall_ms: int
    """When it began; of a call, when it ended."""
    duration_ms: int = 0
    method: str = ""
    url: str = ""
    """Of the API: the path. Of an application: without its query, which may hold secrets."""
    status: int | None = None
    """None where there was no answer: ``error`` says why."""
    error: str = ""
    resource: str = ""
    """Of the API: ``assistant``, ``call`` …"""
    webhook_type: str = ""
    """The message's type, e.g. ``status-update``."""
    call_id: str = ""
    assistant_id: str = ""
    request_body: str = ""
    """JSON text, without secrets; of what the outbox has delivered."""
    response_body: str = ""
    """The answer's beginning; likewise."""


@dataclass(frozen=True, slots=True)
class LogListing:
    """Which part of the log is asked for."""

    limit: int = 100
    offset: int = 0
    order: Order = "newest"
    made: Span = field(default_factory=Span)
    type: LogType | None = None
    equal: Mapping[str, str] = field(default_factory=dict)
    """``call_id``, ``assistant_id``, ``webhook_type``; and ``squad_id``, ``phone_number_id``, ``customer_number`` of the call."""


class LogStore(Protocol):
    """All raise StoreUnavailable where the database does not answer."""

    async def add(self, entries: Sequence[LogEntry]) -> None: ...

    async def list(self, org_id: str, listing: LogListing) -> Sequence[LogEntry]: ...

    async def count(self, org_id: str, listing: LogListing) -> int: ...

    async def delete(self, org_id: str, listing: LogListing) -> int:
        """Requests that the listing names, whatever its limit; what still has to be delivered stays, and so do calls. How many."""
        ...

    async def forget(self, before_wall_ms: int, most: int) -> int:
        """Those that are older, and the oldest beyond so many. How many."""
        ...

    async def forget_call(self, call_id: str) -> None:
        """All that is known of a call's requests, what has still to be delivered as well."""
        ...


class RequestLog:
    """Entries on their way to the database: taken without waiting, written together once a second. One per process."""

    def __init__(self, store: LogStore, clock: Clock, keep_days: float, losses: Losses | None = None) -> None:
        self._store = store
        self._clock = clock
        self._keep_ms = round(keep_days * _DAY_MS)
        self._losses = losses
        self._waiting: deque[LogEntry] = deque()
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._tasks: list[asyncio.Task[Any]] = []

    def put(self, entry: LogEntry) -> None:
        """Never waits."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            if self._losses is not None:
                self._losses.count("log_entries_dropped")
        self._waiting.append(entry)
        self._news.set()

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._write_for_ever(), name="request log"),
            asyncio.create_task(self._forget_for_ever(), name="request log forgets"),
        ]

    async def close(self) -> None:
        """Safe to call twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with suppress(StoreUnavailable):
            await self.written()

    async def written(self) -> None:
        """All that was put here is in the database. Raises StoreUnavailable."""
        async with self._writing:
            batch = list(self._waiting)
            if batch:
                await self._add(batch)
                while batch and self._waiting:  # some may have been dropped meanwhile, from the same end
                    if self._waiting[0] is batch.pop(0):
                        self._waiting.popleft()

    async def _add(self, batch: Sequence[LogEntry]) -> None:
        """One by one, where one of them keeps the others from being kept."""
        try:
            await self._store.add(batch)
        except ValueRefused:
            if len(batch) > 1:
                for entry in batch:
                    await self._add([entry])
            elif self._losses is not None:
                self._losses.count("log_entries_dropped")

    async def _write_for_ever(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_WRITE_EVERY_S)
            self._news.clear()
            with suppress(StoreUnavailable):  # told by the database; tried again with the next entry
                await self.written()

    async def _forget_for_ever(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                await self._store.forget(self._clock.wall_ms() - self._keep_ms, MAX_KEPT)
            await asyncio.sleep(_FORGET_EVERY_S)
