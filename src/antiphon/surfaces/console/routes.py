"""The console over HTTP: its page, and what the page asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.session.call_files import CallFiles
from antiphon.session.manager import SessionManager
from antiphon.surfaces.console import call_routes, people_routes
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.live import LiveCalls
from antiphon.surfaces.console.overview import Overview
from antiphon.surfaces.http.parts import part_response, read_parts
from antiphon.surfaces.http.responses import secret_response

_HEADERS = {
    # Nothing is fetched from anywhere else, and nothing inline is run.
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """What the console shows, and of whom it asks."""

    door: Door
    live: LiveCalls
    overview: Overview
    files: CallFiles
    manager: SessionManager
    clock: Clock
    gauges: Callable[[], Mapping[str, float]]
    max_calls: int


def routes(parts: ConsoleParts) -> list[Route]:
    """``/``, ``/console/…`` (the page's files) and ``/console/api/…``."""
    page = read_parts("antiphon.surfaces.console")

    async def shell(request: Request) -> Response:
        return part_response(request, page["index.html"], _HEADERS)

    async def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in page or name == "index.html":
            raise HTTPException(404)
        return part_response(request, page[name], _HEADERS)

    @parts.door.guarded("viewer")
    async def overview(request: Request, visitor: Visitor) -> Response:
        return secret_response(
            {**parts.overview.report(parts.clock.now_ms()), **_capacity(parts), "gauges": dict(parts.gauges())}
        )

    return [
        Route("/", shell),
        Route("/console/api/overview", overview),
        *people_routes.routes(parts.door),
        *call_routes.finished_routes(parts.door, parts.files),
        *call_routes.live_routes(parts.door, parts.live, parts.manager, parts.clock),
        Route("/console/{name}", part),
    ]


def _capacity(parts: ConsoleParts) -> dict[str, Any]:
    manager = parts.manager
    return {
        "live": manager.live,
        "max_calls": parts.max_calls,
        "free": max(0, parts.max_calls - manager.live),
        "draining": manager.draining,
        "overloaded": manager.admission.closed,
        "busy": round(manager.admission.busy, 3),
    }
