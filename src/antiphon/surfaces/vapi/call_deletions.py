"""What an application's server is told of calls that are deleted: which they were and when, and nothing of what was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.stores import CallRecord
from antiphon.clock import Clock
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.surfaces.vapi.server_reports import ServerReports

SENT = frozenset({"call.deleted", "call.delete.failed"})
_SHOWN = ("id", "orgId", "type", "status", "createdAt", "updatedAt", "startedAt", "endedAt")


class CallDeletions:
    """One for a process."""

    def __init__(self, events: ServerEvents, reports: ServerReports, clock: Clock) -> None:
        """``reports`` knows whose server is told of a call."""
        self._events = events
        self._reports = reports
        self._clock = clock

    def deleted(self, record: CallRecord, kind: str) -> None:
        """``record`` as it was before it went; ``kind``: one of ``SENT``."""
        wall_ms = self._clock.wall_ms()

        async def announced() -> tuple[ServerSpec, Mapping[str, Any]] | None:
            _, server = await self._reports.told(record, kind)
            if server is None:
                return None
            document = call_document(record)
            call = {name: document[name] for name in _SHOWN if name in document}
            return server, {"type": kind, "timestamp": wall_ms, "call": call}

        self._events.announce(record.org_id, record.id, announced)
