"""``CallSums`` in the database: it does the sums, SQLite as well as PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, case, cast, func, literal, select

from antiphon.calls.sums import Summed, SumQuestion
from antiphon.storage.database import Store, reading
from antiphon.storage.tables import calls

MOST_ROWS = 10_000
_GROUPS: Mapping[str, ColumnElement[Any]] = {
    "type": calls.c.type,
    "assistantId": calls.c.assistant_id,
    "endedReason": calls.c.ended_reason,
    "status": calls.c.status,
    "analysis.successEvaluation": calls.c.body["analysis"]["successEvaluation"].as_string(),
}
_SECONDS = cast(calls.c.ended_wall_ms - calls.c.started_wall_ms, Float) / 1000


class StoredCallSums(Store):
    """Over the table of calls."""

    @reading
    def ask(
        self, connection: Connection, org_id: str, question: SumQuestion
    ) -> Sequence[tuple[int, Mapping[str, Any]]]:
        first, *inner, last = question.edges_ms
        made = calls.c.created_wall_ms
        step = case(*((made < edge, at) for at, edge in enumerate(inner)), else_=len(inner)) if inner else literal(0)
        columns = sorted({each.column for each in question.operations})
        rows = (
            select(
                step.label("step"),
                *(_GROUPS[name].label(f"g{at}") for at, name in enumerate(question.group_by)),
                *(_column(name).label(f"c{at}") for at, name in enumerate(columns)),
            )
            .where(calls.c.org_id == org_id, made >= first, made < last)
            .subquery()
        )
        groups = [rows.c[f"g{at}"] for at in range(len(question.group_by))]
        values = [_summed(each, rows.c[f"c{columns.index(each.column)}"]) for each in question.operations]
        query = (
            select(rows.c.step, *groups, *values)
            .group_by(rows.c.step, *groups)
            .order_by(rows.c.step, *groups)
            .limit(MOST_ROWS)
        )
        names = [*question.group_by, *(each.alias for each in question.operations)]
        found = connection.execute(query).all()
        return [(row[0], {name: _plain(value) for name, value in zip(names, row[1:], strict=True)}) for row in found]


def _column(name: str) -> ColumnElement[Any]:
    if name == "id":
        return calls.c.id
    if name == "cost":
        return calls.c.cost_usd
    if name == "duration":
        return _SECONDS
    if name == "minutesUsed":
        return _SECONDS / 60
    document: Any = calls.c.body
    for part in name.split("."):
        document = document[part]
    number: ColumnElement[Any] = document.as_float()
    return number


def _summed(wanted: Summed, column: ColumnElement[Any]) -> ColumnElement[Any]:
    operation = wanted.operation
    if operation == "history":
        operation = "count" if wanted.column == "id" else "avg"
    if operation == "sum":
        return func.coalesce(func.sum(column), 0)
    made: ColumnElement[Any] = getattr(func, operation)(column)
    return made


def _plain(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value
