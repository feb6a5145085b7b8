"""Evaluations and structured outputs over HTTP, with models of a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.serving import running_server, settings_for

from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.composition.process import Antiphon

pytestmark = pytest.mark.asyncio(loop_scope="module")
Server = tuple[Antiphon, httpx.AsyncClient]
ANSWER = "It costs eleven crowns."


def saying(*replies: str, **more: Any) -> dict[str, Any]:
    return {"provider": "scripted", "options": {"replies": list(replies)}, **more}


def judge(plan_type: str, content: str = "", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "judgePlan": {"type": plan_type, "content": content, **more}}


def ai(verdict: str) -> dict[str, Any]:
    return {"role": "assistant", "judgePlan": {"type": "ai", "model": saying(verdict)}}


ASKED = {"role": "user", "content": "What is the price?"}
TARGET = {"type": "assistant", "assistantId": "scripted"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_server(settings_for(tmp_path_factory.mktemp("evals"), open_api=True)) as (antiphon, client):
        client.timeout = httpx.Timeout(60)
        yield antiphon, client


async def run_of(client: httpx.AsyncClient, *messages: dict[str, Any], target: Any = None) -> dict[str, Any]:
    body = {"type": "eval", "eval": {"type": "chat.mockConversation", "messages": list(messages)}}
    started = await client.post("/eval/run", json={**body, "target": target or TARGET})
    assert started.status_code == 201, started.text
    assert started.json()["status"] == "running"
    return await ended(client, started.json()["id"])


async def ended(client: httpx.AsyncClient, id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            run: dict[str, Any] = (await client.get(f"/eval/run/{id}")).json()
            if run["status"] == "ended":
                return run
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("checked", "status"),
    [
        (judge("exact", ANSWER.upper()), "pass"),
        (judge("exact", "No."), "fail"),
        (judge("regex", r"\beleven\b"), "pass"),
        (judge("regex", "twelve"), "fail"),
        (judge("exact", ANSWER, toolCalls=[{"name": "book"}]), "fail"),
        (ai("pass"), "pass"),
        (ai("fail"), "fail"),
    ],
)
async def test_an_answer_is_judged(server: Server, checked: dict[str, Any], status: str) -> None:
    run = await run_of(server[1], ASKED, checked)
    assert (run["endedReason"], run["results"][0]["status"]) == ("mockConversation.done", status)
    given, answered = run["results"][0]["messages"]
    assert given == ASKED
    assert (answered["content"], answered["judge"]["status"]) == (ANSWER, status)


async def test_the_runs_of_one_eval_are_listed_by_pages(server: Server) -> None:
    _, client = server
    document = {"type": "chat.mockConversation", "messages": [ASKED, judge("exact", ANSWER)]}
    ids = [(await client.post("/eval", json=document)).json()["id"] for _ in range(2)]
    for id in (ids[0], ids[1], ids[0]):
        body = {"type": "eval", "evalId": id, "target": TARGET}
        await ended(client, (await client.post("/eval/run", json=body)).json()["id"])
    listed = (await client.get(f"/eval/run?evalId={ids[0]}&limit=1&page=2")).json()
    assert [run["evalId"] for run in listed["results"]] == [ids[0]]
    assert listed["metadata"]["totalItems"] == 2


async def test_a_conversation_goes_on_with_what_the_plan_says(server: Server) -> None:
    stops = {**judge("exact", "No."), "continuePlan": {"exitOnFailureEnabled": True}}
    run = await run_of(server[1], ASKED, stops, ASKED, judge("exact", ANSWER))
    assert len(run["results"][0]["messages"]) == 2
    goes_on = {**judge("exact", "No."), "continuePlan": {"contentOverride": "Yes."}}
    run = await run_of(server[1], ASKED, goes_on, ASKED, judge("exact", ANSWER))
    assert [message.get("judge", {}).get("status") for message in run["results"][0]["messages"]] == [
        None, "fail", None, "pass",
    ]  # fmt: skip


async def test_the_front_desk_calls_its_tool_and_the_tool_is_mocked(server: Server) -> None:
    said = ("I would like to book an appointment", "next Tuesday", "at ten in the morning", "John Smith")
    talk: list[dict[str, Any]] = []
    for line in said:
        talk += [{"role": "user", "content": line}, judge("regex", ".")]
    called = judge("regex", "", toolCalls=[{"name": "book_appointment", "arguments": {"time": "10:00"}}])
    run = await run_of(
        server[1], *talk, {"role": "user", "content": "yes"}, called,
        {"role": "tool", "content": '{"status": "booked", "reference": "A1"}'}, judge("regex", "."),
        target={"type": "assistant", "assistantId": "front-desk"},
    )  # fmt: skip
    assert run["results"][0]["status"] == "pass", run


async def test_what_cannot_be_run_ends_with_its_reason(server: Server) -> None:
    _, client = server
    run = await run_of(client, {"role": "tool", "content": "x"})
    assert (run["endedReason"], run["results"][0]["status"]) == ("error", "fail")
    assert "no tool was called before it" in run["endedMessage"]
    broken = {"type": "assistant", "assistant": {"model": {"provider": "custom-llm", "url": "http://127.0.0.1:9"}}}
    assert (await run_of(client, ASKED, judge("exact", "x"), target=broken))["endedReason"] == "error"


async def test_a_judge_is_told_what_its_templates_ask_for(server: Server) -> None:
    assert server[0].api is not None
    rubric = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "Last: {{ messages[-1] }}"}]
    variables = {"messages": ["first", "second"]}
    judge = await server[0].api.text_agents.model(DEFAULT_ORG, saying("pass", messages=rubric), variables)
    assert judge is not None
    assert [message.content for message in judge.messages] == ["Judge.", "Last: second"]
    without = {"role": "assistant", "judgePlan": {"type": "ai", "model": {"messages": rubric}}}
    assert "reading_model is not set" in (await run_of(server[1], ASKED, without))["endedMessage"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "type must be"),
        ({"type": "eval", "target": TARGET}, "exactly one of eval and evalId"),
        ({"type": "eval", "evalId": "nothing", "target": TARGET}, "there is no eval nothing"),
        ({"type": "eval", "eval": {"messages": []}, "target": TARGET}, "eval.messages must contain 1 to 100"),
        ({"type": "eval", "eval": {"messages": [judge("magic")]}, "target": TARGET}, "eval.messages.0.judgePlan.type"),
        ({"type": "eval", "eval": {"messages": [{"role": "x"}]}, "target": TARGET}, "eval.messages.0.role"),
        ({"type": "eval", "eval": {"messages": [ASKED]}, "target": {"type": "army"}}, "target.type must be one of"),
        ({"type": "eval", "eval": {"messages": [ASKED]}, "target": {"type": "assistant", "assistantId": "nobody"}},
         "Couldn't Get Assistant"),
    ],
)  # fmt: skip
async def test_a_wrong_run_is_refused(server: Server, body: dict[str, Any], problem: str) -> None:
    refused = await server[1].post("/eval/run", json=body)
    assert refused.status_code == 400, refused.text
    assert problem in str(refused.json()["message"])


async def test_runs_are_listed_and_deleted_while_they_run(server: Server) -> None:
    _, client = server
    slow = {"model": {"provider": "scripted", "options": {"replies": ["word " * 999], "token_interval_ms": 50}}}
    messages = [ASKED, judge("exact", "x")]
    body = {"type": "eval", "eval": {"type": "chat.mockConversation", "messages": messages}}
    started = await client.post("/eval/run", json={**body, "target": {"type": "assistant", "assistant": slow}})
    id = started.json()["id"]
    listed = (await client.get("/eval/run")).json()
    assert listed["results"][0]["id"] == id
    assert (await client.delete(f"/eval/run/{id}")).json()["status"] == "running"
    assert (await client.get(f"/eval/run/{id}")).status_code == 404


# ---------------------------------------------------------------------------------------------- structured outputs

SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}


async def output(client: httpx.AsyncClient, **fields: Any) -> str:
    made = await client.post("/structured-output", json={"name": "price", "schema": SCHEMA, **fields})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def a_call(antiphon: Antiphon, id: str, transcript: str = f"User: What?\nAI: {ANSWER}") -> str:
    assert antiphon.api is not None
    body = {"artifact": {"transcript": transcript, "logUrl": "x"}}
    await antiphon.api.calls.add(CallRecord(id, DEFAULT_ORG, "webCall", "ended", 1, 1, body=body))
    return id


async def run_output(client: httpx.AsyncClient, status: int = 201, **body: Any) -> dict[str, Any]:
    answer = await client.post("/structured-output/run", json=body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_data_is_read_out_of_calls_and_kept_with_them(server: Server) -> None:
    antiphon, client = server
    assert antiphon.api is not None
    call = await a_call(antiphon, "read")
    id = await output(client, type="regex", regex=r"eleven", schema={"type": "string"})
    told = await run_output(client, callIds=[call], structuredOutputId=id, previewEnabled=True)
    assert told == {"results": {call: {id: {"name": "price", "result": "eleven"}}}, "errors": []}
    kept = await antiphon.api.calls.find(None, call)
    assert kept is not None
    assert kept.body["artifact"].keys() == {"transcript", "logUrl"}
    await run_output(client, callIds=[call], structuredOutputId=id)
    kept = await antiphon.api.calls.find(None, call)
    assert kept is not None
    assert kept.body["artifact"]["structuredOutputs"] == {id: {"name": "price", "result": "eleven"}}
    assert kept.body["artifact"]["logUrl"] == "x"


async def test_a_model_reads_and_one_that_cannot_is_told(server: Server) -> None:
    antiphon, client = server
    call, silent = await a_call(antiphon, "model"), await a_call(antiphon, "silent", "")
    reading = {"name": "price", "schema": SCHEMA, "model": saying('{"price": 11}')}
    told = await run_output(client, callIds=[call, silent], structuredOutput=reading, previewEnabled=True)
    assert told["results"] == {call: {"preview": {"name": "price", "result": {"price": 11}}}}
    assert told["errors"] == [{"callId": silent, "error": "transcript: the call has none"}]
    reading["model"] = saying('{"price": "much"}')
    told = await run_output(client, callIds=[call], structuredOutput=reading, previewEnabled=True)
    assert "cannot be used" in told["errors"][0]["error"]


async def test_what_cannot_be_read_is_refused(server: Server) -> None:
    antiphon, client = server
    call = await a_call(antiphon, "refused")
    plain = {"name": "price", "schema": SCHEMA}
    told = await run_output(client, 400, callIds=[call], structuredOutput=plain, previewEnabled=True)
    assert "no model is configured" in told["message"][0]
    told = await run_output(client, 400, callIds=[call], structuredOutput=plain)
    assert "can only be previewed" in told["message"][0]
    told = await run_output(client, 400, callIds=["nothing"], structuredOutputId="nothing")
    assert "there is no structured output nothing" in told["message"][0]
    told = await run_output(client, 400, callIds=[])
    assert len(told["message"]) == 2
    wrong = {"name": "price", "schema": {"type": "king"}, "model": saying("1")}
    told = await run_output(client, 400, callIds=[call], structuredOutput=wrong, previewEnabled=True)
    assert "schema.type" in told["message"][0]


async def test_other_kinds_of_evals_and_targets_are_refused_by_name(server: Server) -> None:
    client = server[1]
    document = {"name": "E", "type": "voice.simulation", "messages": [ASKED, judge("exact", ANSWER)]}
    refused = await client.post("/eval", json=document)
    assert refused.status_code == 400 and "type must be one of" in str(refused.json()["message"])
    good = {**document, "type": "chat.mockConversation"}
    stored = (await client.post("/eval", json=good)).json()
    assert (await client.patch(f"/eval/{stored['id']}", json={"type": "voice.simulation"})).status_code == 400
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"type": "eval", "eval": document, "target": TARGET}, "eval.type must be one of"),
        ({"type": "simulation", "eval": good, "target": TARGET}, "type must be one of"),
        ({"type": "eval", "eval": good, "target": {"type": "phone", "number": "+1"}}, "target.type must be one of"),
        ({"type": "eval", "eval": good, "target": {"type": "squad", "squad": {"members": [{}]}}}, "target.squad"),
        ({"type": "eval", "eval": good, "target": {"type": "squad", "squadId": "nobody"}}, "target.squad"),
    ]
    for body, problem in wrong:
        answer = await client.post("/eval/run", json=body)
        assert answer.status_code == 400 and problem in str(answer.json()["message"]), (body, answer.text)
