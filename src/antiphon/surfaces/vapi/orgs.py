"""The asker's organisation (``/org``): how long what was said in its calls is kept, its erasure, and the server that is told of calls where
nobody else is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.stores import DEFAULT_ORG, CallStore, Listing, Resource, ResourceStore, Span
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.preconditions import ANY_VERSION, IfMatch, etag
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker, conditional
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.crud import change_of
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.documents import Change, Documents, Kind, changed_since
from antiphon.surfaces.vapi.errors import ApiError, not_found
from antiphon.wire_model import parse

KIND = "org"
MAX_ERASED = 500
"""Calls that one request erases; whoever has more asks again."""
_MAX_DAYS = 36_500
_UNSET, _FIRST = 0, 1
"""The version of settings that nobody has made yet, and the one they begin with, which is empty."""
_OURS = ("retentionDays", "server")
log = structlog.get_logger(__name__)

Erase = Callable[[str, str], Awaitable[object]]
"""``(org_id, call_id)``: all that is left of a call. Raises OSError, StoreUnavailable."""


async def retention_days(store: ResourceStore, org_id: str) -> float | None:
    """What an organisation says for its calls; None: nothing. Raises StoreUnavailable."""
    found = await store.find(KIND, org_id, org_id)
    days = found.body.get("retentionDays") if found is not None else None
    return float(days) if isinstance(days, int | float) else None


class Orgs:
    """The handlers."""

    def __init__(self, store: ResourceStore, calls: CallStore, clock: Clock, erase: Erase | None) -> None:
        """``erase`` None: nothing is left of calls here."""
        self._documents = Documents(store, clock, Kind(KIND, check=_check))
        self._calls = calls
        self._erase = erase

    def routes(self, access: Access) -> list[Route]:
        return [
            Route("/org", access.private(self._list), methods=["GET"]),
            Route("/org/{id}", access.private(self._get), methods=["GET"]),
            Route("/org/{id}", access.private(self._patch), methods=["PATCH"]),
            Route("/org/{id}/erase", access.private(self._erased), methods=["POST"]),
        ]

    async def _list(self, request: Request, asker: Asker) -> Response:
        return json_response([_shown(asker, await self._documents.find(asker.org_id, asker.org_id))])

    async def _get(self, request: Request, asker: Asker) -> Response:
        _require_own(request, asker)
        return _answer(asker, await self._documents.find(asker.org_id, asker.org_id))

    @conditional
    async def _patch(self, request: Request, asker: Asker) -> Response:
        _require_own(request, asker)
        how, body = change_of(request, asker), await json_body(request)
        id = asker.org_id
        if await self._documents.find(id, id) is None:
            if not how.seen.met_by(_UNSET):
                raise changed_since(KIND, _UNSET)
            if how.seen != ANY_VERSION:
                how = Change(how.by, IfMatch(frozenset({etag(_FIRST)})))
            await self._documents.create(id, {}, id)  # whoever else does so at the same time makes the same one
        return _answer(asker, await self._documents.patch(id, id, body, how))

    async def _erased(self, request: Request, asker: Asker) -> Response:
        """Calls that are over: all of the organisation, of ``assistantId``, made ``before`` a moment."""
        _require_own(request, asker)
        body = await json_body(request)
        listing = _calls_meant(body)
        erased = 0
        if self._erase is not None:
            for record in await self._calls.list(asker.org_id, listing):
                try:
                    await self._erase(asker.org_id, record.id)
                except OSError as error:
                    log.error("call_not_erased", call_id=record.id, problem=type(error).__name__)
                    raise ApiError(503, f"A recording could not be erased; {erased} calls were.") from None
                erased += 1
        remaining = await self._calls.count(asker.org_id, listing)
        return json_response({"erased": erased, "remaining": remaining}, 201)


def _calls_meant(body: Mapping[str, Any]) -> Listing:
    """Raises ApiError 400."""
    problems = [f"property {name} should not exist" for name in body if name not in ("assistantId", "before")]
    assistant, before = body.get("assistantId"), body.get("before")
    if assistant is not None and not (isinstance(assistant, str) and 0 < len(assistant) <= 255):
        problems.append("assistantId must be a non-empty string")
    if before is not None and not isinstance(before, str):
        problems.append("before must be a valid ISO 8601 date string")
    if problems:
        raise ApiError(400, problems)
    until = Span(to_ms=ms_of(before, "before") - 1) if before is not None else Span()
    equal = {"status": "ended", **({"assistant_id": assistant} if assistant is not None else {})}
    return Listing(limit=MAX_ERASED, order="oldest", created=until, equal=equal)


async def _check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
    problems = [f"property {name} should not exist" for name in body if name not in _OURS]
    days = body.get("retentionDays")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= _MAX_DAYS):
        problems.append(f"retentionDays must be a number from 0 to {_MAX_DAYS}, or null")
    if (server := body.get("server")) is not None:
        try:
            parse(ServerSpec, server, "server")
        except ConfigurationError as error:
            problems.append(f"{error.field} {error.problem}")
    if problems:
        raise ApiError(400, problems)


def _require_own(request: Request, asker: Asker) -> None:
    if request.path_params["id"] != asker.org_id:
        raise not_found(KIND, request.path_params["id"])


def _answer(asker: Asker, settings: Resource | None) -> Response:
    version = _UNSET if settings is None else settings.version
    return json_response(_shown(asker, settings), headers={"ETag": etag(version)})


def _shown(asker: Asker, settings: Resource | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": asker.org_id,
        "name": "Antiphon" if asker.org_id == DEFAULT_ORG else asker.org_id,
    }
    kept = settings.body if settings is not None else {}
    return shown | {name: kept[name] for name in _OURS if kept.get(name) is not None}
