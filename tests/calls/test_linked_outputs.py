"""Which structured outputs name the assistant of a call, and which assistant that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from antiphon.calls.leads import LEAD, last_assistant_id
from antiphon.calls.linked_outputs import linked_outputs
from antiphon.calls.stores import MAX_LISTED, CallRecord, Listing, Resource


def output(number: int, assistant_ids: Any) -> Resource:
    return Resource("structured-output", f"o{number}", "org", {"assistantIds": assistant_ids}, number, number)


async def test_they_are_found_on_whatever_page_of_the_list_they_are() -> None:
    kept = [output(number, None if number % 2 else ["other"]) for number in range(2 * MAX_LISTED)]
    for at in (0, MAX_LISTED, 2 * MAX_LISTED - 1):
        kept[at] = output(at, ["other", "mine"])
    asked: list[Listing] = []

    async def page(listing: Listing) -> Sequence[Resource]:
        asked.append(listing)
        return kept[listing.offset : listing.offset + listing.limit]

    found = await linked_outputs("mine", page)
    assert [each.id for each in found] == ["o0", f"o{MAX_LISTED}", f"o{2 * MAX_LISTED - 1}"]
    assert {listing.order for listing in asked} == {"oldest"} and len(asked) == 3
    assert await linked_outputs("", page) == [] and len(asked) == 3, "nobody is asked for an assistant without an id"


@pytest.mark.parametrize(
    ("column", "body", "id"),
    [
        ("a1", {}, "a1"),
        ("a1", {"assistantId": "a1", "assistantOverrides": {"name": "x"}}, "a1"),
        ("a1", {"assistantId": "a1", LEAD: {"assistantId": "a2"}}, "a2"),  # handed over
        ("", {"assistant": {"name": "x"}}, ""),
        ("a1", {"assistantId": "a1", LEAD: {"assistant": {"name": "x"}}}, ""),  # to one that came with the call
    ],
)
def test_the_assistant_of_a_call_is_the_one_that_led_it_last(column: str, body: dict[str, Any], id: str) -> None:
    record = CallRecord("c1", "org", "webCall", "ended", 1, 1, assistant_id=column, body=body)
    assert last_assistant_id(record) == id
