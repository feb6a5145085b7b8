"""What an operator asks over HTTP: health, readiness, metrics, the timelines of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.errors import CapacityError
from antiphon.session.manager import SessionManager
from antiphon.session.timeline import Timelines
from antiphon.surfaces.http.bearer import Handler
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.metrics import CallMetrics

METRICS_FRESH_MS = 1000


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
        return json_response({"status": "ok", **status()})

    async def readyz(request: Request) -> Response:
        """Ready: a new call would be taken."""
        try:
            manager.require_admission()
        except CapacityError as error:
            return json_response({"status": error.reason, "calls": manager.live}, status=503)
        if down := engines_down():
            return json_response({"status": "engines", "engines": list(down), "calls": manager.live}, status=503)
        return json_response({"status": "ready", "calls": manager.live})

    async def prometheus(request: Request) -> Response:
        return Response(scraped.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @guarded
    async def timeline(request: Request) -> Response:
        """Where the time of each turn went; by our call id or the carrier's."""
        line = timelines.find(request.path_params["call_id"])
        if line is None:
            raise HTTPException(404, "There is no such call")
        return json_response(line.rows())

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
