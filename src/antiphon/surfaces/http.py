"""What every surface shares: who may ask, how errors look, health, metrics, timelines."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.clock import Clock
from antiphon.errors import CapacityError, ConfigurationError
from antiphon.session.manager import SessionManager
from antiphon.session.timeline import Timelines
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.locality import is_for_here, is_foreign
from antiphon.surfaces.metrics import CallMetrics
from antiphon.transports.handshake import fold_slashes, plain_error

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


METRICS_FRESH_MS = 1000
_OPENAI = ("/v1", "/openai")


def application(routes: Iterable[Route], middleware: Sequence[Middleware] = ()) -> Starlette:
    """The ASGI application. A route answers the methods it was given and no other, and nothing is redirected: where to, the request's
    own Host would say. Every refusal is an error in the shape of the protocol that is spoken at its path (``error_body``)."""
    routes = list(routes)
    for route in routes:
        if route.methods is not None:
            route.methods.discard("HEAD")  # Starlette adds it to GET: a webhook would be acted on
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_FoldedPaths), *middleware],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


class _FoldedPaths:
    """Doubled slashes mean one, for the routes; ``raw_path`` stays as it was sent, which carriers sign."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = fold_slashes(scope["path"])
        await self._app(scope, receive, send)


def error_body(path: str, status: int, message: str) -> bytes:
    """An error as JSON: OpenAI's where its API is, else ``{"detail": …}``."""
    if not _is_openai(path):
        return plain_error(path, status, message)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}})


def _is_openai(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _OPENAI)


_CODES = {401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found" and _is_openai(request.url.path):
        message = f"Invalid URL ({request.method} {request.url.path[:256]})"
    body = error_body(request.url.path, error.status_code, message)
    return Response(body, error.status_code, error.headers, "application/json")


async def _failed(request: Request, error: Exception) -> Response:
    body = error_body(request.url.path, 500, "The server had an error while processing the request.")
    return Response(body, 500, media_type="application/json")


def _json(content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status_code, headers, "application/json")


def require_key(
    keys: ApiKeys, *, open_api: bool, open_anywhere: bool = False, origins: Collection[str] = ()
) -> Callable[[Handler], Handler]:
    """A decorator of handlers that lets nobody in without a private key (``Authorization: Bearer …``). ``open_api``: whoever asks on this
    machine needs none, unless it is a web page of an origin that is not ours and not named; ``open_anywhere``: nor elsewhere."""

    def check(request: Request) -> None:
        if open_api and is_foreign(request.headers, origins):
            raise HTTPException(403, "Web pages of this origin may not use this server.")
        if open_api and (open_anywhere or is_for_here(request.headers)):
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            valid = scheme.lower() == "bearer" and keys.valid(key.strip())
        except (ConfigurationError, OSError) as error:
            log.error("keys_unreadable", problem=type(error).__name__)
            raise HTTPException(503, "keys.json cannot be read; nobody is let in") from None
        if not valid:
            raise HTTPException(
                401,
                "A valid API key is needed: Authorization: Bearer <key> (antiphon keys create)",
                {"WWW-Authenticate": "Bearer"},
            )

    def guarded(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: Request) -> Response:
            check(request)
            return await handler(request)

        return checked

    return guarded


def operations(
    manager: SessionManager,
    call_metrics: CallMetrics,
    timelines: Timelines,
    status: Callable[[], dict[str, Any]],
    guarded: Callable[[Handler], Handler],
    clock: Clock,
    engines_down: Callable[[], Sequence[str]] = tuple,
    *,
    metrics: bool = True,
) -> list[Route]:
    """Health, readiness, ``metrics`` (or not) and the timelines of calls. ``engines_down`` names engines without which no call makes
    sense."""
    scraped = _Scraped(call_metrics.text, clock)

    async def healthz(request: Request) -> Response:
        """Alive: the process answers, and says how it is."""
        return _json({"status": "ok", **status()})

    async def readyz(request: Request) -> Response:
        """Ready: a new call would be taken."""
        try:
            manager.require_admission()
        except CapacityError as error:
            return _json({"status": error.reason, "calls": manager.live}, status_code=503)
        if down := engines_down():
            return _json({"status": "engines", "engines": list(down), "calls": manager.live}, status_code=503)
        return _json({"status": "ready", "calls": manager.live})

    async def prometheus(request: Request) -> Response:
        return Response(scraped.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @guarded
    async def timeline(request: Request) -> Response:
        """Where the time of each turn went; by our call id or the carrier's."""
        line = timelines.find(request.path_params["call_id"])
        if line is None:
            raise HTTPException(404, "There is no such call")
        return _json(line.rows())

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *([Route("/metrics", prometheus)] if metrics else []),
        Route("/calls/{call_id}/timeline", timeline),
    ]


class _Scraped:
    """The metrics as they were a second ago at most: to write them takes a millisecond or two, and anybody may ask."""

    def __init__(self, write: Callable[[], bytes], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._text = b""
        self._written_at_ms: int | None = None

    def text(self) -> bytes:
        now_ms = self._clock.now_ms()
        if self._written_at_ms is None or now_ms - self._written_at_ms >= METRICS_FRESH_MS:
            self._text, self._written_at_ms = self._write(), now_ms
        return self._text
