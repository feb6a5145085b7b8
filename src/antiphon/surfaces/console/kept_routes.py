"""Tools, numbers, credentials and evals as the console lists them: a few fields of each, by pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import DEFAULT_ORG, Listing, Resource, ResourceStore
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.paging import page_of
from antiphon.surfaces.http.responses import secret_response

_TYPE = {"tool": "type", "phone-number": "provider", "credential": "provider", "eval": "type"}
"""Each kind that is listed, and which of its fields says what sort of one it is."""


def routes(door: Door, resources: ResourceStore) -> list[Route]:
    """``GET /console/api/kept/{kind}``, the newest first."""

    @door.guarded("viewer")
    async def listed(request: Request, visitor: Visitor) -> Response:
        kind = request.path_params["kind"]
        if kind not in _TYPE:
            raise HTTPException(404)
        limit, offset = page_of(request)
        listing = Listing(limit=limit, offset=offset)
        found = await resources.list(kind, DEFAULT_ORG, listing)
        total = await resources.count(kind, DEFAULT_ORG, listing)
        return secret_response({"rows": [_row(kind, each) for each in found], "total": total})

    return [Route("/console/api/kept/{kind}", listed)]


def _row(kind: str, resource: Resource) -> dict[str, Any]:
    body = resource.body
    function = body.get("function")
    named = function.get("name") if isinstance(function, Mapping) else None
    return {
        "id": resource.id,
        "name": str(named or body.get("number") or body.get("name") or ""),
        "type": str(body.get(_TYPE[kind]) or ""),
        "updated_wall_ms": resource.updated_wall_ms,
    }
