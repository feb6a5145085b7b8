"""Lists in the API's two shapes: a bare array, and ``{"results", "metadata"}``; and the part of one that a query asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from antiphon.calls.stores import MAX_LISTED, Listing, Sort, Span
from antiphon.clock import iso
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError

DEFAULT_LIMIT = 100
_MAX_PAGE = 1_000_000
_MAX_FILTER_CHARS = 255
_MAX_TOLD = 20
BY_TIME: Mapping[str, Sort] = {"createdAt": "created"}
BY_TIME_AND_COST: Mapping[str, Sort] = {**BY_TIME, "duration": "duration", "cost": "cost"}
"""Of calls, whose records have both."""
_SPANS = [f"{field}{ending}" for field in ("createdAt", "updatedAt") for ending in ("Gt", "Ge", "Lt", "Le")]
_OF_LISTS = frozenset(["limit", "page", "sortOrder", "sortBy", "id", "idAny", *_SPANS])


def listing_of(
    request: Request,
    equal: Mapping[str, str] | None = None,
    *,
    any_of: Mapping[str, str] | None = None,
    also: Collection[str] = (),
    sorts: Mapping[str, Sort] = BY_TIME,
) -> Listing:
    """What ``limit``, ``page``, ``sortOrder``, ``sortBy``, ``createdAt|updatedAt`` × ``Gt|Ge|Lt|Le``, ``id`` and ``idAny`` ask for.

    ``equal``: further parameters that filter, each with the field of the record it is about; ``any_of``: likewise, with several values, of
    which the field has one. ``also``: those that the handler reads itself. ``sorts``: what ``sortBy`` may say. Any other parameter is
    refused: a filter that is left out unsaid would show, or delete, more than was asked for. Raises ApiError 400.
    """
    query = request.query_params
    equal, any_of = equal or {}, any_of or {}
    require_known(request, {*_OF_LISTS, *equal, *any_of, *also})
    limit = _number(query.get("limit"), "limit", DEFAULT_LIMIT, 0, MAX_LISTED)
    page = _number(query.get("page"), "page", 1, 1, _MAX_PAGE)
    order = one_of(request, "sortOrder", ("ASC", "DESC"), upper=True) or "DESC"
    ids = _texts(query.getlist("id") + query.getlist("idAny"), "idAny")
    return Listing(
        limit=limit,
        offset=(page - 1) * limit,
        order="oldest" if order == "ASC" else "newest",
        sort=sorts[one_of(request, "sortBy", tuple(sorts)) or "createdAt"],
        created=_span(query, "createdAt"),
        updated=_span(query, "updatedAt"),
        equal=_filters(query, equal, any_of),
        ids=ids or None,
    )


def require_known(request: Request, known: Collection[str]) -> None:
    """Raises ApiError 400 for a parameter that is none of these."""
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise ApiError(400, [f"property {name[:100]} should not exist" for name in unknown[:_MAX_TOLD]])


def one_of(request: Request, name: str, allowed: Sequence[str], *, upper: bool = False) -> str:
    """A parameter that may have these values; empty where it is not given. Raises ApiError 400."""
    text = request.query_params.get(name) or ""
    value = text.upper() if upper else text
    if value and value not in allowed:
        raise ApiError(400, [f"{name} must be one of the following values: {', '.join(allowed)}"])
    return value


def _filters(
    query: QueryParams, equal: Mapping[str, str], any_of: Mapping[str, str]
) -> dict[str, str | Collection[str]]:
    """Two parameters about one field must both hold."""
    wanted: dict[str, set[str]] = {}
    for name, field in (*equal.items(), *any_of.items()):
        values = _texts(query.getlist(name), name) if name in any_of else [text for text in (query.get(name),) if text]
        for text in values:
            if "\0" in text:
                raise ApiError(400, [f"{name} must not hold the character U+0000"])
            if len(text) > _MAX_FILTER_CHARS:
                raise ApiError(400, [f"{name} must be shorter than or equal to {_MAX_FILTER_CHARS} characters"])
        if values:
            wanted[field] = wanted.get(field, set(values)) & set(values)
    return {field: next(iter(values)) if len(values) == 1 else values for field, values in wanted.items()}


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


def _texts(values: Sequence[str], name: str) -> list[str]:
    """Of a parameter that is given several times, or once with commas."""
    texts = [each for value in values for each in value.split(",") if each]
    if len(texts) > MAX_LISTED:
        raise ApiError(400, [f"{name} must contain no more than {MAX_LISTED} elements"])
    return texts
