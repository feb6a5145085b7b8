"""Lists: every parameter of a query filters, orders, or is refused. One that is left out unsaid shows more than was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.databases import sqlite_url
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.desk import Desk

from antiphon.calls.stores import DEFAULT_ORG, CallRecord, Listing, Resource

LISTS = [
    "/assistant", "/squad", "/tool", "/phone-number", "/v2/phone-number", "/file", "/credential", "/structured-output", "/workflow",
    "/eval", "/eval/run", "/eval/simulation", "/eval/simulation/personality", "/eval/simulation/scenario", "/eval/simulation/suite",
    "/eval/simulation/run", "/chat", "/session", "/logs", "/token",
]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
async def test_a_parameter_that_nobody_knows_is_refused(quick_desk: Desk, path: str) -> None:
    for query in ("assistantID=x", "sort=asc", "customerNumber=%2B1&foo" if path != "/logs" else "foo=1", "sortBy=foo"):
        answer = await quick_desk.client.get(f"{path}?{query}")
        assert answer.status_code == 400, f"{query}: {answer.text}"
        assert answer.json()["error"] == "Bad Request"


async def test_logs_are_not_deleted_by_a_filter_that_is_misspelt(quick_desk: Desk) -> None:
    await quick_desk.client.get("/assistant")
    answer = await quick_desk.client.delete("/logs?callID=x")
    assert (answer.status_code, answer.json()["message"]) == (400, ["property callID should not exist"])
    assert (await quick_desk.client.get("/logs")).json()["results"], "they are still there"


async def found(desk: Desk, path: str, **query: Any) -> list[str]:
    answer = await desk.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    listed = told["results"] if isinstance(told, dict) else told
    return sorted(str(each["name"]) for each in listed)


async def test_sessions_are_found_by_who_is_in_them(desk: Desk) -> None:
    for name, number, assistant in (("a", "+15550001", "x"), ("b", "+15550002", "y"), ("c", "+15550002", "z")):
        customer = {"number": number, "name": name}
        await desk.make("/session", name=name, assistantId=assistant, customer=customer, phoneNumberId=f"n-{name}")
    await desk.make("/session", name="d")
    assert await found(desk, "/session", number="+15550002") == ["b", "c"]
    assert await found(desk, "/session", customerNumberAny="+15550001,+15550002") == ["a", "b", "c"]
    assert await found(desk, "/session", customerNumberAny=["+15550001", "+15550003"]) == ["a"]
    assert await found(desk, "/session", assistantIdAny="x,z") == ["a", "c"]
    assert await found(desk, "/session", assistantId="x", assistantIdAny="y,z") == []
    assert await found(desk, "/session", phoneNumberIdAny="n-b,n-c", number="+15550002", sortOrder="ASC") == ["b", "c"]
    for name in (
        "email",
        "externalId",
        "sipUri",
        "extension",
        "workflowId",
        "assistantOverrides",
        "numberE164CheckEnabled",
    ):
        answer = await desk.client.get("/session", params={name: "x"})
        assert (answer.status_code, answer.json()["message"]) == (400, [f"property {name} should not exist"])


async def test_chats_are_found_by_the_one_before_and_by_several_assistants(desk: Desk) -> None:
    model = {"provider": "scripted", "options": {"replies": ["One.", "Two."]}}
    ids = [(await desk.make("/assistant", name="S", model=model))["id"] for _ in range(3)]
    chats = [await desk.make("/chat", assistantId=id, input="a", name=f"c{number}") for number, id in enumerate(ids)]
    await desk.make("/chat", previousChatId=chats[1]["id"], input="b", name="next")
    assert await found(desk, "/chat", previousChatId=chats[1]["id"]) == ["next"]
    assert await found(desk, "/chat", previousChatId=chats[0]["id"]) == []
    assert await found(desk, "/chat", assistantIdAny=",".join(ids[:2])) == ["c0", "c1", "next"]


async def test_numbers_are_searched_by_a_part_of_their_name_number_or_address(desk: Desk) -> None:
    await desk.make("/phone-number", provider="vapi", number="+14155550100", name="Front Desk")
    await desk.make("/phone-number", provider="vapi", number="+442071234567", name="London")
    await desk.make("/phone-number", provider="vapi", sipUri="sip:desk@sip.example.com", name="Sip")
    assert await found(desk, "/v2/phone-number", search="DESK") == ["Front Desk", "Sip"]
    assert await found(desk, "/v2/phone-number", search="4155") == ["Front Desk"]
    assert await found(desk, "/v2/phone-number", search="nothing") == []
    assert await found(desk, "/v2/phone-number", search="") == ["Front Desk", "London", "Sip"]
    page = (await desk.client.get("/v2/phone-number?search=desk&limit=1&page=2")).json()
    assert (len(page["results"]), page["metadata"]["totalItems"], page["metadata"]["hasNextPage"]) == (1, 2, False)
    assert (await desk.client.get("/v2/phone-number", params={"search": "x" * 101})).status_code == 400


async def test_more_numbers_than_a_list_has_are_not_cut_off_unsaid(quick_desk: Desk) -> None:
    for number in range(1001):
        kept = Resource("phone-number", f"n{number}", DEFAULT_ORG, {"provider": "vapi", "name": "same"}, number, number)
        await quick_desk.api.resources.add(kept)
    answer = await quick_desk.client.get("/v2/phone-number?search=same")
    assert (answer.status_code, answer.json()["message"]) == (400, ["search: there are more than 1000 that fit"])


async def test_calls_are_ordered_by_what_they_cost_and_how_long_they_took(desk: Desk) -> None:
    for id, cost, ended in (("cheap", 0.1, 9_000), ("dear", 2.0, 3_000), ("live", 0.5, None)):
        status = "ended" if ended else "in-progress"
        record = CallRecord(id, DEFAULT_ORG, "webCall", status, 1000, 1000, 1000, ended, cost_usd=cost)  # type: ignore[arg-type]
        await desk.api.calls.add(record)

    async def order(listing: Listing) -> list[str]:
        return [record.id for record in await desk.api.calls.list(DEFAULT_ORG, listing)]

    assert await order(Listing(sort="cost")) == ["dear", "live", "cheap"]
    assert await order(Listing(sort="cost", order="oldest")) == ["cheap", "live", "dear"]
    assert await order(Listing(sort="duration")) == ["cheap", "dear", "live"]
    assert await order(Listing(sort="duration", order="oldest", limit=1, offset=1)) == ["dear"]


async def test_calls_are_asked_for_so_over_the_api(tmp_path: Any) -> None:
    settings = settings_for(tmp_path, open_api=True, database_url=sqlite_url(tmp_path))
    async with running_server(settings) as (antiphon, client):
        assert antiphon.api is not None
        for id, cost in (("a", 0.1), ("b", 2.0)):
            record = CallRecord(id, DEFAULT_ORG, "webCall", "ended", 1000, 1000, 1000, 2000, cost_usd=cost)
            await antiphon.api.calls.add(record)
        pages = (await client.get("/v2/call?sortBy=cost&sortOrder=ASC")).json()
        assert [call["id"] for call in pages["results"]] == ["a", "b"]
        assert [call["id"] for call in (await client.get("/call?sortBy=cost")).json()] == ["b", "a"]
        for query in ("sortBy=price", "status=Ended", "type=phone"):
            refused = await client.get(f"/call?{query}")
            assert (refused.status_code, "must be one of the following values" in refused.text) == (400, True), query
        assert [call["id"] for call in (await client.get("/call?status=ended&type=webCall&limit=1")).json()] == ["b"]
        for name, shown in (("renamed", "renamed"), (None, None)):
            changed = await client.patch("/call/a", json={"name": name})
            assert (changed.status_code, changed.json().get("name")) == (200, shown), "null takes it away"
        ambiguous = {"assistantId": "scripted", "assistant": {"name": "x"}, "transport": {"provider": "vapi.websocket"}}
        refused = await client.post("/call", json=ambiguous)
        assert (refused.status_code, refused.json()["message"]) == (
            400,
            ["assistantId and assistant are mutually exclusive"],
        )
        assert (await client.get("/call?customerNumbr=x")).status_code == 400


async def test_keys_are_listed_as_other_things_are(quick_desk: Desk) -> None:
    for name in ("a", "b", "c"):
        quick_desk.clock.advance(1000)
        await quick_desk.make("/token", name=name)
    assert [each["name"] for each in (await quick_desk.client.get("/token")).json()] == ["c", "b", "a", "test"]
    assert [each["name"] for each in (await quick_desk.client.get("/token?sortOrder=ASC&limit=2&page=2")).json()] == [
        "b",
        "c",
    ]
    since = (await quick_desk.client.get("/token?limit=2")).json()[1]["createdAt"]
    assert await found(quick_desk, "/token", createdAtGt=since) == ["c"]
    assert await found(quick_desk, "/token", createdAtLt=since, updatedAtLe=since) == ["a", "test"]
    assert await found(quick_desk, "/token", idAny=(await quick_desk.client.get("/token")).json()[0]["id"] + ",x") == [
        "c"
    ]


async def test_runs_of_evals_are_searched_by_the_names_of_both(desk: Desk) -> None:
    model = {"provider": "scripted", "options": {"replies": ["One."]}}
    shop = (await desk.make("/assistant", name="Marmalade Shop", model=model))["id"]
    bank = (await desk.make("/assistant", name="Bank", model=model))["id"]
    mock = {"type": "chat.mockConversation", "messages": [{"role": "user", "content": "hi"}]}
    price = (await desk.make("/eval", **mock, name="Asks the PRICE"))["id"]
    target = {"type": "assistant", "assistantId": bank}
    ids = {
        "price at the bank": (await desk.make("/eval/run", type="eval", evalId=price, target=target))["id"],
        "shop": (await desk.make("/eval/run", type="eval", eval=mock, target={**target, "assistantId": shop}))["id"],
        "written out": (await desk.make("/eval/run", type="eval", eval={**mock, "name": "Price 2"}, target=target))[
            "id"
        ],
    }

    async def searched(**query: Any) -> set[str]:
        answer = await desk.client.get("/eval/run", params=query)
        assert answer.status_code == 200, answer.text
        return {name for name, id in ids.items() if id in {run["id"] for run in answer.json()["results"]}}

    assert await searched(search="price") == {"price at the bank", "written out"}
    assert await searched(search="MARMALADE") == {"shop"}
    assert await searched(search="nothing") == set()
    assert await searched(search="price", id=ids["shop"]) == set()
    assert await searched(search="") == set(ids)
    assert (await desk.client.get("/eval/run", params={"search": "x" * 101})).status_code == 400
