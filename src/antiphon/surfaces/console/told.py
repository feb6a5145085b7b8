"""What an application was told about a call, and how each attempt went, as the call's page shows it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.surfaces.console.record_routes import Deliveries
from antiphon.webhooks.deliveries import AttemptListing, Delivery, DeliveryStore, LoggedAttempt

MAX_DELIVERIES, MAX_ATTEMPTS = 100, 1000
"""Of one call."""


def deliveries_of(store: DeliveryStore) -> Deliveries:
    """As ``record_routes`` asks for them."""

    async def of_call(call_id: str) -> list[dict[str, Any]]:
        sent = await store.of_call(DEFAULT_ORG, call_id, MAX_DELIVERIES)
        if not sent:
            return []
        logged = await store.attempts(DEFAULT_ORG, AttemptListing(limit=MAX_ATTEMPTS, call_id=call_id))
        made: defaultdict[str, list[LoggedAttempt]] = defaultdict(list)
        for each in reversed(logged):  # they come newest first
            made[each.delivery.id].append(each)
        return [_shown(delivery, made[delivery.id]) for delivery in sent]

    return of_call


def _shown(delivery: Delivery, made: list[LoggedAttempt]) -> dict[str, Any]:
    """Not its body, its headers or its secret; nor what the address has after its path, where some put a key."""
    return {
        "event": delivery.type,
        "url": _address(str(delivery.target.get("url") or "")),
        "status": delivery.status,
        "wall_ms": delivery.created_wall_ms,
        "next_wall_ms": delivery.due_wall_ms if delivery.status == "pending" else None,
        "attempts": [
            {
                "wall_ms": each.attempt.wall_ms,
                "duration_ms": each.attempt.duration_ms,
                "status": each.attempt.status,
                "problem": each.attempt.error,
            }
            for each in made
        ],
    }


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return ""
