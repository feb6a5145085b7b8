"""Bodies of requests as JSON objects, bounded."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from antiphon.surfaces.http.texts import unkept_in
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.transports.http_body import read_body

MAX_BODY_BYTES = 1024 * 1024
"""What the door lets in of any body (``transports/http_bounds``)."""
MAX_DEPTH = 100
"""Deeper than any document of the API. Answers hold what was sent, and orjson writes 254 levels."""


async def json_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object. Raises ApiError 400, HTTPException 413 and 408."""
    content = await read_body(request, MAX_BODY_BYTES)
    if not content.strip():
        return {}
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not valid JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise ApiError(400, "The body must be a JSON object.")
    if deeper_than(document, MAX_DEPTH):
        raise ApiError(400, f"The body is nested more than {MAX_DEPTH} deep.")
    if (problem := unkept_in(content, document)) is not None:
        raise ApiError(400, [problem])
    return document


def deeper_than(document: Any, depth: int) -> bool:
    """Whether it is nested more."""
    level: list[Any] = [document]
    for _ in range(depth):
        below: list[Any] = []
        for each in level:
            children = each.values() if isinstance(each, dict) else each
            below += [child for child in children if isinstance(child, dict | list)]
        if not below:
            return False
        level = below
    return True
