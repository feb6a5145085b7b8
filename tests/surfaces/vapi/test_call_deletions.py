"""What an application's server is told of calls that are deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import ask
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_server_messages import assistant_of
from tests.vapi_sdk import server_message
from tests.webhooks.receiver import Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG

ASKED = ["call.deleted", "call.delete.failed"]
SHOWN = {"id", "orgId", "type", "status", "createdAt", "updatedAt", "startedAt", "endedAt"}


async def _calls(client: httpx.AsyncClient, receiver: Receiver, **fields: Any) -> list[str]:
    assistant = assistant_of(receiver, serverMessages=ASKED, **fields)
    return [(await ask(client, assistant=assistant, name="secret words"))["id"] for _ in range(2)]


async def test_one_and_many_are_told_of_without_anything_that_was_said(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver, running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        one, other = await _calls(client, receiver)
        assert (await client.delete(f"/call/{one}")).status_code == 200
        assert (await client.request("DELETE", "/call", json={"ids": [other]})).status_code == 200
        await receiver.wait_for(2)
        log = (await client.get("/logs", params={"type": "Webhook"})).json()["results"]
    assert {message["call"]["id"] for message in receiver.messages} == {one, other}
    for came in receiver.received:
        assert came.headers["x-vapi-secret"] == "s3cret"
        message = came.json["message"]
        assert message["type"] == "call.deleted" and set(message) == {"type", "timestamp", "call"}
        assert set(message["call"]) <= SHOWN and message["call"]["orgId"] == DEFAULT_ORG
        server_message("call.deleted").model_validate(message)
    assert one not in str(log) and other not in str(log), "of an erased call no trace comes back"


async def test_a_call_that_could_not_be_erased_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        receiving(Receiver()) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client),
    ):
        one, _ = await _calls(client, receiver)
        assert antiphon.api is not None and antiphon.api.after is not None

        def refused(*_: Any, **__: Any) -> Any:
            raise PermissionError("the disk is read-only")

        monkeypatch.setattr(antiphon.api.live, "erase", refused)
        assert (await client.delete(f"/call/{one}")).status_code == 503
        await receiver.wait_for(1)
        assert (await client.get(f"/call/{one}")).status_code == 200
    (message,) = receiver.messages
    assert (message["type"], message["call"]["id"]) == ("call.delete.failed", one)
