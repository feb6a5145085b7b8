"""The booking service of examples/, told and asked by real calls over real HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import httpx
from examples.booking import Diary, booking
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.api_caller import ask, ended, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from tests.webhooks.receiver import served

from antiphon.app import (
    Application,
    Call,
    Proof,
    bearer,
    hmac_signature,
    standard_webhooks,
    vapi_signature,
)
from antiphon.calls.stores import DEFAULT_ORG, CallRecord

WHSEC = "whsec_c2VjcmV0LXNlY3JldA=="
DAY, TIME = "2031-05-05", "10:30"


def assistant_at(url: str, tools: list[dict[str, Any]], *replies: Any) -> dict[str, Any]:
    model = {**ENGINES["model"], "options": {**ENGINES["model"]["options"], "replies": list(replies)}, "tools": tools}
    server = {"url": url, "secret": "s3cret"}
    return {**ENGINES, "firstMessage": "Good day.", "model": model, "server": server}


async def test_a_call_books_a_table_and_is_told_of_once_it_is_over(tmp_path: Path) -> None:
    diary = Diary()
    service = booking(diary, "s3cret")
    books = {"name": "book_table", "arguments": {"date": DAY, "time": TIME, "name": "Ann"}}
    async with (
        served(service, lifespan=True) as url,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        assistant = assistant_at(url, service.documents(), {"tool_calls": [books]}, "You have a table.")
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant")
            caller.say()
            await caller.until(lambda: any("table" in m.get("transcript", "") for m in caller.told("transcript")))
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
        async with asyncio.timeout(60):
            while not diary.notes:  # noqa: ASYNC110 - the report comes when the work after the call is done
                await asyncio.sleep(0.02)
        kept = service.call(call["id"])
    assert diary.taken == {(dt.date(2031, 5, 5), dt.time(10, 30)): "Ann"}
    (result,) = (entry for entry in record["messages"] if entry["role"] == "tool_call_result")
    assert result["result"] == '{"booked":true,"date":"2031-05-05","time":"10:30"}'
    assert diary.notes == [f"somebody booked a table ({record['endedReason']})"]
    assert kept is not None and kept.ended and kept.state["booked"] == (dt.date(2031, 5, 5), dt.time(10, 30))


async def test_a_caller_who_changes_his_mind_has_one_table() -> None:
    diary = Diary()
    service = booking(diary, "s3cret")
    async with (
        served(service, lifespan=True) as url,
        httpx.AsyncClient(headers={"x-vapi-secret": "s3cret"}, timeout=60) as client,
    ):
        for id, time in (("t1", "10:30"), ("t2", "11:00"), ("t2", "11:00"), ("t3", "12:34")):
            asked = {"id": id, "name": "book_table", "arguments": {"date": DAY, "time": time, "name": "Ann"}}
            message = {"type": "tool-calls", "call": {"id": "c1"}, "toolCallList": [asked]}
            answer = await client.post(url, json={"message": message})
    assert list(diary.taken) == [(dt.date(2031, 5, 5), dt.time(11))]
    assert '"booked":false' in answer.json()["results"][0]["result"]


async def test_what_the_server_signs_is_proven_to_an_application(tmp_path: Path) -> None:
    """Reports of a real server, by each kind of credential."""
    ways: dict[str, tuple[dict[str, Any], Proof]] = {
        "bearer": ({"type": "bearer", "token": "t0ken"}, bearer("t0ken")),
        "standard": (
            {"type": "hmac", "algorithm": "sha256", "preset": "standard-webhooks", "secretKey": WHSEC},
            standard_webhooks(WHSEC),
        ),
        "body": (
            {"type": "hmac", "algorithm": "sha256", "preset": "x-vapi-signature", "secretKey": "k3y"},
            vapi_signature("k3y"),
        ),
        "hmac": (
            {"type": "hmac", "secretKey": "k3y", "algorithm": "sha512"},
            hmac_signature("k3y", algorithm="sha512"),
        ),
    }
    told: list[tuple[str, str]] = []
    news = asyncio.Condition()

    def application(name: str, proof: Proof) -> Application:
        made = Application(proof)

        @made.on("end-of-call-report")
        async def over(message: dict[str, Any], call: Call) -> None:
            async with news:
                told.append((name, call.id))
                news.notify_all()

        return made

    app = Starlette(routes=[Mount(f"/{name}", application(name, proof)) for name, (_, proof) in ways.items()])
    async with (
        served(app) as url,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client),
    ):
        assert antiphon.api is not None
        for name, (plan, _) in ways.items():
            body = {"provider": "webhook", "name": name, "authenticationPlan": plan}
            credential = await client.post("/credential", json=body)
            assert credential.status_code == 201, credential.text
            server = {"url": f"{url}/{name}", "credentialId": credential.json()["id"]}
            record = CallRecord(
                f"c-{name}", DEFAULT_ORG, "webCall", "ended", 0, 0, body={"assistant": {"name": "A", "server": server}}
            )
            await antiphon.api.reports.put(f"r-{name}", record, {"type": "end-of-call-report"})
        async with asyncio.timeout(60), news:
            await news.wait_for(lambda: {name for name, _ in told} == set(ways))
    assert set(told) == {(name, f"c-{name}") for name in ways}
