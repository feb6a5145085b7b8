"""``PeopleStore`` in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from antiphon.calls.people import EVERYTHING, AuditEntry, AuditFilter, Role, User, UserSession
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.tables import audit, user_sessions, users

_MAX_COLUMN_CHARS = 255


class StoredPeople(Store):
    """Users, their sessions, and the audit log."""

    async def add(self, user: User, *, first: bool = False) -> bool:
        try:
            return await self._add(user, first)
        except IntegrityError:
            return False

    @writing
    def _add(self, connection: Connection, user: User, first: bool) -> bool:
        if first and not self._database.is_sqlite:  # where a writer is not alone: of two who are first, one waits
            connection.execute(text("LOCK TABLE users IN EXCLUSIVE MODE"))
        if first and connection.execute(select(users.c.id).limit(1)).first() is not None:
            return False
        connection.execute(insert(users).values(**asdict(user)))
        return True

    @reading
    def find(self, connection: Connection, name: str) -> User | None:
        row = connection.execute(select(users).where(users.c.name == name)).first()
        return None if row is None else _user(row)

    @reading
    def get(self, connection: Connection, id: str) -> User | None:
        row = connection.execute(select(users).where(users.c.id == id)).first()
        return None if row is None else _user(row)

    @reading
    def list(self, connection: Connection, limit: int, offset: int = 0) -> Sequence[User]:
        query = select(users).order_by(users.c.name).limit(limit).offset(offset)
        return [_user(row) for row in connection.execute(query)]

    @reading
    def count(self, connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(users)).scalar_one()

    @writing
    def change(
        self,
        connection: Connection,
        id: str,
        *,
        role: Role | None = None,
        password_hash: str | None = None,
        by: str = "",
        version: int | None = None,
    ) -> bool:
        changed = {
            name: value for name, value in (("role", role), ("password_hash", password_hash)) if value is not None
        }
        if not _may_lose(connection, id, version, stays_admin=role in (None, "admin")):
            return False
        connection.execute(
            update(users).where(users.c.id == id).values(**changed, version=users.c.version + 1, changed_by=by)
        )
        connection.execute(delete(user_sessions).where(user_sessions.c.user_id == id))
        return True

    @writing
    def delete(self, connection: Connection, id: str, *, version: int | None = None) -> bool:
        if not _may_lose(connection, id, version, stays_admin=False):
            return False
        connection.execute(delete(users).where(users.c.id == id))
        connection.execute(delete(user_sessions).where(user_sessions.c.user_id == id))
        return True

    @writing
    def begin(self, connection: Connection, session: UserSession, keep: int) -> None:
        of_user = user_sessions.c.user_id == session.user_id
        newest = select(user_sessions.c.token_hash).where(of_user).order_by(user_sessions.c.created_wall_ms.desc())
        expired = user_sessions.c.expires_wall_ms <= session.created_wall_ms
        connection.execute(delete(user_sessions).where(expired))
        kept = connection.execute(newest.limit(max(0, keep - 1))).scalars().all()
        connection.execute(delete(user_sessions).where(of_user, user_sessions.c.token_hash.not_in(kept)))
        connection.execute(insert(user_sessions).values(**asdict(session)))

    @reading
    def signed_in(self, connection: Connection, token_hash: str, wall_ms: int) -> tuple[User, UserSession] | None:
        query = (
            select(*users.columns, *(column.label(f"session_{column.name}") for column in user_sessions.columns))
            .join(user_sessions, user_sessions.c.user_id == users.c.id)
            .where(user_sessions.c.token_hash == token_hash, user_sessions.c.expires_wall_ms > wall_ms)
        )
        row = connection.execute(query).first()
        if row is None:
            return None
        session = UserSession(**{field.name: row._mapping[f"session_{field.name}"] for field in fields(UserSession)})
        return _user(row), session

    @writing
    def end(self, connection: Connection, token_hash: str) -> None:
        connection.execute(delete(user_sessions).where(user_sessions.c.token_hash == token_hash))

    @writing
    def note(self, connection: Connection, entry: AuditEntry) -> None:
        values = {
            name: value[:_MAX_COLUMN_CHARS] if isinstance(value, str) else value
            for name, value in asdict(entry).items()
        }
        connection.execute(insert(audit).values(**values))

    @reading
    def audit(
        self, connection: Connection, limit: int, offset: int = 0, wanted: AuditFilter = EVERYTHING
    ) -> Sequence[AuditEntry]:
        query = select(audit).where(*_meant(wanted)).order_by(audit.c.id.desc()).limit(limit).offset(offset)
        rows = connection.execute(query)
        return [AuditEntry(**{field.name: row._mapping[field.name] for field in fields(AuditEntry)}) for row in rows]

    @reading
    def count_audit(self, connection: Connection, wanted: AuditFilter = EVERYTHING) -> int:
        return connection.execute(select(func.count()).select_from(audit).where(*_meant(wanted))).scalar_one()

    @reading
    def audit_names(self, connection: Connection, limit: int) -> Sequence[str]:
        return _different(connection, audit.c.user_name, limit)

    @reading
    def audit_actions(self, connection: Connection, limit: int) -> Sequence[str]:
        return _different(connection, audit.c.action, limit)


def _meant(wanted: AuditFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.user_name:
        conditions.append(audit.c.user_name == wanted.user_name)
    if wanted.action.endswith("."):
        conditions.append(audit.c.action.startswith(wanted.action, autoescape=True))
    elif wanted.action:
        conditions.append(audit.c.action == wanted.action)
    if wanted.subject:
        conditions.append(audit.c.subject.contains(wanted.subject, autoescape=True))
    if wanted.from_ms is not None:
        conditions.append(audit.c.wall_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        conditions.append(audit.c.wall_ms < wanted.until_ms)
    return conditions


def _different(connection: Connection, column: Column[str], limit: int) -> Sequence[str]:
    query = select(column).where(column != "").distinct().order_by(column).limit(limit)
    return list(connection.execute(query).scalars())


def _may_lose(connection: Connection, id: str, version: int | None, *, stays_admin: bool) -> bool:
    """Whether there is this user, in this version where one is named, and an admin is left without them where they would be none. The
    admins are locked: of two who take each other's role at once, one stays."""
    admins = connection.execute(select(users.c.id).where(users.c.role == "admin").with_for_update()).scalars()
    others = [each for each in admins.all() if each != id]
    there = connection.execute(select(users.c.version).where(users.c.id == id).with_for_update()).scalar()
    return there is not None and version in (None, there) and (stays_admin or bool(others))


def _user(row: Row[Any]) -> User:
    return User(**{field.name: row._mapping[field.name] for field in fields(User)})
