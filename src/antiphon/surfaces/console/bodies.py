"""Small JSON bodies of the console's own page."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from antiphon.surfaces.http.texts import unkept_in
from antiphon.transports.http_body import read_body

_MAX_BYTES = 64 * 1024


async def object_of(request: Request) -> dict[str, Any]:
    """Raises HTTPException 422 for what is no JSON object, 413, 408."""
    try:
        content = await read_body(request, _MAX_BYTES)
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise HTTPException(422, "The body is no JSON") from None
    if not isinstance(document, dict):
        raise HTTPException(422, "The body must be a JSON object")
    try:
        problem = unkept_in(content, document)
    except RecursionError:
        problem = "The body is nested too deep"
    if problem is not None:
        raise HTTPException(422, problem)
    return document


def text_of(body: dict[str, Any], name: str, longest: int = 1000) -> str:
    """A text field. Raises HTTPException 422 naming it."""
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise HTTPException(422, f"{name}: must be a text of 1 to {longest} characters")
    return value
