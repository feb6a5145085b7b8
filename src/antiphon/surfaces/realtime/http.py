"""What the HTTP routes of the Realtime API share: errors in OpenAI's shape, bounded bodies, and which web pages may ask."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.errors import AntiphonError, CapacityError
from antiphon.surfaces.http.errors import openai_error
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.transports.http_body import read_body

PREFIX = "/v1/realtime"
PREFIXES = (PREFIX, f"/openai{PREFIX}", "/openai/realtime")
"""OpenAI's, and Azure's: that of today and that of ``AsyncAzureOpenAI`` with an ``api-version``, whose ``deployment`` is the model."""
MAX_BODY_BYTES = 512 * 1024
"""A session's configuration may hold long instructions and 128 tools, an offer a few kilobytes."""
_LEVELS_AROUND = 32
"""More than any answer of ours has around what a client sent. orjson writes 254 levels."""
_CODES = {413: "request_too_large"}
_UNDER = tuple(f"{prefix}/" for prefix in PREFIXES)
log = structlog.get_logger(__name__)


class HttpError(AntiphonError):
    """A request is refused with ``status`` and the body ``{"error": {message, type, param, code}}``, which the SDKs read.
    The message is shown to developers: it never holds a key or anything else of the request but names of its fields."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None,
        *,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.wire_code = code
        self.param = param
        self.kind = kind

    def body(self) -> bytes:
        """The error as JSON."""
        return openai_error(str(self), self.kind, self.param, self.wire_code)

    def response(self) -> Response:
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else None
        return Response(self.body(), self.status, headers, media_type="application/json")


def no_room(error: CapacityError) -> HttpError:
    """No session is taken now. Not 429: the SDKs would take that for the asker's own limit."""
    problem = "is shutting down" if error.reason == "draining" else "is full"
    return HttpError(
        503, f"The server {problem} and takes no new session.", f"server_{error.reason}", kind="server_error"
    )


def post(path: str, handler: Callable[[Request], Awaitable[Response]]) -> list[Route]:
    """``POST path`` under each of ``PREFIXES``. Whatever the handler raises is answered in OpenAI's shape."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except HttpError as error:
            return error.response()
        except ClientError as error:
            return HttpError(400, error.message, error.code, param=error.param, kind=error.kind).response()
        except CapacityError as error:
            return no_room(error).response()
        except HTTPException as error:
            return HttpError(error.status_code, str(error.detail), _CODES.get(error.status_code)).response()
        except Exception as error:
            log.exception("realtime_request_failed", path=request.url.path[:128], error_type=type(error).__name__)
            return HttpError(
                500, "The server had an error while processing the request.", None, kind="server_error"
            ).response()

    return [Route(prefix + path, answer, methods=["POST"]) for prefix in PREFIXES]


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object. Raises HttpError, HTTPException."""
    body = await read_body(request, MAX_BODY_BYTES)
    if not body.strip():
        return {}
    try:
        document = parse_json(body)
    except ValueError:
        raise HttpError(400, "The body of the request could not be parsed as JSON.", "invalid_json") from None
    if not isinstance(document, dict):
        raise HttpError(400, "The body of the request must be a JSON object.", "invalid_type")
    return document


def parse_json(text: bytes) -> Any:
    """Raises ValueError for what is no JSON, and for what is nested so deep that it could not be written in an answer."""
    document = orjson.loads(text)
    around = document
    for _ in range(_LEVELS_AROUND):
        around = [around]
    try:
        orjson.dumps(around)  # quicker than to look for the depth
    except TypeError:
        raise ValueError("nested too deep") from None
    return document


class RealtimeCors:
    """Lets web pages of ``origins`` (``*``: of all) use this API and no other path. ``Location`` is exposed: the call id is in it."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=("Location",),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        ours = path.startswith(_UNDER) or path in PREFIXES
        await (self._cors if ours else self._app)(scope, receive, send)
