"""One uploaded file and a few fields: multipart bodies, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from antiphon.surfaces.vapi.errors import ApiError

FRAMING_BYTES = 64 * 1024
"""Of a body, besides the file: boundaries, heads of parts, fields."""
_MAX_FIELDS = 16
_UPLOAD_S = 55.0
"""The connection gives a request a minute (``transports/http_bounds``)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What came. The file is gone from the disk when the block ends."""

    file: UploadFile
    bytes: int
    fields: dict[str, str]


@asynccontextmanager
async def uploaded(request: Request, max_bytes: int) -> AsyncIterator[Upload]:
    """The part ``file``, and the fields beside it. Raises ApiError 400, 408, 413."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(400, ["file must be sent as multipart/form-data"])
    form = await _parsed(request, max_bytes + FRAMING_BYTES)
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, ["file should not be empty"])
        if (size := file.size or 0) > max_bytes:
            raise _too_large(max_bytes)
        yield Upload(file, size, {name: value for name, value in form.items() if isinstance(value, str)})
    finally:
        await form.close()


async def _parsed(request: Request, max_bytes: int) -> FormData:
    async def bounded() -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(max_bytes - FRAMING_BYTES)
            yield chunk

    parser = MultiPartParser(
        request.headers, bounded(), max_files=1, max_fields=_MAX_FIELDS, max_part_size=FRAMING_BYTES
    )
    try:
        async with asyncio.timeout(_UPLOAD_S):
            return await parser.parse()
    except MultiPartException as error:
        raise ApiError(400, [f"the multipart body cannot be read: {error.message}"]) from None
    except (TimeoutError, ClientDisconnect):
        raise ApiError(408, "The file did not arrive in time.") from None


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"A file may have {max_bytes // (1024 * 1024)} MiB at most (ANTIPHON_API__MAX_FILE_MIB).")
