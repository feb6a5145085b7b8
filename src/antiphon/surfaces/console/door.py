"""Who is let into the console: the first admin by a printed link, everybody else by name and password, then by a cookie.

A change needs the session's CSRF token in ``X-CSRF-Token`` beside the cookie, and an origin that is ours: another site's page has neither.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from antiphon.calls.people import ROLES, AuditEntry, PeopleStore, Role, User, UserSession
from antiphon.clock import Clock
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.ids import new_id
from antiphon.surfaces.console.passwords import MAX_CHARS, MIN_CHARS, Passwords, Throttle
from antiphon.surfaces.locality import is_foreign

SESSION_MS = 7 * 24 * 60 * 60 * 1000
_MAX_SESSIONS = 20
"""Browsers of one person."""
_MAX_NAME_CHARS = 100
_RANK = {role: rank for rank, role in enumerate(reversed(ROLES))}
CSRF_HEADER = "x-csrf-token"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has signed in."""

    user: User
    session: UserSession

    def may(self, role: Role) -> bool:
        return _RANK[self.user.role] >= _RANK[role]


Handler = Callable[[Request, Visitor], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Door:
    """One for a process. Its sessions are in the database: they outlive a restart, and other nodes know them."""

    def __init__(self, people: PeopleStore, clock: Clock, base_url: str, port: int) -> None:
        """``port``: cookies of one host are shared by all its ports, so it is part of ours' name."""
        self.people = people
        self._clock = clock
        self._secure = base_url.startswith("https://")
        self._passwords = Passwords()
        self._throttle = Throttle()
        self.cookie = f"antiphon_console_{port}"
        self.setup_token = ""
        """Makes the first admin. Empty where there is one."""

    async def open(self) -> None:
        """At the start: where nobody can sign in yet, the token of the printed link is made."""
        if not await self.people.count():
            self.setup_token = secrets.token_urlsafe(32)

    # ---------------------------------------------------------------------------------- coming in

    async def set_up(self, request: Request, token: str, name: str, password: str) -> Response:
        """The first admin. Raises HTTPException."""
        _refuse_foreign(request)
        if not self.setup_token or not hmac.compare_digest(token.encode(), self.setup_token.encode()):
            raise HTTPException(
                403, "This link has been used, or is of an earlier start; the server prints the one that is good"
            )
        user = await self._made(name, password, "admin")
        if not await self.people.add(user, first=True):
            raise HTTPException(403, "There is an admin already: sign in")
        self.setup_token = ""
        await self.note(user, "console.set_up")
        return await self._begin(user)

    async def sign_in(self, request: Request, name: str, password: str) -> Response:
        """Raises HTTPException 401 for a wrong name or password, which it is is not told; 429 for too many."""
        _refuse_foreign(request)
        name = name.strip().lower()
        address = request.client.host if request.client is not None else ""
        tried = (f"name {name[:_MAX_NAME_CHARS]}", f"address {address}")
        now_ms = self._clock.now_ms()
        if wait_ms := max(self._throttle.wait_ms(who, now_ms) for who in tried):
            raise HTTPException(429, "Too many wrong passwords", {"Retry-After": str(wait_ms // 1000 + 1)})
        for who in tried:  # before it is known: many at once are not one try
            self._throttle.failed(who, now_ms)
        user = await self.people.find(name)
        if not await self._passwords.fits(password[: MAX_CHARS + 1], user.password_hash if user is not None else None):
            log.info("console_sign_in_refused")
            raise HTTPException(401, "Name or password is wrong")
        assert user is not None
        for who in tried:
            self._throttle.forget(who)
        await self.note(user, "console.signed_in")
        return await self._begin(user)

    async def sign_out(self, request: Request, visitor: Visitor) -> Response:
        await self.people.end(visitor.session.token_hash)
        answer = Response(None, 204)
        answer.delete_cookie(self.cookie, path="/", httponly=True, samesite="lax", secure=self._secure)
        return answer

    async def _begin(self, user: User) -> Response:
        token, now_ms = secrets.token_urlsafe(32), self._clock.wall_ms()
        session = UserSession(_digest(token), user.id, secrets.token_urlsafe(24), now_ms, now_ms + SESSION_MS)
        await self.people.begin(session, _MAX_SESSIONS)
        answer = Response(None, 204, {"Cache-Control": "no-store"})
        answer.set_cookie(
            self.cookie, token, max_age=SESSION_MS // 1000, path="/", httponly=True, samesite="lax", secure=self._secure
        )
        return answer

    # ---------------------------------------------------------------------------------- people

    async def _made(self, name: str, password: str, role: Role) -> User:
        name = name.strip().lower()
        if not (name.isprintable() and 0 < len(name) <= _MAX_NAME_CHARS):
            raise HTTPException(422, f"name: must be one line, of at most {_MAX_NAME_CHARS} characters")
        return User(new_id("user"), name, role, await self.password_hash(password), self._clock.wall_ms())

    async def password_hash(self, password: str) -> str:
        """Raises HTTPException 422 for one that is too short or too long."""
        if not MIN_CHARS <= len(password) <= MAX_CHARS:
            raise HTTPException(422, f"password: must have {MIN_CHARS} to {MAX_CHARS} characters")
        return await self._passwords.hash(password)

    async def add(self, name: str, password: str, role: Role) -> User:
        """Another one who may come in. Raises HTTPException 422, 409."""
        user = await self._made(name, password, role)
        if not await self.people.add(user):
            raise HTTPException(409, "name: there is somebody of this name")
        return user

    async def note(self, user: User, action: str, subject: str = "") -> None:
        """Into the audit log."""
        await self.people.note(AuditEntry(self._clock.wall_ms(), user.name, action, subject))

    # ---------------------------------------------------------------------------------- asking

    async def visitor(self, request: Request) -> Visitor | None:
        """Who asks; None for those who have not signed in."""
        try:
            cookies = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return None
        token = cookies[self.cookie].value if self.cookie in cookies else ""
        if not token:
            return None
        found = await self.people.signed_in(_digest(token), self._clock.wall_ms())
        return None if found is None else Visitor(*found)

    def guarded(self, role: Role) -> Callable[[Handler], Endpoint]:
        """A decorator: nobody asks who has not signed in and may do as much as this role; and no other site's page asks for them."""

        def guard(handler: Handler) -> Endpoint:
            @functools.wraps(handler)
            async def checked(request: Request) -> Response:
                try:
                    visitor = await self.visitor(request)
                    if visitor is None:
                        raise HTTPException(401, "Sign in first")
                    if request.method != "GET":
                        _refuse_foreign(request)
                        given = request.headers.get(CSRF_HEADER, "")
                        if not hmac.compare_digest(given.encode(), visitor.session.csrf.encode()):
                            raise HTTPException(403, "The CSRF token is missing or wrong; load the page again")
                    if not visitor.may(role):
                        raise HTTPException(403, f"This needs the role {role}")
                    return await handler(request, visitor)
                except StoreUnavailable as error:
                    raise HTTPException(503, str(error)) from error
                except ValueRefused as error:
                    raise HTTPException(422, str(error)) from error

            return checked

        return guard

    async def may_talk(self, request: Request) -> bool:
        """Whether this visitor of the talk page needs no key: it costs money, so a viewer does."""
        if is_foreign(request.headers):
            return False
        try:
            visitor = await self.visitor(request)
        except StoreUnavailable:
            return False  # whoever has a key still talks
        return visitor is not None and visitor.may("builder")


def _refuse_foreign(request: Request) -> None:
    if is_foreign(request.headers):
        raise HTTPException(403, "Only the console's own page may do this")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
