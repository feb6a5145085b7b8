"""The files of a page: few and small, kept in memory and asked for by name. What is served is never a path of the client's making."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Part:
    """One file."""

    content: bytes
    zipped: bytes
    type: str
    etag: str


@functools.cache
def read_parts(package: str) -> Mapping[str, Part]:
    """What lies in the folder ``page`` of a package, by name. Read and compressed once for a process."""
    parts = {}
    for file in files(package).joinpath("page").iterdir():
        content = file.read_bytes()
        kind = _TYPES[file.name.rpartition(".")[2]]
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        parts[file.name] = Part(content, gzip.compress(content, mtime=0), f"{kind}; charset=utf-8", etag)
    return MappingProxyType(parts)


def part_response(request: Request, part: Part, headers: Mapping[str, str], status: int = 200) -> Response:
    """A part with ``headers``: compressed where the browser takes it, and not sent again where it has it. Errors are not kept."""
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    sent = {**headers, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if zipped else {})}
    content = part.zipped if zipped else part.content
    if status != 200:
        return Response(content, status, {**sent, "Cache-Control": "no-store"}, part.type)
    if request.headers.get("if-none-match") == part.etag:
        return Response(None, 304, {**headers, "ETag": part.etag})
    return Response(content, headers={**sent, "ETag": part.etag}, media_type=part.type)
