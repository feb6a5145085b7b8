"""JSON answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``content`` as JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def secret_response(content: Any) -> Response:
    """``content`` as JSON, which nobody on the way may keep: it holds a key, or is for the asker alone."""
    return json_response(content, headers={"Cache-Control": "no-store"})
