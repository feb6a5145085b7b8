"""Calls as the database has them: listed and filtered without reading a log, and what became of each (cost, analysis, warnings)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import DEFAULT_ORG, CallRecord, CallStore, Listing, ResourceStore, Span
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.paging import number_of, page_of
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.vapi.call_documents import call_document

_MAX_CHARS = 128
_FILTERS = {"status": "status", "assistant": "assistant_id", "reason": "ended_reason", "type": "type"}
_DAY_MS = 24 * 60 * 60 * 1000
_TOLD = ("costs", "costBreakdown", "analysis", "analysisSkipped", "warnings", "messages", "customer", "squadId")
"""Of a call's document: not its assistant, and no URL that controls it."""
_PREFIX = "/console/api/records"

Deliveries = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
"""What was sent to an application about this call, with the attempts: ``{"event", "url", "status", "wall_ms", "next_wall_ms", "attempts":
[{"wall_ms", "duration_ms", "status", "problem"}]}``; ``status`` is ``pending``, ``delivered`` or ``failed``, an attempt's is HTTP's, or
None where there was no answer. Raises StoreUnavailable."""


def routes(door: Door, calls: CallStore, resources: ResourceStore, deliveries: Deliveries | None = None) -> list[Route]:
    """``deliveries`` None: this server keeps none."""

    @door.guarded("viewer")
    async def listed(request: Request, visitor: Visitor) -> Response:
        listing = _listing(request)
        found = await calls.list(DEFAULT_ORG, listing, bodies=False)
        names = await _names(resources, {record.assistant_id for record in found})
        total = await calls.count(DEFAULT_ORG, listing)
        return secret_response({"calls": [_row(record, names) for record in found], "total": total})

    @door.guarded("viewer")
    async def one(request: Request, visitor: Visitor) -> Response:
        id = request.path_params["id"]
        record = await calls.find(DEFAULT_ORG, id) if len(id) <= _MAX_CHARS and "\0" not in id else None
        if record is None:
            raise HTTPException(404, "There is no record of this call")
        await door.note(visitor.user, "call.record_read", id)
        names = await _names(resources, {record.assistant_id})
        document = call_document(record)
        told = {name: document[name] for name in _TOLD if document.get(name)}
        sent = None if deliveries is None else list(await deliveries(id))
        return secret_response({**_row(record, names), "document": told, "webhooks": sent})

    return [Route(_PREFIX, listed), Route(f"{_PREFIX}/{{id}}", one)]


def _listing(request: Request) -> Listing:
    """Raises HTTPException 422."""
    equal = {}
    for name, column in _FILTERS.items():
        value = request.query_params.get(name, "")
        if len(value) > _MAX_CHARS or "\0" in value:
            raise HTTPException(422, f"{name}: must be a text of at most {_MAX_CHARS} characters")
        if value:
            equal[column] = value
    since_ms, until_ms = (number_of(request, name, 0, 100_000) * _DAY_MS for name in ("since_day", "until_day"))
    created = Span(since_ms or None, until_ms + _DAY_MS - 1 if until_ms else None)
    limit, offset = page_of(request)
    return Listing(limit=limit, offset=offset, created=created, equal=equal)


async def _names(resources: ResourceStore, ids: set[str]) -> dict[str, str]:
    """Of stored assistants. One that is a file is called by its id."""
    wanted = sorted(ids - {""})
    if not wanted:
        return {}
    found = await resources.list("assistant", DEFAULT_ORG, Listing(limit=len(wanted), ids=wanted))
    return {each.id: str(each.body.get("name") or each.id) for each in found}


def _row(record: CallRecord, names: Mapping[str, str]) -> dict[str, Any]:
    began, ended = record.started_wall_ms, record.ended_wall_ms
    return {
        "id": record.id,
        "type": record.type,
        "status": record.status,
        "wall_ms": record.created_wall_ms,
        "duration_ms": ended - began if began is not None and ended is not None else None,
        "assistant_id": record.assistant_id,
        "assistant": names.get(record.assistant_id, record.assistant_id),
        "caller": record.customer_number,
        "ended_reason": record.ended_reason,
        "cost_usd": record.cost_usd,
    }
