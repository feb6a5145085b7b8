"""Signing in and out, who may come in, and the audit log."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.people import ROLES, AuditFilter, Role, User
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.surfaces.console.bodies import object_of, text_of
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.paging import number_of, page_of
from antiphon.surfaces.console.rest import changed_shown
from antiphon.surfaces.http.preconditions import ANY_VERSION, etag, if_match_of
from antiphon.surfaces.http.responses import json_response, secret_response

T = TypeVar("T")
_MAX_CHARS = 128
_MOST_CHOICES = 500
_MAX_WALL_MS = 9_999_999_999_999
"""In the year 2286."""


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
        id, by = request.path_params["id"], visitor.user.name
        version, refused = await _precondition(request, id)
        if refused is None and not await door.people.change(
            id, role=role, password_hash=password, by=by, version=version
        ):
            refused = await _refusal(id, version)
        if refused is not None:
            return refused
        await door.note(visitor.user, "person.changed", f"{id} ({', '.join(sorted(body))})")
        return Response(None, 204)

    @door.guarded("admin")
    async def remove(request: Request, visitor: Visitor) -> Response:
        id = request.path_params["id"]
        version, refused = await _precondition(request, id)
        if refused is None and not await door.people.delete(id, version=version):
            refused = await _refusal(id, version)
        if refused is not None:
            return refused
        await door.note(visitor.user, "person.removed", id)
        return Response(None, 204)

    async def _precondition(request: Request, id: str) -> tuple[int | None, Response | None]:
        """The version that ``If-Match`` names and that is there, None without the header; or the refusal. Raises HTTPException 422."""
        try:
            seen = if_match_of(request.headers)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        if seen == ANY_VERSION:
            return None, None
        there = await door.people.get(id)
        if there is None or not seen.met_by(there.version):
            return None, _changed_since(there)
        return there.version, None

    async def _refusal(id: str, version: int | None) -> Response:
        """Raises HTTPException 409."""
        there = await door.people.get(id)
        if version is not None and (there is None or there.version != version):
            return _changed_since(there)
        raise HTTPException(409, "There is nobody of this id, or no admin would be left")

    @door.guarded("admin")
    async def audit(request: Request, visitor: Visitor) -> Response:
        limit, offset = page_of(request)
        wanted = _audit_filter(request)
        shown = [
            {"wall_ms": each.wall_ms, "who": each.user_name, "action": each.action, "subject": each.subject}
            for each in await door.people.audit(limit, offset, wanted)
        ]
        return secret_response({"entries": shown, "total": await door.people.count_audit(wanted)})

    @door.guarded("admin")
    async def audit_choices(request: Request, visitor: Visitor) -> Response:
        """What there is to filter by."""
        names = await door.people.audit_names(_MOST_CHOICES)
        actions = await door.people.audit_actions(_MOST_CHOICES)
        return secret_response({"who": list(names), "actions": list(actions)})

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
        Route(f"{prefix}/audit/choices", audit_choices),
    ]


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "created_wall_ms": user.created_wall_ms,
        "version": etag(user.version),
    }


def _changed_since(there: User | None) -> Response:
    """412, with who was first; ``changed`` is null where the person is gone."""
    if there is None:
        return json_response({"detail": "There is nobody of this id any more", "changed": None}, 412)
    changed = {**changed_shown(there.version, there.changed_by, None), "role": there.role}
    detail = f"{there.name} has been changed since, by {there.changed_by}"
    return json_response({"detail": detail, "changed": changed}, 412, {"ETag": etag(there.version)})


def _audit_filter(request: Request) -> AuditFilter:
    """Raises HTTPException 422."""
    texts = {}
    for name in ("who", "action", "subject"):
        texts[name] = request.query_params.get(name, "").strip()
        if len(texts[name]) > _MAX_CHARS or "\0" in texts[name]:
            raise HTTPException(422, f"{name}: must be a text of at most {_MAX_CHARS} characters")
    from_ms, until_ms = (
        number_of(request, name, 0, _MAX_WALL_MS) if name in request.query_params else None
        for name in ("from_ms", "until_ms")
    )
    return AuditFilter(texts["who"].lower(), texts["action"], texts["subject"], from_ms, until_ms)


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
    except ValueRefused as error:
        raise HTTPException(422, str(error)) from error
