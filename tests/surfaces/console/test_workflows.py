"""What the page of a workflow asks: a check of what is edited, a try of it as it stands, and the graph of a live call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving import running_server, settings_for
from tests.surfaces.console.test_door import Console

from antiphon.calls.stores import DEFAULT_ORG, Listing

FLOW = {
    "nodes": [
        {"type": "conversation", "name": "welcome", "isStart": True, "messagePlan": {"firstMessage": "Jam or honey?"}},
        {"type": "conversation", "name": "jam", "messagePlan": {"firstMessage": "Jam is two crowns."}},
        {"type": "hangup", "name": "bye", "messagePlan": {"firstMessage": "Goodbye."}},
    ],
    "edges": [
        {"from": "welcome", "to": "jam", "condition": {"type": "examples", "phrases": ["jam", "jam please"]}},
        {"from": "jam", "to": "bye", "condition": {"type": "examples", "intent": "done"}},
    ],
}


def assistant(**flow: Any) -> dict[str, Any]:
    return {"name": "Jam", "model": {"provider": "workflow", "workflow": {**FLOW, **flow}}}


def said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """Signed in as an admin."""
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        opened = Console(antiphon, client)
        await opened.set_up()
        await opened.me()
        yield opened


LONG = b'{"nodes": [123456789012345678901234]}'
DEEP = b'{"nodes": ' + b"[" * 1000 + b"1234567890123456789" + b"]" * 1000 + b"}"


async def test_what_is_wrong_is_told_at_its_place_and_nothing_is_kept(console: Console) -> None:
    told = (await console.ask("POST", "workflows/check", json=FLOW)).json()
    assert told == {"problems": [], "doubts": []}
    wrong = {**FLOW, "edges": [{"from": "jam", "to": "honey"}, {"from": "x", "to": "jam"}]}
    told = (await console.ask("POST", "workflows/check", json=wrong)).json()
    assert [each["field"] for each in told["problems"]] == ["edges.0.to", "edges.1.from"]
    assert "there is no node 'honey'" in told["problems"][0]["text"]
    for body in (b"[]", b"{", b"\xff", b"[" * 5000, b'{"nodes": [{"name": "\\u0000"}]}', LONG, DEEP):
        assert (await console.ask("POST", "workflows/check", content=body)).status_code == 422
    for senseless in ({"nodes": 3}, {"nodes": [[]]}, {"nodes": FLOW["nodes"], "edges": {"from": 1}}, {}):
        assert (await console.ask("POST", "workflows/check", json=senseless)).json()["problems"]


async def test_an_edit_is_tried_as_it_stands_and_the_talk_goes_on_through_edits(console: Console) -> None:
    assert console.antiphon.api is not None
    first = await console.ask(
        "POST", "workflows/trial", json={"assistant": assistant(), "messages": [said("jam please")]}
    )
    told = first.json()
    assert (told["node"], told["ended"], told["messages"][-1]["content"]) == ("jam", False, "Jam is two crowns.")
    history = [said("jam please"), *told["messages"], said("that's it, thank you")]
    dearer = [{**FLOW["nodes"][2], "messagePlan": {"firstMessage": "See you."}}]
    body = {"assistant": assistant(nodes=[*FLOW["nodes"][:2], *dearer]), "messages": history, "trial": told["trial"]}
    second = (await console.ask("POST", "workflows/trial", json=body)).json()
    assert (second["trial"], second["node"], second["ended"]) == (told["trial"], "bye", True)
    assert second["messages"][-1]["content"] == "See you."
    assert await console.antiphon.api.resources.count("chat", DEFAULT_ORG, Listing()) == 0
    file = await console.ask(
        "POST", "workflows/trial", json={"assistantId": "front-desk", "messages": [said("an appointment")]}
    )
    assert file.json()["node"] == "day"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "messages"),
        ({"assistantId": "nobody", "messages": [said("hello")]}, 404, "no such assistant"),
        ({"messages": [said("hello")]}, 422, "assistantId"),
        ({"assistant": "desk", "messages": [said("hello")]}, 422, "assistant: must be an object"),
        ({"assistant": assistant(nodes=[]), "messages": [said("hello")]}, 422, "model.workflow"),
        ({"assistant": assistant(), "messages": "hello"}, 422, "messages"),
        (
            {"assistant": assistant(), "messages": [{"role": "assistant", "content": "Hello."}]},
            422,
            "the last one must be",
        ),
        ({"assistant": assistant(), "messages": [said("x")] * 1001}, 422, "no more than 1000"),
        ({"assistant": assistant(), "messages": [said("hello")], "trial": "c1"}, 422, "trial"),
        ({"assistant": assistant(), "messages": [said("hello")], "outcomes": {"a": "well"}}, 422, "outcomes"),
        ({"assistant": assistant(), "messages": [said("hello")], "outcomes": {"a": []}}, 422, "outcomes"),
    ],
)
async def test_a_try_that_makes_no_sense_is_refused_in_words(
    console: Console, body: Any, status: int, says: str
) -> None:
    answer = await console.ask("POST", "workflows/trial", json=body)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_viewers_look_and_do_not_try(console: Console) -> None:
    await console.become("viewer")
    assert (await console.ask("POST", "workflows/check", json=FLOW)).status_code == 200
    body = {"assistant": assistant(), "messages": [said("jam")]}
    assert (await console.ask("POST", "workflows/trial", json=body)).status_code == 403
    assert (await console.ask("POST", "workflows/check", json=FLOW, headers={"X-CSRF-Token": ""})).status_code == 403
    assert (await console.ask("GET", "live/none/workflow")).json() == {"workflow": None}
    await console.ask("POST", "sign-out")
    for method, path in (("POST", "workflows/check"), ("POST", "workflows/trial"), ("GET", "live/none/workflow")):
        assert (await console.ask(method, path)).status_code == 401
