"""Calls for later: kept, made once when their time has come, and not made when they are ended before."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api_caller import ended, transport
from tests.databases import postgres_url, sqlite_url
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
    async with asyncio.timeout(60):
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


# ---------------------------------------------------------------------------------------------- of which nothing may be kept

WORDS = ("Purple-Prompt", "Purple-Greeting", "Purple-Override", "Purple-Tool", "Purple-Value")


def rows(url: str, *changes: str) -> dict[str, str]:
    """All there is in the tables of calls and jobs, read without us; ``changes`` are made before."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10) as database:
            for change in changes:
                database.execute(change)
            read = {name: repr(database.execute(f"select * from {name}").fetchall()) for name in ("calls", "jobs")}
        database.close()
        return read

    def psql(statement: str) -> str:
        return subprocess.run(
            ["psql", "-qXAt", url, "-c", statement], check=True, capture_output=True, text=True
        ).stdout

    for change in changes:
        psql(change)
    return {name: psql(f"select each::text from {name} each") for name in ("calls", "jobs")}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("becomes", ["dialled", "refused", "ended"])
async def test_a_prompt_that_may_not_be_kept_waits_sealed_and_goes(tmp_path: Path, kind: str, becomes: str) -> None:
    url = sqlite_url(tmp_path / "data") if kind == "sqlite" else postgres_url()
    tool = {
        "type": "function",
        "function": {"name": "look", "description": "Purple-Tool"},
        "server": {"url": "https://x.test"},
    }
    assistant = desk(
        "Quiet", prompt="Purple-Prompt {{ v }}", first="Purple-Greeting", model={"tools": [tool]},
        compliancePlan={"hipaaEnabled": True},
    )  # fmt: skip
    overrides = {"endCallMessage": "Purple-Override", "variableValues": {"v": "Purple-Value"}}
    asked = phone(assistant=assistant, assistantOverrides=overrides, schedulePlan={"earliestAt": at(3600)})
    del asked["assistantId"]
    api = RestApi()
    api.status = 400 if becomes == "refused" else 201
    async with (
        listening(api.connected) as port,
        server(tmp_path, f"http://127.0.0.1:{port}", database_url=url) as (antiphon, client),
    ):
        assert antiphon.api is not None
        live = antiphon.api.live
        call = await made(client, "/call", **asked)
        assert call["assistant"] == {"name": "Quiet", "compliancePlan": {"hipaaEnabled": True}}
        waiting = await asyncio.to_thread(rows, url)
        assert "sealed:" in waiting["jobs"] and call["id"] in waiting["calls"], "what dialling needs is there"
        assert [word for word in WORDS if word in str(waiting)] == []
        if becomes == "ended":
            assert (await client.post(f"/call/{call['id']}/end")).status_code == 201
        else:
            await asyncio.to_thread(rows, url, "update jobs set due_wall_ms = 0")
            live.scheduled._worker.wake()
            await until_dialled(api)
            if becomes == "refused":
                assert (await ended(client, call["id"]))["endedReason"] == "call.start.error-get-transport"
            else:
                planned = live.planner.known(call["id"])
                assert planned is not None
                assert [message.content for message in planned.assistant.messages] == ["Purple-Prompt Purple-Value"]
        async with asyncio.timeout(60):
            while "sealed:" in (left := await asyncio.to_thread(rows, url))["jobs"]:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.02)
        assert call["id"] in left["calls"] and [word for word in WORDS if word in str(left)] == []
        found = {path.name for path in tmp_path.rglob("*") if path.is_file() and b"Purple-" in path.read_bytes()}  # noqa: ASYNC240
    assert not found


async def test_an_assistant_that_keeps_nothing_since_then_is_taken_at_its_word(tmp_path: Path) -> None:
    api = RestApi()
    url = sqlite_url(tmp_path / "data")
    async with listening(api.connected) as port, server(tmp_path, f"http://127.0.0.1:{port}") as (antiphon, client):
        stored = await made(client, "/assistant", **desk("Later"))
        overrides = {"firstMessage": "Purple-Override", "variableValues": {"v": "Purple-Value"}}
        asked = phone(assistantId=stored["id"], assistantOverrides=overrides, schedulePlan={"earliestAt": at(3600)})
        call = await made(client, "/call", **asked)
        assert call["assistantOverrides"] == overrides
        await client.patch(f"/assistant/{stored['id']}", json={"compliancePlan": {"hipaaEnabled": True}})
        await asyncio.to_thread(rows, url, "update jobs set due_wall_ms = 0")
        assert antiphon.api is not None
        antiphon.api.live.scheduled._worker.wake()
        await until_dialled(api)
        assert "Purple-" not in (await asyncio.to_thread(rows, url))["calls"]
        shown = (await client.get(f"/call/{call['id']}")).json()
        assert (shown["assistantOverrides"], shown["customer"]) == ({}, {"number": CALLER})


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
        nobody_runs = {"type": "function", "function": {"name": "nobody_runs"}}
        wrong = phone(assistant=desk("Wrong", model={"tools": [nobody_runs]}), schedulePlan={"earliestAt": at(60)})
        del wrong["assistantId"]
        refused = (await client.post("/call", json=wrong)).json()["message"]
        assert "assistant.model.tools nobody_runs" in refused[0], "not only when it is dialled"
        assert (await client.get("/call")).json() == []
