"""The REST API's documents for whoever has signed in: the same routes and the same checks, behind the console's own door."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from antiphon.calls.stores import DEFAULT_ORG, ResourceStore
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.http.bearer import Handler
from antiphon.surfaces.http.preconditions import etag
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import LET_IN, Asker

_ALL = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
OPEN: Mapping[str, frozenset[str]] = {
    "assistant": _ALL,
    "chat": frozenset({"POST"}),
    "credential": _ALL,
    "eval": _ALL,
    "phone-number": _ALL,
    "tool": _ALL,
}
"""What of the API is open here, by the first part of its paths. Calls are not: their documents hold the URLs that control them."""
_VERBS = {"POST": "added", "PATCH": "changed", "PUT": "changed", "DELETE": "removed"}
_PREFIX = "/console/api/rest"


def routes(door: Door, api: Sequence[Route], resources: ResourceStore) -> list[Route]:
    """``/console/api/rest/…`` is ``…`` of ``api``. Viewers read, builders change; what is changed is noted. A 412 also says who was first:
    ``{"changed": {"version", "by", "wall_ms"}}``, ``by`` empty where it was an API key."""

    @door.guarded("viewer")
    async def read(request: Request, visitor: Visitor) -> Response:
        return await _asked(request, visitor)

    @door.guarded("builder")
    async def change(request: Request, visitor: Visitor) -> Response:
        answer = await _asked(request, visitor)
        if answer.status_code < 400:
            await door.note(visitor.user, *_noted(request, answer))
        return await _with_who(request, answer) if answer.status_code == 412 else answer

    async def _with_who(request: Request, answer: Response) -> Response:
        path: str = request.path_params["path"]
        kind, _, rest = path.partition("/")
        there = await resources.find(kind, DEFAULT_ORG, rest.partition("/")[0])
        if there is None:
            return answer
        changed = changed_shown(there.version, there.changed_by, there.updated_wall_ms)
        return json_response({**orjson.loads(answer.body), "changed": changed}, 412, {"Cache-Control": "no-store"})

    async def _asked(request: Request, visitor: Visitor) -> Response:
        path = "/" + request.path_params["path"]
        if request.method not in OPEN.get(path.split("/")[1], ()):
            raise HTTPException(404)
        asker = Asker(DEFAULT_ORG, f"console:{visitor.user.id}", person=visitor.user.name)
        scope = {**request.scope, "path": path, "raw_path": path.encode(), "root_path": "", LET_IN: asker}
        for handler, child in _found(api, scope):
            answer = await handler(Request({**scope, **child}, request.receive))
            answer.headers["Cache-Control"] = "no-store"
            return answer
        raise HTTPException(404)

    path = f"{_PREFIX}/{{path:path}}"
    return [Route(path, read, methods=["GET"]), Route(path, change, methods=sorted(_ALL - {"GET"}))]


def changed_shown(version: int, by: str, wall_ms: int | None) -> dict[str, object]:
    """Who was first, for whoever was second."""
    return {"version": etag(version), "by": by, "wall_ms": wall_ms}


def _found(api: Sequence[Route], scope: dict[str, object]) -> Iterator[tuple[Handler, dict[str, object]]]:
    for route in api:
        match, child = route.matches(scope)
        if match is Match.FULL:
            yield route.endpoint, dict(child)


def _noted(request: Request, answer: Response) -> tuple[str, str]:
    """What was done, and to what: ``assistant.restored`` and its id."""
    kind, *rest = request.path_params["path"].split("/")
    action = f"{kind}.{_VERBS[request.method]}"
    if "restore" in rest:
        action = f"{kind}.restored"
    elif kind == "chat":
        action = "chat.said"
    elif kind == "eval" and rest[:1] == ["run"]:
        action = f"eval.run.{_VERBS[request.method]}"
    body = answer.body
    made = orjson.loads(body) if isinstance(body, bytes) and body else {}
    return action, str(made.get("id", "")) if isinstance(made, dict) else ""
