"""``/logs``: requests to the API, what applications were told with every attempt, and calls that are over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, get_args

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.request_log import LogEntry, LogListing, LogStore, LogType
from antiphon.calls.stores import Listing
from antiphon.clock import iso
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import listing_of, paginated

PATH = "/logs"
_FILTERS = {
    "callId": "call_id", "assistantId": "assistant_id", "webhookType": "webhook_type", "squadId": "squad_id",
    "phoneNumberId": "phone_number_id", "customerNumber": "customer_number",
}  # fmt: skip
_NOT_POSSIBLE = ("id", "idAny", "updatedAtGt", "updatedAtGe", "updatedAtLt", "updatedAtLe")
"""Parameters that other lists have."""


def routes(store: LogStore, written: Callable[[], Awaitable[None]], access: Access) -> list[Route]:
    """``written``: what has happened until now is in the store."""

    async def listed(request: Request, asker: Asker) -> Response:
        listing = _listing(request)
        await written()
        found = await store.list(asker.org_id, listing)
        total = await store.count(asker.org_id, listing)
        return json_response(paginated([shown(entry) for entry in found], total, _asked(request)))

    async def deleted(request: Request, asker: Asker) -> Response:
        """Also with no filter at all: then all of the organisation. What still has to be delivered stays, and calls stay."""
        listing = _listing(request)
        await written()
        return json_response({"deleted": await store.delete(asker.org_id, listing)})

    return [
        Route(PATH, access.private(listed), methods=["GET"]),
        Route(PATH, access.private(deleted), methods=["DELETE"]),
    ]


def shown(entry: LogEntry) -> dict[str, Any]:
    """An entry as the API's Log object; fields that do not apply are left out."""
    told: dict[str, Any] = {
        "time": iso(entry.wall_ms),
        "orgId": entry.org_id,
        "type": entry.type,
        "webhookType": entry.webhook_type,
        "resource": entry.resource,
        "requestDurationSeconds": entry.duration_ms / 1000,
        "requestHttpMethod": entry.method,
        "requestUrl": entry.url,
        "requestBody": _read(entry.request_body),
        "responseHttpCode": entry.status,
        "responseBody": _read(entry.response_body),
        "callId": entry.call_id,
        "assistantId": entry.assistant_id,
    }
    if entry.type == "Call":
        told["endedReason"] = entry.error  # ours
    elif entry.error:
        told["error"] = {"message": entry.error}
    return {name: value for name, value in told.items() if value not in ("", None)}


def _read(text: str) -> Any:
    """JSON as what it says; other text as it is."""
    try:
        return orjson.loads(text) if text else ""
    except orjson.JSONDecodeError:
        return text


def _listing(request: Request) -> LogListing:
    """Raises ApiError 400."""
    query = request.query_params
    problems = [f"property {name} should not exist" for name in _NOT_POSSIBLE if query.get(name)]
    kind = query.get("type") or None
    kinds = (*get_args(LogType), "Provider")
    if kind is not None and kind not in kinds:
        problems.append(f"type must be one of the following values: {', '.join(kinds)}")
    if problems:
        raise ApiError(400, problems)
    if kind == "Provider":
        raise ApiError(
            400, "Requests to providers are not logged one by one: see costs and performanceMetrics of a call."
        )
    asked = _asked(request)
    equal = {name: value for name, value in asked.equal.items() if isinstance(value, str)}
    made: LogType | None = kind  # type: ignore[assignment]  # checked above
    return LogListing(asked.limit, asked.offset, asked.order, asked.created, made, equal)


def _asked(request: Request) -> Listing:
    return listing_of(request, _FILTERS, also=("type",))
