"""``JobStore`` in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    true,
    update,
)

from antiphon.calls.stores import CallRecord
from antiphon.jobs.queue import Claim, Job, JobKind, Kept, LeaseLost
from antiphon.storage.call_records import changed_record
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.tables import calls, jobs

_MINE = (
    select(jobs)
    .where(jobs.c.id == bindparam("of_id"), jobs.c.owner == bindparam("of_owner"), jobs.c.done == 0)
    .with_for_update()
)
_CHANGED = update(jobs).where(jobs.c.id == bindparam("of_id"))
_FIELDS = tuple(column.name for column in fields(Job) if column.name in jobs.c)
_LOOKED_AT = 20
"""Of those that wait: the one that is due first may be another's for a while."""
_DONE: Mapping[str, Any] = {"done": 1, "owner": "", "facts": {}, "results": {}}


class StoredJobs(Store):
    """Jobs of all processes that share the database."""

    async def add(self, job: Job) -> bool:
        row = {
            "id": job.id, "kind": job.kind, "call_id": job.call_id, "org_id": job.org_id, "created_wall_ms": job.created_wall_ms,
            "due_wall_ms": job.due_wall_ms, "facts": dict(job.facts), "results": dict(job.results), "done": int(job.done),
        }  # fmt: skip
        return await self._database.add(jobs, row)

    @reading
    def find(self, connection: Connection, id: str) -> Job | None:
        row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
        return None if row is None else _job(row)

    @reading
    def known(self, connection: Connection, ids: list[str]) -> set[str]:
        return set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(ids))).scalars())

    @reading
    def calls_without(
        self, connection: Connection, from_wall_ms: int, until_wall_ms: int, most: int
    ) -> Sequence[tuple[str, str]]:
        worked = exists().where(jobs.c.call_id == calls.c.id, jobs.c.kind == "after")
        ended = calls.c.ended_wall_ms.between(from_wall_ms, until_wall_ms)
        query = select(calls.c.id, calls.c.org_id).where(ended, calls.c.status == "ended", ~worked)
        rows = connection.execute(query.order_by(calls.c.ended_wall_ms, calls.c.id).limit(most))
        return [(row.id, row.org_id) for row in rows]

    @writing
    def claim(
        self, connection: Connection, owner: str, now_ms: int, lease_ms: int, kinds: Sequence[JobKind] = ()
    ) -> Claim:
        oldest, waiting = _asked_for(tuple(kinds))
        row = connection.execute(oldest, {"now_ms": now_ms}).first()
        if row is not None:
            connection.execute(_CHANGED, {"owner": owner, "leased_until_ms": now_ms + lease_ms, "of_id": row.id})
        dues = connection.execute(waiting).all()
        due_ms = min((max(due_ms, until_ms) for due_ms, until_ms in dues), default=None)
        return Claim(None if row is None else _job(row), due_ms)

    async def renew(self, id: str, owner: str, until_ms: int) -> bool:
        return await self._change(id, owner, {"leased_until_ms": until_ms})

    @writing
    def keep(self, connection: Connection, id: str, owner: str, kept: Kept, now_ms: int) -> CallRecord | None:
        row = connection.execute(_MINE, {"of_id": id, "of_owner": owner}).first()
        if row is None:
            raise LeaseLost
        values = _DONE if kept.is_last else {"results": {**row.results, kept.step: kept.result}}
        connection.execute(_CHANGED, {**values, "attempts": 0, "problem": "", "of_id": id})
        change = kept.change
        if not change.body and not change.columns:
            return None
        return changed_record(connection, self._database.secrets, row.call_id, now_ms, change.body, change.columns)

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

    async def close_of(self, job: Job, also: Sequence[str] = ()) -> None:
        ids = {job.id, *also}
        for id in ids:  # first: whoever adds theirs before is overwritten, whoever does after finds ours
            await self.add(replace(job, id=id, done=True, facts={}, results={}))
        await self._close_of(job.call_id, list(ids))

    @writing
    def _close_of(self, connection: Connection, call_id: str, ids: Sequence[str]) -> None:
        connection.execute(delete(jobs).where(jobs.c.call_id == call_id, jobs.c.id.not_in(ids)))
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(_DONE))

    @reading
    def waiting(self, connection: Connection) -> int:
        """How many are not done; those whose calls are scheduled for later are not counted."""
        query = select(func.count()).select_from(jobs).where(jobs.c.done == 0, jobs.c.kind != "dial")
        return connection.execute(query).scalar_one()

    @writing
    def _change(self, connection: Connection, id: str, owner: str, values: Mapping[str, Any]) -> bool:
        return bool(connection.execute(update(jobs).where(_is(id, owner)).values(values)).rowcount)


@cache
def _asked_for(kinds: tuple[JobKind, ...]) -> tuple[Select[Any], Select[Any]]:
    """The job that has waited longest, and when others are due: made once, for they are asked after every call."""
    of_kind = jobs.c.kind.in_(kinds) if kinds else true()
    now_ms = bindparam("now_ms", type_=jobs.c.due_wall_ms.type)
    free = and_(of_kind, jobs.c.done == 0, jobs.c.due_wall_ms <= now_ms, jobs.c.leased_until_ms <= now_ms)
    oldest = select(jobs).where(free).order_by(jobs.c.due_wall_ms, jobs.c.id).limit(1)
    waiting = (
        select(jobs.c.due_wall_ms, jobs.c.leased_until_ms)
        .where(of_kind, jobs.c.done == 0)
        .order_by(jobs.c.due_wall_ms)
        .limit(_LOOKED_AT)
    )
    return oldest.with_for_update(skip_locked=True), waiting


def _is(id: str, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == id, jobs.c.owner == owner, jobs.c.done == 0)


def _job(row: Row[Any]) -> Job:
    columns = row._mapping
    values = {name: columns[name] for name in _FIELDS}
    return Job(**{**values, "done": bool(columns["done"])})
