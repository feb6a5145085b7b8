"""The web SDK over HTTP: its files, for pages of every origin, and the same as a package for npm."""

from __future__ import annotations

import functools
import gzip
import io
import tarfile
from collections.abc import Mapping
from hashlib import sha256

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.surfaces.http.parts import Part, part_response, read_parts

PACKAGE = "daily-js.tgz"
_HEADERS = {
    # They are programs for other people's pages, and no secret: what a page may do, its key says.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def routes(version: str) -> list[Route]:
    """``/sdk/…``. ``version`` is the package's."""
    parts = read_parts("antiphon.surfaces.sdk")
    package = _package(version)
    etag = f'"{sha256(package).hexdigest()[:16]}"'

    async def part(request: Request) -> Response:
        found: Part | None = parts.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return part_response(request, found, _HEADERS)

    async def packed(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(None, 304, {**_HEADERS, "ETag": etag})
        return Response(package, headers={**_HEADERS, "ETag": etag}, media_type="application/gzip")

    return [Route(f"/sdk/{PACKAGE}", packed), Route("/sdk/{name}", part)]


@functools.cache
def _package(version: str) -> bytes:
    return npm_package({name: part.content for name, part in read_parts("antiphon.surfaces.sdk").items()}, version)


def npm_package(modules: Mapping[str, bytes], version: str) -> bytes:
    """A package for npm, the same bytes for the same files: importing it gives the call object of ``daily.js``."""
    described = {
        "name": "@daily-co/daily-js",  # whose place it takes in an application's ``overrides``
        "version": npm_version(version),
        "description": "Antiphon's stand-in for daily-js: calls of @vapi-ai/web over a self-hosted server",
        "type": "module",
        "main": "daily.js",
        "exports": {".": "./daily.js", "./web": "./web.js"},
        "sideEffects": ["./widget.js"],
    }
    files = {"package.json": orjson.dumps(described, option=orjson.OPT_INDENT_2), **modules}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def npm_version(version: str) -> str:
    """A version of Python's in npm's grammar: ``0.1.0.dev3`` is ``0.1.0-dev3``."""
    numbers = version.split(".")
    rest = ".".join(numbers[3:])
    return ".".join(numbers[:3]) + (f"-{rest}" if rest else "")
