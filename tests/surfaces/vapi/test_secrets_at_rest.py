"""A secret that somebody writes into a document is used, and is in no file and in no answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api_caller import ask, on_socket
from tests.databases import sqlite_url
from tests.serving import GREETING, running_server, settings_for
from tests.surfaces.vapi.desk import Desk, desk_of
from tests.surfaces.vapi.test_calls import ENGINES, greeted
from tests.webhooks.receiver import Received, Receiver, receiving

SECRETS = {
    "server": "server-s3cret-of-length-aaaa",
    "header": "Bearer header-s3cret-bbbb",
    "tool": "tool-s3cret-of-length-cccc",
    "credential": "credential-s3cret-dddd",
    "number": "number-s3cret-of-length-eeee",
}


def files_holding(folder: Path, *texts: str) -> list[tuple[str, str]]:
    return [
        (path.name, text)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for text in texts
        if text.encode() in path.read_bytes()
    ]


def server_of(url: str = "https://a.test") -> dict[str, Any]:
    return {"url": url, "secret": SECRETS["server"], "headers": {"Authorization": SECRETS["header"], "X-Team": "blue"}}


def assistant_with_secrets(url: str = "https://a.test") -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "f"}, "server": {"url": url, "secret": SECRETS["tool"]}}
    return {"name": "A", "server": server_of(url), "model": {"provider": "openai", "model": "m", "tools": [tool]}}


async def test_documents_are_sealed_in_the_database_and_masked_in_answers(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path / "data")) as desk:
        made = await desk.make("/assistant", **assistant_with_secrets())
        assert made["server"]["secret"] == "********aaaa" and made["server"]["headers"]["X-Team"] == "blue"
        await desk.make("/tool", **assistant_with_secrets()["model"]["tools"][0])
        number = {"provider": "byo-phone-number", "number": "+15550100", "server": server_of(), "credentialId": "c"}
        await desk.make("/phone-number", **number)
        plan = {"type": "bearer", "token": SECRETS["credential"]}
        await desk.make("/credential", provider="webhook", name="hook", authenticationPlan=plan)
        await desk.make("/squad", members=[{"assistant": assistant_with_secrets()}])
        session = await desk.make("/session", assistant=assistant_with_secrets())
        assert session["assistant"]["model"]["tools"][0]["server"]["secret"] == "********cccc"
        await desk.client.patch(f"/assistant/{made['id']}", json={"name": "B"})
        await desk.client.post(f"/assistant/{made['id']}/draft", json={"name": "C", "server": made["server"]})
        shown = ""
        for path in ("/assistant", "/tool", "/phone-number", "/credential", "/squad", "/session"):
            shown += (await desk.client.get(path)).text
        for path in ("versions", "draft"):
            shown += (await desk.client.get(f"/assistant/{made['id']}/{path}")).text
        assert [name for name, secret in SECRETS.items() if secret in shown] == []
        assert files_holding(tmp_path / "data", *SECRETS.values()) == []
        stored = await desk.api.resources.find("assistant", made["orgId"], made["id"])
        assert stored is not None and stored.body["server"] == server_of(), "whoever uses it has all of it"


async def test_what_was_shown_masked_may_be_sent_back(quick_desk: Desk) -> None:
    made = await quick_desk.make("/assistant", **assistant_with_secrets())
    path = f"/assistant/{made['id']}"

    async def server() -> Any:
        stored = await quick_desk.api.resources.find("assistant", made["orgId"], made["id"])
        assert stored is not None
        return stored.body["server"]

    for method in ("PATCH", "PUT"):
        answer = await quick_desk.client.request(method, path, json={**made, "name": method})
        assert answer.status_code == 200, answer.text
        assert await server() == server_of()
    changed = {**made["server"], "secret": "another"}
    assert (await quick_desk.client.patch(path, json={"server": changed})).json()["server"]["secret"] == "********"
    assert await server() == {**server_of(), "secret": "another"}
    assert (await quick_desk.client.post(f"{path}/restore/v1")).status_code == 201
    assert await server() == server_of()
    draft = await quick_desk.client.post(f"{path}/draft", json={"name": "D", "server": made["server"]})
    assert draft.status_code == 201, draft.text
    assert (await quick_desk.client.post(f"{path}/draft/publish")).status_code == 201
    assert await server() == server_of()
    copied = {name: made[name] for name in ("name", "server")}
    refused = await quick_desk.client.post("/assistant", json=copied)
    assert (refused.status_code, refused.json()["message"][0]) == (
        400,
        "server.secret is masked: give the secret itself",
    )


@pytest.mark.parametrize("how", ["transient", "stored"])
async def test_a_call_uses_secrets_that_are_in_no_file(tmp_path: Path, how: str) -> None:
    """The report waits for a receiver that refuses it first, and says what it was shown."""
    refused: list[Received] = []

    async def answer(came: Received) -> Any:
        if came.json["message"]["type"] == "end-of-call-report" and not refused:
            refused.append(came)
            return Response(f"not with {came.headers['x-vapi-secret']} and {came.headers['authorization']}", 503)
        return {}

    settings = settings_for(tmp_path, open_api=True)
    async with receiving(Receiver(answer)) as receiver, running_server(settings) as (_, client):
        wanted = ["status-update", "end-of-call-report"]
        assistant = {**ENGINES, "firstMessage": GREETING, "server": server_of(receiver.url), "serverMessages": wanted}
        if how == "stored":
            made = await client.post("/assistant", json=assistant)
            assert made.status_code == 201, made.text
            call = await ask(client, assistantId=made.json()["id"])
        else:
            call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
        await receiver.wait_for_types("end-of-call-report", within_s=60)
        assert files_holding(settings.data_dir, *SECRETS.values()) == [], "while the report waits"
        async with asyncio.timeout(60):
            while sum(each["type"] == "end-of-call-report" for each in receiver.messages) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        shown = (await client.get(f"/call/{call['id']}")).text + (await client.get("/call")).text
        shown += (await client.get("/logs", params={"callId": call["id"]})).text
    assert {came.headers["x-vapi-secret"] for came in receiver.received} == {SECRETS["server"]}
    assert {came.headers["authorization"] for came in receiver.received} == {SECRETS["header"]}
    bodies = b"".join(came.body for came in receiver.received).decode()
    assert [name for name, secret in SECRETS.items() if secret in shown + bodies] == []
    assert files_holding(settings.data_dir, *SECRETS.values()) == []
