"""What every surface shares: who may ask, how errors look, health, metrics, timelines."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import CapacityError, ConfigurationError
from antiphon.session.manager import SessionManager
from antiphon.session.timeline import Timelines
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.metrics import CallMetrics

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def application(routes: Iterable[Route], middleware: Sequence[Middleware] = ()) -> Starlette:
    """The ASGI application. A route answers the methods it was given and no other, and every refusal is ``{"detail": …}``."""
    routes = list(routes)
    for route in routes:
        if route.methods is not None:
            route.methods.discard("HEAD")  # Starlette adds it to GET: a webhook would be acted on
    return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _refused})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"detail": error.detail}, error.status_code, error.headers)


def _json(content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status_code, headers, "application/json")


def require_key(keys: ApiKeys, *, open_api: bool) -> Callable[[Handler], Handler]:
    """A decorator of handlers that lets nobody in without a private key (``Authorization: Bearer …``)."""

    def check(request: Request) -> None:
        if open_api:
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
    metrics: CallMetrics,
    timelines: Timelines,
    status: Callable[[], dict[str, Any]],
    guarded: Callable[[Handler], Handler],
    engines_down: Callable[[], Sequence[str]] = tuple,
) -> list[Route]:
    """Health, readiness, metrics and the timelines of calls. ``engines_down`` names engines without which no call makes sense."""

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
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

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
        Route("/metrics", prometheus),
        Route("/calls/{call_id}/timeline", timeline),
    ]
