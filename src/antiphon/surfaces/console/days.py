"""How calls went day by day, out of the database: what of the overview a restart does not forget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.days import MeasuredCall, MeasuredCalls
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.overview import percentiles
from antiphon.surfaces.http.responses import secret_response

DAYS = 14
MAX_CALLS = 2000
"""The newest of them: what is read for one page is bounded, however many there are."""
_DAY_MS = 24 * 60 * 60 * 1000


def routes(door: Door, calls: MeasuredCalls, clock: Clock) -> list[Route]:
    """``GET /console/api/days``."""

    @door.guarded("viewer")
    async def told(request: Request, visitor: Visitor) -> Response:
        today = clock.wall_ms() // _DAY_MS
        found = await calls.measured(DEFAULT_ORG, (today - DAYS + 1) * _DAY_MS, MAX_CALLS)
        return secret_response({"days": by_day(found), "whole": len(found) < MAX_CALLS})

    return [Route("/console/api/days", told)]


def by_day(calls: Iterable[MeasuredCall]) -> list[dict[str, Any]]:
    """A row for each UTC day with calls, the newest first: how many, what they cost, response at p50 and p95 in ms (None where no turn
    was measured), turns that were measured, interruptions."""
    days: defaultdict[int, list[MeasuredCall]] = defaultdict(list)
    for call in calls:
        days[call.wall_ms // _DAY_MS].append(call)
    return [
        {
            "wall_ms": day * _DAY_MS,
            "calls": len(found),
            "cost_usd": round(sum(call.cost_usd for call in found), 6),
            "response_ms": percentiles([ms for call in found for ms in call.turn_ms]),
            "interruptions": sum(call.interruptions for call in found),
        }
        for day, found in sorted(days.items(), reverse=True)
    ]
