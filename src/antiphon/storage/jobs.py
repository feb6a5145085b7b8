"""``JobStore`` in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, select, true, update

from antiphon.jobs.queue import CallChange, Job, JobKind, Kept
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.tables import calls, jobs

_MINE = (
    select(jobs)
    .where(jobs.c.id == bindparam("of_id"), jobs.c.owner == bindparam("of_owner"), jobs.c.done == 0)
    .with_for_update()
)
_BODY = select(calls.c.body).where(calls.c.id == bindparam("of_id")).with_for_update()
_CHANGED = update(jobs).where(jobs.c.id == bindparam("of_id"))
_CALL_CHANGED = update(calls).where(calls.c.id == bindparam("of_id"))
_DONE: Mapping[str, Any] = {"done": 1, "owner": "", "facts": {}, "results": {}}


class StoredJobs(Store):
    """Jobs of all processes that share the database."""

    async def add(self, job: Job) -> bool:
        row = {
            "id": job.id, "kind": job.kind, "call_id": job.call_id, "org_id": job.org_id, "created_wall_ms": job.created_wall_ms,
            "due_wall_ms": job.due_wall_ms, "facts": dict(job.facts), "results": dict(job.results),
        }  # fmt: skip
        return await self._database.add(jobs, row)

    @reading
    def find(self, connection: Connection, id: str) -> Job | None:
        row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
        return None if row is None else _job(row)

    @reading
    def known(self, connection: Connection, ids: list[str]) -> set[str]:
        return set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(ids))).scalars())

    @writing
    def claim(
        self, connection: Connection, owner: str, now_ms: int, lease_ms: int, kinds: Sequence[JobKind] = ()
    ) -> Job | None:
        free = and_(_of(kinds), jobs.c.done == 0, jobs.c.due_wall_ms <= now_ms, jobs.c.leased_until_ms <= now_ms)
        oldest = select(jobs).where(free).order_by(jobs.c.due_wall_ms, jobs.c.id).limit(1)
        row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        claimed = {"owner": owner, "leased_until_ms": now_ms + lease_ms}
        connection.execute(_CHANGED, {**claimed, "of_id": row.id})
        return _job(row)

    @reading
    def next_due(self, connection: Connection, now_ms: int, kinds: Sequence[JobKind] = ()) -> int | None:
        waiting = (
            select(jobs.c.due_wall_ms, jobs.c.leased_until_ms)
            .where(_of(kinds), jobs.c.done == 0)
            .order_by(jobs.c.due_wall_ms)
            .limit(20)
        )
        rows = connection.execute(waiting).all()
        return min((max(due_ms, until_ms) for due_ms, until_ms in rows), default=None)

    async def renew(self, id: str, owner: str, until_ms: int) -> bool:
        return await self._change(id, owner, {"leased_until_ms": until_ms})

    @writing
    def keep(self, connection: Connection, id: str, owner: str, kept: Kept, now_ms: int) -> bool:
        row = connection.execute(_MINE, {"of_id": id, "of_owner": owner}).first()
        if row is None:
            return False
        values = _DONE if kept.is_last else {"results": {**row.results, kept.step: kept.result}}
        connection.execute(_CHANGED, {**values, "attempts": 0, "problem": "", "of_id": id})
        if kept.change.body or kept.change.columns:
            _change_call(connection, row.call_id, kept.change, now_ms)
        return True

    async def put_off(self, id: str, owner: str, due_ms: int, problem: str) -> bool:
        later: dict[str, Any] = {"due_wall_ms": due_ms, "owner": "", "leased_until_ms": 0}
        if problem:
            later |= {"problem": problem[:255], "attempts": jobs.c.attempts + 1}
        return await self._change(id, owner, later)

    async def finish(self, id: str, owner: str) -> bool:
        return await self._change(id, owner, _DONE)

    @writing
    def delete_of(self, connection: Connection, call_id: str) -> None:
        connection.execute(delete(jobs).where(jobs.c.call_id == call_id))

    @reading
    def waiting(self, connection: Connection) -> int:
        """How many are not done; those whose calls are scheduled for later are not counted."""
        query = select(func.count()).select_from(jobs).where(jobs.c.done == 0, jobs.c.kind != "dial")
        return connection.execute(query).scalar_one()

    @writing
    def _change(self, connection: Connection, id: str, owner: str, values: Mapping[str, Any]) -> bool:
        return bool(connection.execute(update(jobs).where(_is(id, owner)).values(values)).rowcount)


def _change_call(connection: Connection, call_id: str, change: CallChange, now_ms: int) -> None:
    row = connection.execute(_BODY, {"of_id": call_id}).first()
    if row is not None:  # deleted meanwhile: nothing of it comes back
        values = {**change.columns, "body": {**row.body, **change.body}, "updated_wall_ms": now_ms}
        connection.execute(_CALL_CHANGED, {**values, "of_id": call_id})


def _of(kinds: Sequence[JobKind]) -> ColumnElement[bool]:
    return jobs.c.kind.in_(kinds) if kinds else true()


def _is(id: str, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == id, jobs.c.owner == owner, jobs.c.done == 0)


def _job(row: Row[Any]) -> Job:
    columns = row._mapping
    values = {field.name: columns[field.name] for field in fields(Job)}
    return Job(**{**values, "done": bool(columns["done"])})
