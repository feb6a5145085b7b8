"""The same request twice, and two at once: one thing is made, and acts once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_simulations import asking, calling, ended, expecting

from antiphon.calls.stores import DEFAULT_ORG, Resource

ONCE = {"Idempotency-Key": "order 7"}
MODEL = {"provider": "scripted", "options": {"replies": ["One.", "Two.", "Three."]}}


async def twice(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [await client.post(path, json=body, headers=ONCE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], [answer.text for answer in answers]
    return [answer.json() for answer in answers]


async def test_a_session_a_chat_and_runs_are_made_once(desk: Desk) -> None:
    assistant = await desk.make("/assistant", name="S", model=MODEL)
    first, again = await twice(desk.client, "/session", {"assistantId": assistant["id"], "name": "s"})
    assert again == first
    first, again = await twice(desk.client, "/chat", {"assistantId": assistant["id"], "input": "a"})
    assert again == first and len((await desk.client.get("/chat")).json()["results"]) == 1
    other = await desk.client.post("/chat", json={"assistantId": assistant["id"], "input": "b"}, headers=ONCE)
    assert (other.status_code, other.json()["message"]) == (400, "Idempotency-Key was used before, with another body.")
    target = {"type": "assistant", "assistantId": assistant["id"]}
    mock = {"type": "eval", "eval": {"messages": [{"role": "user", "content": "hi"}]}, "target": target}
    first, again = await twice(desk.client, "/eval/run", mock)
    assert again["id"] == first["id"] and len((await desk.client.get("/eval/run")).json()["results"]) == 1
    run = {
        **asking(expecting("One"), target={"model": MODEL}, caller=calling("Hello?")),
        "transport": {"provider": "vapi.webchat"},
    }
    first, again = await twice(desk.client, "/eval/simulation/run", run)
    assert (again["id"], again["simulationRunItemIds"]) == (first["id"], first["simulationRunItemIds"])
    await ended(desk.client, first["id"])
    assert (await desk.client.get("/eval/simulation/run")).json()["metadata"]["totalItems"] == 1


@pytest.mark.parametrize(("path", "more"), [("/chat", {"stream": True}), ("/chat/responses", {}), ("/chat/web", {})])
async def test_other_chats_that_were_answered_say_so(quick_desk: Desk, path: str, more: dict[str, Any]) -> None:
    assistant = await quick_desk.make("/assistant", name="S", model=MODEL)
    body = {"assistantId": assistant["id"], "input": "a", **more}
    first = await quick_desk.client.post(path, json=body, headers=ONCE)
    assert first.status_code in (200, 201), first.text
    again = await quick_desk.client.post(path, json=body, headers=ONCE)
    (chat,) = (await quick_desk.client.get("/chat")).json()["results"]
    told = f"The request of this Idempotency-Key was answered before: it is chat {chat['id']}."
    assert (again.status_code, again.json()["message"]) == (400, told)
    assert len((await quick_desk.client.get("/session")).json()["results"]) == (1 if path == "/chat/web" else 0)


async def test_a_chat_that_is_being_answered_is_not_answered_twice(quick_desk: Desk) -> None:
    slow = {"provider": "scripted", "options": {"replies": ["One."], "first_token_ms": 300}}
    assistant = await quick_desk.make("/assistant", name="S", model=slow)
    body = {"assistantId": assistant["id"], "input": "a"}
    answers = await asyncio.gather(*(quick_desk.client.post("/chat", json=body, headers=ONCE) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409], "the SDKs send a 409 again"
    assert (await quick_desk.client.post("/chat", json=body, headers=ONCE)).status_code == 201
    assert len((await quick_desk.client.get("/chat")).json()["results"]) == 1


@pytest.mark.parametrize("path", ["/chat", "/chat/responses", "/chat/web"])
async def test_a_client_that_went_away_may_ask_again(tmp_path: Path, path: str) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        slow = {"provider": "scripted", "options": {"replies": ["One two three."], "token_interval_ms": 100}}
        id = (await client.post("/assistant", json={"name": "S", "model": slow})).json()["id"]
        body = {"assistantId": id, "input": "a"}
        async with client.stream("POST", path, json={**body, "stream": True}, headers=ONCE) as answer:
            async for _chunk in answer.aiter_raw():
                break
        async with asyncio.timeout(10):
            while (again := await client.post(path, json=body, headers=ONCE)).status_code == 409:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.02)
        assert again.status_code == 201, again.text


async def test_a_chat_that_failed_may_be_sent_again(quick_desk: Desk) -> None:
    nowhere = {"provider": "custom-llm", "url": "http://127.0.0.1:9/v1", "model": "m"}
    body = {"assistant": {"model": nowhere}, "input": "a"}
    answers = [await quick_desk.client.post("/chat", json=body, headers=ONCE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [424, 424], "the second is no 409"
    streamed = [await quick_desk.client.post("/chat", json={**body, "stream": True}, headers=ONCE) for _ in range(2)]
    assert all('"statusCode":424' in answer.text for answer in streamed), streamed[1].text


async def test_a_web_call_is_made_once(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        first, again = await twice(client, "/call/web", {"assistantId": "scripted"})
        assert (again["id"], again["type"], again["status"]) == (first["id"], "webCall", "queued")
        assert first["id"] in again["webCallUrl"] and again["transport"]["callUrl"] == again["webCallUrl"]
        assert len((await client.get("/call")).json()) == 1


async def test_two_who_want_the_same_number_at_once(desk: Desk) -> None:
    body = {"provider": "vapi", "number": "+14155550142"}
    answers = await asyncio.gather(*(desk.client.post("/phone-number", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert len((await desk.client.get("/phone-number")).json()) == 1
    others = [await desk.make("/phone-number", provider="vapi", number=f"+1415555020{number}") for number in range(4)]
    wanted = {"number": "+14155550300"}
    changed = await asyncio.gather(*(desk.client.patch(f"/phone-number/{each['id']}", json=wanted) for each in others))
    assert sorted(answer.status_code for answer in changed) == [200, 400, 400, 400]


async def test_a_number_that_another_process_took_meanwhile_is_refused_as_any_other(
    quick_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = quick_desk.api.resources
    add = store.add

    async def with_another(resource: Resource) -> bool:
        await add(Resource("phone-number", "theirs", DEFAULT_ORG, resource.body, 1, 1, links=resource.links))
        return await add(resource)

    monkeypatch.setattr(store, "add", with_another)
    answer = await quick_desk.client.post("/phone-number", json={"provider": "vapi", "number": "+14155550142"})
    assert (answer.status_code, answer.json()["message"]) == (400, ["number +14155550142 is already in use"])
    assert [each["id"] for each in (await quick_desk.client.get("/phone-number")).json()] == ["theirs"]
