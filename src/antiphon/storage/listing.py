"""A ``Listing`` as a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select

from antiphon.calls.stores import MAX_LISTED, Listing


def filtered(query: Select[Any], table: Table, listing: Listing) -> Select[Any]:
    """Only what the listing asks for. Raises KeyError for a field that has no column."""
    for name, span in (("created_wall_ms", listing.created), ("updated_wall_ms", listing.updated)):
        if span.from_ms is not None:
            query = query.where(table.c[name] >= span.from_ms)
        if span.to_ms is not None:
            query = query.where(table.c[name] <= span.to_ms)
    for name, value in listing.equal.items():
        column = table.c[name]
        query = query.where(column == value if isinstance(value, str) else column.in_(list(value)))
    if listing.ids is not None:
        query = query.where(table.c.id.in_(list(listing.ids)))
    return query


def paged(query: Select[Any], table: Table, listing: Listing) -> Select[Any]:
    """Filtered, in order, cut to the page. What was made in the same millisecond is ordered by its id: pages do not overlap."""
    order = (*_by(table, listing), table.c.created_wall_ms, table.c.id)
    ordered = filtered(query, table, listing).order_by(
        *(column.desc() if listing.order == "newest" else column for column in order)
    )
    return ordered.limit(max(0, min(listing.limit, MAX_LISTED))).offset(max(0, listing.offset))


def _by(table: Table, listing: Listing) -> Sequence[ColumnElement[Any]]:
    """What goes before the moment it was made."""
    if listing.sort == "cost":
        return (table.c.cost_usd,)
    if listing.sort == "duration":  # of a call that has not ended nobody knows it: the shortest
        return (func.coalesce(table.c.ended_wall_ms - table.c.started_wall_ms, 0),)
    return ()


def counted(table: Table, listing: Listing) -> Select[int]:
    """How many there are."""
    return filtered(select(func.count()).select_from(table), table, listing)
