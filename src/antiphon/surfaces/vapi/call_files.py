"""Recordings and logs of calls: ``/call/{id}/mono-recording`` and its like, and the signed addresses they lead to.

A player asks for ranges: ``206`` answers one range, ``416`` what is beyond the end; several at once are answered with the whole file.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from antiphon.calls.files import CallFiles
from antiphon.calls.recorded_side import RecordedSide
from antiphon.calls.stores import CallStore
from antiphon.errors import MalformedMessage
from antiphon.surfaces.vapi.access import Access, AskedHandler, Asker
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.file_links import NAMES, FileKind, FileLinks, path_of

_PIECE_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

NEVER_MADE = ("video-recording", "pcap")
"""Files that the platform has and we do not."""
Reader = Callable[[int, int], bytes]


class CallFileRoutes:
    def __init__(self, files: CallFiles, calls: CallStore, links: FileLinks, access: Access) -> None:
        self._files = files
        self._calls = calls
        self._links = links
        self._access = access

    def routes(self) -> list[Route]:
        found: list[Route] = []
        for kind, name in NAMES.items():
            found.append(Route(f"/call/{{id}}/{name}", self._access.private(self._redirect(kind)), methods=["GET"]))
            found.append(Route(path_of("{id}", kind), self._signed(kind), methods=["GET"]))
        for name in NEVER_MADE:
            found.append(Route(f"/call/{{id}}/{name}", self._access.private(self._never_made), methods=["GET"]))
        return found

    async def _never_made(self, request: Request, asker: Asker) -> Response:
        await self._require(request, asker)
        raise ApiError(404, "There is no such file of this call: this server records no video and keeps no packets.")

    async def _require(self, request: Request, asker: Asker) -> str:
        """The id of a call that is the asker's. Raises ApiError 404."""
        call_id = str(request.path_params["id"])
        known = 0 < len(call_id) <= 64 and "\0" not in call_id
        if not known or await self._calls.find(asker.org_id, call_id) is None:
            raise ApiError(404, f"Couldn't get call for id: {call_id[:64]}")
        return call_id

    def _redirect(self, kind: FileKind) -> AskedHandler:
        async def answer(request: Request, asker: Asker) -> Response:
            call_id = await self._require(request, asker)
            if not self._paths(call_id, kind):
                raise ApiError(404, "There is no such file of this call: it was not recorded, or has been erased.")
            return RedirectResponse(self._links.of(call_id, kind), 302)

        return answer

    def _signed(self, kind: FileKind) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            call_id = request.path_params["id"]
            try:
                if not self._links.opens(call_id, kind, request.query_params):
                    raise ApiError(403, "This address is not valid any more, or never was.")
                paths = self._paths(call_id, kind)
                if not paths:
                    raise ApiError(404, "There is no such file.")
                return await _file(request, paths[0], kind)
            except ApiError as error:
                return error.response()
            except (OSError, MalformedMessage):
                return ApiError(404, "There is no such file.").response()

        return answer

    def _paths(self, call_id: str, kind: FileKind) -> list[Path]:
        """The first part's comes first."""
        if kind != "log":
            return self._files.recordings(call_id)
        return [path for name in self._files.parts(call_id) if (path := self._files.log(name)).is_file()]


async def _file(request: Request, path: Path, kind: FileKind) -> Response:
    if kind == "log":
        size = (await asyncio.to_thread(path.stat)).st_size
        read, media_type = _reader_of(path), "application/x-ndjson"
    else:
        side = await asyncio.to_thread(RecordedSide, path, kind)
        size, read, media_type = side.size, side.read, "audio/wav"
    begin, end, status = _asked_range(request.headers.get("range", ""), size)
    headers = {
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-length": str(end - begin),
        **({"content-range": f"bytes {begin}-{end - 1}/{size}"} if status == 206 else {}),
    }
    return StreamingResponse(_pieces(read, begin, end), status, headers, media_type)


def _asked_range(wanted: str, size: int) -> tuple[int, int, int]:
    """First byte, the one after the last, and the status. Raises ApiError 416."""
    found = _RANGE.fullmatch(wanted.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return 0, size, 200
    if not found[1]:
        begin, end = max(size - int(found[2]), 0), size
    else:
        begin, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if begin >= end:
        raise ApiError(416, f"The file has {size} bytes.", headers={"content-range": f"bytes */{size}"})
    return begin, end, 206


async def _pieces(read: Reader, begin: int, end: int) -> AsyncIterator[bytes]:
    while begin < end:
        piece = await asyncio.to_thread(read, begin, min(_PIECE_BYTES, end - begin))
        if not piece:
            return
        begin += len(piece)
        yield piece


def _reader_of(path: Path) -> Reader:
    def read(begin: int, size: int) -> bytes:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(size)

    return read
