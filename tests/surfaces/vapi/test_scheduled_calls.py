"""Calls for later: kept, made once when their time has come, and not made when they are ended before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api_caller import ended, transport
from tests.listening import listening
from tests.serving import CALLED, CALLER
from tests.surfaces.vapi.test_handoffs import desk
from tests.surfaces.vapi.test_phone_calls import RestApi, made, server
from tests.webhooks.receiver import Receiver, receiving


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def phone(**body: Any) -> dict[str, Any]:
    return {"assistantId": "scripted", "phoneNumber": {"number": CALLED}, "customer": {"number": CALLER}, **body}


async def until_dialled(api: RestApi, count: int = 1) -> None:
    async with asyncio.timeout(15):
        while len(api.dials) < count:  # noqa: ASYNC110 (the stand-in tells nobody)
            await asyncio.sleep(0.01)


async def test_a_call_is_made_when_its_time_has_come_even_after_a_restart(tmp_path: Path) -> None:
    api = RestApi()
    async with listening(api.connected) as port, receiving(Receiver()) as receiver:
        rest_url = f"http://127.0.0.1:{port}"
        assistant = desk("Later", first="Hello.", server={"url": receiver.url}, serverMessages=["status-update"])
        async with server(tmp_path, rest_url) as (_, client):
            asked = phone(assistant=assistant, schedulePlan={"earliestAt": at(1.5), "latestAt": at(3600)}, name="later")
            del asked["assistantId"]
            call = await made(client, "/call", **asked)
            assert (call["status"], call["type"], call["name"]) == ("scheduled", "outboundPhoneCall", "later")
            assert call["schedulePlan"] == asked["schedulePlan"]
            assert (await client.get("/call", params={"status": "scheduled"})).json()[0]["id"] == call["id"]
            await receiver.wait_for(1)
            assert api.dials == []
        async with server(tmp_path, rest_url) as (_, client):
            await until_dialled(api)
            shown = (await client.get(f"/call/{call['id']}")).json()
            assert shown["status"] == "queued"
            assert f"call_id={call['id']}" in api.dials[0]["Url"]
            await receiver.wait_for(2)
            assert (await client.post(f"/call/{call['id']}/end")).status_code == 201
            assert (await ended(client, call["id"]))["endedReason"] == "manually-canceled"
    assert len(api.dials) == 1
    assert [message["status"] for message in receiver.messages][:2] == ["scheduled", "queued"]


@pytest.mark.parametrize("how", ["end", "delete"])
async def test_a_scheduled_call_may_be_ended_before(tmp_path: Path, how: str) -> None:
    api = RestApi()
    async with (
        listening(api.connected) as port,
        receiving(Receiver()) as receiver,
        server(tmp_path, f"http://127.0.0.1:{port}") as (antiphon, client),
    ):
        stored = await made(
            client, "/assistant", **desk("Later", server={"url": receiver.url}, serverMessages=["status-update"])
        )
        plan = {"earliestAt": at(3600)}
        call = await made(client, "/call", **phone(assistantId=stored["id"], schedulePlan=plan))
        if how == "end":
            answer = await client.post(f"/call/{call['id']}/end")
            assert (answer.status_code, answer.json()["endedReason"]) == (201, "manually-canceled")
            assert (await client.post(f"/call/{call['id']}/end")).status_code == 400
        else:
            assert (await client.delete(f"/call/{call['id']}")).status_code == 200
            assert (await client.get(f"/call/{call['id']}")).status_code == 404
        assert antiphon.api is not None
        assert await antiphon.api.live.scheduled._jobs.find(f"dial:{call['id']}") is None
        await receiver.wait_for(2)
    told = [(message["status"], message.get("endedReason")) for message in receiver.messages]
    reason = "manually-canceled" if how == "end" else "scheduled-call-deleted"
    assert told == [("scheduled", None), ("ended", reason)] and api.dials == []


async def test_a_carrier_that_refuses_ends_a_scheduled_call(tmp_path: Path) -> None:
    api = RestApi()
    api.status = 400
    async with listening(api.connected) as port, server(tmp_path, f"http://127.0.0.1:{port}") as (_, client):
        call = await made(client, "/call", **phone(schedulePlan={"earliestAt": at(-5)}))
        record = await ended(client, call["id"])
    assert record["endedReason"] == "call.start.error-get-transport" and len(api.dials) == 1


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"earliestAt": "soon"}, ["schedulePlan.earliestAt must be a valid ISO 8601 date string"]),
        ({"earliestAt": at(60), "latestAt": at(30)}, ["schedulePlan.latestAt must be after schedulePlan.earliestAt and now"]),
        ({"earliestAt": at(400 * 86400)}, ["schedulePlan.earliestAt must be within a year"]),
    ],
)  # fmt: skip
async def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, plan: dict[str, Any], problem: list[str]) -> None:
    async with server(tmp_path, "http://127.0.0.1:9") as (_, client):
        answer = await client.post("/call", json=phone(schedulePlan=plan))
        assert (answer.status_code, answer.json()["message"]) == (400, problem)
        on_socket = {"assistantId": "scripted", "transport": transport(), "schedulePlan": {"earliestAt": at(60)}}
        assert (await client.post("/call", json=on_socket)).status_code == 400
        unknown = phone(assistantId="nobody", schedulePlan={"earliestAt": at(60)})
        assert (await client.post("/call", json=unknown)).status_code == 400
        assert (await client.get("/call")).json() == []
