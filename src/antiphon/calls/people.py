"""Who may use the console, and what they did there, as a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Role = Literal["admin", "builder", "viewer"]
"""``viewer`` sees and hears; ``builder`` also changes, talks and speaks in live calls; ``admin`` also decides who may."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class User:
    """A person with a password."""

    id: str
    name: str
    """As it is typed at the door; unique, lower case."""
    role: Role
    password_hash: str
    created_wall_ms: int


@dataclass(frozen=True, slots=True)
class UserSession:
    """One browser in which somebody has signed in."""

    token_hash: str
    """SHA-256 of the cookie's value: who reads the database cannot use it."""
    user_id: str
    csrf: str
    """Sent with every change, so that another site's page cannot make one."""
    created_wall_ms: int
    expires_wall_ms: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Somebody changed something, or listened to it."""

    wall_ms: int
    user_name: str
    action: str
    """A short stable label, e.g. ``call.listened``."""
    subject: str = ""
    """The id of what it was done to; never its content."""


class PeopleStore(Protocol):
    """Users, their sessions, and the audit log. All raise ``StoreUnavailable`` where the database does not answer."""

    async def add(self, user: User, *, first: bool = False) -> bool:
        """False where there is one of this name already; with ``first``, where there is anyone at all. Nothing is changed then."""
        ...

    async def find(self, name: str) -> User | None: ...

    async def list(self, limit: int, offset: int = 0) -> Sequence[User]:
        """By name."""
        ...

    async def count(self) -> int: ...

    async def change(self, id: str, *, role: Role | None = None, password_hash: str | None = None) -> bool:
        """False where there is no such user, or where no admin would be left. A new password or role ends the user's sessions."""
        ...

    async def delete(self, id: str) -> bool:
        """With all sessions. False as in ``change``."""
        ...

    async def begin(self, session: UserSession, keep: int) -> None:
        """Expired sessions go, and of this user's the oldest beyond ``keep``."""
        ...

    async def signed_in(self, token_hash: str, wall_ms: int) -> tuple[User, UserSession] | None: ...

    async def end(self, token_hash: str) -> None: ...

    async def note(self, entry: AuditEntry) -> None: ...

    async def audit(self, limit: int, offset: int = 0) -> Sequence[AuditEntry]:
        """The newest first."""
        ...

    async def count_audit(self) -> int: ...
