"""The ASGI application that all routes are served by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.surfaces.http.errors import error_body, is_openai
from antiphon.transports.handshake import fold_slashes


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


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found" and is_openai(request.url.path):
        message = f"Invalid URL ({request.method} {request.url.path[:256]})"
    body = error_body(request.url.path, error.status_code, message)
    return Response(body, error.status_code, error.headers, "application/json")


async def _failed(request: Request, error: Exception) -> Response:
    body = error_body(request.url.path, 500, "The server had an error while processing the request.")
    return Response(body, 500, media_type="application/json")
