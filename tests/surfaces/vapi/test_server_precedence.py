"""Whose server is told of a call, and runs its tools: the assistant's, else its number's, else the organisation's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import ended
from tests.serving import CALLED, line, place_call
from tests.surfaces.vapi.test_handoffs import calls, desk
from tests.surfaces.vapi.test_phone_calls import ACCOUNT, made, server
from tests.surfaces.vapi.test_ringing import ring
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG

PRICE = {"type": "function", "function": {"name": "price", "description": "What it costs."}}
SECRETS = {"assistant": "of-assistant", "number": "of-number", "org": "of-org"}


async def answers(came: Received) -> Any:
    message = came.json["message"]
    if message["type"] == "assistant-request":
        return {"assistant": _led()}
    results = [{"toolCallId": call["id"], "result": "Eleven crowns."} for call in message.get("toolCallList", ())]
    return {"results": results}


def _led(**more: Any) -> dict[str, Any]:
    said = desk("Desk", calls("price"), "Eleven crowns.", first="Hello.", model={"tools": [PRICE]})
    return {**said, "endCallPhrases": ["eleven crowns"], **more}


def _server(receiver: Receiver, whose: str) -> dict[str, str]:
    return {"url": f"{receiver.url}/{whose}", "secret": SECRETS[whose]}


async def _number(client: httpx.AsyncClient, receiver: Receiver, *theirs: str, **number: Any) -> dict[str, Any]:
    """A number, and the organisation, with the servers named."""
    if "org" in theirs:
        patched = await client.patch(f"/org/{DEFAULT_ORG}", json={"server": _server(receiver, "org")})
        assert patched.json()["server"]["url"] == f"{receiver.url}/org"
    own = {"server": _server(receiver, "number")} if "number" in theirs else {}
    return await made(
        client, "/phone-number", provider="twilio", twilioAccountSid=ACCOUNT, number=CALLED, **own, **number
    )


@pytest.mark.parametrize(
    ("theirs", "told"),
    [(("assistant", "number", "org"), "assistant"), (("number", "org"), "number"), (("org",), "org")],
    ids=["all", "not the assistant", "the organisation"],
)
async def test_the_nearest_is_told_all_and_runs_the_tools(tmp_path: Path, theirs: tuple[str, ...], told: str) -> None:
    async with receiving(Receiver(answers)) as receiver, server(tmp_path) as (_, client):
        own = {"server": _server(receiver, "assistant")} if "assistant" in theirs else {}
        stored = await made(client, "/assistant", **_led(**own))
        await _number(client, receiver, *theirs, assistantId=stored["id"])
        await place_call(str(client.base_url), line())
        (call,) = (await client.get("/call")).json()
        await ended(client, call["id"])
        await receiver.wait_for_types("end-of-call-report", "tool-calls", "status-update")
    assert {each.path for each in receiver.received} == {f"/{told}"}
    assert {each.headers["x-vapi-secret"] for each in receiver.received} == {SECRETS[told]}
    assert not any(secret in each.body.decode() for each in receiver.received for secret in SECRETS.values())


async def test_whoever_named_the_assistant_is_told_of_its_call(tmp_path: Path) -> None:
    """As an application does that answers ``assistant-request``, and names no server in what it answers."""
    async with receiving(Receiver(answers)) as receiver, server(tmp_path) as (_, client):
        await _number(client, receiver, "number")
        await place_call(str(client.base_url), line())
        wanted = {"assistant-request", "status-update", "tool-calls", "end-of-call-report"}
        messages = await receiver.wait_for_types(*wanted)
    assert wanted <= {message["type"] for message in messages}


async def test_of_a_call_that_nobody_took_a_squad_s_server_is_told(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver, server(tmp_path) as (_, client):
        members = [{"assistant": _led(), "assistantOverrides": {"server": _server(receiver, "assistant")}}]
        squad = await made(client, "/squad", name="Desk", members=members)
        closed = [{"on": "call.ringing", "do": [{"type": "say", "exact": "We are closed."}]}]
        await _number(client, receiver, "org", squadId=squad["id"], hooks=closed)
        assert "We are closed." in await ring(client)
        (report,) = await receiver.wait_for_types("end-of-call-report")
        (came,) = receiver.received
    assert (came.path, came.headers["x-vapi-secret"]) == ("/assistant", SECRETS["assistant"])
    assert report["endedReason"] == "call.ringing.hook-executed-say"


async def test_an_organisation_s_server_is_kept_shown_and_taken_away(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        path = f"/org/{DEFAULT_ORG}"
        for wrong in ("http://x.test", {"url": 5}, {"timeoutSeconds": 5}, {"url": "x" * 100_000}):
            refused = await client.patch(path, json={"server": wrong})
            assert (refused.status_code, refused.json()["message"][0].startswith("server")) == (400, True), wrong
        kept = {"url": "http://x.test/a", "timeoutSeconds": 5}
        assert (await client.patch(path, json={"server": kept})).json()["server"] == kept
        assert (await client.get("/org")).json()[0]["server"] == kept
        assert "server" not in (await client.patch(path, json={"server": None})).json()
