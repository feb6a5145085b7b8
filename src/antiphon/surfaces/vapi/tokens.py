"""Keys over the API (``/token``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import Listing
from antiphon.clock import Clock, iso
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.keys import ApiKeys, KeyRecord
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.errors import ApiError, not_found
from antiphon.surfaces.vapi.paging import bare, listing_of


def routes(keys: ApiKeys, clock: Clock, access: Access) -> list[Route]:
    def owned(asker: Asker, id: str = "") -> list[KeyRecord]:
        return [record for record in keys.records() if record.org_id == asker.org_id and id in ("", record.id)]

    async def create(request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        fields.require("CreateTokenDTO", body)
        if (body.get("restrictions") or {}).get("enabled") is False:
            raise ApiError(400, ["restrictions.enabled must be true; a key that shall not work is deleted"])
        signs = body.get("signsTokens") is True
        try:
            record, secret = keys.create(
                str(body.get("name") or "default"), clock.wall_ms(), like=_wanted(asker, body), signs_tokens=signs
            )
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field} {error.problem}"]) from None
        return json_response({**_shown(record), "value": secret}, 201, {"Cache-Control": "no-store"})

    async def listed(request: Request, asker: Asker) -> Response:
        listing = listing_of(request)
        found = [record for record in owned(asker) if _is_asked_for(record, listing)]
        found.sort(key=lambda record: (record.created_wall_ms, record.id), reverse=listing.order == "newest")
        return bare([_shown(record) for record in found[listing.offset : listing.offset + listing.limit]])

    async def get(request: Request, asker: Asker) -> Response:
        return json_response(_shown(_one(asker, request)))

    async def delete(request: Request, asker: Asker) -> Response:
        record = _one(asker, request)
        keys.revoke(record.id)
        return json_response(_shown(record))

    def _one(asker: Asker, request: Request) -> KeyRecord:
        id = request.path_params["id"]
        found = owned(asker, id)
        if not found:
            raise not_found("token", id)
        return found[0]

    return [
        Route("/token", access.private(create), methods=["POST"]),
        Route("/token", access.private(listed), methods=["GET"]),
        Route("/token/{id}", access.private(get), methods=["GET"]),
        Route("/token/{id}", access.private(delete), methods=["DELETE"]),
    ]


def _wanted(asker: Asker, body: Mapping[str, Any]) -> KeyRecord:
    restrictions = body.get("restrictions") or {}
    return KeyRecord(
        "", "", "", 0,
        kind=body.get("tag") or "private",
        org_id=asker.org_id,
        origins=tuple(restrictions.get("allowedOrigins") or ()),
        assistants=tuple(restrictions.get("allowedAssistantIds") or ()),
        transient=restrictions.get("allowTransientAssistant") is not False,
    )  # fmt: skip


def _is_asked_for(record: KeyRecord, listing: Listing) -> bool:
    """A key never changes: it was updated when it was made."""
    made = record.created_wall_ms
    spans = (listing.created, listing.updated)
    return (listing.ids is None or record.id in listing.ids) and all(
        (span.from_ms is None or made >= span.from_ms) and (span.to_ms is None or made <= span.to_ms) for span in spans
    )


def _shown(record: KeyRecord) -> dict[str, Any]:
    """Without the key, which is shown once."""
    made = iso(record.created_wall_ms)
    shown: dict[str, Any] = {
        "id": record.id,
        "orgId": record.org_id,
        "tag": record.kind,
        "name": record.name,
        "createdAt": made,
        "updatedAt": made,
    }
    if record.kind == "public":
        shown["restrictions"] = {
            "enabled": True,
            "allowedOrigins": list(record.origins),
            "allowedAssistantIds": list(record.assistants),
            "allowTransientAssistant": record.transient and not record.assistants,
        }
    return shown
