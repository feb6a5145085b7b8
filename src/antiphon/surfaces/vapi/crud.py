"""The routes that every kind of document has: create, list, get, change, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import Resource
from antiphon.errors import StoreUnavailable
from antiphon.surfaces.http.preconditions import etag, if_match_of
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker, conditional
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.documents import Change, Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import bare, listing_of, paginated
from antiphon.surfaces.vapi.references import References
from antiphon.surfaces.vapi.repeats import Repeats

WARNINGS = "X-Antiphon-Warnings"
_MAX_WARNINGS_CHARS = 4000
MAX_SEARCH_CHARS = 100
Warned = Callable[[Mapping[str, Any]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Crud:
    """How one kind is served."""

    documents: Documents
    paths: Sequence[str]
    """Each of them, e.g. ``/assistant`` and ``/assistants``."""
    shape: Literal["bare", "paginated"] = "bare"
    equal: Mapping[str, str] = field(default_factory=dict)
    """Parameters of a list that filter, with the field of the record."""
    searched: Sequence[str] = ()
    """Fields of the document in which the parameter ``search`` looks for a part of a text."""
    warned: Warned = lambda body: ()
    """What of a document is kept and not honoured, a line each."""
    references: References | None = None
    """Finds what it points to and is not there."""

    def routes(self, access: Access, repeats: Repeats) -> list[Route]:
        made = []
        for path in self.paths:
            one = f"{path}/{{id}}"
            made += [
                Route(path, access.private(self._create(repeats)), methods=["POST"]),
                Route(path, access.private(self.list), methods=["GET"]),
                Route(one, access.private(self.get), methods=["GET"]),
                Route(one, access.private(self.patch), methods=["PATCH"]),
                Route(one, access.private(self.put), methods=["PUT"]),
                Route(one, access.private(self.delete), methods=["DELETE"]),
            ]
        return made

    def _create(self, repeats: Repeats) -> Callable[..., Any]:
        async def create(request: Request, asker: Asker) -> Response:
            body = await json_body(request)
            made = await create_once(self.documents, repeats, request, asker, body)
            return await self.answer(made, 201)

        return create

    async def list(self, request: Request, asker: Asker) -> Response:
        listing = listing_of(request, self.equal, also=("search",) if self.searched else ())
        if text := request.query_params.get("search", "") if self.searched else "":
            if len(text) > MAX_SEARCH_CHARS:
                raise ApiError(400, [f"search must be shorter than or equal to {MAX_SEARCH_CHARS} characters"])
            there = await self.documents.search(asker.org_id, self.searched, text)
            ids = there if listing.ids is None else [id for id in there if id in listing.ids]
            listing = replace(listing, ids=ids)
        found = await self.documents.list(asker.org_id, listing)
        items = [self.documents.show(each) for each in found]
        if self.shape == "bare":
            return bare(items)
        return json_response(paginated(items, await self.documents.count(asker.org_id, listing), listing))

    async def get(self, request: Request, asker: Asker) -> Response:
        found = await self.documents.get(asker.org_id, request.path_params["id"])
        return json_response(self.documents.show(found), headers={"ETag": etag(found.version)})

    @conditional
    async def patch(self, request: Request, asker: Asker) -> Response:
        how, body = change_of(request, asker), await json_body(request)
        return await self.answer(await self.documents.patch(asker.org_id, request.path_params["id"], body, how))

    @conditional
    async def put(self, request: Request, asker: Asker) -> Response:
        how, body = change_of(request, asker), await json_body(request)
        return await self.answer(await self.documents.put(asker.org_id, request.path_params["id"], body, how))

    @conditional
    async def delete(self, request: Request, asker: Asker) -> Response:
        how = change_of(request, asker)
        return json_response(
            self.documents.show(await self.documents.delete(asker.org_id, request.path_params["id"], how))
        )

    async def answer(self, resource: Resource, status: int = 200) -> Response:
        """The document, with what of it is not honoured."""
        warnings = [*self.warned(resource.body), *await self._missing(resource)]
        headers = {"ETag": etag(resource.version), **warning_header(warnings)}
        return json_response(self.documents.show(resource), status, headers)

    async def _missing(self, resource: Resource) -> Sequence[str]:
        """What was kept is kept: that the database is gone a moment later is no reason to answer otherwise."""
        if self.references is None:
            return ()
        try:
            return await self.references.lines(resource.org_id, resource.body)
        except StoreUnavailable:
            return ()


def change_of(request: Request, asker: Asker) -> Change:
    """Who asks for a change, and to which version (``If-Match``). Raises ApiError 400."""
    try:
        return Change(asker.person, if_match_of(request.headers))
    except ValueError as error:
        raise ApiError(400, str(error)) from None


async def create_once(
    documents: Documents, repeats: Repeats, request: Request, asker: Asker, body: Mapping[str, Any]
) -> Resource:
    """What this request makes, or has made when it was sent before. Raises ApiError 400, StoreUnavailable."""
    id = repeats.id_for(request, asker.org_id, body)
    try:
        made = await documents.create(asker.org_id, body, id, by=asker.person)
    except StoreUnavailable:
        repeats.unsure(request, asker.org_id, body, id)
        raise
    repeats.done(request, asker.org_id, body)
    return made


def warning_header(warnings: Sequence[str]) -> dict[str, str]:
    """The warnings as a JSON list in ASCII, as many as fit."""
    fitting: list[str] = []
    size = 0
    for text in warnings:
        size += len(text) + 10
        if size > _MAX_WARNINGS_CHARS:
            fitting.append(f"and {len(warnings) - len(fitting)} more")
            break
        fitting.append(text)
    if not fitting:
        return {}
    written = orjson.dumps(fitting).decode()
    return {
        WARNINGS: "".join(letter if " " <= letter <= "~" else f"\\u{ord(letter) & 0xFFFF:04x}" for letter in written)
    }
