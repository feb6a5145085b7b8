"""``JobStore`` in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from antiphon.jobs.queue import CallChange, Job, JobKind
from antiphon.storage.database import Database
from antiphon.storage.tables import calls, jobs


class StoredJobs:
    """Jobs of all processes that share the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: Job) -> bool:
        row = {
            "id": job.id, "kind": job.kind, "call_id": job.call_id, "org_id": job.org_id, "created_wall_ms": job.created_wall_ms,
            "due_wall_ms": job.due_wall_ms, "facts": dict(job.facts), "results": dict(job.results),
        }  # fmt: skip
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(jobs).values(row))
        except IntegrityError:
            return False
        return True

    async def find(self, id: str) -> Job | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == id))).first()
        return None if row is None else _job(row)

    async def known(self, ids: list[str]) -> set[str]:
        async with self._database.reading() as connection:
            return set((await connection.execute(select(jobs.c.id).where(jobs.c.id.in_(ids)))).scalars())

    async def claim(self, owner: str, now_ms: int, lease_ms: int, kinds: Sequence[JobKind] = ()) -> Job | None:
        free = and_(_of(kinds), jobs.c.done == 0, jobs.c.due_wall_ms <= now_ms, jobs.c.leased_until_ms <= now_ms)
        oldest = select(jobs).where(free).order_by(jobs.c.due_wall_ms, jobs.c.id).limit(1)
        async with self._database.writing() as connection:
            row = (await connection.execute(oldest.with_for_update(skip_locked=True))).first()
            if row is None:
                return None
            claimed = {"owner": owner, "leased_until_ms": now_ms + lease_ms}
            await connection.execute(update(jobs).where(jobs.c.id == row.id).values(claimed))
        return _job(row)

    async def next_due(self, now_ms: int, kinds: Sequence[JobKind] = ()) -> int | None:
        waiting = (
            select(jobs.c.due_wall_ms, jobs.c.leased_until_ms)
            .where(_of(kinds), jobs.c.done == 0)
            .order_by(jobs.c.due_wall_ms)
            .limit(20)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(waiting)).all()
        return min((max(due_ms, until_ms) for due_ms, until_ms in rows), default=None)

    async def renew(self, id: str, owner: str, until_ms: int) -> bool:
        return await self._change(id, owner, {"leased_until_ms": until_ms})

    async def keep(self, id: str, owner: str, step: str, result: Any, change: CallChange, now_ms: int) -> bool:
        async with self._database.writing() as connection:
            row = (await connection.execute(select(jobs).where(_is(id, owner)).with_for_update())).first()
            if row is None:
                return False
            results = {**row.results, step: result}
            await connection.execute(
                update(jobs).where(jobs.c.id == id).values(results=results, attempts=0, problem="")
            )
            if change.body or change.columns:
                await _change_call(connection, row.call_id, change, now_ms)
        return True

    async def put_off(self, id: str, owner: str, due_ms: int, problem: str) -> bool:
        later: dict[str, Any] = {"due_wall_ms": due_ms, "owner": "", "leased_until_ms": 0}
        if problem:
            later |= {"problem": problem[:255], "attempts": jobs.c.attempts + 1}
        return await self._change(id, owner, later)

    async def finish(self, id: str, owner: str) -> bool:
        return await self._change(id, owner, {"done": 1, "owner": "", "facts": {}, "results": {}})

    async def delete_of(self, call_id: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(jobs).where(jobs.c.call_id == call_id))

    async def waiting(self) -> int:
        """How many are not done; those whose calls are scheduled for later are not counted."""
        query = select(func.count()).select_from(jobs).where(jobs.c.done == 0, jobs.c.kind != "dial")
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar_one()

    async def _change(self, id: str, owner: str, values: dict[str, Any]) -> bool:
        async with self._database.writing() as connection:
            return bool((await connection.execute(update(jobs).where(_is(id, owner)).values(values))).rowcount)


async def _change_call(connection: AsyncConnection, call_id: str, change: CallChange, now_ms: int) -> None:
    row = (await connection.execute(select(calls.c.body).where(calls.c.id == call_id).with_for_update())).first()
    if row is not None:  # deleted meanwhile: nothing of it comes back
        values = {**change.columns, "body": {**row.body, **change.body}, "updated_wall_ms": now_ms}
        await connection.execute(update(calls).where(calls.c.id == call_id).values(values))


def _of(kinds: Sequence[JobKind]) -> ColumnElement[bool]:
    return jobs.c.kind.in_(kinds) if kinds else true()


def _is(id: str, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == id, jobs.c.owner == owner, jobs.c.done == 0)


def _job(row: Row[Any]) -> Job:
    columns = row._mapping
    values = {field.name: columns[field.name] for field in fields(Job)}
    return Job(**{**values, "done": bool(columns["done"])})
