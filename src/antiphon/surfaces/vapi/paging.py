"""Lists in the API's two shapes: a bare array, and ``{"results", "metadata"}``; and the part of one that a query asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from antiphon.calls.stores import MAX_LISTED, Listing, Order, Span
from antiphon.clock import iso
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError

DEFAULT_LIMIT = 100
_MAX_PAGE = 1_000_000
_MAX_FILTER_CHARS = 255


def listing_of(request: Request, equal: Mapping[str, str] | None = None) -> Listing:
    """What ``limit``, ``page``, ``sortOrder``, ``createdAt|updatedAt`` × ``Gt|Ge|Lt|Le``, ``id`` and ``idAny`` ask for. ``equal``: further
    parameters that filter, each with the field of the record it is about. Raises ApiError 400."""
    query = request.query_params
    limit = _number(query.get("limit"), "limit", DEFAULT_LIMIT, 0, MAX_LISTED)
    page = _number(query.get("page"), "page", 1, 1, _MAX_PAGE)
    order = query.get("sortOrder") or "DESC"
    if order.upper() not in ("ASC", "DESC"):
        raise ApiError(400, ["sortOrder must be one of the following values: ASC, DESC"])
    ids = _texts(query.getlist("id") + query.getlist("idAny"))
    filters = {field: query[name] for name, field in (equal or {}).items() if query.get(name)}
    for name in equal or {}:
        if "\0" in (query.get(name) or ""):
            raise ApiError(400, [f"{name} must not hold the character U+0000"])
        if len(query.get(name) or "") > _MAX_FILTER_CHARS:
            raise ApiError(400, [f"{name} must be shorter than or equal to {_MAX_FILTER_CHARS} characters"])
    newest: Order = "oldest" if order.upper() == "ASC" else "newest"
    return Listing(
        limit=limit,
        offset=(page - 1) * limit,
        order=newest,
        created=_span(query, "createdAt"),
        updated=_span(query, "updatedAt"),
        equal=filters,
        ids=ids or None,
    )


def bare(items: Sequence[Mapping[str, Any]]) -> Response:
    """The items as a JSON array."""
    return json_response(list(items))


def paginated(items: Sequence[Mapping[str, Any]], total: int, listing: Listing) -> dict[str, Any]:
    """The items with where they stand in the whole. ``total``: how many there are on all pages."""
    size = listing.limit
    page = listing.offset // size + 1 if size else 1
    metadata: dict[str, Any] = {
        "itemsPerPage": size,
        "totalItems": total,
        "currentPage": page,
        "totalPages": -(-total // size) if size else 0,
        "hasNextPage": listing.offset + len(items) < total and bool(size),
        "sortOrder": "DESC" if listing.order == "newest" else "ASC",
    }
    if listing.created.from_ms is not None:
        metadata["createdAtGe"] = iso(listing.created.from_ms)
    if listing.created.to_ms is not None:
        metadata["createdAtLe"] = iso(listing.created.to_ms)
    return {"results": list(items), "metadata": metadata}


def _span(query: Mapping[str, str], field: str) -> Span:
    """Both ends of a ``Span`` belong to it: later than a moment is from the millisecond after it."""
    from_ms: list[int] = []
    to_ms: list[int] = []
    for ending, ends, shift in (("Ge", from_ms, 0), ("Gt", from_ms, 1), ("Le", to_ms, 0), ("Lt", to_ms, -1)):
        if text := query.get(f"{field}{ending}"):
            ends.append(ms_of(text, f"{field}{ending}") + shift)
    return Span(max(from_ms, default=None), min(to_ms, default=None))


def _number(text: str | None, name: str, default: int, least: int, most: int) -> int:
    if not text:
        return default
    try:
        number = float(text) if len(text) < 20 else float("nan")
        if number != number or not number.is_integer():
            raise ValueError
    except (ValueError, OverflowError):
        raise ApiError(400, [f"{name} must be an integer number"]) from None
    if number < least:
        raise ApiError(400, [f"{name} must not be less than {least}"])
    if number > most:
        raise ApiError(400, [f"{name} must not be greater than {most}"])
    return int(number)


def _texts(values: Sequence[str]) -> list[str]:
    ids = [each for value in values for each in value.split(",") if each]
    if len(ids) > MAX_LISTED:
        raise ApiError(400, [f"idAny must contain no more than {MAX_LISTED} elements"])
    return ids
