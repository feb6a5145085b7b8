"""What may be done with a call of the REST API: looked at, ended, deleted, controlled, listened to, joined from a web page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from tests.api_caller import PATIENCE_S, SocketCaller, ask, ended, on_socket, transport
from tests.serving import GREETING, running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES, greeted, server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from antiphon.surfaces.keys import KeyRecord
from antiphon.surfaces.vapi.controls import command_of
from antiphon.surfaces.vapi.errors import ApiError


async def control(client: httpx.AsyncClient, call: dict[str, Any], **message: Any) -> httpx.Response:
    return await client.post(call["monitor"]["controlUrl"], json=message)


async def test_the_control_url_says_adds_mutes_and_ends(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client)
        early = await control(client, call, type="say", content="Too early.")
        assert (early.status_code, early.json()["statusCode"]) == (404, 404)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            assert (await control(client, call, type="say", content="Now from outside.")).json() == {"success": True}
            await caller.until_told("transcript", role="assistant", transcript="Now from outside.")
            message = {"role": "user", "content": "and the price?"}
            await control(client, call, type="add-message", message=message)
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
            await control(client, call, type="control", control="say-first-message")
            await caller.until(lambda: len(caller.told("transcript", role="assistant", transcript=GREETING)) == 2)
            refused = await control(
                client, call, type="transfer", destination={"type": "number", "number": "+14155550100"}
            )
            assert (refused.status_code, refused.json()["error"]) == (400, "Bad Request")
            await control(client, call, type="end-call")
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
        assert record["endedReason"] == "manually-canceled"
        assert ("user", "and the price?") in [(each["role"], each["message"]) for each in record["messages"]]
        assert (await control(client, call, type="end-call")).status_code == 404


async def test_who_is_muted_is_not_heard(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            await control(client, call, type="control", control="mute-customer")
            caller.say()
            await control(client, call, type="control", control="mute-assistant")
            before = caller.loud_bytes()
            await control(client, call, type="say", content="Nobody hears this.")
            await caller.until_told("transcript", role="assistant", transcript="Nobody hears this.")
            assert caller.loud_bytes() == before
            assert not caller.told("speech-update", role="user")
            await control(client, call, type="control", control="unmute-assistant")
            await control(client, call, type="control", control="unmute-customer")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
            assert caller.loud_bytes() > before


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"type": "dance"}, "type must be one of"),
        ({"type": "say", "content": ""}, "content must be a non-empty string"),
        ({"type": "say", "content": "x" * 10_001}, "content must be shorter"),
        ({"type": "add-message", "message": "x"}, "message must be an object"),
        ({"type": "add-message", "message": {"role": "tool", "content": "x"}}, "message.role must be one of"),
        ({"type": "control", "control": "fly"}, "control must be one of"),
        ({"type": "handoff", "destination": {}}, "destination.type must be one of"),
        ({"type": "send-transport-message"}, "send-transport-message is not possible"),
        ({}, "type must be one of"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(message: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ApiError) as refused:
        command_of(message)
    assert problem in str(refused.value) and refused.value.status == 400


async def test_text_that_makes_no_sense_is_answered_and_a_hundred_close_the_socket(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.send({"type": "dance"})
            assert "type must be one of" in (await caller.until_told("error"))["message"]
            await caller.socket.send("no JSON")
            await caller.until_told("error", message="A text message must be JSON.")
            for _ in range(100):
                await caller.send({"type": "dance"})
            await caller.until(lambda: caller.closed)
        assert caller.closed == (1008, "too many messages that make no sense")


async def test_a_listener_hears_both_sides(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client)
        with pytest.raises(InvalidStatus) as refused:
            await connect(call["monitor"]["listenUrl"])
        assert refused.value.response.status_code == 404
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            async with connect(call["monitor"]["listenUrl"]) as listener:
                start = orjson.loads(await listener.recv())
                assert start == {
                    "type": "start", "encoding": "linear16", "container": "raw", "sampleRate": 16_000, "channels": 2,
                }  # fmt: skip
                caller.say()
                heard = bytearray()
                async with asyncio.timeout(PATIENCE_S):
                    while not caller.told("transcript", role="assistant", transcript="It costs eleven crowns."):
                        heard += await listener.recv()  # type: ignore[operator]
                    sides = np.frombuffer(bytes(heard), dtype="<i2").reshape(-1, 2).astype(float)
                    assert np.abs(sides[:, 0]).max() > 1000 and np.abs(sides[:, 1]).max() > 1000
                    loud = np.abs(sides) > 500
                    assert loud[:, 0].argmax() < loud[:, 1].argmax(), "the caller speaks first"
                    await caller.send({"type": "hangup"})
                    async for _ in listener:
                        pass
                assert (listener.close_code, listener.close_reason) == (1000, "the call is over")


async def test_what_the_monitor_plan_forbids_is_not_offered(tmp_path: Path) -> None:
    plan = {"listenEnabled": False, "controlEnabled": False}
    async with server(tmp_path) as (antiphon, client):
        call = await ask(client, assistant={**ENGINES, "firstMessage": GREETING, "monitorPlan": plan})
        assert "monitor" not in call
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            assert antiphon.api is not None
            urls = antiphon.api.live.urls
            assert (await client.post(urls.control(call["id"]), json={"type": "end-call"})).status_code == 403
            with pytest.raises(InvalidStatus) as refused:
                await connect(urls.listen(call["id"]))
            assert refused.value.response.status_code == 403


async def test_calls_are_listed_renamed_ended_and_deleted(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        calls = [await ask(client, name=f"call {number}") for number in range(3)]
        other = await ask(client, assistant={**ENGINES, "firstMessage": GREETING})
        listed = (await client.get("/call", params={"assistantId": "scripted", "limit": 2})).json()
        assert [each["name"] for each in listed] == ["call 2", "call 1"]
        pages = (await client.get("/v2/call", params={"limit": 3})).json()
        assert (pages["metadata"]["totalItems"], pages["results"][0]["id"]) == (4, other["id"])
        assert (await client.get("/call", params={"id": calls[0]["id"]})).json()[0]["id"] == calls[0]["id"]
        renamed = await client.patch(f"/call/{calls[0]['id']}", json={"name": "x"})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "x")
        assert (await client.patch(f"/call/{calls[0]['id']}", json={})).json()["name"] == "x"
        wrong = await client.patch(f"/call/{calls[0]['id']}", json={"status": "ended"})
        assert (wrong.status_code, wrong.json()["message"]) == (400, ["property status should not exist"])
        assert (await client.post(f"/call/{calls[0]['id']}/end")).status_code == 201
        assert (await ended(client, calls[0]["id"]))["endedReason"] == "manually-canceled"
        assert (await client.post(f"/call/{calls[0]['id']}/end")).status_code == 400
        at_once = await asyncio.gather(*(client.post(f"/call/{calls[1]['id']}/end") for _ in range(5)))
        assert sorted(answer.status_code for answer in at_once) == [201, 400, 400, 400, 400]
        gone = await client.delete(f"/call/{calls[1]['id']}")
        assert (gone.status_code, gone.json()["id"]) == (200, calls[1]["id"])
        many = await client.request("DELETE", "/call", json={"ids": [calls[2]["id"], other["id"], "none"]})
        assert [each["id"] for each in many.json()] == [calls[2]["id"], other["id"]]
        missing = await client.get(f"/call/{calls[1]['id']}")
        assert (missing.status_code, missing.json()["statusCode"]) == (404, 404)
        async with on_socket((await ask(client))["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            live = (await client.get("/call", params={"limit": 1})).json()[0]
            assert (await client.post(f"/call/{live['id']}/end")).status_code == 201
            await caller.until(lambda: caller.closed)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "one of assistantId and assistant must be given"),
        ({"assistantId": "scripted"}, "one of transport"),
        ({"transport": transport()}, "one of assistantId and assistant must be given"),
        ({"assistantId": "nobody", "transport": transport()}, "Couldn't find assistant"),
        ({"squadId": "s", "transport": transport()}, "Couldn't find squad"),
        ({"assistantId": "scripted", "transport": transport(), "schedulePlan": {"earliestAt": "x"}}, "schedulePlan"),
        ({"assistantId": "scripted", "transport": transport(), "name": "x" * 41}, "name must be shorter"),
        ({"assistantId": "scripted", "transport": transport(format="mp3")}, "transport.audioFormat.format"),
        ({"assistantId": "scripted", "transport": transport(sampleRate=192_000)}, "transport.audioFormat.sampleRate"),
        ({"assistantId": "scripted", "transport": transport(), "phoneNumberId": "p"}, "phoneNumberId must be absent"),
        ({"assistant": {**ENGINES, "model": {"provider": "scripted", "temperature": 3}}, "transport": transport()},
         "assistant.model.temperature"),
        ({"assistantId": "scripted", "assistantOverrides": {"variableValues": []}, "transport": transport()},
         "assistantOverrides.variableValues must be an object"),
        ({"assistant": {**ENGINES, "model": {"provider": "nobody"}}, "transport": transport()}, "assistant.model.provider"),
        ({"assistantId": "scripted", "phoneNumberId": "p", "customer": {"number": "+1"}}, "no telephone"),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_done_is_refused_by_its_fields(
    body: dict[str, Any], problem: str, shared: httpx.AsyncClient
) -> None:
    answer = await shared.post("/call", json=body)
    said = answer.json()
    assert (answer.status_code, said["statusCode"], said["error"]) == (400, 400, "Bad Request"), said
    assert problem in str(said["message"])


@pytest.fixture
async def shared(tmp_path: Path) -> Any:
    async with server(tmp_path) as (_, client):
        yield client


async def test_no_more_calls_than_are_allowed(tmp_path: Path) -> None:
    async with server(tmp_path, concurrent_calls=1) as (_, client):
        first = await ask(client)
        assert first["subscriptionLimits"] == {
            "concurrencyBlocked": False, "concurrencyLimit": 1, "remainingConcurrentCalls": 0,
        }  # fmt: skip
        refused = await client.post("/call", json={"assistantId": "scripted", "transport": transport()})
        assert refused.status_code == 400 and "Over Concurrency Limit" in refused.json()["message"]
        async with on_socket(first["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
        await ended(client, first["id"])
        await ask(client)


async def test_a_web_page_joins_its_call(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        overrides = {"firstMessage": "Hello {{ who }}.", "variableValues": {"who": "Ada"}}
        answer = await client.post("/call/web", json={"assistantId": "scripted", "assistantOverrides": overrides})
        call = answer.json()
        assert (answer.status_code, call["type"], call["status"]) == (201, "webCall", "queued")
        page, _, token = call["webCallUrl"].partition("?token=")
        assert page == f"{client.base_url}/web-call/{call['id']}".replace("//web", "/web")
        media = page.replace("http", "ws", 1).replace("/web-call/", "/call/") + f"/media?token={token}"
        async with on_socket(media) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Hello Ada.")
            assert isinstance(caller, SocketCaller)
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        assert (await ended(client, call["id"]))["artifact"]["messages"][0]["message"] == "Hello Ada."


async def test_a_named_request_makes_one_call_however_often_it_is_sent(shared: httpx.AsyncClient) -> None:
    body = {"assistantId": "scripted", "transport": transport()}
    answers = [await shared.post("/call", json=body, headers={"Idempotency-Key": "order 7"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert first["id"] == second["id"] and len((await shared.get("/call")).json()) == 1
    async with on_socket(second["transport"]["websocketCallUrl"]) as caller:
        await greeted(caller)


async def test_a_deleted_call_leaves_no_recording(tmp_path: Path) -> None:
    async with server(tmp_path) as (antiphon, client):
        call = await ask(client)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
        await ended(client, call["id"])
        assert {path.suffix for path in antiphon.calls_dir.glob(f"{call['id']}*")} == {".wav", ".jsonl"}
        assert (await client.delete(f"/call/{call['id']}")).status_code == 200
        assert not list(antiphon.calls_dir.glob(f"{call['id']}*"))


async def test_a_public_key_starts_web_calls_of_its_assistants_and_changes_no_others(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        like = KeyRecord("", "", "", 0, kind="public", assistants=("scripted",), transient=False)
        _, key = antiphon.keys.create("page", antiphon.clock.wall_ms(), like=like)
        client.headers["authorization"] = f"Bearer {key}"
        web = {"assistantId": "scripted", "assistantOverrides": {"variableValues": {"who": "Ada"}}}
        call = await client.post("/call/web", json=web)
        assert (call.status_code, call.json()["type"]) == (201, "webCall")
        assert not {"monitor", "warnings"} & set(call.json())
        refused = [
            await client.post("/call/web", json={"assistantId": "front-desk"}),
            await client.post("/call/web", json={"assistant": ENGINES}),
            await client.post("/call/web", json={**web, "assistantOverrides": {"model": ENGINES["model"]}}),
        ]
        assert [answer.status_code for answer in refused] == [403, 403, 403]
        assert "may not override model" in refused[2].json()["message"]
        for answer in (await client.get("/call"), await client.post("/call", json={**web, "transport": transport()})):
            assert (answer.status_code, answer.json()["statusCode"]) == (401, 401)
