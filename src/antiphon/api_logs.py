"""The log of requests, put together: who writes it, who reads it, and how long it is kept."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.routing import Route

from antiphon.calls.request_log import LogEntry, RequestLog
from antiphon.clock import Clock
from antiphon.losses import Losses
from antiphon.storage.database import Database
from antiphon.storage.request_log import StoredRequestLog
from antiphon.surfaces.vapi import logs
from antiphon.surfaces.vapi.access import Access, Asker

log = structlog.get_logger(__name__)


class ApiLogs:
    """One for a process."""

    def __init__(
        self, database: Database, clock: Clock, keep_days: float, access: Access, losses: Losses | None = None
    ) -> None:
        self._clock = clock
        self._access = access
        self._store = StoredRequestLog(database)
        self.log = RequestLog(self._store, clock, keep_days, losses)
        self.forget_call = self._store.forget_call
        """All that is known of a call's requests."""
        access.on_answered = self._answered

    def start(self) -> None:
        """Once the database is open."""
        self.log.start()

    async def close(self) -> None:
        """Before the database is closed. Safe to call twice."""
        await self.log.close()

    def routes(self) -> list[Route]:
        return logs.routes(self._store, self.log.written, self._access)

    def _answered(self, request: Request, asker: Asker, status: int, duration_ms: int, problem: str) -> None:
        """Somebody who was let in has been answered. Reading the log leaves no trace in it."""
        path = request.url.path
        if path == logs.PATH and request.method == "GET":
            return
        resource = path.strip("/").partition("/")[0]
        id = str(request.path_params.get("id", "")) if status < 400 else ""
        self.log.put(
            LogEntry(
                asker.org_id, "API", self._clock.wall_ms() - duration_ms, duration_ms, request.method, path, status,
                problem, resource,
                call_id=id if resource == "call" else "",
                assistant_id=id if resource in ("assistant", "assistants") else "",
            )
        )  # fmt: skip
