"""Assistants: those that are kept, those that are files, their versions and drafts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.secrets import masked, restored
from antiphon.calls.stores import DEFAULT_ORG, Listing, Resource, ResourceStore
from antiphon.clock import Clock, iso
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.preconditions import ANY_VERSION, etag
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.access import Access, Asker, conditional
from antiphon.surfaces.vapi.assistant_warnings import FORM, EngineProblems, lines_of, problems_of, warnings_of
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.crud import Crud, change_of
from antiphon.surfaces.vapi.documents import UNASKED, Change, Changed, Documents, Kind, every
from antiphon.surfaces.vapi.errors import ApiError, not_found
from antiphon.surfaces.vapi.references import References
from antiphon.surfaces.vapi.repeats import Repeats

PATHS = ("/assistant", "/assistants")


def kind(store: ResourceStore, name: str = "assistant", *, strict: bool) -> Kind:
    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        fields.require(FORM if name == "assistant" else "CreateAssistantDraftDTO", body, strict=strict)
        if problems := problems_of(body):
            raise ApiError(400, problems)

    async def in_use(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        for number in await store.list("phone-number", org_id, Listing(limit=1, equal={"assistant_id": id})):
            raise ApiError(409, f"The assistant is used by phone number {number.id}.", "assistant_pinned")
        async for squad in every(store, "squad", org_id):
            if any(member.get("assistantId") == id for member in squad.body.get("members", ())):
                raise ApiError(409, f"The assistant is used by squad {squad.id}.", "assistant_pinned")

    def show(resource: Resource) -> Mapping[str, Any]:
        return {**resource.body, "latestVersion": f"v{resource.version}"}

    if name != "assistant":
        return Kind(name, check=check)
    return Kind(name, check=check, own_fields=("latestVersion",), show=show, in_use=in_use)


class Assistants(Documents):
    """Those of an organisation, and beside them, read-only, the files of this server by their names: for the server's own organisation,
    whose files they are."""

    def __init__(self, store: ResourceStore, clock: Clock, library: AssistantLibrary, *, strict: bool) -> None:
        super().__init__(store, clock, kind(store, strict=strict))
        self.drafts = Documents(store, clock, kind(store, "assistant-draft", strict=strict))
        self._library = library

    async def find(self, org_id: str, id: str) -> Resource | None:
        return await super().find(org_id, id) or self._file(org_id, id)

    async def change(self, org_id: str, id: str, changed: Changed, how: Change = UNASKED) -> Resource:
        await self._refuse_files(org_id, id)
        return await super().change(org_id, id, changed, how)

    async def delete(self, org_id: str, id: str, how: Change = UNASKED) -> Resource:
        await self._refuse_files(org_id, id)
        deleted = await super().delete(org_id, id, how)
        if await self.drafts.find(org_id, id) is not None:
            await self.drafts.delete(org_id, id)
        return deleted

    async def _refuse_files(self, org_id: str, id: str) -> None:
        if await super().find(org_id, id) is None and self.has_file(org_id, id):
            raise ApiError(400, f"{id} is a file on the server (assistants_dir); edit the file to change it.")

    def has_file(self, org_id: str, name: str) -> bool:
        """Whether it is a file that is called so."""
        return org_id == DEFAULT_ORG and self._library.has(name)

    def _file(self, org_id: str, name: str) -> Resource | None:
        if not self.has_file(org_id, name):
            return None
        try:
            loaded = self._library.find(name)
        except ConfigurationError as error:
            raise ApiError(400, f"The file of assistant {name} cannot be used: {error.field} {error.problem}") from None
        body = loaded.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        changed_ms = max((stamp[0] for stamp in loaded.stamps.values()), default=0) // 1_000_000
        return Resource("assistant", name, org_id, body, changed_ms, changed_ms)

    async def version(self, org_id: str, id: str, label: str) -> Resource:
        """``v2`` or ``2``. Raises ApiError 404."""
        for each in await self.versions(org_id, id):
            if label.removeprefix("v") == str(each.version):
                return each
        raise not_found("version", label)


def routes(
    assistants: Assistants, access: Access, repeats: Repeats, references: References, engine_problems: EngineProblems
) -> list[Route]:
    def warned(body: Mapping[str, Any]) -> list[str]:
        return lines_of(body, engine_problems)

    crud = Crud(assistants, PATHS, warned=warned, references=references)

    async def warnings(request: Request, asker: Asker) -> Response:
        found = await assistants.get(asker.org_id, request.path_params["id"])
        missing = await references.missing(asker.org_id, found.body)
        return json_response(
            [
                *warnings_of(found.body, engine_problems),
                *({"field": field, "reason": reason} for field, reason in missing),
            ]
        )

    async def versions(request: Request, asker: Asker) -> Response:
        found = await assistants.versions(asker.org_id, request.path_params["id"])
        return json_response([_version(each) for each in found])

    @conditional
    async def restore(request: Request, asker: Asker) -> Response:
        how = change_of(request, asker)
        id, label = request.path_params["id"], request.path_params["version"]
        old = await assistants.version(asker.org_id, id, label)
        return await crud.answer(await assistants.put(asker.org_id, id, old.body, how), 201)

    special = [("warnings", "GET", warnings), ("versions", "GET", versions), ("restore/{version}", "POST", restore)]
    special += _draft_handlers(assistants, crud)
    made = crud.routes(access, repeats)
    for path in PATHS:
        made += [
            Route(f"{path}/{{id}}/{name}", access.private(handler), methods=[method])
            for name, method, handler in special
        ]
    return made


def _draft_handlers(assistants: Assistants, crud: Crud) -> list[Any]:
    """One draft for each assistant, under the same id: written as often as needed, then published or thrown away."""
    drafts = assistants.drafts

    def show(draft: Resource) -> dict[str, Any]:
        return {**drafts.show(draft), "assistantId": draft.id}

    def answer(draft: Resource, status: int = 200) -> Response:
        return json_response(show(draft), status, {"ETag": etag(draft.version)})

    async def get(request: Request, asker: Asker) -> Response:
        return answer(await drafts.get(asker.org_id, request.path_params["id"]))

    @conditional
    async def save(request: Request, asker: Asker) -> Response:
        id, how = request.path_params["id"], change_of(request, asker)
        parent = await assistants.get(asker.org_id, id)
        body = await json_body(request)
        if request.method == "PATCH":
            return answer(await drafts.patch(asker.org_id, id, body, how))
        body.setdefault("baseVersion", f"v{parent.version}")
        if await drafts.find(asker.org_id, id) is None:
            if how.seen != ANY_VERSION:
                raise ApiError(412, "There is no draft any more: it was published or thrown away.")
            first, _ = restored({**parent.body, **body}, parent.body)  # a mask of the assistant's own is its secret
            return answer(await drafts.create(asker.org_id, first, id, by=asker.person), 201)
        return answer(await drafts.put(asker.org_id, id, body, how), 201 if request.method == "POST" else 200)

    @conditional
    async def discard(request: Request, asker: Asker) -> Response:
        how = change_of(request, asker)
        return json_response(show(await drafts.delete(asker.org_id, request.path_params["id"], how)))

    @conditional
    async def publish(request: Request, asker: Asker) -> Response:
        """``If-Match`` is of the assistant, which this changes, not of the draft."""
        id, how = request.path_params["id"], change_of(request, asker)
        draft = await drafts.get(asker.org_id, id)
        body = {field: value for field, value in draft.body.items() if field != "baseVersion"}
        published = await assistants.put(asker.org_id, id, body, how)
        await drafts.delete(asker.org_id, id)
        return await crud.answer(published, 201)

    handlers = [("draft", method, save) for method in ("POST", "PUT", "PATCH")]
    return [("draft", "GET", get), *handlers, ("draft", "DELETE", discard), ("draft/publish", "POST", publish)]


def _version(resource: Resource) -> dict[str, Any]:
    """As the platform shows a version of an assistant."""
    content = orjson.dumps(dict(resource.body), option=orjson.OPT_SORT_KEYS)
    older = resource.version - 1
    return {
        **masked(resource.body),
        "id": f"{resource.id}:v{resource.version}",
        "orgId": resource.org_id,
        "assistantId": resource.id,
        "version": f"v{resource.version}",
        "parentVersion": f"v{older}" if older else None,
        "configHash": hashlib.sha256(content).hexdigest(),
        "createdAt": iso(resource.updated_wall_ms),
    }
