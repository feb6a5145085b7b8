"""``PeopleStore`` in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from antiphon.calls.people import AuditEntry, Role, User, UserSession
from antiphon.storage.database import Database
from antiphon.storage.tables import audit, user_sessions, users

_MAX_COLUMN_CHARS = 255


class StoredPeople:
    """Users, their sessions, and the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, *, first: bool = False) -> bool:
        try:
            async with self._database.writing() as connection:
                if (
                    first and not self._database.is_sqlite
                ):  # where a writer is not alone: of two who are first, one waits
                    await connection.execute(text("LOCK TABLE users IN EXCLUSIVE MODE"))
                if first and (await connection.execute(select(users.c.id).limit(1))).first() is not None:
                    return False
                await connection.execute(insert(users).values(**asdict(user)))
        except IntegrityError:
            return False
        return True

    async def find(self, name: str) -> User | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(users).where(users.c.name == name))).first()
        return None if row is None else _user(row)

    async def list(self, limit: int, offset: int = 0) -> Sequence[User]:
        query = select(users).order_by(users.c.name).limit(limit).offset(offset)
        async with self._database.reading() as connection:
            return [_user(row) for row in await connection.execute(query)]

    async def count(self) -> int:
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(users))).scalar_one()

    async def change(self, id: str, *, role: Role | None = None, password_hash: str | None = None) -> bool:
        changed = {
            name: value for name, value in (("role", role), ("password_hash", password_hash)) if value is not None
        }
        async with self._database.writing() as connection:
            if not await _may_lose(connection, id, stays_admin=role in (None, "admin")):
                return False
            await connection.execute(update(users).where(users.c.id == id).values(**changed))
            await connection.execute(delete(user_sessions).where(user_sessions.c.user_id == id))
        return True

    async def delete(self, id: str) -> bool:
        async with self._database.writing() as connection:
            if not await _may_lose(connection, id, stays_admin=False):
                return False
            await connection.execute(delete(users).where(users.c.id == id))
            await connection.execute(delete(user_sessions).where(user_sessions.c.user_id == id))
        return True

    async def begin(self, session: UserSession, keep: int) -> None:
        of_user = user_sessions.c.user_id == session.user_id
        newest = select(user_sessions.c.token_hash).where(of_user).order_by(user_sessions.c.created_wall_ms.desc())
        async with self._database.writing() as connection:
            expired = user_sessions.c.expires_wall_ms <= session.created_wall_ms
            await connection.execute(delete(user_sessions).where(expired))
            kept = (await connection.execute(newest.limit(max(0, keep - 1)))).scalars().all()
            await connection.execute(delete(user_sessions).where(of_user, user_sessions.c.token_hash.not_in(kept)))
            await connection.execute(insert(user_sessions).values(**asdict(session)))

    async def signed_in(self, token_hash: str, wall_ms: int) -> tuple[User, UserSession] | None:
        query = (
            select(*users.columns, *(column.label(f"session_{column.name}") for column in user_sessions.columns))
            .join(user_sessions, user_sessions.c.user_id == users.c.id)
            .where(user_sessions.c.token_hash == token_hash, user_sessions.c.expires_wall_ms > wall_ms)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        session = UserSession(**{field.name: row._mapping[f"session_{field.name}"] for field in fields(UserSession)})
        return _user(row), session

    async def end(self, token_hash: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(user_sessions).where(user_sessions.c.token_hash == token_hash))

    async def note(self, entry: AuditEntry) -> None:
        values = {
            name: value[:_MAX_COLUMN_CHARS] if isinstance(value, str) else value
            for name, value in asdict(entry).items()
        }
        async with self._database.writing() as connection:
            await connection.execute(insert(audit).values(**values))

    async def audit(self, limit: int, offset: int = 0) -> Sequence[AuditEntry]:
        query = select(audit).order_by(audit.c.id.desc()).limit(limit).offset(offset)
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return [
                AuditEntry(**{field.name: row._mapping[field.name] for field in fields(AuditEntry)}) for row in rows
            ]

    async def count_audit(self) -> int:
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(audit))).scalar_one()


async def _may_lose(connection: AsyncConnection, id: str, *, stays_admin: bool) -> bool:
    """Whether there is this user, and an admin is left without them where they would be none. The admins are locked: of two who take
    each other's role at once, one stays."""
    admins = (await connection.execute(select(users.c.id).where(users.c.role == "admin").with_for_update())).scalars()
    others = [each for each in admins.all() if each != id]
    there = (await connection.execute(select(func.count()).select_from(users).where(users.c.id == id))).scalar_one()
    return bool(there) and (stays_admin or bool(others))


def _user(row: Row[Any]) -> User:
    return User(**{field.name: row._mapping[field.name] for field in fields(User)})
