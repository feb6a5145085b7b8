"""A ``Listing`` as a query."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, func, select

from antiphon.calls.stores import MAX_LISTED, Listing


def filtered(query: Select[Any], table: Table, listing: Listing) -> Select[Any]:
    """Only what the listing asks for. Raises KeyError for a field that has no column."""
    for name, span in (("created_wall_ms", listing.created), ("updated_wall_ms", listing.updated)):
        if span.from_ms is not None:
            query = query.where(table.c[name] >= span.from_ms)
        if span.to_ms is not None:
            query = query.where(table.c[name] <= span.to_ms)
    for name, value in listing.equal.items():
        query = query.where(table.c[name] == value)
    if listing.ids is not None:
        query = query.where(table.c.id.in_(list(listing.ids)))
    return query


def paged(query: Select[Any], table: Table, listing: Listing) -> Select[Any]:
    """Filtered, in order, cut to the page. What was made in the same millisecond is ordered by its id: pages do not overlap."""
    order = (table.c.created_wall_ms, table.c.id)
    ordered = filtered(query, table, listing).order_by(
        *(column.desc() if listing.order == "newest" else column for column in order)
    )
    return ordered.limit(max(0, min(listing.limit, MAX_LISTED))).offset(max(0, listing.offset))


def counted(table: Table, listing: Listing) -> Select[int]:
    """How many there are."""
    return filtered(select(func.count()).select_from(table), table, listing)
