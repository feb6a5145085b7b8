"""``CallStore`` in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from antiphon.calls.secrets import WRITTEN, DocumentSecrets
from antiphon.calls.stores import CallRecord, Listing
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.listing import counted, paged
from antiphon.storage.tables import calls

_HELD = ("queued", "ringing", "in-progress", "forwarding")
"""A call in one of these is some process's."""
_TO_CHANGE = select(calls).where(calls.c.id == bindparam("of_id")).with_for_update()
_CHANGED = update(calls).where(calls.c.id == bindparam("of_id"))
_FIELDS = tuple(field.name for field in fields(CallRecord))


class StoredCalls(Store):
    """Records of calls."""

    async def add(self, call: CallRecord) -> bool:
        row = {name: getattr(call, name) for name in _FIELDS}
        row["body"] = _sealed(self._database.secrets, call.body)
        return await self._database.add(calls, row)

    @reading
    def find(self, connection: Connection, org_id: str | None, id: str) -> CallRecord | None:
        query = select(calls).where(calls.c.id == id)
        if org_id is not None:
            query = query.where(calls.c.org_id == org_id)
        row = connection.execute(query).first()
        return None if row is None else self._record(dict(row._mapping))

    @reading
    def list(
        self, connection: Connection, org_id: str, listing: Listing, *, bodies: bool = True
    ) -> Sequence[CallRecord]:
        columns = [column for column in calls.c if bodies or column is not calls.c.body]
        query = paged(select(*columns).where(calls.c.org_id == org_id), calls, listing)
        return [self._record({"body": {}, **row._mapping}) for row in connection.execute(query)]

    @reading
    def count(self, connection: Connection, org_id: str, listing: Listing) -> int:
        query = counted(calls, listing).where(calls.c.org_id == org_id)
        return connection.execute(query).scalar_one()

    @writing
    def change(
        self, connection: Connection, /, id: str, wall_ms: int, body: Mapping[str, Any] | None = None, **columns: Any
    ) -> CallRecord | None:
        return changed_record(connection, self._database.secrets, id, wall_ms, body or {}, columns)

    @reading
    def spent_since(self, connection: Connection, wall_ms: int) -> float:
        """US dollars, of all calls that ended since then, whoever's they are."""
        query = select(func.sum(calls.c.cost_usd)).where(calls.c.ended_wall_ms >= wall_ms)
        return float(connection.execute(query).scalar_one() or 0.0)

    @writing
    def delete(self, connection: Connection, org_id: str, id: str) -> CallRecord | None:
        same = (calls.c.id == id) & (calls.c.org_id == org_id)
        row = connection.execute(select(calls).where(same).with_for_update()).first()
        if row is None:
            return None
        connection.execute(delete(calls).where(same))
        return self._record(dict(row._mapping))

    @reading
    def nodes(self, connection: Connection, beginning: str) -> Sequence[str]:
        theirs = calls.c.status.in_(_HELD) & calls.c.node.startswith(beginning, autoescape=True)
        return list(connection.execute(select(calls.c.node).where(theirs).distinct()).scalars())

    @writing
    def end_of(self, connection: Connection, node: str, wall_ms: int, ended_reason: str) -> Sequence[tuple[str, str]]:
        theirs = calls.c.status.in_(_HELD) & (calls.c.node == node)
        ended = {"status": "ended", "ended_wall_ms": wall_ms, "updated_wall_ms": wall_ms, "ended_reason": ended_reason}
        change = update(calls).where(theirs).values(ended).returning(calls.c.id, calls.c.org_id)
        return [(row.id, row.org_id) for row in connection.execute(change)]

    @writing
    def end_waiting(self, connection: Connection, before_wall_ms: int, wall_ms: int, ended_reason: str) -> int:
        waiting = (calls.c.status == "queued") & (calls.c.updated_wall_ms < before_wall_ms)
        ended = {"status": "ended", "ended_wall_ms": wall_ms, "updated_wall_ms": wall_ms, "ended_reason": ended_reason}
        return connection.execute(update(calls).where(waiting).values(ended)).rowcount

    def _record(self, columns: Mapping[str, Any]) -> CallRecord:
        return _record(self._database.secrets, columns)


def changed_record(
    connection: Connection,
    secrets: DocumentSecrets,
    id: str,
    wall_ms: int,
    body: Mapping[str, Any],
    columns: Mapping[str, Any],
) -> CallRecord | None:
    """The record with these fields of its body and these columns changed; None where it is gone: nothing of it comes back."""
    row = connection.execute(_TO_CHANGE, {"of_id": id}).first()
    if row is None:
        return None
    changes: dict[str, Any] = {**columns, "updated_wall_ms": wall_ms}
    if body:
        changes["body"] = {**row._mapping["body"], **_sealed(secrets, body)}
    connection.execute(_CHANGED, {**changes, "of_id": id})
    return _record(secrets, {**row._mapping, **changes})


def _sealed(secrets: DocumentSecrets, body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: secrets.sealed(value) if name in WRITTEN else value for name, value in body.items()}


def _record(secrets: DocumentSecrets, columns: Mapping[str, Any]) -> CallRecord:
    body = columns["body"]
    opened = {name: secrets.opened(body[name]) for name in WRITTEN if name in body}
    values = {name: columns[name] for name in _FIELDS}
    return CallRecord(**{**values, "body": {**body, **opened}})
