"""The report of a call that is over reaches its assistant's server, once, however often it is handed over."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api_caller import ask, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_server_messages import assistant_of, runs_the_tool
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG, CallRecord

MESSAGE = {"type": "end-of-call-report", "endedReason": "customer-ended-call", "cost": 0.1}


def record(**body: Any) -> CallRecord:
    return CallRecord(
        "c1", DEFAULT_ORG, "webCall", "ended", 0, 0, assistant_id="scripted", ended_reason="customer-ended-call", body=body
    )  # fmt: skip


async def test_it_is_delivered_until_it_is_acknowledged(tmp_path: Path) -> None:
    answers = iter([Response(status_code=503), {}])

    async def answer(came: Received) -> Any:
        return next(answers)

    async with (
        receiving(Receiver(answer)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, _),
    ):
        assert antiphon.api is not None
        server = {"url": receiver.url, "secret": "s3cret"}
        call = record(assistant={"name": "A", "server": server})
        for _ in range(2):
            await antiphon.api.reports.put("report-c1", call, MESSAGE)
        first, second = await receiver.wait_for(2, within_s=60)
    assert first.body == second.body
    assert {came.headers["idempotency-key"] for came in receiver.received} == {"report-c1"}
    assert first.headers["x-vapi-secret"] == "s3cret"
    message = first.json["message"]
    assert MESSAGE.items() <= message.items()
    assert (message["call"]["id"], message["call"]["status"]) == ("c1", "ended")
    assert message["assistant"] == {"name": "A", "server": {"url": receiver.url}}


async def test_it_is_delivered_whatever_was_said(tmp_path: Path) -> None:
    """Half a character, as a model may say it."""
    async with (
        receiving(Receiver()) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, _),
    ):
        assert antiphon.api is not None
        call = record(assistant={"name": "A", "server": {"url": receiver.url}})
        said = {**MESSAGE, "transcript": "a\ud83db", "summary": "c\0d"}
        await antiphon.api.reports.put("report-c1", call, said)
        (came,) = await receiver.wait_for(1)
    message = came.json["message"]
    assert (message["transcript"], message["summary"]) == ("a\ufffdb", "c\ufffdd")


@pytest.mark.parametrize("wants", [True, False])
async def test_overrides_of_the_call_say_who_is_told_and_of_what(tmp_path: Path, wants: bool) -> None:
    """The assistant is a file, which names no server."""
    async with (
        receiving(Receiver()) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, _),
    ):
        assert antiphon.api is not None
        await antiphon.api.reports.put("nobody", record(), MESSAGE)
        wanted = ["end-of-call-report"] if wants else ["status-update"]
        overrides = {"server": {"url": f"{receiver.url}/over"}, "serverMessages": wanted}
        await antiphon.api.reports.put("over", record(assistantOverrides=overrides), MESSAGE)
        if wants:
            await receiver.wait_for(1)
    assert [came.path for came in receiver.received] == ["/over"] * wants


async def test_a_credential_signs_events_tools_and_reports(tmp_path: Path) -> None:
    """And one that is gone lets nothing out unsigned."""
    async with (
        receiving(Receiver(runs_the_tool)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client),
    ):
        plan = {
            "type": "hmac",
            "secretKey": "k3y",
            "algorithm": "sha256",
            "signatureHeader": "x-proof",
            "includeTimestamp": False,
        }
        body = {"provider": "webhook", "name": "hook", "authenticationPlan": plan}
        answer = await client.post("/credential", json=body)
        assert answer.status_code == 201, answer.text
        server = {"url": receiver.url, "credentialId": answer.json()["id"]}
        assistant = assistant_of(receiver, server=server, serverMessages=["status-update", "end-of-call-report"])
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant")
            caller.say()
            await receiver.wait_for_types("status-update", "tool-calls")
        assert antiphon.api is not None
        await antiphon.api.reports.put("r", record(assistant=assistant), MESSAGE)
        await receiver.wait_for_types("end-of-call-report")
        gone = {**server, "credentialId": "gone"}
        await antiphon.api.reports.put("unsigned", record(assistant={**assistant, "server": gone}), MESSAGE)
    right = {hmac.new(b"k3y", came.body, "sha256").hexdigest() == came.headers["x-proof"] for came in receiver.received}
    assert right == {True}
