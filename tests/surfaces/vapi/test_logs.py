"""``/logs``: what was really asked and told, and no secret in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api_caller import ask, on_socket
from tests.serving import GREETING, running_server, settings_for
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_calls import ENGINES, greeted
from tests.tools.mcp_server import mcp_server
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.surfaces.keys import KeyRecord

SECRET = "a-secret-of-some-length-Zq81"


async def logs(client: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/logs", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def noted_of_tools(client: Any, model: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The assistant's id, and what is in the log of a call in which its model asks for three tools and says "Done."."""
    stored = (await client.post("/assistant", json={**ENGINES, "firstMessage": GREETING, "model": model})).json()
    call = await ask(client, assistantId=stored["id"])
    async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
        await greeted(caller)
        caller.say()
        await caller.until_told("transcript", role="assistant", transcript="Done.")
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while len(found) < 3:  # a request that was given up is written down once it is over
                found = await logs(client, callId=call["id"], type="Webhook")
        return stored["id"], found


async def test_requests_to_the_api_are_there_with_what_was_wrong(desk: Desk) -> None:
    made = await desk.make("/assistant", name="A", server={"url": "https://a.test", "secret": SECRET})
    await desk.client.patch(f"/assistant/{made['id']}", json={"name": "x" * 41})
    await desk.client.get(f"/assistant/{made['id']}")
    found = await logs(desk.client, type="API", sortOrder="ASC")
    assert [(each["requestHttpMethod"], each["requestUrl"], each["responseHttpCode"]) for each in found] == [
        ("POST", "/assistant", 201), ("PATCH", f"/assistant/{made['id']}", 400), ("GET", f"/assistant/{made['id']}", 200),
    ]  # fmt: skip
    assert found[1]["error"] == {"message": "name must be shorter than or equal to 40 characters"}
    assert {each["resource"] for each in found} == {"assistant"} and found[2]["assistantId"] == made["id"]
    assert SECRET not in str(found)
    pages = (await desk.client.get("/logs", params={"limit": 2, "page": 2})).json()
    assert (len(pages["results"]), pages["metadata"]["totalItems"]) == (1, 3), "reading the log leaves no trace in it"
    gone = await desk.client.request("DELETE", "/logs", params={"assistantId": made["id"]})
    assert (gone.status_code, gone.json()) == (200, {"deleted": 1})


async def test_others_see_nothing_of_it_and_what_makes_no_sense_is_refused(quick_desk: Desk) -> None:
    _, theirs = quick_desk.keys.create("them", 0, like=KeyRecord("", "", "", 0, org_id="them"))
    await quick_desk.make("/assistant", name="A")
    async with quick_desk.with_key(theirs) as client:
        assert await logs(client) == []
    for query in (
        "type=None",
        "type=Provider",
        "customerId=x",
        "updatedAtGt=2026-01-01",
        "createdAtGt=soon",
        "limit=-1",
    ):
        for method in ("GET", "DELETE"):
            answer = await quick_desk.client.request(method, f"/logs?{query}")
            assert (answer.status_code, answer.json()["statusCode"]) == (400, 400), query


async def test_what_an_application_was_told_is_there_with_every_attempt(tmp_path: Path) -> None:
    answers = {"end-of-call-report": [Response(f"no: {SECRET}", 503), {"ok": True}]}

    async def answer(came: Received) -> Any:
        waiting = answers.get(came.json["message"]["type"])
        return waiting.pop(0) if waiting else {}

    async with (
        receiving(Receiver(answer)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        server = {"url": f"{receiver.url}/hook?token=t0ken", "secret": SECRET}
        wanted = ["status-update", "end-of-call-report"]
        call = await ask(
            client, assistant={**ENGINES, "firstMessage": GREETING, "server": server, "serverMessages": wanted}
        )
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
        await receiver.wait_for_types(*wanted, within_s=60)
        await receiver.wait_for(4, within_s=60)
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while sum(each["webhookType"] == "end-of-call-report" for each in found) < 2:
                found = await logs(client, callId=call["id"], type="Webhook", sortOrder="ASC")
        calls = await logs(client, callId=call["id"], type="Call")
    events = [each for each in found if each["webhookType"] == "status-update"]
    assert [each["responseHttpCode"] for each in events] == [200] * len(events) and len(events) >= 2
    first, second = (each for each in found if each["webhookType"] == "end-of-call-report")
    assert (first["responseHttpCode"], first["responseBody"]) == (503, "no: ********")
    assert (second["responseHttpCode"], second["responseBody"]) == (200, {"ok": True})
    assert second["requestBody"]["message"]["type"] == "end-of-call-report"
    assert {each["requestUrl"] for each in found} == {f"{receiver.url}/hook"}
    assert SECRET not in str(found)
    assert [(each["type"], each["endedReason"]) for each in calls] == [("Call", "customer-ended-call")]


async def test_a_public_key_reads_no_logs(quick_desk: Desk) -> None:
    _, public = quick_desk.keys.create("page", 0, like=KeyRecord("", "", "", 0, kind="public"))
    async with quick_desk.with_key(public) as client:
        assert (await client.get("/logs")).status_code == 401


async def test_what_tools_ask_servers_is_there_without_its_words(tmp_path: Path) -> None:
    async def answer(came: Received) -> Any:
        if came.path.startswith("/orders"):
            return Response(SECRET, 503)
        call = came.json["message"]["toolCalls"][0]
        return {"results": [{"toolCallId": call["id"], "result": SECRET}]}

    said = {"city": SECRET}
    replies = [
        {"tool_calls": [{"name": "look", "arguments": said}, {"name": "order", "arguments": said}, {"name": "lost", "arguments": said}]},
        "Done.",
    ]  # fmt: skip
    async with (
        receiving(Receiver(answer)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        server = {"url": f"{receiver.url}?key={SECRET}", "headers": {"x-api-key": SECRET}, "secret": SECRET}
        tools = [
            {"type": "function", "function": {"name": "look"}, "server": server},
            {"type": "apiRequest", "name": "order", "method": "PATCH", "headers": {"authorization": SECRET},
             "url": f"{receiver.url}/orders/{{{{ city }}}}?key={SECRET}"},
            {"type": "function", "function": {"name": "lost"}, "server": {"url": "http://127.0.0.1:1/x"}},
        ]  # fmt: skip
        model = {"provider": "scripted", "options": {"replies": replies}, "tools": tools}
        assistant_id, found = await noted_of_tools(client, model)
        shown = {each["resource"]: each for each in found}
        look, order, lost = shown["look"], shown["order"], shown["lost"]
        assert (look["webhookType"], look["requestHttpMethod"], look["responseHttpCode"]) == ("tool-calls", "POST", 200)
        assert look["requestUrl"] == receiver.url and look["assistantId"] == assistant_id
        assert (order["webhookType"], order["requestHttpMethod"], order["responseHttpCode"]) == (
            "api-request",
            "PATCH",
            503,
        )
        assert order["requestUrl"] == f"{receiver.url}/orders/{{{{ city }}}}"
        assert lost["error"] == {"message": "connection"} and "responseHttpCode" not in lost
        assert all(
            each["requestDurationSeconds"] >= 0 and not {"requestBody", "responseBody"} & each.keys() for each in found
        )
        assert SECRET not in str(found)
        assert len(await logs(client, webhookType="api-request")) == 1


@pytest.mark.parametrize("protocol", ["shttp", "sse"])
async def test_what_an_mcp_server_is_asked_is_there_as_other_tools_requests_are(tmp_path: Path, protocol: Any) -> None:
    asked = [
        {"name": "say_it", "arguments": {"text": SECRET}},
        {"name": "broken", "arguments": {}},
        {"name": "slow", "arguments": {}},
    ]
    replies = [{"tool_calls": asked}, "Done."]
    async with (
        mcp_server(protocol) as shop,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        server = {"url": f"{shop.url}?key={SECRET}", "headers": {"x-api-key": SECRET}, "timeoutSeconds": 1}
        tool = {"type": "mcp", "server": server, "metadata": {"protocol": protocol}}
        model = {"provider": "scripted", "options": {"replies": replies}, "tools": [tool]}
        assistant_id, found = await noted_of_tools(client, model)
    shown = {each["resource"]: each for each in found}
    assert set(shown) == {"say_it", "broken", "slow"}
    for each in found:
        assert (each["webhookType"], each["requestHttpMethod"], each["assistantId"]) == ("mcp", "POST", assistant_id)
        assert each["requestUrl"] == shop.url and not {"requestBody", "responseBody"} & each.keys()
    status = 200 if protocol == "shttp" else 202  # then the answer comes another way
    assert shown["say_it"]["responseHttpCode"] == shown["broken"]["responseHttpCode"] == status
    assert shown["slow"]["error"] == {"message": "timeout"} and shown["slow"]["requestDurationSeconds"] >= 0.9
    assert SECRET not in str(found)


async def test_an_mcp_server_that_is_gone_is_in_the_log_with_the_reason(tmp_path: Path) -> None:
    replies = [{"tool_calls": [{"name": "say_it", "arguments": {"text": "x"}}]}, "Done."]
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        async with mcp_server() as shop:
            model = {"provider": "scripted", "options": {"replies": replies}}
            model["tools"] = [{"type": "mcp", "server": {"url": shop.url}}]
            document = {**ENGINES, "firstMessage": GREETING, "model": model}
            call = await ask(client, assistant=document)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="Done.")
            (found,) = await logs(client, callId=call["id"], type="Webhook")
    assert "did not answer" in found["error"]["message"] and "responseHttpCode" not in found
