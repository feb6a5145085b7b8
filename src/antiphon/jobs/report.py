"""The ``end-of-call-report``, as applications read it. The call object itself is put around it by whoever delivers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from antiphon.calls.stores import CallRecord
from antiphon.clock import iso

_COPIED = ("transcript", "messages", "recordingUrl", "stereoRecordingUrl")
"""Of the artifact: not in the platform's specification any more, but what most integrations read."""


class ReportOutbox(Protocol):
    """Delivers reports until they are acknowledged."""

    async def put(self, report_id: str, call: CallRecord, message: Mapping[str, Any]) -> None:
        """Once this returns, the report will be delivered, also where this process dies. The same id again changes nothing.
        Raises StoreUnavailable."""
        ...


class NoOutbox:
    """Where nobody is told."""

    async def put(self, report_id: str, call: CallRecord, message: Mapping[str, Any]) -> None:
        """Nothing to do."""


def end_of_call_report(call: CallRecord, wall_ms: int) -> dict[str, Any]:
    """``wall_ms``: now, UTC."""
    body = call.body
    artifact: Mapping[str, Any] = body.get("artifact") or {}
    analysis: Mapping[str, Any] = body.get("analysis") or {}
    began, ended = call.started_wall_ms, call.ended_wall_ms
    seconds = max(ended - began, 0) / 1000 if began is not None and ended is not None else 0.0
    return {
        "type": "end-of-call-report",
        "timestamp": wall_ms,
        "endedReason": call.ended_reason,
        **({"startedAt": iso(began)} if began is not None else {}),
        **({"endedAt": iso(ended)} if ended is not None else {}),
        "durationMs": round(seconds * 1000),
        "durationSeconds": round(seconds, 3),
        "durationMinutes": round(seconds / 60, 4),
        "cost": body.get("cost", 0.0),
        "costs": body.get("costs", []),
        "costBreakdown": body.get("costBreakdown", {}),
        "analysis": analysis,
        "artifact": artifact,
        "summary": analysis.get("summary", ""),
        **{name: artifact[name] for name in _COPIED if name in artifact},
    }
