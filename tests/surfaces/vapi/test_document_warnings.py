"""What of a document has no effect, and what it points to and is not there: it is taken, and its author is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.databases import sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of

from antiphon.surfaces.keys import KeyRecord
from antiphon.surfaces.vapi.assistant_warnings import warnings_of

MODEL = {"provider": "scripted"}


def warnings(answer: Any) -> list[str]:
    assert answer.status_code in (200, 201), answer.text
    told: list[str] = json.loads(answer.headers.get("x-antiphon-warnings", "[]"))
    return told


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/assistant", {"model": {**MODEL, "toolIds": ["t"]}}, ["model.toolIds.0: there is no tool of this id"]),
        (
            "/assistant",
            {"artifactPlan": {"structuredOutputIds": ["o"]}},
            ["artifactPlan.structuredOutputIds.0: there is no structured output of this id"],
        ),
        (
            "/assistant",
            {"server": {"url": "https://a.test", "credentialId": "c"}},
            ["server.credentialId: there is no credential of this id"],
        ),
        ("/squad", {"members": [{"assistantId": "a"}]}, ["members.0.assistantId: there is no assistant of this id"]),
        (
            "/phone-number",
            {"provider": "vapi", "number": "+14155550100", "assistantId": "a", "squadId": "s"},
            ["assistantId: there is no assistant of this id", "squadId: there is no squad of this id"],
        ),
        (
            "/tool",
            {
                "type": "query",
                "knowledgeBases": [{"provider": "google", "name": "k", "description": "d", "fileIds": ["f"]}],
            },
            ["knowledgeBases.0.fileIds.0: there is no file of this id"],
        ),
        (
            "/structured-output",
            {"name": "o", "schema": {"type": "string"}, "assistantIds": ["a"]},
            ["assistantIds.0: there is no assistant of this id"],
        ),
        ("/assistant", {"model": MODEL, "metadata": {"assistantId": "theirs", "toolIds": ["x"]}}, []),
        ("/assistant", {"model": MODEL, "name": "toolId"}, []),
        (
            "/squad",
            {"members": [{"assistantId": "x" * 300}]},
            ["members.0.assistantId: there is no assistant of this id"],
        ),
    ],
)
async def test_what_is_not_there_is_named(quick_desk: Desk, path: str, body: dict[str, Any], told: list[str]) -> None:
    assert warnings(await quick_desk.client.post(path, json=body)) == told


async def test_what_is_there_is_not(quick_desk: Desk) -> None:
    desk = quick_desk
    tool = await desk.make("/tool", type="function", function={"name": "f"})
    made = await desk.client.post("/assistant", json={"model": {**MODEL, "toolIds": [tool["id"]]}})
    assert warnings(made) == [], "a tool that is there is run"
    id = made.json()["id"]
    assert (await desk.client.get(f"/assistant/{id}/warnings")).json() == []
    (desk.folder / "front.yaml").write_text("model: { provider: scripted }", encoding="utf-8")
    squad = {"members": [{"assistantId": id}, {"assistantId": "front"}]}
    assert warnings(await desk.client.post("/squad", json=squad)) == []
    changed = await desk.client.patch(f"/assistant/{id}", json={"model": {**MODEL, "toolIds": [tool["id"], "gone"]}})
    assert warnings(changed) == ["model.toolIds.1: there is no tool of this id"]
    assert (await desk.client.get(f"/assistant/{id}/warnings")).json() == [
        {"field": "model.toolIds.1", "reason": "there is no tool of this id"}
    ]
    published = await desk.client.post(f"/assistant/{id}/restore/v1")
    assert warnings(published) == []


async def test_another_organisation_s_is_not_there(quick_desk: Desk) -> None:
    assistant = await quick_desk.make("/assistant", name="ours")
    _, secret = quick_desk.keys.create("other", 0, like=KeyRecord("", "", "", 0, org_id="other"))
    async with quick_desk.with_key(secret) as other:
        made = await other.post("/squad", json={"members": [{"assistantId": assistant["id"]}]})
    assert warnings(made) == ["members.0.assistantId: there is no assistant of this id"]


async def test_a_document_with_very_many_is_looked_through_for_a_while(quick_desk: Desk) -> None:
    body = {"model": {**MODEL, "toolIds": [f"t{number}" for number in range(5000)]}}
    told = warnings(await quick_desk.client.post("/assistant", json=body))
    assert told[0] == "model.toolIds.0: there is no tool of this id"
    assert len(told) <= 101


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        (
            "/squad",
            {"members": [{"assistantId": "a", "assistant": {"name": "b"}}]},
            "members.0: assistantId and assistant are mutually exclusive",
        ),
        (
            "/structured-output",
            {"name": "o", "type": "regex", "regex": "(", "schema": {"type": "string"}},
            "regex is no regular expression (error)",
        ),
        (
            "/structured-output",
            {"name": "o", "type": "regex", "schema": {"type": "string"}},
            "regex must be a regular expression of at most 1000",
        ),
        (
            "/structured-output",
            {"name": "o", "type": "regex", "regex": "a", "schema": {"type": "object"}},
            "schema.type of a regex must be string, boolean, number, integer or array",
        ),
        (
            "/eval/simulation/scenario",
            {
                "name": "s",
                "instructions": "i",
                "evaluations": [
                    {
                        "structuredOutput": {"name": "o", "type": "regex", "regex": "[", "schema": {"type": "string"}},
                        "comparator": "=",
                        "value": "x",
                    }
                ],
            },
            "evaluations.0.structuredOutput.regex is no regular expression (error)",
        ),
    ],
)
async def test_what_can_never_work_is_refused(quick_desk: Desk, path: str, body: dict[str, Any], problem: str) -> None:
    answer = await quick_desk.client.post(path, json=body)
    assert answer.status_code == 400
    assert any(problem in line for line in answer.json()["message"]), answer.text


async def test_what_of_a_number_has_no_effect_is_named(quick_desk: Desk) -> None:
    async def told(**body: Any) -> dict[str, str]:
        lines = warnings(await quick_desk.client.post("/phone-number", json=body))
        return dict(line.split(": ", 1) for line in lines)

    assert await told(provider="vapi", number="+14155550101", name="N", hooks=[], sipUri=None) == {}
    ringing = {"on": "call.ringing", "do": [{"type": "say", "exact": "One moment."}]}
    assert set(await told(provider="vapi", sipUri="sip:a@b.test", hooks=[ringing], numberDesiredAreaCode="415")) == {
        "sipUri", "numberDesiredAreaCode", "number",
    }  # fmt: skip
    account = {"twilioAccountSid": "AC1", "twilioAuthToken": "hush"}
    assert "own account" in (await told(provider="twilio", number="+14155550102", **account))["twilioAccountSid"]
    other = await told(provider="telnyx", number="+14155550103", credentialId="c")
    assert "Twilio alone" in other["provider"]


async def test_what_of_a_tool_has_no_effect_is_named(quick_desk: Desk) -> None:
    async def told(**body: Any) -> dict[str, str]:
        lines = warnings(await quick_desk.client.post("/tool", json=body))
        return dict(line.split(": ", 1) for line in lines)

    for kind in ("code", "sms", "slack.message.send", "google.calendar.event.create"):
        more = {"name": "c", "code": "return 1"} if kind == "code" else {}
        assert "are run, and no others" in (await told(type=kind, **more))["type"], kind
    look = {"type": "function", "function": {"name": "look"}, "server": {"url": "https://a.test"}}
    assert await told(**look) == {}
    assert await told(type="endCall") == {}
    assert await told(type="transferCall", destinations=[{"type": "number", "number": "+14155550100"}]) == {}
    backoff = {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 1}
    assert await told(**{**look, "server": {"url": "https://a.test", "backoffPlan": backoff}}) == {}
    assert "this server cannot use it" in str(await told(type="query", function={"name": "a b"}, knowledgeBases=[]))
    tool = await quick_desk.make("/tool", **look)
    changed = await quick_desk.client.patch(f"/tool/{tool['id']}", json={"knowledgeBases": []})
    assert warnings(changed) != []


async def test_an_eval_that_judges_nothing_and_a_key_that_nobody_uses_are_named(quick_desk: Desk) -> None:
    async def told(path: str, **body: Any) -> list[str]:
        return warnings(await quick_desk.client.post(path, json=body))

    asked = {"role": "user", "content": "hi"}
    judged = {"role": "assistant", "judgePlan": {"type": "exact", "content": "Hello."}}
    assert await told("/eval", type="chat.mockConversation", messages=[asked, judged]) == []
    assert "every run passes" in (await told("/eval", type="chat.mockConversation", messages=[asked]))[0]
    assert await told("/eval", type="chat.mockConversation", messages=[]) == [
        "messages: this server cannot use it: must contain 1 to 100 elements"
    ]
    assert "no engine uses it" in (await told("/credential", provider="openai", apiKey="sk-hush"))[0]
    scenario = {"name": "s", "instructions": "i"}
    assert "every conversation passes" in (await told("/eval/simulation/scenario", **scenario, evaluations=[]))[0]
    fast = [{"metric": "turn", "aggregation": "max", "thresholdMs": 900}]
    assert await told("/eval/simulation/scenario", **scenario, evaluations=[], latencyExpectations=fast) == []
    assert "not run" in (await told("/workflow", name="w", nodes=[], edges=[]))[0]
    plan = {"type": "bearer", "token": "hush"}
    assert await told("/credential", provider="webhook", name="w", authenticationPlan=plan) == []


async def test_engines_that_are_not_to_be_had_here_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first to hear of it is whoever calls."""
    for name in ("OPENAI_API_KEY", "ELEVENLABS_API_KEY", "ELEVEN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:

        async def told(**body: Any) -> dict[str, str]:
            lines = warnings(await desk.client.post("/assistant", json=body))
            return dict(line.split(": ", 1) for line in lines)

        voice, ears = {"provider": "11labs", "voiceId": "v"}, {"provider": "gladia"}
        found = await told(model={"provider": "openai", "model": "gpt-4o"}, voice=voice, transcriber=ears)
        assert found["model.provider"].startswith("a call is refused: openai needs a key")
        assert found["voice.provider"].startswith("a call is refused: 11labs needs a key")
        assert found["transcriber.provider"].startswith("a call is refused: no provider 'gladia'")
        assert "set model.url" in str(await told(model={"provider": "custom-llm", "model": "m"}))
        assert await told(name="A") == {} == await told(model=MODEL)
        made = await desk.make("/assistant", voice={"provider": "tavus", "voiceId": "v"})
        (only,) = (await desk.client.get(f"/assistant/{made['id']}/warnings")).json()
        assert (only["field"], "no provider 'tavus'" in only["reason"]) == ("voice.provider", True)


def test_what_clients_are_told_and_who_may_listen_has_an_effect() -> None:
    document = {
        "name": "a",
        "clientMessages": ["transcript"],
        "monitorPlan": {"listenEnabled": False, "listenAuthenticationEnabled": True},
    }
    assert [each["field"] for each in warnings_of(document)] == ["monitorPlan.listenAuthenticationEnabled"]


async def test_a_hook_s_stored_tool_is_used_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        tool = await desk.make("/tool", type="endCall")
        hooks = [
            {"on": "customer.speech.timeout", "do": [{"type": "tool", "toolId": id}]} for id in (tool["id"], "none")
        ]
        lines = warnings(await desk.client.post("/assistant", json={"name": "A", "model": MODEL, "hooks": hooks}))
        assert lines == ["hooks.1.do.0.toolId: there is no tool of this id"]


def test_what_an_engine_is_told_is_no_field_without_effect() -> None:
    document = {
        "voice": {"provider": "11labs", "voiceId": "x", "stability": 0.5, "similarityBoost": 0.7, "sparkle": 1},
        "transcriber": {"provider": "deepgram", "keyterm": ["antiphon"]},
    }
    assert [each["field"] for each in warnings_of(document)] == ["voice.sparkle"]
