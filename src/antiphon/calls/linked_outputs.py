"""Structured outputs that name an assistant (``assistantIds``), instead of being named by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from antiphon.calls.stores import MAX_LISTED, Listing, Resource

ListOutputs = Callable[[Listing], Awaitable[Sequence[Resource]]]
"""Structured outputs of one organisation."""


async def linked_outputs(assistant_id: str, outputs: ListOutputs) -> list[Resource]:
    """Those that name the assistant, oldest first; none for an assistant without an id. Raises StoreUnavailable."""
    found: list[Resource] = []
    listing = Listing(limit=MAX_LISTED, order="oldest")
    while assistant_id:
        page = await outputs(listing)
        found += [each for each in page if assistant_id in (each.body.get("assistantIds") or ())]
        if len(page) < MAX_LISTED:
            break
        listing = replace(listing, offset=listing.offset + MAX_LISTED)
    return found
