"""What an application's server is told of conversations in text."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_chat import ask, scripted
from tests.vapi_sdk import server_message
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.surfaces.vapi.server_events import MOST_ANNOUNCED

KINDS = ["chat.created", "chat.deleted", "session.created", "session.updated", "session.deleted"]


def told(receiver: Receiver | None, *replies: str, **more: Any) -> dict[str, Any]:
    """An assistant that asks for all of them."""
    server = {"server": {"url": f"{receiver.url}/own", "secret": "s3cret"}} if receiver else {}
    return scripted(*replies, serverMessages=KINDS, **server, **more)


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    return await ask(client, path, **body)


async def test_a_session_and_its_chats_from_first_to_last(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver, running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        stored = await client.post("/assistant", json=told(receiver, "One.", "Two."))
        assert "X-Antiphon-Warnings" not in stored.headers, "none of them is named as not sent"
        assistant = stored.json()
        headers = {"Idempotency-Key": "once"}
        begin = {"assistantId": assistant["id"], "name": "desk"}
        session, again = [(await client.post("/session", json=begin, headers=headers)).json() for _ in range(2)]
        assert session["id"] == again["id"]
        chat = await ask(client, sessionId=session["id"], input="a")
        await client.patch(f"/session/{session['id']}", json={"name": "shop"})
        await client.delete(f"/chat/{chat['id']}")
        await client.delete(f"/session/{session['id']}")
        came = await receiver.wait_for(5)
        log = (await client.get("/logs", params={"type": "Webhook"})).json()["results"]
    messages = [each.json["message"] for each in came]
    kinds = [message["type"] for message in messages]
    assert kinds == ["session.created", "chat.created", "session.updated", "chat.deleted", "session.deleted"]
    for each, message in zip(came, messages, strict=True):
        assert (each.path, each.headers["x-vapi-secret"]) == ("/own", "s3cret")
        assert b"s3cret" not in each.body
        assert message["assistant"]["name"] == "S"
        known = {**message["assistant"], "model": {"provider": "openai", "model": "gpt-4o"}}  # which the SDK knows
        read = server_message(message["type"]).model_validate({**message, "assistant": known})
        assert (read.chat or read.session).id in (chat["id"], session["id"])
    begun, said, renamed, unsaid, gone = messages
    assert (begun["session"]["name"], begun["session"]["status"]) == ("desk", "active")
    assert said["chat"] == unsaid["chat"] == chat
    assert (renamed["session"]["name"], gone["session"]["messages"]) == ("shop", [])
    assert {each["webhookType"] for each in log} >= {"session.created", "chat.created"}


async def test_whoever_does_not_ask_is_not_told_and_the_organisation_s_server_is_where_there_is_no_own(
    tmp_path: Path,
) -> None:
    async with receiving(Receiver()) as receiver, running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        await client.patch(f"/org/{DEFAULT_ORG}", json={"server": {"url": f"{receiver.url}/org"}})
        await made(client, "/session", name="nobody's")
        await ask(client, assistant=scripted("Not asked."), input="a")
        members = [{"assistant": scripted("By a member."), "assistantOverrides": {"serverMessages": ["chat.created"]}}]
        await ask(client, squad={"members": members}, input="b")
        await ask(client, assistant=told(None, "To the organisation."), input="c")
        await receiver.wait_for(2)
    outputs = {message["chat"]["output"][0]["content"] for message in receiver.messages}
    assert outputs == {"By a member.", "To the organisation."}
    assert {each.path for each in receiver.received} == {"/org"}


async def test_a_server_that_hangs_delays_nothing_and_what_waits_is_bounded(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async def hangs(_: Received) -> Any:
        await let_go.wait()
        return {}

    async with (
        receiving(Receiver(hangs)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client),
    ):
        assistant = await made(client, "/assistant", **told(receiver, "One."))
        session = await made(client, "/session", assistantId=assistant["id"])
        for number in range(MOST_ANNOUNCED + 2):
            changed = await client.patch(f"/session/{session['id']}", json={"name": f"n{number}"})
            assert changed.status_code == 200
        assert len(receiver.received) <= 1, "one after another"
        assert antiphon.losses.counts() == {("webhook_events_dropped", ()): 3}
        let_go.set()
        await receiver.until(lambda: len(receiver.received) == MOST_ANNOUNCED)
    assert [message["session"]["name"] for message in receiver.messages[1:]] == [
        f"n{n}" for n in range(MOST_ANNOUNCED - 1)
    ]
