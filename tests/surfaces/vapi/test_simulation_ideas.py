"""Scenarios and improvements that a model thinks up, with a model of a script; and a suite that is made twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.databases import sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of
from tests.surfaces.vapi.test_simulations import asking, ended, expecting, items_of, started

from antiphon.chat.ideas import IMPROVEMENTS, SCENARIOS, scenarios_for
from antiphon.chat.schemas import check_schema, problems_of

IDEAS = {
    "scenarios": [
        {
            "name": "Ask the price",
            "instructions": "Ask what it costs. é😀",
            "category": "happy_path",
            "reasoning": "Everybody does.",
        },
        {"name": "Order nothing", "instructions": "Say nothing.", "category": "failure_mode", "reasoning": "Silence."},
    ],
    "coverageNotes": "No orders from abroad.",
}
BETTER = {
    "analysis": "It never says the price.",
    "systemPromptSuggestions": [{"issue": "no price", "suggestion": "Say eleven crowns."}],
    "toolSuggestions": [],
    "scenarioSuggestions": [],
}


def thinking(*answers: Any) -> dict[str, Any]:
    """A model that answers so."""
    replies = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]
    return {"provider": "scripted", "options": {"replies": replies}}


async def test_scenarios_are_thought_up_by_the_operator_s_model(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path), reading_model=thinking(IDEAS)) as desk:
        assistant = await desk.make("/assistant", name="Shop", model=thinking("Hello."))
        squad = await desk.make("/squad", members=[{"assistantId": assistant["id"]}])
        for body in (
            {"assistantId": assistant["id"]},
            {"squadId": squad["id"]},
            {"assistantId": "scripted", "squadId": None},
        ):
            if body.get("assistantId") == "scripted":
                (tmp_path / "scripted.yaml").write_text("model: { provider: scripted }", encoding="utf-8")
            answer = await desk.client.post("/eval/simulation/scenario/generate", json=body)
            assert (answer.status_code, answer.json()) == (201, IDEAS), answer.text
        assert (await desk.client.get("/eval/simulation/scenario")).json() == [], "nothing is kept unasked"


async def test_where_there_is_no_such_model_the_assistant_s_own_thinks(quick_desk: Desk) -> None:
    assistant = await quick_desk.make("/assistant", name="Shop", model=thinking("no JSON", IDEAS))
    answer = await quick_desk.client.post("/eval/simulation/scenario/generate", json={"assistantId": assistant["id"]})
    assert (answer.status_code, answer.json()) == (201, IDEAS), "it is asked once more"


async def test_what_cannot_be_thought_up_is_said(quick_desk: Desk) -> None:
    async def refused(status: int, **body: Any) -> str:
        answer = await quick_desk.client.post("/eval/simulation/scenario/generate", json=body)
        assert (answer.status_code, answer.json()["statusCode"]) == (status, status), answer.text
        return str(answer.json()["message"])

    assert "exactly one of assistantId and squadId must be provided" in await refused(400)
    assert "exactly one of" in await refused(400, assistantId="a", squadId="b")
    assert "property count should not exist" in await refused(400, assistantId="a", count=3)
    assert "assistantId must be a string" in await refused(400, assistantId=["a"])
    assert "there is no assistant nope" in await refused(400, assistantId="nope")
    assert "there is no squad nope" in await refused(400, squadId="nope")
    graph = {"nodes": [{"name": "a", "type": "conversation", "isStart": True, "prompt": "Hello"}], "edges": []}
    drawn = await quick_desk.make("/assistant", name="W", model={"provider": "workflow", "workflow": graph})
    assert "no model is configured" in await refused(400, assistantId=drawn["id"])
    silly = await quick_desk.make("/assistant", name="S", model=thinking("I", "would", "rather", "not"))
    assert "model failed" in await refused(424, assistantId=silly["id"])


async def test_a_model_is_shown_how_the_assistant_behaves_and_no_secret(quick_desk: Desk) -> None:
    desk = quick_desk
    tool = await desk.make(
        "/tool", type="function", function={"name": "look_up", "description": "Prices"},
        server={"url": "https://app.test/t", "secret": "hush-hush-hush"},
    )  # fmt: skip
    model = {**thinking(IDEAS), "toolIds": [tool["id"]], "messages": [{"role": "system", "content": "Sell marmalade."}]}
    assistant = await desk.make(
        "/assistant",
        name="Shop",
        model=model,
        firstMessage="Good day.",
        server={"url": "https://app.test", "secret": "hush-hush"},
    )
    squad = await desk.make("/squad", members=[
        {"assistantId": assistant["id"], "assistantDestinations": [{"type": "assistant", "assistantName": "Bea"}]},
        {"assistant": {"name": "Bea", "model": thinking("x")}},
    ])  # fmt: skip
    ideas = desk.api.texts.simulations._ideas
    org = assistant["orgId"]
    shown = await ideas._agent(org, (await desk.api.documents.squads.get(org, squad["id"])).body)
    text = json.dumps(shown)
    for there in ("Sell marmalade.", "Good day.", "look_up", "Prices", "Bea"):
        assert there in text
    assert shown["members"][0]["handsOverTo"] == ["Bea"]
    assert "hush" not in text and "app.test" not in text


async def test_improvements_are_suggested_for_what_failed_and_kept(quick_desk: Desk) -> None:
    desk = quick_desk
    target = {"name": "Shop", "model": thinking("Good day.", BETTER)}
    caller = {"name": "Anna", "assistant": {"model": {"provider": "scripted", "options": {"replies": [
        "What does it cost?", {"text": "Goodbye.", "tool_calls": [{"name": "endCall"}]},
    ]}}}}  # fmt: skip
    run = await started(
        desk.client,
        {**asking(expecting("eleven"), target=target, caller=caller), "transport": {"provider": "vapi.webchat"}},
    )
    await ended(desk.client, run["id"])
    (item,) = await items_of(desk.client, run)
    assert item["status"] == "failed", item
    path = f"/eval/simulation/run/{run['id']}/item/{item['id']}"
    assert (await desk.client.post(f"{path}/generate?force=maybe")).status_code == 400
    told = await desk.client.post(f"{path}/generate?force=false&persist=false")
    assert (told.status_code, told.json()) == (201, BETTER), told.text
    assert "improvementSuggestions" not in (await desk.client.get(path)).json()
    assert (await desk.client.post(f"{path}/generate?force=false")).json() == BETTER
    kept = (await desk.client.get(path)).json()
    assert (kept["improvementSuggestions"], kept["status"], kept["results"]) == (BETTER, "failed", item["results"])
    assert (await desk.client.post(f"{path}/generate")).json() == BETTER, "it is not thought up again"
    assert (await desk.client.post(f"/eval/simulation/run/x/item/{item['id']}/generate?force=true")).status_code == 404


async def test_what_has_passed_needs_no_improvement(quick_desk: Desk) -> None:
    caller = {"name": "A", "assistant": {"model": thinking("Hello there.", "Bye.")}}
    body = asking(expecting("Hello"), target={"model": thinking("Yes?")}, caller=caller)
    run = await started(quick_desk.client, {**body, "transport": {"provider": "vapi.webchat"}})
    await ended(quick_desk.client, run["id"])
    (item,) = await items_of(quick_desk.client, run)
    answer = await quick_desk.client.post(f"/eval/simulation/run/{run['id']}/item/{item['id']}/generate?force=true")
    assert (answer.status_code, "this one is passed" in answer.json()["message"]) == (400, True), answer.text


def test_what_is_asked_for_is_a_schema_and_the_platform_s_shape_fits() -> None:
    for schema, value in ((SCENARIOS, IDEAS), (IMPROVEMENTS, {**BETTER, "suggestedSystemPrompt": "Sell."})):
        check_schema(schema)
        assert problems_of(value, schema) == []
    wrong = {**IDEAS, "scenarios": [{**IDEAS["scenarios"][0], "category": "other"}]}  # type: ignore[dict-item]
    assert problems_of(wrong, SCENARIOS)
    assert scenarios_for.__doc__


async def test_a_suite_is_made_twice_under_another_name(desk: Desk) -> None:
    document = {"name": "S" * 79, "simulationIds": [], "slackWebhookUrl": "https://s.test/x", "path": "a/b"}
    suite = (await desk.client.post("/eval/simulation/suite", json=document)).json()
    copied = await desk.client.post(f"/eval/simulation/suite/{suite['id']}/duplicate")
    assert copied.status_code == 201, copied.text
    copy = copied.json()
    assert copy["id"] != suite["id"]
    assert copy["name"] == "S" * 73 + " (copy)"
    assert (copy["simulationIds"], copy["path"]) == ([], "a/b")
    assert "slackWebhookUrl" in copied.headers["x-antiphon-warnings"]
    named = {"Idempotency-Key": "once"}
    twice = [await desk.client.post(f"/eval/simulation/suite/{suite['id']}/duplicate", headers=named) for _ in range(2)]
    assert twice[0].json()["id"] == twice[1].json()["id"]
    assert len((await desk.client.get("/eval/simulation/suite")).json()) == 3
    assert (await desk.client.post("/eval/simulation/suite/nope/duplicate")).status_code == 404
