"""Simulated callers: what they are made of, their calls in voice and chats in text with engines of a script, and the verdicts."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.desk import Desk
from tests.webhooks.receiver import Receiver, receiving

from antiphon.assistants.spec import parse_assistant
from antiphon.calls.stores import Resource
from antiphon.composition.process import Antiphon
from antiphon.config import Api, Costs
from antiphon.errors import CapacityError, StoreUnavailable
from antiphon.surfaces.vapi.documents import Documents, Kind
from antiphon.surfaces.vapi.simulation_requests import caller_document
from antiphon.surfaces.vapi.simulation_verdicts import failure_of, holds, latency_metrics, part_of
from antiphon.surfaces.vapi.simulation_work import GONE_MS, MOST_RUNS

Server = tuple[Antiphon, httpx.AsyncClient]
QUICK = {"waitSeconds": 0.3, "transcriptionEndpointingPlan": {"onNoPunctuationSeconds": 0.3}}
ASKED, PRICE = "what is the price of marmalade", "It costs eleven crowns."
GREETING = "Good day, this is the marmalade shop."


def speaking(*replies: Any, hears: str = "go on", **more: Any) -> dict[str, Any]:
    """An assistant whose words are known beforehand. It hears the same at each utterance: a hum may be heard as two of them."""
    return {
        "transcriber": {"provider": "scripted", "transcripts": [hears] * 50},
        "model": {"provider": "scripted", "options": {"replies": list(replies)}},
        "voice": {"provider": "scripted", "options": {"ms_per_character": 20, "first_chunk_ms": 20}},
        "startSpeakingPlan": QUICK,
        **more,
    }


def calling(*words: str) -> dict[str, Any]:
    """A personality that says this and then hangs up."""
    bye = {"text": "Thank you very much, goodbye.", "tool_calls": [{"name": "endCall"}]}
    return {"name": "Anna", "assistant": speaking(*words, bye)}


TARGET = speaking(PRICE, hears=ASKED, name="Shop", firstMessage=GREETING)
CALLER = calling(f"Hello, {ASKED}?")


def expecting(regex: str, **more: Any) -> dict[str, Any]:
    """An evaluation that reads with no model."""
    output = {"name": "said", "type": "regex", "regex": regex, "schema": {"type": "string"}}
    return {"structuredOutput": output, "comparator": "=", "value": regex, **more}


def scenario(*evaluations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "Price",
        "instructions": "Ask for the price of marmalade.",
        "evaluations": list(evaluations),
        **more,
    }


def asking(*evaluations: dict[str, Any], target: Any = TARGET, caller: Any = CALLER, **more: Any) -> dict[str, Any]:
    """A run of one simulation that is written out."""
    entry = {"type": "simulation", "scenario": scenario(*evaluations, **more), "personality": caller}
    return {"simulations": [entry], "target": {"type": "assistant", "assistant": target}}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("simulations")
    (folder / "prices.toml").write_text('[tts.scripted]\n"*" = 1000.0\n', encoding="utf-8")
    costs = Costs(prices_file=folder / "prices.toml")
    async with running_server(settings_for(folder, open_api=True, costs=costs)) as (antiphon, client):
        client.timeout = httpx.Timeout(60)
        yield antiphon, client


async def started(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/eval/simulation/run", json=body)
    assert answer.status_code == 201, answer.text
    run: dict[str, Any] = answer.json()
    return run


async def ended(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            run: dict[str, Any] = (await client.get(f"/eval/simulation/run/{run_id}")).json()
            if run["status"] == "ended":
                return run
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def items_of(client: httpx.AsyncClient, run: dict[str, Any]) -> list[dict[str, Any]]:
    ids = run["simulationRunItemIds"]
    return [(await client.get(f"/eval/simulation/run/{run['id']}/item/{id}")).json() for id in ids]


async def played(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    """The only item of a run that has ended."""
    run = await started(client, body)
    await ended(client, run["id"])
    (item,) = await items_of(client, run)
    return item


# ---------------------------------------------------------------------------------------------- in voice


@pytest.mark.asyncio(loop_scope="module")
async def test_a_caller_and_an_assistant_talk_and_the_talk_is_judged(server: Server) -> None:
    antiphon, client = server
    run = await started(client, asking(expecting("eleven crowns"), expecting("twelve", required=False)))
    assert (run["status"], run["itemCounts"]["queued"]) == ("queued", 1)
    whole = await ended(client, run["id"])
    (item,) = await items_of(client, run)
    assert item["status"] == "passed", item
    assert whole["itemCounts"] == {
        "total": 1, "passed": 1, "failed": 0, "running": 0, "queued": 0, "canceled": 0, "distinctSimulationTotal": 1,
        "distinctSimulationFailed": 0,
    }  # fmt: skip
    first, second = item["results"]["evaluations"]
    assert (first["extractedValue"], first["passed"], first["required"]) == ("eleven crowns", True, True)
    assert (second["extractedValue"], second["passed"], second["required"]) == (None, False, False)
    # What the caller said is paid for, too, and stands in no call's record.
    assert item["results"]["callerCost"] >= len(ASKED) / 1000
    assert antiphon.api is not None
    spent_usd = antiphon.api.live.simulated.spent_today_usd
    now_ms = antiphon.clock.wall_ms()
    assert spent_usd(now_ms) >= item["results"]["callerCost"] and not spent_usd(now_ms + 86_400_000)
    metrics = item["results"]["latencyMetrics"]
    assert metrics["turnCount"] >= 1 and metrics["avgTurn"] > 0
    call = (await client.get(f"/call/{item['callId']}")).json()
    said = [(each["role"], each["message"]) for each in call["messages"]]
    assert [role for role, _ in said[:3]] == ["bot", "user", "bot"]
    assert said[0][1] == GREETING and said[1][1].startswith(ASKED) and said[2][1] == PRICE
    assert (call["type"], call["endedReason"]) == ("vapi.websocketCall", "customer-ended-call")
    assert call["metadata"] == {"simulationRunId": run["id"], "simulationRunItemId": item["id"]}
    assert item["metadata"]["call"]["transcript"] == call["artifact"]["transcript"]
    assert antiphon.manager.live == 0
    # The other side of the line has left no call, and is none of those that are counted.
    assert 'provider="simulation"' not in (await client.get("/metrics")).text
    assert [each["id"] for each in (await client.get("/call")).json()] == [item["callId"]]
    sound = await client.get(call["artifact"]["stereoRecordingUrl"])
    with wave.open(io.BytesIO(sound.content)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), dtype=np.int16).reshape(-1, 2)
        rate_hz = recording.getframerate()
    for side in (0, 1):
        loud_s = (np.abs(samples[:, side]) > 500).sum() / rate_hz
        assert loud_s > 0.3, f"channel {side} is silent"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_mocked_tool_answers_and_nobody_is_asked(server: Server) -> None:
    """The tool's server is not there: a question to it would fail."""
    tool = {"type": "function", "function": {"name": "lookup"}, "server": {"url": "http://127.0.0.1:9/none"}}
    target = speaking({"text": "", "tool_calls": [{"name": "lookup"}]}, PRICE, hears=ASKED, firstMessage=GREETING)
    target["model"]["tools"] = [tool]
    mocks = [{"toolName": "lookup", "result": "eleven"}, {"toolName": "other", "result": "x", "enabled": False}]
    item = await played(server[1], asking(expecting("eleven crowns"), target=target, toolMocks=mocks))
    assert item["status"] == "passed", item
    call = (await server[1].get(f"/call/{item['callId']}")).json()
    results = {each["result"] for each in call["messages"] if each["role"] == "tool_call_result"}
    assert results == {"eleven"}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_squad_is_called_with_the_scenario_s_overrides_and_mocks(server: Server) -> None:
    client = server[1]
    tool = {"type": "function", "function": {"name": "lookup"}, "server": {"url": "http://127.0.0.1:9/none"}}
    second = speaking({"text": "", "tool_calls": [{"name": "lookup"}]}, PRICE, hears=ASKED, name="Shelf")
    second["model"]["tools"] = [tool]
    first = speaking({"text": "", "tool_calls": [{"name": "handoff_to_Shelf"}]}, hears=ASKED, name="Door")
    destination = {"type": "assistant", "assistantName": "Shelf", "description": "prices"}
    members = [{"assistant": first, "assistantDestinations": [destination]}, {"assistant": second}]
    stored = (await client.post("/squad", json={"name": "Shop", "members": members})).json()
    more = {
        "targetOverrides": {
            "firstMessage": "Welcome to {{ shop }}, whom may I help?",
            "variableValues": {"shop": "us"},
        },
        "toolMocks": [{"toolName": "lookup", "result": "eleven"}],
    }
    body = asking(
        expecting("eleven crowns"), expecting("Welcome to us"), caller=calling(f"Hello, {ASKED}?", ASKED), **more
    )
    item = await played(client, {**body, "target": {"type": "squad", "squadId": stored["id"]}})
    assert item["status"] == "passed", item
    call = (await client.get(f"/call/{item['callId']}")).json()
    assert call["squadId"] == stored["id"]
    assert [each["assistantName"] for each in call["artifact"]["assistantActivations"]] == ["Door", "Shelf"]
    assert item["metadata"]["squad"]["id"] == stored["id"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_target_that_waits_is_spoken_to_first(server: Server) -> None:
    target = {**TARGET, "firstMessageMode": "assistant-waits-for-user"}
    item = await played(server[1], asking(expecting("eleven crowns"), target=target))
    assert item["status"] == "passed", item
    call = (await server[1].get(f"/call/{item['callId']}")).json()
    assert call["messages"][0]["role"] == "user"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_run_that_is_cancelled_ends_its_call(server: Server) -> None:
    antiphon, client = server
    before = {each["id"] for each in (await client.get("/call")).json()}
    run = await started(client, {**asking(expecting("x")), "iterations": 5})
    await until(lambda: antiphon.manager.live == 8)  # four talk, the fifth waits
    concurrency = (await client.get("/eval/simulation/concurrency")).json()
    assert (concurrency["concurrencyLimit"], concurrency["activeSimulations"]) == (8, 8)
    assert concurrency["availableToStart"] == 0
    one = f"/eval/simulation/run/{run['id']}/item/{run['simulationRunItemIds'][0]}"
    assert (await client.patch(one)).json()["status"] == "canceled"
    cancelled = (await client.patch(f"/eval/simulation/run/{run['id']}")).json()
    assert (cancelled["status"], cancelled["endedReason"]) == ("ended", "canceled")
    assert (await client.patch(f"/eval/simulation/run/{run['id']}")).json()["endedReason"] == "canceled"
    await until(lambda: antiphon.manager.live == 0)
    items = await items_of(client, run)
    assert {item["status"] for item in items} == {"canceled"}
    counts = (await ended(client, run["id"]))["itemCounts"]
    assert (counts["canceled"], counts["running"], counts["queued"]) == (5, 0, 0)
    await antiphon.api.live.planner.written()  # type: ignore[union-attr]
    made = [each for each in (await client.get("/call")).json() if each["id"] not in before]
    assert {each["endedReason"] for each in made} == {"manually-canceled"}


@pytest.mark.asyncio(loop_scope="module")
async def test_an_assistant_that_keeps_nothing_is_not_judged(server: Server) -> None:
    """So it is not called for it, and nothing of it is written down."""
    target = {**TARGET, "compliancePlan": {"hipaaEnabled": True}}
    refused = await server[1].post("/eval/simulation/run", json=asking(expecting("x"), target=target))
    assert refused.status_code == 400
    assert "nothing that is said to it may be kept" in str(refused.json()["message"])


async def test_a_conversation_that_never_ends_is_ended_and_judged(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, open_api=True, api=Api(simulation_max_s=4))
    chatty = {"name": "Bo", "assistant": speaking("And another thing, and another thing.")}
    async with running_server(settings) as (_, client):
        item = await played(client, asking(expecting("marmalade shop"), caller=chatty))
        call = (await client.get(f"/call/{item['callId']}")).json()
    assert (item["status"], call["endedReason"]) == ("passed", "exceeded-max-duration")


async def test_a_server_that_is_full_lets_simulations_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For both have a place; and nothing is left of a call that found none."""
    async with running_server(settings_for(tmp_path, open_api=True, max_calls=1)) as (antiphon, client):
        assert antiphon.api is not None
        voice, refused = antiphon.api.live.simulated, []
        hold = voice.hold

        async def refusing(*given: Any) -> None:
            try:
                await hold(*given)
            except CapacityError as error:
                refused.append(error.reason)
                raise

        monkeypatch.setattr(voice, "hold", refusing)
        run = await started(client, asking(expecting("x")))
        await until(lambda: refused)
        (item,) = await items_of(client, run)
        assert (item["status"], refused[0]) == ("running", "full")
        assert (await client.patch(f"/eval/simulation/run/{run['id']}")).json()["status"] == "ended"
        (item,) = await items_of(client, run)
        assert item["status"] == "canceled" and "callId" not in item
        assert antiphon.manager.live == 0 and (await client.get("/call")).json() == []


async def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, open_api=True)
    async with running_server(settings) as (antiphon, client):
        run = await started(client, asking(expecting("x")))
        await until(lambda: antiphon.manager.live)
    async with running_server(settings) as (antiphon, client):
        again = (await client.get(f"/eval/simulation/run/{run['id']}")).json()
        assert (again["status"], again["endedReason"]) == ("ended", "aborted")
        (item,) = await items_of(client, run)
    assert item["status"] in ("canceled", "failed")


# ---------------------------------------------------------------------------------------------- in text


def texting(*evaluations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**asking(*evaluations, **more), "transport": {"provider": "vapi.webchat"}}


async def test_the_same_in_text_and_its_runs_are_listed(desk: Desk) -> None:
    client = desk.client
    tool = {"type": "function", "function": {"name": "lookup"}, "server": {"url": "http://127.0.0.1:9/none"}}
    target = speaking({"text": "", "tool_calls": [{"name": "lookup"}]}, PRICE, PRICE, name="Shop")
    target["model"]["tools"] = [tool]
    stored = await desk.make("/assistant", **target)
    mocks = [{"toolName": "lookup", "result": "eleven"}]
    body = {**texting(expecting("eleven crowns"), toolMocks=mocks), "iterations": 2}
    body["target"] = {"type": "assistant", "assistantId": stored["id"]}
    run = await started(client, body)
    whole = await ended(client, run["id"])
    assert (whole["itemCounts"]["passed"], whole["endedReason"]) == (2, "completed")
    items = await items_of(client, run)
    assert [item["iterationNumber"] for item in items] == [1, 2]
    talk = items[0]["metadata"]["call"]
    assert talk["transcript"].splitlines() == [
        f"User: Hello, {ASKED}?",
        f"AI: {PRICE}",
        "User: Thank you very much, goodbye.",
    ]
    assert [each["role"] for each in talk["messages"]] == ["user", "assistant", "tool", "assistant", "user"]
    assert "callId" not in items[0] and "latencyMetrics" not in items[0]["results"]
    failed = await started(client, texting(expecting("twelve")))
    await ended(client, failed["id"])
    (fell,) = await items_of(client, failed)
    assert (fell["status"], fell["results"]["passed"]) == ("failed", False)
    assert fell["failureReason"] == "said: = twelve was expected, nothing was found"
    assert "failedAt" in fell and "completedAt" not in fell

    async def found(query: str) -> list[str]:
        listed = (await client.get(f"/eval/simulation/run?{query}")).json()
        assert listed["metadata"]["totalItems"] == len(listed["results"])
        return [each["id"] for each in listed["results"]]

    assert await found("filterStatus=passed") == [run["id"]]
    assert await found("filterStatus=failed") == [failed["id"]]
    assert await found(f"targetType=assistant&targetId={stored['id']}&status=ended") == [run["id"]]
    assert await found("status=queued") == await found("targetType=squad") == []
    assert (await client.get("/eval/simulation/run?status=lost")).status_code == 400
    summary = (await client.get("/eval/simulation/run?filterStatus=passed")).json()["results"][0]["summary"]
    assert (summary["source"]["type"], summary["simulationCount"]) == ("adHoc", 1)
    path = f"/eval/simulation/run/{run['id']}"
    assert len((await client.get(f"{path}/item?status=passed&limit=1")).json()) == 1
    assert (await client.get(f"{path}/item?status=failed")).json() == []
    assert (await client.get(f"/eval/simulation/run/{failed['id']}/item/{items[0]['id']}")).status_code == 404
    assert (await client.delete(path)).json()["id"] == run["id"]
    assert (await client.get(path)).status_code == (await client.get(f"{path}/item")).status_code == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_servers_are_told_when_a_conversation_begins_and_is_judged(server: Server) -> None:
    async with receiving(Receiver()) as receiver:
        told = {"type": "webhook", "server": {"url": f"{receiver.url}/hook", "secret": "shared-secret"}}
        nobody = {"type": "webhook", "server": {"url": "http://127.0.0.1:9/none"}}
        hooks = [
            {"on": "simulation.run.started", "do": [told]},
            {"on": "simulation.run.ended", "do": [{**told, "include": {"transcript": True}}, nobody]},
        ]
        target = {**TARGET, "server": {"url": receiver.url, "secret": "another-secret"}}
        run = await started(server[1], texting(expecting("eleven crowns"), target=target, hooks=hooks))
        await ended(server[1], run["id"])
        (item,) = await items_of(server[1], run)
        first, last = (each.json["message"] for each in await receiver.wait_for(2))
    assert all(each.headers["x-vapi-secret"] == "shared-secret" for each in receiver.received)
    assert (first["type"], first["status"], "transcript" in first) == ("simulation.run.started", "running", False)
    assert (last["type"], last["status"], last["itemId"]) == ("simulation.run.ended", "passed", item["id"])
    assert last["results"]["passed"] is True and last["runId"] == run["id"]
    assert last["transcript"] == item["metadata"]["call"]["transcript"] and "messages" not in last
    states = item["metadata"]["hooks"]
    assert [each["status"] for each in states["simulation.run.started"]] == ["delivered"]
    assert [each["status"] for each in states["simulation.run.ended"]] == ["delivered", "failed"]
    assert states["simulation.run.ended"][1]["error"] == "connection"
    assert not [secret for secret in ("shared-secret", "another-secret") if secret in str((item, run))]
    assert item["metadata"]["assistant"]["server"]["secret"].startswith("****")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_hook_names_the_call_it_is_about(server: Server) -> None:
    async with receiving(Receiver()) as receiver:
        told = {"type": "webhook", "server": {"url": receiver.url}, "include": {"recordingUrl": True, "messages": True}}
        hooks = [{"on": f"simulation.run.{on}", "do": [told]} for on in ("started", "ended")]
        item = await played(server[1], asking(expecting("nobody said it"), hooks=hooks))
        first, last = (each.json["message"] for each in await receiver.wait_for(2))
    assert first["callId"] == last["callId"] == item["callId"]
    assert (last["status"], last["failureReason"]) == ("failed", item["failureReason"])
    assert last["recordingUrl"].startswith("http") and last["messages"]


async def test_a_squad_in_text_and_a_caller_s_own_first_words(quick_desk: Desk) -> None:
    first = speaking({"text": "", "tool_calls": [{"name": "handoff_to_Shelf"}]}, name="Door")
    destination = {"type": "assistant", "assistantName": "Shelf", "description": "prices"}
    squad = {"members": [{"assistant": first, "assistantDestinations": [destination]},
                         {"assistant": speaking(PRICE, name="Shelf")}]}  # fmt: skip
    caller = calling()
    caller["assistant"]["firstMessage"] = f"Good day, {ASKED}?"
    body = {**texting(expecting("eleven crowns"), caller=caller), "target": {"type": "squad", "squad": squad}}
    item = await played(quick_desk.client, body)
    assert item["status"] == "passed", item
    assert item["metadata"]["call"]["transcript"].startswith(f"User: Good day, {ASKED}?\nAI: {PRICE}")


@pytest.mark.parametrize(
    ("schema", "evaluation", "answer", "passed", "told"),
    [
        ({"type": "boolean"}, {"comparator": "=", "value": True}, "true", True, ""),
        ({"type": "number"}, {"comparator": ">=", "value": 11}, "11", True, ""),
        ({"type": "number"}, {"comparator": "<", "value": 11}, "11", False, "price: < 11 was expected, it was 11"),
        ({"type": "object", "properties": {"deal": {"type": "object", "properties": {"done": {"type": "boolean"}}}}},
         {"comparator": "!=", "value": True, "path": "deal.done"}, '{"deal": {"done": true}}', False,
         "price.deal.done: != true was expected, it was true"),
        ({"type": "number"}, {"comparator": "=", "value": 1}, "nothing I could say", False, "price: "),
    ],
)  # fmt: skip
async def test_what_a_model_reads_is_compared(
    quick_desk: Desk, schema: dict[str, Any], evaluation: dict[str, Any], answer: str, passed: bool, told: str
) -> None:
    """By a stored output, and with its own model."""
    model = {"provider": "scripted", "options": {"replies": [answer]}}
    output = await quick_desk.make("/structured-output", name="price", schema=schema, model=model)
    item = await played(quick_desk.client, texting({"structuredOutputId": output["id"], **evaluation}))
    assert item["status"] == ("passed" if passed else "failed"), item
    assert item["results"]["evaluations"][0]["schema"] == schema
    assert item.get("failureReason", "").startswith(told)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_target_that_follows_a_graph_reads_nothing(server: Server) -> None:
    evaluation = {"structuredOutput": {"name": "price", "schema": {"type": "number"}}, "comparator": "=", "value": 11}
    target = {"type": "assistant", "assistantId": "front-desk"}
    item = await played(server[1], {**texting(evaluation), "target": target})
    assert item["status"] == "failed" and "no model is configured" in item["failureReason"], item


def test_a_caller_follows_its_own_prompt_and_then_the_scenario_s() -> None:
    for model in ({"messages": [{"role": "system", "content": "Be short."}]}, {"systemPrompt": "Be short."}):
        document = caller_document({"name": "Anna", "model": {"provider": "scripted", **model}}, "Ask {for} it.")
        own, role = parse_assistant(document).messages()
        assert own.content == "Be short."
        assert "You are the caller" in role.content and "Ask {for} it." in role.content


async def test_where_nobody_names_a_model_the_target_s_own_reads(quick_desk: Desk) -> None:
    output = {"name": "price", "schema": {"type": "number"}}
    evaluation = {"structuredOutput": output, "comparator": "=", "value": 11}
    item = await played(quick_desk.client, texting(evaluation, target=speaking("11")))
    assert item["status"] == "passed", item
    late = {**output, "conditions": [{"type": "minMessages", "count": 100}]}
    item = await played(quick_desk.client, texting({**evaluation, "structuredOutput": late}, target=speaking("11")))
    assert item["results"]["evaluations"][0]["isSkipped"] is True
    assert item["failureReason"] == "price: not judged, as there were fewer than 100 messages"


async def test_a_run_whose_process_is_gone_has_ended(desk: Desk) -> None:
    """Its items wait for a model that never answers; then the process is another one."""
    slow = speaking("x")
    slow["model"]["options"]["first_token_ms"] = 3_600_000
    run = await started(desk.client, texting(expecting("x"), target=slow))
    await desk.api.texts.simulations.close()  # as a process that dies, but for what it could still write down
    stopped = (await desk.client.get(f"/eval/simulation/run/{run['id']}")).json()
    assert (stopped["status"], stopped["endedReason"]) == ("ended", "aborted")
    for kind in ("simulation-run", "simulation-run-item"):
        ids = [run["id"]] if kind == "simulation-run" else run["simulationRunItemIds"]
        for id in ids:
            there = await desk.api.resources.find(kind, run["orgId"], id)
            assert there is not None
            links = (
                {**there.links, "purpose": "running"}
                if kind == "simulation-run"
                else {**there.links, "number": "running"}
            )
            body = {**there.body, "status": "running"}
            assert await desk.api.resources.replace(replace(there, body=body, links=links, version=there.version + 1))
    assert (await desk.client.get(f"/eval/simulation/run/{run['id']}")).json()["status"] == "running"
    desk.clock.advance(GONE_MS + 1)
    listed = (await desk.client.get("/eval/simulation/run?status=ended")).json()
    assert [(each["id"], each["endedReason"]) for each in listed["results"]] == [(run["id"], "aborted")]
    (item,) = await items_of(desk.client, run)
    assert (item["status"], item["failureReason"]) == ("failed", "The server was stopped.")


async def test_a_verdict_that_could_not_be_kept_is_none(quick_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item of a run that has ended does not go on for ever."""
    replace_it = quick_desk.api.resources.replace

    async def failing(resource: Resource) -> bool:
        if resource.body.get("status") == "passed":
            raise StoreUnavailable("away")
        return await replace_it(resource)

    monkeypatch.setattr(quick_desk.api.resources, "replace", failing)
    item = await played(quick_desk.client, texting(expecting("eleven crowns")))
    assert (item["status"], item["failureReason"]) == ("failed", "What became of it could not be written down.")


async def test_another_process_s_cancelling_is_seen(quick_desk: Desk) -> None:
    """The document says that it has ended; whoever plays it looks there."""
    slow = speaking("x")
    slow["model"]["options"]["first_token_ms"] = 3_600_000
    run = await started(quick_desk.client, texting(expecting("x"), target=slow))
    other = Documents(quick_desk.api.resources, quick_desk.clock, Kind("simulation-run"))
    simulations = quick_desk.api.texts.simulations
    await until(lambda: simulations.work.active)
    await other.patch(run["orgId"], run["id"], {"status": "ended", "endedReason": "canceled"})
    await until(lambda: not simulations.work.active)
    (item,) = await items_of(quick_desk.client, run)
    assert item["status"] == "canceled"


# ---------------------------------------------------------------------------------------------- documents


async def test_what_simulations_are_made_of_is_kept_and_named(desk: Desk) -> None:
    client = desk.client
    output = await desk.make("/structured-output", name="said", schema={"type": "string"})
    evaluation = {"structuredOutputId": output["id"], "comparator": "=", "value": "x"}
    body = {**CALLER, "path": "dept/angry"}
    personality = (await client.post("/eval/simulation/personality", json=body)).json()
    assert personality["path"] == "dept/angry"
    made = await desk.make("/eval/simulation/scenario", **scenario(evaluation, toolMocks=[{"toolName": "f"}]))
    ids = {"scenarioId": made["id"], "personalityId": personality["id"]}
    simulation = await desk.make("/eval/simulation", name="S", **ids)
    desk.clock.advance(1)
    alone = await desk.make("/eval/simulation", **ids)
    suite = await desk.make("/eval/simulation/suite", name="All", simulationIds=[simulation["id"]])
    for path, document in [
        ("/eval/simulation/personality", personality), ("/eval/simulation/scenario", made),
        ("/eval/simulation/suite", suite), ("/eval/simulation", simulation),
    ]:  # fmt: skip
        one = f"{path}/{document['id']}"
        assert (await client.get(one)).json() == document
        assert document["id"] in [each["id"] for each in (await client.get(path)).json()]
        changed = (await client.patch(one, json={"name": "Other"})).json()
        assert changed == {**document, "name": "Other", "updatedAt": changed["updatedAt"]}
        assert (await client.get(f"{path}/none")).status_code == 404
    assert [each["name"] for each in (await client.get("/eval/simulation/scenario?name=Other")).json()] == ["Other"]
    listed = (await client.get("/eval/simulation?standaloneOnly=true")).json()
    assert [each["id"] for each in listed] == [alone["id"]]
    assert len((await client.get(f"/eval/simulation?idAny={alone['id']},{simulation['id']}")).json()) == 2
    run = await started(
        client,
        {"simulations": [{"type": "simulationSuite", "simulationSuiteId": suite["id"]},
                         {"type": "simulation", "simulationId": alone["id"], "name": "Again"}],
         "target": {"type": "assistant", "assistant": TARGET}, "transport": {"provider": "vapi.webchat"}},
    )  # fmt: skip
    assert run["simulations"][0]["name"] == "Other"
    await ended(client, run["id"])
    items = await items_of(client, run)
    assert [item["simulationId"] for item in items] == [simulation["id"], alone["id"]]
    assert {item["scenarioId"] for item in items} == {made["id"]}
    assert items[1]["metadata"]["simulation"]["name"] == "Again"
    for path, document in [("/suite", suite), ("", simulation), ("/scenario", made), ("/personality", personality)]:
        deleted = await client.delete(f"/eval/simulation{path}/{document['id']}")
        assert (deleted.status_code, deleted.json()["id"]) == (200, document["id"])
    entry = {"type": "simulation", "simulationId": alone["id"]}
    refused = await client.post("/eval/simulation/run", json={**texting(), "simulations": [entry]})
    assert refused.json()["message"] == [f"simulations.0.simulationId: there is no scenario {made['id']}"]


OUTPUT = {"name": "o", "schema": {"type": "boolean"}}
BOTH = {"structuredOutput": OUTPUT, "structuredOutputId": "x", "comparator": "=", "value": True}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/personality", {"name": "P"}, "assistant should not be empty"),
        ("/personality", {**CALLER, "name": "x" * 81}, "name must be shorter than or equal to 80"),
        ("/personality", {**CALLER, "path": "a/b/c/d"}, "path must be up to three names"),
        ("/personality", {"name": "P", "assistant": {"firstMessage": 7}}, "assistant.firstMessage must be a string"),
        ("/scenario", {"name": "S", "instructions": "x"}, "evaluations should not be empty"),
        ("/scenario", scenario(BOTH), "exactly one of structuredOutputId and structuredOutput"),
        ("/scenario", scenario({**BOTH, "structuredOutput": None}), "there is no structured output x"),
        ("/scenario", scenario({**BOTH, "structuredOutputId": None, "comparator": ">"}), "for a boolean: =, !="),
        ("/scenario", scenario({**BOTH, "structuredOutputId": None, "value": 1}), "evaluations.0.value must be a boolean"),
        ("/scenario", scenario({**BOTH, "structuredOutputId": None, "path": "a"}), "the output's schema has no parts"),
        ("/scenario", scenario({"structuredOutput": {**OUTPUT, "schema": {"type": "object"}}, "comparator": "=", "value": 1}),
         "evaluations.0.path must name one value"),
        ("/scenario", scenario({**BOTH, "comparator": "~"}), "comparator must be one of"),
        ("/scenario", scenario(toolMocks=[{"result": "x"}]), "toolMocks.0.toolName should not be empty"),
        ("/scenario", scenario(hooks=[{"on": "simulation.run.ended", "do": [{"type": "webhook"}]}]), "hooks.0.do.0.server must be given"),
        ("", {"scenarioId": "s", "personalityId": "p"}, "scenarioId: there is no scenario s"),
        ("", {"scenarioId": "s", "personalityId": "p"}, "personalityId: there is no personality p"),
        ("", {"scenarioId": "s"}, "personalityId should not be empty"),
        ("/suite", {"name": "S", "simulationIds": ["a"]}, "simulationIds.0: there is no simulation a"),
        ("/suite", {"name": "S", "simulationIds": "a"}, "simulationIds must be an array"),
    ],
)  # fmt: skip
async def test_a_wrong_document_is_refused_by_name(
    server: Server, path: str, body: dict[str, Any], problem: str
) -> None:
    refused = await server[1].post(f"/eval/simulation{path}", json=body)
    assert refused.status_code == 400, refused.text
    assert problem in str(refused.json()["message"])


def run_with(**entry: Any) -> dict[str, Any]:
    return {**texting(), "simulations": [{"type": "simulation", **entry}]}


WITHOUT_MODEL = {"name": "P", "assistant": {"name": "P"}}
FOLLOWING = {"name": "P", "assistant": {"model": {"provider": "vapi"}}}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "simulations should not be empty"),
        ({**texting(), "simulations": []}, "a run plays 1 to 100 conversations"),
        ({**texting(), "simulations": texting()["simulations"] * 11, "iterations": 10}, "a run plays 1 to 100 conversations"),
        ({**texting(), "iterations": 11}, "iterations must not be greater than 10"),
        ({**texting(), "iterations": 1.5}, "iterations must be an integer number"),
        ({**texting(), "transport": {"provider": "sip"}}, "transport.provider must be one of"),
        ({**texting(), "simulations": [{"type": "suite"}]}, "simulations.0.type must be one of"),
        ({**texting(), "simulations": [{"type": "simulationSuite", "simulationSuiteId": "x"}]}, "there is no simulation-suite x"),
        ({**texting(), "simulations": [{"type": "simulationSuite"}]}, "exactly one of simulationSuiteId and suiteId"),
        ({**texting(), "target": {"type": "army"}}, "target.type must be one of"),
        ({**texting(), "target": {"type": "assistant"}}, "exactly one of assistantId and assistant"),
        ({**texting(), "target": {"type": "assistant", "assistantId": "nobody"}}, "there is no assistant nobody"),
        ({**texting(), "target": {"type": "squad", "squadId": "nobody"}}, "there is no squad nobody"),
        ({**texting(), "target": {"type": "assistant", "assistantId": "a", "assistantOverrides": {}}},
         "property target.assistantOverrides should not exist"),
        ({**texting(), "name": "x"}, "property name should not exist"),
        (run_with(simulationId="none"), "there is no simulation none"),
        (run_with(simulationId="none", scenarioId="x"), "scenarioId must be absent where simulationId is given"),
        (run_with(personality=CALLER), "exactly one of scenarioId and scenario"),
        (run_with(scenario=scenario()), "exactly one of personalityId and personality"),
        (run_with(scenarioId="none", personality=CALLER), "simulations.0.scenarioId: there is no scenario none"),
        (run_with(scenario=scenario(), personalityId="none"), "simulations.0.personalityId: there is no personality none"),
        (run_with(scenario=scenario(BOTH), personality=CALLER), "simulations.0.scenario.evaluations.0"),
        (run_with(scenario=scenario(), personality=WITHOUT_MODEL), "personality.assistant.model must be given"),
        (run_with(scenario=scenario(), personality=FOLLOWING), "follows no instructions"),
    ],
)  # fmt: skip
async def test_a_wrong_run_is_refused(server: Server, body: dict[str, Any], problem: str) -> None:
    refused = await server[1].post("/eval/simulation/run", json=body)
    assert refused.status_code == 400, refused.text
    assert problem in str(refused.json()["message"])


@pytest.mark.asyncio(loop_scope="module")
async def test_a_voice_run_is_refused_where_its_call_would_be(server: Server) -> None:
    client = server[1]
    before = len((await client.get("/call")).json())
    for target, problem in [
        ({"type": "assistant", "assistantId": "nobody"}, "there is no assistant nobody"),
        ({"type": "squad", "squadId": "nobody"}, "Couldn't find squad: nobody"),
        ({"type": "assistant", "assistant": {"model": {"provider": "nobody"}}}, "target.assistant.model.provider"),
    ]:
        refused = await client.post("/eval/simulation/run", json={**asking(), "target": target})
        assert refused.status_code == 400 and problem in str(refused.json()["message"]), refused.text
    assert len((await client.get("/call")).json()) == before


async def test_what_is_not_there_is_said(quick_desk: Desk) -> None:
    refused = await quick_desk.client.post("/eval/simulation/run", json=asking())
    assert refused.status_code == 400 and "there are no calls here" in str(refused.json()["message"])
    made = await quick_desk.client.post(
        "/eval/simulation/suite", json={"name": "S", "simulationIds": [], "slackWebhookUrl": "https://s.test/x"}
    )
    assert "slackWebhookUrl: kept, and nothing is posted to it" in made.headers["X-Antiphon-Warnings"]


async def test_what_lost_a_part_can_still_be_changed_and_mended(quick_desk: Desk) -> None:
    desk = quick_desk
    parts = {"scenarioId": (await desk.make("/eval/simulation/scenario", **scenario(expecting("x"))))["id"]}
    parts["personalityId"] = (await desk.make("/eval/simulation/personality", **CALLER))["id"]
    one = (await desk.make("/eval/simulation", **parts))["id"]
    suite = f"/eval/simulation/suite/{(await desk.make('/eval/simulation/suite', name='S', simulationIds=[one]))['id']}"
    await desk.client.delete(f"/eval/simulation/scenario/{parts['scenarioId']}")
    named = await desk.client.patch(f"/eval/simulation/{one}", json={"name": "new"})
    assert (named.status_code, named.json()["name"]) == (200, "new"), named.text
    await desk.client.delete(f"/eval/simulation/{one}")
    named = await desk.client.patch(suite, json={"name": "new"})
    assert (named.status_code, named.json()["simulationIds"]) == (200, [one]), named.text
    wrong = await desk.client.patch(suite, json={"simulationIds": [one, "other"]})
    assert (wrong.status_code, wrong.json()["message"]) == (400, ["simulationIds.1: there is no simulation other"])
    again = await desk.client.post(f"{suite}/duplicate")
    assert (again.status_code, again.json()["message"]) == (400, [f"simulationIds.0: there is no simulation {one}"])
    assert (await desk.client.patch(suite, json={"simulationIds": []})).json()["simulationIds"] == []


def test_values_are_compared_by_their_types() -> None:
    assert holds("=", True, True) and not holds("=", True, 1) and not holds("=", "7", 7)
    assert holds("!=", "a", "b") and not holds("!=", None, "b")
    assert holds(">", 2, 1.5) and not holds(">", "2", 1) and not holds("<=", True, 1)
    assert part_of({"a": [{"b": 1}]}, "a.0.b") == 1
    assert part_of({"a": []}, "a.0.b") is None and part_of("x", "a") is None
    assert latency_metrics({}) == {"turnCount": 0}
    assert failure_of({"evaluations": []}) == ""


async def test_no_more_runs_wait_than_may_however_many_are_asked_for_at_once(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True, max_calls=1)) as (_, client):
        asked = [client.post("/eval/simulation/run", json=asking(expecting("x"))) for _ in range(MOST_RUNS + 20)]
        answers = await asyncio.gather(*asked)
        codes = [answer.status_code for answer in answers]
        assert (codes.count(201), codes.count(429)) == (MOST_RUNS, 20)
