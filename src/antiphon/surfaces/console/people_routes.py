"""Signing in and out, who may come in, and the audit log."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.people import ROLES, Role, User
from antiphon.errors import StoreUnavailable
from antiphon.surfaces.console.bodies import object_of, text_of
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.paging import page_of
from antiphon.surfaces.http.responses import secret_response

T = TypeVar("T")


def routes(door: Door) -> list[Route]:
    """``/console/api/`` ``me`` ``setup`` ``sign-in`` ``sign-out`` ``people`` ``audit``."""

    async def me(request: Request) -> Response:
        """Who asks: null where nobody has signed in. ``setup``: whether the first admin is still to be made."""
        visitor = await _or_503(door.visitor(request))
        known = None if visitor is None else {**_shown(visitor.user), "csrf": visitor.session.csrf}
        return secret_response({"user": known, "setup": bool(door.setup_token)})

    async def set_up(request: Request) -> Response:
        body = await object_of(request)
        return await _or_503(
            door.set_up(request, text_of(body, "token"), text_of(body, "name"), text_of(body, "password"))
        )

    async def sign_in(request: Request) -> Response:
        body = await object_of(request)
        return await _or_503(door.sign_in(request, text_of(body, "name"), text_of(body, "password")))

    @door.guarded("viewer")
    async def sign_out(request: Request, visitor: Visitor) -> Response:
        return await door.sign_out(request, visitor)

    @door.guarded("admin")
    async def people(request: Request, visitor: Visitor) -> Response:
        limit, offset = page_of(request)
        shown = [_shown(user) for user in await door.people.list(limit, offset)]
        return secret_response({"people": shown, "total": await door.people.count()})

    @door.guarded("admin")
    async def add(request: Request, visitor: Visitor) -> Response:
        body = await object_of(request)
        user = await door.add(text_of(body, "name"), text_of(body, "password"), _role_of(body))
        await door.note(visitor.user, "person.added", f"{user.name} ({user.role})")
        return secret_response(_shown(user))

    @door.guarded("admin")
    async def change(request: Request, visitor: Visitor) -> Response:
        body = await object_of(request)
        unknown = set(body) - {"role", "password"}
        if unknown or not body:
            raise HTTPException(422, "Only role and password can be changed")
        role = _role_of(body) if "role" in body else None
        password = await door.password_hash(text_of(body, "password")) if "password" in body else None
        id = request.path_params["id"]
        if not await door.people.change(id, role=role, password_hash=password):
            raise HTTPException(409, "There is nobody of this id, or no admin would be left")
        await door.note(visitor.user, "person.changed", f"{id} ({', '.join(sorted(body))})")
        return Response(None, 204)

    @door.guarded("admin")
    async def remove(request: Request, visitor: Visitor) -> Response:
        id = request.path_params["id"]
        if not await door.people.delete(id):
            raise HTTPException(409, "There is nobody of this id, or no admin would be left")
        await door.note(visitor.user, "person.removed", id)
        return Response(None, 204)

    @door.guarded("admin")
    async def audit(request: Request, visitor: Visitor) -> Response:
        limit, offset = page_of(request)
        shown = [
            {"wall_ms": each.wall_ms, "who": each.user_name, "action": each.action, "subject": each.subject}
            for each in await door.people.audit(limit, offset)
        ]
        return secret_response({"entries": shown, "total": await door.people.count_audit()})

    prefix = "/console/api"
    return [
        Route(f"{prefix}/me", me),
        Route(f"{prefix}/setup", set_up, methods=["POST"]),
        Route(f"{prefix}/sign-in", sign_in, methods=["POST"]),
        Route(f"{prefix}/sign-out", sign_out, methods=["POST"]),
        Route(f"{prefix}/people", people),
        Route(f"{prefix}/people", add, methods=["POST"]),
        Route(f"{prefix}/people/{{id}}", change, methods=["PATCH"]),
        Route(f"{prefix}/people/{{id}}", remove, methods=["DELETE"]),
        Route(f"{prefix}/audit", audit),
    ]


def _shown(user: User) -> dict[str, Any]:
    return {"id": user.id, "name": user.name, "role": user.role, "created_wall_ms": user.created_wall_ms}


def _role_of(body: dict[str, Any]) -> Role:
    role = body.get("role")
    for known in ROLES:
        if role == known:
            return known
    raise HTTPException(422, f"role: must be one of {', '.join(ROLES)}")


async def _or_503(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except StoreUnavailable as error:
        raise HTTPException(503, str(error)) from error
