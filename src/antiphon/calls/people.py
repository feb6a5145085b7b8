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
    version: int = 1
    """Counted from 1, one more with every change."""
    changed_by: str = ""
    """The name of whoever changed it last; empty where nobody has."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit log; what is empty is not asked for."""

    user_name: str = ""
    action: str = ""
    """One action, or with a dot at its end all that begin so: ``assistant.``."""
    subject: str = ""
    """A part of it: an id, a name."""
    from_ms: int | None = None
    until_ms: int | None = None
    """Wall time; the first moment that is not meant any more."""


EVERYTHING = AuditFilter()


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

    async def get(self, id: str) -> User | None: ...

    async def change(
        self,
        id: str,
        *,
        role: Role | None = None,
        password_hash: str | None = None,
        by: str = "",
        version: int | None = None,
    ) -> bool:
        """False where there is no such user, where no admin would be left, or, with ``version``, where that is not the one that is there. A
        new password or role ends the user's sessions."""
        ...

    async def delete(self, id: str, *, version: int | None = None) -> bool:
        """With all sessions. False as in ``change``."""
        ...

    async def begin(self, session: UserSession, keep: int) -> None:
        """Expired sessions go, and of this user's the oldest beyond ``keep``."""
        ...

    async def signed_in(self, token_hash: str, wall_ms: int) -> tuple[User, UserSession] | None: ...

    async def end(self, token_hash: str) -> None: ...

    async def note(self, entry: AuditEntry) -> None: ...

    async def audit(self, limit: int, offset: int = 0, wanted: AuditFilter = EVERYTHING) -> Sequence[AuditEntry]:
        """The newest first."""
        ...

    async def count_audit(self, wanted: AuditFilter = EVERYTHING) -> int: ...

    async def audit_names(self, limit: int) -> Sequence[str]:
        """Who is in it, by name: also those who are gone."""
        ...

    async def audit_actions(self, limit: int) -> Sequence[str]:
        """What is in it, in alphabetical order."""
        ...
