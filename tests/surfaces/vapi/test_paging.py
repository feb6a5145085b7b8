"""Which part of a list a query asks for, and times on the wire."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from antiphon.calls.stores import Listing, Span
from antiphon.clock import iso
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import BY_TIME_AND_COST, listing_of, paginated


def asked(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize("wall_ms", [0, 1, 999, 1_795_894_200_123, 1_700_000_000_000])
def test_a_time_is_read_as_it_was_written(wall_ms: int) -> None:
    assert ms_of(iso(wall_ms)) == wall_ms


def test_times_are_read_in_whatever_way_clients_write_them() -> None:
    moment = ms_of("2026-11-28T19:30:00.000Z")
    assert iso(moment) == "2026-11-28T19:30:00.000Z"
    for text in ("2026-11-28T19:30:00", "2026-11-28T20:30:00+01:00", "2026-11-28T20:30:00 01:00", "2026-11-28 19:30"):
        assert ms_of(text) == moment
    for text in ("", "yesterday", "2026-13-01", "9" * 400, "2026-11-28T19:30:00+99:99"):
        with pytest.raises(ApiError, match="createdAtGt must be a valid ISO 8601 date string"):
            ms_of(text, "createdAtGt")


def test_a_query_becomes_a_listing() -> None:
    assert listing_of(asked("")) == Listing()
    listing = listing_of(
        asked("limit=10&page=3&sortOrder=ASC&createdAtGt=2026-01-01&createdAtLe=2026-01-02&updatedAtLt=2026-01-03"
              "&assistantId=a&idAny=x,y&id=z&sortBy=createdAt"),
        {"assistantId": "assistant_id", "squadId": "squad_id"},
    )  # fmt: skip
    first = ms_of("2026-01-01")
    day = 86_400_000
    assert (listing.limit, listing.offset, listing.order) == (10, 20, "oldest")
    assert listing.created == Span(first + 1, first + day)
    assert listing.updated == Span(None, first + 2 * day - 1)
    assert listing.equal == {"assistant_id": "a"}
    assert set(listing.ids or ()) == {"x", "y", "z"}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("limit=x", "limit must be an integer number"),
        ("limit=1.5", "limit must be an integer number"),
        ("limit=-1", "limit must not be less than 0"),
        ("limit=1001", "limit must not be greater than 1000"),
        ("limit=nan", "limit must be an integer number"),
        ("page=0", "page must not be less than 1"),
        ("sortOrder=up", "sortOrder must be one of the following values: ASC, DESC"),
        ("sortBy=cost", "sortBy must be one of the following values: createdAt"),
        ("sortby=createdAt", "property sortby should not exist"),
        ("assistantID=a", "property assistantID should not exist"),
        ("assistantId=", "property assistantId should not exist"),
        ("updatedAtGe=soon", "updatedAtGe must be a valid ISO 8601 date string"),
    ],
)
def test_a_query_that_makes_no_sense_is_told_what_is_allowed(query: str, problem: str) -> None:
    with pytest.raises(ApiError) as told:
        listing_of(asked(query))
    assert (told.value.status, told.value.message) == (400, [problem])


def test_two_parameters_about_one_field_must_both_hold() -> None:
    def filters(query: str) -> object:
        return listing_of(asked(query), {"number": "number"}, any_of={"numberAny": "number"}).equal

    assert filters("number=1&numberAny=1,2") == {"number": "1"}
    assert filters("numberAny=1,2&numberAny=3") == {"number": {"1", "2", "3"}}
    assert filters("number=4&numberAny=1,2") == {"number": set()}
    assert filters("number=&numberAny=,") == {}
    with pytest.raises(ApiError, match="numberAny must not hold the character"):
        filters("numberAny=a,%00")


def test_calls_are_ordered_by_what_they_have() -> None:
    assert listing_of(asked("sortBy=duration"), sorts=BY_TIME_AND_COST).sort == "duration"
    assert listing_of(asked(""), sorts=BY_TIME_AND_COST).sort == "created"


def test_a_zone_ahead_that_nobody_encoded_is_read() -> None:
    assert ms_of("2026-11-28T20:30:00 11:00") == ms_of("2026-11-28T09:30:00Z")
    assert ms_of("2026-11-28 19:30") == ms_of("2026-11-28T19:30:00Z")


def test_a_page_says_where_it_stands() -> None:
    page = paginated([{}, {}], 5, Listing(limit=2, offset=2))
    assert page["metadata"] == {
        "itemsPerPage": 2, "totalItems": 5, "currentPage": 2, "totalPages": 3, "hasNextPage": True, "sortOrder": "DESC",
    }  # fmt: skip
    assert not paginated([{}], 5, Listing(limit=2, offset=4))["metadata"]["hasNextPage"]
    assert paginated([], 5, Listing(limit=0))["metadata"]["totalItems"] == 5
