"""Calls that are asked for with a squad: who takes them, with which overrides, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.api_caller import ask, ended, on_socket, transport
from tests.surfaces.vapi.test_calls import ENGINES, server

SQUAD: dict[str, Any] = {
    "name": "Desk",
    "members": [
        {"assistantId": "", "assistantOverrides": {"firstMessage": "Lost.", "name": "Own"},
         "assistantDestinations": [{"type": "assistant", "assistantName": "B", "message": "x"}]},
        {"assistant": {**ENGINES, "name": "B", "firstMessage": "I am B."}},
    ],
    "membersOverrides": {"firstMessage": "Good {{ daytime }}."},
}  # fmt: skip


@pytest.mark.parametrize("stored", [True, False])
async def test_the_first_member_takes_the_call_with_all_overrides(tmp_path: Path, stored: bool) -> None:
    async with server(tmp_path) as (_, client):
        first = (await client.post("/assistant", json={**ENGINES, "name": "A", "firstMessage": "I am A."})).json()
        squad = {**SQUAD, "members": [{**SQUAD["members"][0], "assistantId": first["id"]}, SQUAD["members"][1]]}
        asked: dict[str, Any] = {"squad": squad}
        if stored:
            asked = {"squadId": (await client.post("/squad", json=squad)).json()["id"]}
        overrides = {"variableValues": {"daytime": "evening"}}
        answer = await client.post("/call", json={**asked, "squadOverrides": overrides, "transport": transport()})
        assert answer.status_code == 201, answer.text
        call = answer.json()
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Good evening.")
        record = await ended(client, call["id"])
    assert record["assistantId"] == first["id"]
    assert record.get("squadId") == asked.get("squadId") and record.get("squad") == asked.get("squad")
    assert not [each for each in record["warnings"] if "squad" in each["field"] or "handoff" in each["reason"]]


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"model": {"temperature": 0.2}}, ""),
        ({"model": {"toolIds": ["x"]}, "voice": {"speed": 1.5}, "transcriber": {"language": "de"}}, ""),
        ({"model": {"temperature": "x"}}, "Overrides.model.temperature must be a number"),
        ({"model": {"maxTokens": 1}}, "Overrides.model.maxTokens must not be less than 50"),
        ({"model": {"provider": "nobody"}}, "Overrides.model.provider must be one of"),
        ({"voice": 7}, "Overrides.voice must be an object"),
    ],
)
async def test_overrides_say_of_an_engine_what_they_change(tmp_path: Path, part: dict[str, Any], problem: str) -> None:
    """The provider, too, may be left to the assistant: wherever there are overrides."""
    assistant = {**ENGINES, "name": "A"}
    async with server(tmp_path) as (_, client):
        member = {"assistant": assistant}
        squads: list[dict[str, Any]] = [
            {"members": [{**member, "assistantOverrides": part}]},
            {"members": [member], "membersOverrides": part},
        ]
        asked: list[tuple[str, dict[str, Any]]] = [("/squad", squad) for squad in squads]
        asked += [("/call", {"squad": squad, "transport": transport()}) for squad in squads]
        asked += [
            ("/call", {"assistant": assistant, "assistantOverrides": part, "transport": transport()}),
            ("/session", {"assistant": assistant, "assistantOverrides": part}),
        ]
        for path, body in asked:
            answer = await client.post(path, json=body)
            assert answer.status_code == (400 if problem else 201), (path, answer.text)
            assert problem in str(answer.json().get("message", ""))


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"squadId": "none"}, "Couldn't find squad: none."),
        ({"squad": {"members": []}}, ["squad.members must contain at least 1 element"]),
        ({"squad": {"name": "x"}}, ["squad.members should not be empty"]),
        (
            {"squad": {"members": [SQUAD["members"][1]] * 2}},
            ["squad.members must have different names: there are several called B"],
        ),
        ({"squad": {"members": [{}]}}, ["squad.members.0 one of assistantId and assistant must be given"]),
        ({"squad": SQUAD, "assistantId": "scripted"}, ["assistantId must be absent where a squad is given"]),
        (
            {"squad": {**SQUAD, "members": SQUAD["members"][1:]}, "squadOverrides": 1},
            ["squadOverrides must be an object"],
        ),
    ],
)
async def test_a_squad_that_makes_no_sense_is_refused(tmp_path: Path, asked: dict[str, Any], problem: Any) -> None:
    async with server(tmp_path) as (_, client):
        refused = await client.post("/call", json={**asked, "transport": transport()})
    assert (refused.status_code, refused.json()["message"]) == (400, problem)


async def test_a_call_without_a_squad_names_what_has_no_effect(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client, customer={"name": "Ada", "extension": "12"}, assistantVersion="v1")
    assert "squadId" not in call
    assert {each["field"] for each in call["warnings"]} >= {"customer.extension", "assistantVersion"}
