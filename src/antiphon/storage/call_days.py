"""``MeasuredCalls`` in the database: of each record's document only what was measured, taken out of it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from antiphon.calls.days import MeasuredCall
from antiphon.storage.database import Database
from antiphon.storage.tables import calls

_MEASURED = calls.c.body["artifact"]["performanceMetrics"]


class StoredCallDays:
    """Over the table of calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def measured(self, org_id: str, from_wall_ms: int, limit: int) -> Sequence[MeasuredCall]:
        row = calls.c
        query = (
            select(row.created_wall_ms, row.cost_usd, _MEASURED.label("measured"))
            .where(row.org_id == org_id, row.created_wall_ms >= from_wall_ms, row.status == "ended")
            .order_by(row.created_wall_ms.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_call(*each) for each in await connection.execute(query)]


def _call(wall_ms: int, cost_usd: float, measured: Any) -> MeasuredCall:
    found = measured if isinstance(measured, dict) else {}
    turns = found.get("turnLatencies")
    times = [each.get("turnLatency") for each in turns if isinstance(each, dict)] if isinstance(turns, list) else []
    cut = found.get("numAssistantInterrupted")
    turn_ms = [round(each) for each in times if isinstance(each, int | float)]
    return MeasuredCall(wall_ms, cost_usd, turn_ms, cut if isinstance(cut, int) else 0)
