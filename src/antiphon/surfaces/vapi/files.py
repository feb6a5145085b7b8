"""Uploaded files: their documents in the database, their content in ``data_dir/files``."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from antiphon.calls.stores import Resource, ResourceStore
from antiphon.clock import Clock
from antiphon.files import private_file
from antiphon.knowledge.pdf import text_of_pdf
from antiphon.surfaces.http.bearer import Handler
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.http.texts import unkept_in
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import MAX_DEPTH, deeper_than
from antiphon.surfaces.vapi.crud import Crud
from antiphon.surfaces.vapi.documents import UNASKED, Change, Documents, Kind
from antiphon.surfaces.vapi.errors import ApiError, not_found
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.signed_urls import SignedUrls
from antiphon.surfaces.vapi.uploads import uploaded

PATHS = ("/file", "/files")
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/x-yaml", "application/yaml")
_TEXT_ENDINGS = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".log")
_MAX_NAME_CHARS = 40
_PURPOSES = ("assistant", "composer-attachment", "knowledge-base-v2")


class Files(Documents):
    """Those of an organisation. ``path_of`` is where a file's content is, ``text_path_of`` its text, where it is one."""

    def __init__(
        self, store: ResourceStore, clock: Clock, folder: Path, urls: SignedUrls, max_bytes: int, *, strict: bool
    ) -> None:
        async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
            fields.require("UpdateFileDTO", {"name": body.get("name")}, strict=strict)
            problems = []
            if body.get("purpose") not in _PURPOSES:
                problems.append(f"purpose must be one of the following values: {', '.join(_PURPOSES)}")
            if not isinstance(body.get("metadata") or {}, dict):
                problems.append("metadata must be an object")
            if problems:
                raise ApiError(400, problems)

        def show(resource: Resource) -> Mapping[str, Any]:
            urls_of = {"url": urls.sign(f"/file/{resource.id}/content", org=resource.org_id)}
            if "parsedTextBytes" in resource.body:
                urls_of["parsedTextUrl"] = urls.sign(f"/file/{resource.id}/text", org=resource.org_id)
            return {**resource.body, **urls_of}

        ours = (
            "url",
            "parsedTextUrl",
            "parsedTextBytes",
            "bytes",
            "status",
            "key",
            "path",
            "bucket",
            "mimetype",
            "object",
        )
        super().__init__(store, clock, Kind("file", check=check, show=show, own_fields=ours, links=_links))
        self.urls = urls
        self.max_bytes = max_bytes
        self._folder = folder

    def path_of(self, id: str) -> Path:
        return self._folder / id

    def text_path_of(self, id: str) -> Path:
        return self._folder / f"{id}.txt"

    async def add(self, org_id: str, request: Request, id: str) -> Resource:
        """The file of a request. Its content is there before its document is; where there is a file of this id already, that is the answer.
        Raises ApiError 400, 408, 413."""
        if (there := await self.find(org_id, id)) is not None:
            return there
        async with uploaded(request, self.max_bytes) as upload:
            body = _document(upload.fields, upload.file, upload.bytes, id)
            await self._checked(org_id, id, body)
            text = await asyncio.to_thread(self._keep, upload.file, id, is_text=_is_text(body))
        if text is None and _is_pdf(body):
            text = await text_of_pdf(self.path_of(id))
        if text is not None:
            body["parsedTextBytes"] = await asyncio.to_thread(self._keep_text, id, text)
        now = self._clock.wall_ms()
        made = Resource("file", id, org_id, body, now, now, links=_links(body))
        return made if await self._store.add(made) else await self.get(org_id, id)

    async def put(self, org_id: str, id: str, body: Mapping[str, Any], how: Change = UNASKED) -> Resource:
        """What a file is stays, whatever else is said of it. Raises ApiError 404, 400, 409, 412."""
        stays = (*self.kind.own_fields, "originalName", "purpose")
        return await self.change(
            org_id,
            id,
            lambda before: {**{name: before[name] for name in stays if name in before}, **self._theirs(body)},
            how,
        )

    async def delete(self, org_id: str, id: str, how: Change = UNASKED) -> Resource:
        deleted = await super().delete(org_id, id, how)
        await asyncio.to_thread(self._erase, id)
        return deleted

    def _keep(self, file: UploadFile, id: str, *, is_text: bool) -> bytes | None:
        """Its text, as UTF-8; None where it is none."""
        path = self.path_of(id)
        private_file(path)
        file.file.seek(0)
        with path.open("wb") as kept:
            shutil.copyfileobj(file.file, kept)
        if not is_text:
            return None
        try:
            return path.read_bytes().decode("utf-8-sig").encode()
        except UnicodeDecodeError:
            return None

    def _keep_text(self, id: str, text: bytes) -> int:
        private_file(self.text_path_of(id))
        self.text_path_of(id).write_bytes(text)
        return len(text)

    def _erase(self, id: str) -> None:
        self.path_of(id).unlink(missing_ok=True)
        self.text_path_of(id).unlink(missing_ok=True)


def routes(files: Files, access: Access, repeats: Repeats) -> list[Route]:
    crud = Crud(files, PATHS, equal={"purpose": "purpose"})

    async def create(request: Request, asker: Asker) -> Response:
        named = "idempotency-key" in request.headers
        id = repeats.id_for(request, asker.org_id, {}) if named else str(uuid4())
        return json_response(files.show(await files.add(asker.org_id, request, id)), 201)

    made = [Route(path, access.private(create), methods=["POST"]) for path in PATHS]
    made += crud.routes(access, repeats)
    for name, where in (("content", files.path_of), ("text", files.text_path_of)):
        made.append(Route(f"/file/{{id}}/{name}", _download(files, access, where), methods=["GET"]))
    return made


def _download(files: Files, access: Access, where: Callable[[str], Path]) -> Handler:
    """By a signed address, or with a private key."""

    async def answer(id: str, resource: Resource) -> Response:
        path = where(id)
        if not path.is_file():
            raise not_found("file", id)
        kind = str(resource.body.get("mimetype") or "application/octet-stream")
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "private",
        }
        name = str(resource.body.get("originalName") or id)
        return FileResponse(path, headers=headers, media_type=kind, filename=name)

    async def with_key(request: Request, asker: Asker) -> Response:
        id = request.path_params["id"]
        return await answer(id, await files.get(asker.org_id, id))

    keyed = access.private(with_key)

    async def download(request: Request) -> Response:
        if not files.urls.good(request.url.path, request.query_params):
            return await keyed(request)
        try:
            id = request.path_params["id"]
            return await answer(id, await files.get(request.query_params.get("org", ""), id))
        except ApiError as error:
            return error.response()

    return download


def _document(given: Mapping[str, str], file: UploadFile, size: int, id: str) -> dict[str, Any]:
    purpose = given.get("purpose") or "assistant"
    if purpose not in _PURPOSES:
        raise ApiError(400, [f"purpose must be one of the following values: {', '.join(_PURPOSES)}"])
    original = (file.filename or "file").replace("\0", "")[-255:]
    body: dict[str, Any] = {
        "object": "file",
        "status": "done",
        "name": (given.get("name") or original)[:_MAX_NAME_CHARS],
        "originalName": original,
        "bytes": size,
        "purpose": purpose,
        "mimetype": (file.content_type or "application/octet-stream")[:255],
        "key": id,
        "path": f"files/{id}",
        "bucket": "local",
    }
    if said := given.get("metadata"):
        try:
            metadata = orjson.loads(said)
        except orjson.JSONDecodeError:
            metadata = None
        if not isinstance(metadata, dict) or deeper_than(metadata, MAX_DEPTH):
            raise ApiError(400, ["metadata must be a json string of an object"])
        if (problem := unkept_in(said.encode(), metadata)) is not None:
            raise ApiError(400, [f"metadata.{problem}"])
        body["metadata"] = metadata
    return body


def _is_text(body: Mapping[str, Any]) -> bool:
    kind, name = str(body["mimetype"]), str(body["originalName"])
    return kind.startswith(_TEXT_TYPES) or name.lower().endswith(_TEXT_ENDINGS)


def _is_pdf(body: Mapping[str, Any]) -> bool:
    return body["mimetype"] == "application/pdf" or str(body["originalName"]).lower().endswith(".pdf")


def _links(body: Mapping[str, Any]) -> dict[str, str]:
    return {"purpose": body["purpose"]}
