"""What every surface shares: who may ask, how errors look, health, metrics, timelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Depends, HTTPException, Request, Response

from antiphon.errors import CapacityError, ConfigurationError
from antiphon.session.manager import SessionManager
from antiphon.session.timeline import Timelines
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.metrics import CallMetrics

log = structlog.get_logger(__name__)


def _json(content: Any, status_code: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code, media_type="application/json")


def require_key(keys: ApiKeys, *, open_api: bool) -> Callable[[Request], None]:
    """A dependency that lets nobody in without a private key (``Authorization: Bearer …``)."""

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

    return check


def operations(
    manager: SessionManager,
    metrics: CallMetrics,
    timelines: Timelines,
    status: Callable[[], dict[str, Any]],
    guard: Callable[[Request], None],
) -> APIRouter:
    """Health, readiness, metrics and the timelines of calls."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> Response:
        """Alive: the process answers, and says how it is."""
        return _json({"status": "ok", **status()})

    @router.get("/readyz")
    async def readyz() -> Response:
        """Ready: a new call would be taken."""
        try:
            manager.require_admission()
        except CapacityError as error:
            return _json({"status": error.reason, "calls": manager.live}, status_code=503)
        return _json({"status": "ready", "calls": manager.live})

    @router.get("/metrics")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/calls/{call_id}/timeline", dependencies=[Depends(guard)])
    async def timeline(call_id: str) -> Response:
        """Where the time of each turn went; by our call id or the carrier's."""
        line = timelines.find(call_id)
        if line is None:
            raise HTTPException(404, "There is no such call")
        return _json(line.rows())

    return router
