"""What is left of a call that was handed over, and who is told of it: each assistant says for its own part, and the last for the whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.api_caller import ask, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_handoffs import calls, desk, until_said
from tests.surfaces.vapi.test_recording_paused import recording_of, say, spoken, stretches
from tests.webhooks.receiver import Receiver, receiving

SILENT = {"recordingEnabled": False, "loggingEnabled": False, "transcriptPlan": {"enabled": False}}


def to(name: str) -> dict[str, Any]:
    return {"type": "assistant", "assistantName": name, "contextEngineeringPlan": {"type": "all"}}


def member(document: dict[str, Any], *names: str, **overrides: Any) -> dict[str, Any]:
    return {
        "assistant": document,
        "assistantDestinations": [to(name) for name in names],
        "assistantOverrides": overrides,
    }


async def told_of(client: httpx.AsyncClient, call_id: str) -> dict[str, Any]:
    """The record, once the work after the call is done."""
    async with asyncio.timeout(60):
        while True:
            record: dict[str, Any] = (await client.get(f"/call/{call_id}")).json()
            if "analysis" in record and "costs" in record:
                return record
            await asyncio.sleep(0.05)


async def hold_from_front_to_last(call: dict[str, Any]) -> None:
    """The caller says one thing to the first of a squad, and ends the call when the last has greeted them."""
    async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
        await until_said(caller, "Front.")
        await spoken(caller, 1)
        caller.say()
        await until_said(caller, "Last.")
        await spoken(caller, 2)
        await caller.send({"type": "end-call"})
        await caller.until(lambda: caller.closed)


async def test_an_assistant_that_wants_no_trace_leaves_none_of_its_part(tmp_path: Path) -> None:
    """Service, payment, service: as the platform's documentation has it."""
    service = desk("Service", calls("handoff_to_Payment"), "Paid, thank you.", first="Service here.")
    payment = desk("Payment", calls("handoff_to_Service"), first="Your card number?", artifactPlan=SILENT)
    members = [member(service, "Payment"), member(payment, "Service")]
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        call = await ask(client, squad={"name": "Shop", "members": members})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "Service here.")
            await spoken(caller, 1)
            await say(caller)
            await until_said(caller, "Your card number?")
            await spoken(caller, 2)
            await say(caller)
            await caller.until_told("assistant.started", newAssistant={"name": "Service"})
            await caller.until(lambda: len(caller.told("assistant.started")) == 3)
            await spoken(caller, 3)
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await told_of(client, call["id"])
        loud = await recording_of(antiphon, call["id"])
        log = antiphon.calls_dir / f"{call['id']}.jsonl"
        async with asyncio.timeout(60):
            while log.exists():  # noqa: ASYNC110 (a file tells nobody)
                await asyncio.sleep(0.02)
        assert (await client.get(f"/call/{call['id']}/call-logs", follow_redirects=True)).status_code == 404
    artifact = record["artifact"]
    assert "card number" not in artifact["transcript"] and "again Payment" not in artifact["transcript"]
    assert artifact["transcript"].startswith("AI: Service here.\nUser: hello Service")
    assert artifact["transcript"].count("Service here.") == 2, "Service takes over again, and greets again"
    assert "logUrl" not in artifact and artifact["stereoRecordingUrl"]
    assert stretches(loud[:, 1]) == 2, "Service twice; nothing of Payment"
    assert stretches(loud[:, 0]) == 1, "what was said to Service"
    assert np.flatnonzero(loud[:, 1])[-1] > np.flatnonzero(loud[:, 0])[-1]


@pytest.mark.parametrize("second_records", [True, False])
async def test_a_call_is_recorded_from_whoever_wants_it(tmp_path: Path, second_records: bool) -> None:
    """Consent first: the one who asks for it is not recorded."""
    consent = desk("Consent", calls("handoff_to_Main"), first="May I record?", artifactPlan={"recordingEnabled": False})
    main = desk("Main", first="Thank you.", artifactPlan={"recordingEnabled": second_records})
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        call = await ask(client, squad={"name": "Two", "members": [member(consent, "Main"), member(main)]})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "May I record?")
            await spoken(caller, 1)
            await say(caller)
            await until_said(caller, "Thank you.")
            await spoken(caller, 2)
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await told_of(client, call["id"])
        path = antiphon.calls_dir / f"{call['id']}.wav"
        assert ("stereoRecordingUrl" in record["artifact"], path.exists()) == (second_records, second_records)
        if second_records:
            loud = await recording_of(antiphon, call["id"])
            assert (stretches(loud[:, 0]), stretches(loud[:, 1])) == (0, 1)


@pytest.mark.parametrize("own_server", [True, False])
async def test_the_last_one_says_what_is_asked_about_the_call_and_who_is_told(tmp_path: Path, own_server: bool) -> None:
    async with (
        receiving(Receiver()) as first_s,
        receiving(Receiver()) as last_s,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        off = {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}}
        wanted = {**off, "minMessagesThreshold": 0, "summaryPlan": {"enabled": True}}
        report = {"serverMessages": ["end-of-call-report"]}
        front = desk(
            "Front", calls("handoff_to_Last"), first="Front.", server={"url": first_s.url}, analysisPlan=off, **report
        )
        server = {"server": {"url": last_s.url}} if own_server else {}
        names: dict[str, Any] = {"artifactPlan": {"transcriptPlan": {"assistantName": "Bot", "userName": "Caller"}}}
        last = desk("Last", '"In short."', first="Last.", **server, **report)
        output = {"name": "one", "type": "ai", "schema": {"type": "string"}}
        names["artifactPlan"]["structuredOutputs"] = [output]
        members = [member(front, "Last"), member(last, analysisPlan=wanted, **names)]
        call = await ask(client, squad={"name": "Two", "members": members})
        await hold_from_front_to_last(call)
        record = await told_of(client, call["id"])
        told, silent = (last_s, first_s) if own_server else (first_s, last_s)
        (report,) = await told.wait_for_types("end-of-call-report")
        assert not silent.received
    assert report["assistant"]["name"] == ("Last" if own_server else "Front")
    assert record["analysis"]["summary"] == report["analysis"]["summary"] == '"In short."'
    assert record["artifact"]["transcript"].startswith("Bot: Front.\nCaller: hello Front\n")
    (made,) = record["artifact"]["structuredOutputs"].values()
    assert made == {"name": "one", "result": "In short."}
    assert not [name for name in record if name.startswith("lead")]


@pytest.mark.parametrize("whole", [True, False, None])
async def test_messages_that_a_handoff_left_out_are_there_unless_the_last_one_does_not_want_them(
    tmp_path: Path, whole: bool | None
) -> None:
    async with (
        receiving(Receiver()) as application,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        told = {"server": {"url": application.url}, "serverMessages": ["end-of-call-report"]}
        front = desk("Front", calls("handoff_to_Last"), first="Front.", **told)
        plan = {} if whole is None else {"artifactPlan": {"fullMessageHistoryEnabled": whole}}
        last = desk("Last", first="Last.", **plan, **told)
        nothing = {**to("Last"), "contextEngineeringPlan": {"type": "none"}}
        squad = {
            "name": "Two",
            "members": [{"assistant": front, "assistantDestinations": [nothing]}, {"assistant": last}],
        }
        call = await ask(client, squad=squad)
        assert not [each for each in call["warnings"] if "fullMessageHistory" in each["field"]]
        await hold_from_front_to_last(call)
        record = await told_of(client, call["id"])
        (report,) = await application.wait_for_types("end-of-call-report")
    everything = ["You are Front.", "Front.", "hello Front", "You are Last.", "Last."]
    expected = ["You are Last.", "Last."] if whole is False else everything
    for messages in (record["artifact"]["messages"], record["messages"], report["artifact"]["messages"]):
        said = [each["message"] for each in messages if not each["role"].startswith("tool")]
        # A machine that is held up cuts the caller's one sentence in two.
        assert [message.removesuffix(" again Front") for message in said] == expected
    assert record["artifact"]["transcript"] == "AI: Front.\nUser: hello Front\nAI: Last.\n"


# ---------------------------------------------------------------------------------------------- nothing kept


@pytest.mark.parametrize("for_whom", ["all", "hipaaEnabled", "pciEnabled"])
async def test_of_a_call_of_which_nothing_is_kept_no_prompt_is_anywhere(tmp_path: Path, for_whom: str) -> None:
    """Grep over all that the server has written: its data folder, and the database in it."""
    words = ("Purple-Prompt", "Purple-Greeting", "Purple-Override", "Purple-Tool", "Purple-Reply", "Purple-Member")
    plan: dict[str, Any] = {} if for_whom == "all" else {"compliancePlan": {for_whom: True}}
    tool = {
        "type": "function",
        "function": {"name": "look", "description": "Purple-Tool"},
        "server": {"url": "https://x.test"},
    }
    document = desk(
        "Kept", "Purple-Reply", first="Purple-Greeting", prompt="Purple-Prompt", model={"tools": [tool]}, **plan
    )
    other = desk("Other", first="Purple-Member", prompt="Purple-Member", **plan)
    settings = settings_for(tmp_path, open_api=True, after_call={"zero_retention": for_whom == "all"})
    async with receiving(Receiver()) as receiver, running_server(settings) as (_, client):
        document |= {
            "server": {"url": receiver.url, "headers": {"x-mark": "1"}},
            "serverMessages": ["end-of-call-report"],
        }
        overrides = {"endCallMessage": "Purple-Override", "variableValues": {"secret": "Purple-Override"}}
        one = await ask(client, assistant=document, assistantOverrides=overrides)
        two = await ask(client, squad={"name": "Two", "members": [member(document, "Other"), member(other)]})
        for call in (one, two):
            async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
                await until_said(caller, "Purple-Greeting")
                caller.say()
                await until_said(caller, "Purple-Reply")
                await caller.send({"type": "end-call"})
                await caller.until(lambda: caller.closed)
        for call in (one, two):
            record = await told_of(client, call["id"])
            assert record["assistant"]["name"] == "Kept" and "model" not in record["assistant"]
        await receiver.until(lambda: len(receiver.messages) == 2)
        reports = receiver.messages
        assert {report["call"]["id"] for report in reports} == {one["id"], two["id"]}
        assert {report["assistant"]["name"] for report in reports} == {"Kept"}
        written = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
        assert [path for path in written if path.name.startswith("antiphon.db")]
        found = {(word, path.name) for word in words for path in written if word.encode() in path.read_bytes()}
    assert not found
