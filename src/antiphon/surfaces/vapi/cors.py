"""Which web pages may use the REST API, told to their browsers. (What they may do there, their key says: ``access``.)"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.surfaces.http.errors import is_api

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_EXPOSED = ("ETag", "Retry-After", "X-Antiphon-Warnings")


class ApiCors:
    """Answers the preflights of pages of ``origins`` (``*``: of all) at the paths of this API and no other. No credentials but the key
    in a header are ever sent along, so what ``*`` allows is what any program may do."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app, allow_origins=origins, allow_methods=_METHODS, allow_headers=("*",), expose_headers=_EXPOSED
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and is_api(scope["path"])
        await (self._cors if ours else self._app)(scope, receive, send)
