"""Whole calls whose assistant has a server: what it is told, what it is asked, and that the call does without it where it hangs."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api_caller import ask, ended, on_socket
from tests.serving import line, place_call, running_server, settings_for, write_assistant
from tests.surfaces.vapi.test_calls import ENGINES
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.calls.secrets import stripped
from antiphon.clock import SystemClock
from antiphon.surfaces.vapi.server_events import request_assistant
from antiphon.surfaces.vapi.server_messages import FINAL
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.egress import Egress
from antiphon.webhooks.target import Target

TOOL = {
    "type": "function",
    "function": {"name": "price", "parameters": {"type": "object", "properties": {"of": {"type": "string"}}}},
    "messages": [{"type": "request-start", "content": "Let me look."}],
}
REPLIES = [{"tool_calls": [{"name": "price", "arguments": {"of": "marmalade"}}]}, "It costs eleven crowns."]


def assistant_of(receiver: Receiver, **fields: Any) -> dict[str, Any]:
    server = {"url": f"{receiver.url}/hook", "secret": "s3cret", "timeoutSeconds": 3}
    options = {**ENGINES["model"]["options"], "replies": REPLIES}
    model = {**ENGINES["model"], "options": options, "tools": [TOOL]}
    return {**ENGINES, "firstMessage": "Good day.", "model": model, "server": server, **fields}


async def runs_the_tool(came: Received) -> Any:
    message = came.json["message"]
    if message["type"] != "tool-calls":
        return {}
    (call,) = message["toolCallList"]
    return {"results": [{"toolCallId": call["id"], "result": f"{call['arguments']['of']}: 11"}]}


async def test_a_call_tells_its_server_and_its_tools_are_run_there(tmp_path: Path) -> None:
    async with (
        receiving(Receiver(runs_the_tool)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        wanted = ["status-update", "speech-update", FINAL, "conversation-update", "assistant.started"]
        assistant = assistant_of(receiver, serverMessages=wanted, metadata={"ticket": 7})
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant")
            caller.say()
            await caller.until(lambda: any("eleven" in m.get("transcript", "") for m in caller.told("transcript")))
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        async with asyncio.timeout(60):
            while not any(message.get("status") == "ended" for message in receiver.messages):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        record = await ended(client, call["id"])
    assert {came.headers["x-vapi-secret"] for came in receiver.received} == {"s3cret"}
    messages = receiver.messages
    assert {message["call"]["id"] for message in messages} == {call["id"]}
    assert [message["status"] for message in messages if message["type"] == "status-update"] == [
        "queued", "in-progress", "ended",
    ]  # fmt: skip
    assert messages[-1]["endedReason"] == record["endedReason"]
    finals = [(message["role"], message["transcript"]) for message in messages if message["type"] == FINAL]
    assert ("user", "what is the price of marmalade") in finals
    assert any("Let me look. It costs eleven crowns." in text for role, text in finals if role == "assistant")
    kinds = Counter(message["type"] for message in messages)
    assert kinds["tool-calls"] == 1, "a tool's own request, and no event beside it"
    (asked,) = (message for message in messages if message["type"] == "tool-calls")
    assert asked["toolCalls"][0]["function"] == {"name": "price", "arguments": {"of": "marmalade"}}
    assert asked["artifact"]["messages"][-1]["role"] in ("tool_calls", "user")
    assert asked["assistant"]["metadata"] == {"ticket": 7}
    told = [message for message in messages if message["type"] == "conversation-update"][-1]
    assert [entry["role"] for entry in told["conversation"]].count("tool") == 1
    assert b"s3cret" not in b"".join(came.body for came in receiver.received)
    stamps = [
        message["timestamp"] for message in messages if message["type"] != "tool-calls"
    ]  # which waits for no event
    assert stamps == sorted(stamps)


async def test_a_tool_ends_the_call_with_the_assistant_s_goodbye(tmp_path: Path) -> None:
    async with (
        receiving(Receiver()) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        model = {
            "provider": "scripted",
            "options": {"replies": [{"tool_calls": [{"name": "endCall"}]}]},
            "tools": [{"type": "endCall"}],
        }
        assistant = assistant_of(receiver, model=model, endCallMessage="Goodbye then.")
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant")
            caller.say()
            await caller.until(lambda: caller.closed)
        assert caller.told("transcript", role="assistant")[-1]["transcript"] == "Goodbye then."
        assert (await ended(client, call["id"]))["endedReason"] == "assistant-ended-call"


FILE = """
name: Files
firstMessage: Good day.
transcriber: {{ provider: scripted, options: {{ transcripts: [what is the price of marmalade] }} }}
model:
  provider: scripted
  options: {{ first_token_ms: 40, replies: [{{ tool_calls: [{{ name: price, arguments: {{ of: marmalade }} }}] }}, It costs eleven.] }}
  tools:
    - {{ type: function, function: {{ name: price }}, server: {{ url: "{url}/tool", secret: t00l }} }}
voice: {{ provider: scripted, options: {{ ms_per_character: 30, first_chunk_ms: 20 }} }}
startSpeakingPlan: {{ waitSeconds: 0.3, transcriptionEndpointingPlan: {{ onNoPunctuationSeconds: 0.3 }} }}
server: {{ url: "{url}/hook" }}
"""


@pytest.mark.parametrize("api", [True, False])
async def test_the_telephone_and_an_assistant_file(tmp_path: Path, api: bool) -> None:
    """With the REST API and without it."""
    from antiphon.config import Api

    async with receiving(Receiver(runs_the_tool)) as receiver:
        folder = write_assistant(tmp_path / "assistants")
        (folder / "files.yaml").write_text(FILE.format(url=receiver.url), encoding="utf-8")
        settings = settings_for(tmp_path, assistant="files", api=Api(enabled=api))
        async with running_server(settings) as (antiphon, _):
            report = await place_call(antiphon.settings.base_url, line())
            assert report.turns
            messages = await receiver.wait_for_types("status-update", "tool-calls", "speech-update")
            async with asyncio.timeout(60):
                while not any(message.get("status") == "ended" for message in receiver.messages):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
    tool = next(came for came in receiver.received if came.path == "/tool")
    assert tool.headers["x-vapi-secret"] == "t00l"
    assert tool.json["message"]["call"]["customer"]["number"] == "+15557771234"
    assert messages[0]["call"]["type"] == "inboundPhoneCall"
    assert messages[0]["assistant"]["name"] == "Files"


async def test_a_server_that_hangs_costs_the_call_nothing(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def hangs(came: Received) -> Any:
        await over.wait()

    async with (
        receiving(Receiver(hangs)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        options = {"replies": ["It costs eleven crowns."], "first_token_ms": 40}
        model = {**ENGINES["model"], "options": options}
        call = await ask(client, assistant=assistant_of(receiver, model=model))
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        assert (await ended(client, call["id"]))["endedReason"] == "customer-ended-call"
        over.set()  # or the server that stops, and the receiver, would each wait for it


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"assistantId": "a", "assistantOverrides": {}}, {"assistantId": "a", "assistantOverrides": {}}),
        ({"error": "We are closed."}, {"error": "We are closed."}),
        ({}, {}),
        (["assistantId"], None),
        (Response(b"no", 200), None),
        (Response(b'{"assistantId": "a"}', 500), None),
    ],
)
async def test_which_assistant_takes_a_call(answer: Any, expected: Any) -> None:
    async def answers(came: Received) -> Any:
        return answer

    clock = SystemClock()
    client = WebhookClient(Egress(allow_loopback=True), clock)
    call = {"id": "c1", "customer": {"number": "+15550100"}}
    async with receiving(Receiver(answers)) as receiver:
        assert await request_assistant(client, Target(receiver.url), call, 5) == expected
    await client.close()
    assert receiver.messages == [
        {"type": "assistant-request", "timestamp": 5, "call": call, "customer": {"number": "+15550100"}}
    ]


def test_what_opens_servers_is_shown_to_none() -> None:
    server = {"url": "https://a.test", "secret": "x", "headers": {"authorization": "x"}}
    tools = [{"type": "function", "server": server}, {"type": "apiRequest", "headers": {"k": "x"}}]
    shown = stripped({"name": "A", "server": server, "serverUrlSecret": "x", "model": {"tools": tools}})
    bare = {"url": "https://a.test"}
    assert shown == {
        "name": "A",
        "server": bare,
        "model": {"tools": [{"type": "function", "server": bare}, {"type": "apiRequest"}]},
    }
