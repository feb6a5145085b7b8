"""``MeasuredCalls`` in the database: of each record's document only what was measured, taken out of it there, and each record once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from antiphon.calls.days import MeasuredCall
from antiphon.storage.database import Database, Store, reading
from antiphon.storage.tables import calls

MAX_KNOWN = 5000
"""Calls whose figures are kept in memory: a document is long, and does not change once the work after its call is done."""
_AT_ONCE = 500
_MEASURED = calls.c.body["artifact"]["performanceMetrics"]


class StoredCallDays(Store):
    """Over the table of calls."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._known: OrderedDict[tuple[str, int], tuple[Sequence[int], int]] = OrderedDict()
        """By id and when the record was changed last: turns and interruptions."""

    async def measured(self, org_id: str, from_wall_ms: int, limit: int) -> Sequence[MeasuredCall]:
        found, figures = await self._measured(org_id, from_wall_ms, limit)
        made = []
        for id, updated_wall_ms, wall_ms, cost_usd in found:
            turn_ms, interruptions = self._figures_of((id, updated_wall_ms), figures)
            made.append(MeasuredCall(wall_ms, cost_usd, turn_ms, interruptions))
        return made

    @reading
    def _measured(
        self, connection: Connection, org_id: str, from_wall_ms: int, limit: int
    ) -> tuple[Sequence[Any], Mapping[str, tuple[Sequence[int], int]]]:
        """The calls, and the figures of those that are not known."""
        row = calls.c
        query = (
            select(row.id, row.updated_wall_ms, row.created_wall_ms, row.cost_usd)
            .where(row.org_id == org_id, row.created_wall_ms >= from_wall_ms, row.status == "ended")
            .order_by(row.created_wall_ms.desc())
            .limit(limit)
        )
        found = connection.execute(query).all()
        new = [each.id for each in found if (each.id, each.updated_wall_ms) not in self._known]
        figures: dict[str, tuple[Sequence[int], int]] = {}
        for at in range(0, len(new), _AT_ONCE):
            wanted = select(row.id, _MEASURED).where(row.id.in_(new[at : at + _AT_ONCE]))
            figures |= {id: _figures(told) for id, told in connection.execute(wanted)}
        return found, figures

    def _figures_of(
        self, key: tuple[str, int], read: Mapping[str, tuple[Sequence[int], int]]
    ) -> tuple[Sequence[int], int]:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = read.get(key[0], ((), 0))  # nothing of one that was erased a moment ago
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return known


def _figures(measured: Any) -> tuple[Sequence[int], int]:
    found = measured if isinstance(measured, dict) else {}
    turns = found.get("turnLatencies")
    times = [each.get("turnLatency") for each in turns if isinstance(each, dict)] if isinstance(turns, list) else []
    cut = found.get("numAssistantInterrupted")
    return tuple(round(each) for each in times if isinstance(each, int | float)), cut if isinstance(cut, int) else 0
