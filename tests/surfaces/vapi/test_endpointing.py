"""An assistant's say in when the caller has finished: rules, a function of the odds, a server; in calls that are really held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from tests.api_caller import ask, ended, on_socket
from tests.surfaces.vapi.test_calls import ENGINES, server
from tests.surfaces.vapi.test_document_warnings import warnings
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.session.event_log import read_event_log

ANSWER = "It costs eleven crowns."
HEARD = "my number is five five five"


def assistant(*rules: dict[str, Any], **plan: Any) -> dict[str, Any]:
    model = {**ENGINES["model"], "options": {"replies": [ANSWER], "first_token_ms": 40}}
    plan = {"waitSeconds": 0.2, "customEndpointingRules": list(rules), **plan}
    ears = {"provider": "scripted", "transcripts": [HEARD]}
    return {
        **ENGINES,
        "model": model,
        "transcriber": ears,
        "startSpeakingPlan": plan,
        "firstMessage": "What is your number?",
    }


async def held(folder: Path, client: httpx.AsyncClient, assistant: dict[str, Any]) -> tuple[list[ev.WaitTold], int]:
    """A call in which something is said and answered: what was told, and how much silence closed the turn."""
    call = await ask(client, assistant=assistant)
    async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
        await caller.until_told("speech-update", role="assistant", status="stopped")
        caller.say()
        await caller.until_told("transcript", role="assistant", transcript=ANSWER)
        await caller.send({"type": "end-call"})
        await caller.until(lambda: caller.closed)
    await ended(client, call["id"])
    log = read_event_log(folder / "data" / "calls" / f"{call['id']}.jsonl")
    told = [entry.event for entry in log.entries if isinstance(entry.event, ev.WaitTold)]
    watched = [
        fields["silence_ms"]
        for entry in log.entries
        for name, fields in entry.actions
        if name == do.WatchSilence.__name__
    ]
    closing = [entry.event for entry in log.entries for name, _ in entry.actions if name == do.TurnClosed.__name__]
    silences = [event.silence_ms for event in closing if isinstance(event, ev.SilenceReached)]
    return told, silences[0] if silences else watched[-1]


def by(kind: str, seconds: float, *patterns: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    on = [{"type": each, "enabled": True} for each in options]
    if kind == "both":
        return {"type": "both", "assistantRegex": patterns[0], "customerRegex": patterns[1], "timeoutSeconds": seconds}
    return {"type": kind, "regex": patterns[0], "timeoutSeconds": seconds, **({"regexOptions": on} if on else {})}


@pytest.mark.parametrize(
    ("rules", "told_ms"),
    [
        ([by("assistant", 2.5, "your number")], 2500),
        ([by("customer", 2.5, r"\b(five\s?)+$")], 2500),
        ([by("both", 2.5, "number", "number")], 2500),
        ([by("both", 1, "number", "card"), by("assistant", 2.5, "number")], 2500),
        ([by("assistant", 1, "what is"), by("assistant", 2.5, "WHAT IS", options=("ignore-case",))], 2500),
        ([by("customer", 1, "fiv", options=("whole-word",)), by("customer", 2.5, "fiv")], 2500),
        ([by("customer", 1, "(five|(")], None),
        ([by("customer", 1, r"^(([a-z ])+.)+[A-Z]([a-z ])+$"), by("assistant", 2.5, "number")], 2500),
    ],
    ids=["assistant", "customer", "both", "the first that matches", "case", "whole words", "no pattern", "endless"],
)
async def test_a_rule_that_matches_says_how_long_to_wait(tmp_path: Path, rules: list[Any], told_ms: int | None) -> None:
    async with server(tmp_path) as (_, client):
        told, silence_ms = await held(tmp_path, client, assistant(*rules))
    if told_ms is None:
        assert told == []
    else:
        assert {each.wait_ms for each in told} == {told_ms} and told[-1].text == HEARD
        assert told_ms <= silence_ms < told_ms + 400


async def test_a_server_that_is_asked_says_how_long_to_wait(tmp_path: Path) -> None:
    answers: list[Any] = [{"timeoutSeconds": 1.7}]

    async def answer(came: Received) -> Any:
        return answers[0] if came.json["message"]["type"] == "call.endpointing.request" else {}

    async with receiving(Receiver(answer)) as receiver, server(tmp_path) as (_, client):
        own = {"provider": "custom-endpointing-model", "server": {"url": f"{receiver.url}/end", "secret": "s3cret"}}
        told, silence_ms = await held(tmp_path, client, assistant(smartEndpointingPlan=own))
        assert told[-1] == ev.WaitTold(1, 1700, HEARD)
        assert 1700 <= silence_ms < 2100
        asked = [each for each in receiver.received if each.path == "/end"]
        assert {each.headers["x-vapi-secret"] for each in asked} == {"s3cret"}
        message = asked[-1].json["message"]
        assert [(each["role"], each["message"]) for each in message["messages"]][-2:] == [
            ("bot", "What is your number?"), ("user", HEARD),
        ]  # fmt: skip
        assert message["messagesOpenAIFormatted"][-1] == {"role": "user", "content": HEARD}
        assert message["call"]["id"]

        for useless in (Response(b"no", 500), {"timeoutSeconds": "1"}, {"timeoutSeconds": True}, Response(b"{"), []):
            answers[0] = useless
            told, silence_ms = await held(tmp_path, client, assistant(smartEndpointingPlan=own))
            assert told == [] and silence_ms < 1700, "what the words say counts"

        answers[0] = {"timeoutSeconds": 0.9}
        beside = {"url": receiver.url, "secret": "other"}
        plan = assistant(smartEndpointingPlan={"provider": "custom-endpointing-model"})
        told, _ = await held(tmp_path, client, {**plan, "server": beside, "serverMessages": []})
        assert told[-1].wait_ms == 900, "the assistant's own server, where the plan names none"


async def test_a_function_of_the_odds_says_how_long_to_wait(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        function = {"provider": "livekit", "waitFunction": "2600 + 0 * x"}
        _, silence_ms = await held(tmp_path, client, assistant(smartEndpointingPlan=function))
        assert 2600 <= silence_ms < 3000


async def test_what_has_no_effect_is_named(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        rules = [by("customer", 1, "(five|("), by("assistant", 1, "fine")]
        plan = {
            "customEndpointingRules": rules,
            "smartEndpointingPlan": {"provider": "livekit", "waitFunction": "eval(x)"},
        }
        told = warnings(await client.post("/assistant", json={"startSpeakingPlan": plan}))
        named = {each.partition(":")[0].partition(" ")[0] for each in told if each.startswith("startSpeakingPlan")}
        assert named == {
            "startSpeakingPlan.customEndpointingRules.0.regex", "startSpeakingPlan.smartEndpointingPlan.waitFunction",
        }, told  # fmt: skip
        for wrong in ({"type": "assistant", "regex": "x"}, {"type": "nobody", "regex": "x", "timeoutSeconds": 1}):
            refused = await client.post("/assistant", json={"startSpeakingPlan": {"customEndpointingRules": [wrong]}})
            assert refused.status_code == 400
