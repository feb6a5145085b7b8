"""``CallStore`` in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from antiphon.calls.secrets import WRITTEN
from antiphon.calls.stores import CallRecord, Listing
from antiphon.storage.database import Database
from antiphon.storage.listing import counted, paged
from antiphon.storage.tables import calls

_HELD = ("queued", "ringing", "in-progress", "forwarding")
"""A call in one of these is some process's."""
_FIELDS = tuple(field.name for field in fields(CallRecord))


class StoredCalls:
    """Records of calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, call: CallRecord) -> bool:
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(calls).values(**{**asdict(call), "body": self._sealed(call.body)}))
        except IntegrityError:
            return False
        return True

    async def find(self, org_id: str | None, id: str) -> CallRecord | None:
        query = select(calls).where(calls.c.id == id)
        if org_id is not None:
            query = query.where(calls.c.org_id == org_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else self._record(dict(row._mapping))

    async def list(self, org_id: str, listing: Listing, *, bodies: bool = True) -> Sequence[CallRecord]:
        columns = [column for column in calls.c if bodies or column is not calls.c.body]
        query = paged(select(*columns).where(calls.c.org_id == org_id), calls, listing)
        async with self._database.reading() as connection:
            return [self._record({"body": {}, **row._mapping}) for row in await connection.execute(query)]

    async def count(self, org_id: str, listing: Listing) -> int:
        query = counted(calls, listing).where(calls.c.org_id == org_id)
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar_one()

    async def change(
        self, id: str, wall_ms: int, body: Mapping[str, Any] | None = None, **columns: Any
    ) -> CallRecord | None:
        async with self._database.writing() as connection:
            row = (await connection.execute(select(calls).where(calls.c.id == id).with_for_update())).first()
            if row is None:
                return None
            changed = {
                **row._mapping,
                **columns,
                "updated_wall_ms": wall_ms,
                "body": {**row._mapping["body"], **self._sealed(body or {})},
            }
            await connection.execute(update(calls).where(calls.c.id == id).values(changed))
        return self._record(changed)

    async def spent_since(self, wall_ms: int) -> float:
        """US dollars, of all calls that ended since then, whoever's they are."""
        query = select(func.sum(calls.c.cost_usd)).where(calls.c.ended_wall_ms >= wall_ms)
        async with self._database.reading() as connection:
            return float((await connection.execute(query)).scalar_one() or 0.0)

    async def delete(self, org_id: str, id: str) -> CallRecord | None:
        async with self._database.writing() as connection:
            same = (calls.c.id == id) & (calls.c.org_id == org_id)
            row = (await connection.execute(select(calls).where(same).with_for_update())).first()
            if row is None:
                return None
            await connection.execute(delete(calls).where(same))
        return self._record(dict(row._mapping))

    async def nodes(self, beginning: str) -> Sequence[str]:
        theirs = calls.c.status.in_(_HELD) & calls.c.node.startswith(beginning, autoescape=True)
        async with self._database.reading() as connection:
            return list((await connection.execute(select(calls.c.node).where(theirs).distinct())).scalars())

    async def end_of(self, node: str, wall_ms: int, ended_reason: str) -> Sequence[tuple[str, str]]:
        theirs = calls.c.status.in_(_HELD) & (calls.c.node == node)
        ended = {"status": "ended", "ended_wall_ms": wall_ms, "updated_wall_ms": wall_ms, "ended_reason": ended_reason}
        change = update(calls).where(theirs).values(ended).returning(calls.c.id, calls.c.org_id)
        async with self._database.writing() as connection:
            return [(row.id, row.org_id) for row in await connection.execute(change)]

    async def end_waiting(self, before_wall_ms: int, wall_ms: int, ended_reason: str) -> int:
        waiting = (calls.c.status == "queued") & (calls.c.updated_wall_ms < before_wall_ms)
        ended = {"status": "ended", "ended_wall_ms": wall_ms, "updated_wall_ms": wall_ms, "ended_reason": ended_reason}
        async with self._database.writing() as connection:
            return (await connection.execute(update(calls).where(waiting).values(ended))).rowcount

    def _sealed(self, body: Mapping[str, Any]) -> dict[str, Any]:
        secrets = self._database.secrets
        return {name: secrets.sealed(value) if name in WRITTEN else value for name, value in body.items()}

    def _record(self, columns: Mapping[str, Any]) -> CallRecord:
        secrets, body = self._database.secrets, columns["body"]
        opened = {name: secrets.opened(body[name]) for name in WRITTEN if name in body}
        values = {name: columns[name] for name in _FIELDS}
        return CallRecord(**{**values, "body": {**body, **opened}})
