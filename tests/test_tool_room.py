"""An assistant's tools over real HTTP: who runs them, with what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.assistants.spec import parse_assistant
from antiphon.clock import SystemClock
from antiphon.errors import ConfigurationError
from antiphon.tool_room import ToolRoom
from antiphon.tools.webhook import CallFacts
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.egress import Egress

CONTEXT = CallContext("c1", "+15550111", {"tier": "gold"})
LOOK = {"type": "function", "function": {"name": "look"}}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[ToolRoom]:
    clock = SystemClock()
    made = ToolRoom(tmp_path / "bookings.sqlite3", WebhookClient(Egress(allow_loopback=True), clock), clock)
    yield made
    await made.close()


def assistant(*tools: dict[str, Any], **fields: Any) -> Any:
    return parse_assistant({"model": {"provider": "x", "tools": list(tools)}, **fields})


async def asked(room: ToolRoom, spec: Any, tool: str, id: str = "t1", **arguments: Any) -> Any:
    runner = room.runner(spec)
    assert runner is not None
    return await runner.run(ToolCall(id, tool, arguments), CONTEXT)


async def test_a_tool_s_server_comes_before_the_assistant_s(room: ToolRoom) -> None:
    async def answer(came: Received) -> Any:
        (call,) = came.json["message"]["toolCallList"]
        return {"results": [{"toolCallId": call["id"], "result": came.path}]}

    async with receiving(Receiver(answer)) as receiver:
        own = {"url": f"{receiver.url}/own", "secret": "s3cret", "headers": {"x-tenant": "7"}}
        spec = assistant(
            {**LOOK, "server": own, "parameters": [{"key": "tier", "value": "{{ tier }}"}]},
            {"type": "function", "function": {"name": "find"}},
            server={"url": f"{receiver.url}/assistant"},
        )
        assert (await asked(room, spec, "look", "t1")).content == "/own"
        assert (await asked(room, spec, "look", "t1")).content == "/own"
        assert (await asked(room, spec, "find", "t2")).content == "/assistant"
    first, second = receiver.received
    assert (first.headers["x-vapi-secret"], first.headers["x-tenant"]) == ("s3cret", "7")
    assert (first.headers["idempotency-key"], second.headers["idempotency-key"]) == ("t1", "t2")
    message = first.json["message"]
    assert message["call"] == {"id": "c1", "customer": {"number": "+15550111"}}
    assert message["toolCallList"][0]["arguments"] == {"tier": "gold"}
    assert "s3cret" not in first.body.decode()


async def test_a_request_to_an_api(room: ToolRoom) -> None:
    async def answer(came: Received) -> Any:
        return JSONResponse({"stock": 3}, status_code=404 if "/missing" in came.path else 200)

    room.facts = lambda context: CallFacts(variables={"customer": {"number": context.caller, "name": "Ann"}})
    async with receiving(Receiver(answer)) as receiver:
        headers = {"type": "object", "properties": {"x-name": {"type": "string", "value": "{{ customer.name }}"}}}
        body = {"type": "object", "properties": {"sku": {"type": "string"}}}
        post = {
            "type": "apiRequest", "name": "stock", "url": receiver.url + "/{{ sku }}", "headers": headers, "body": body,
            "parameters": [{"key": "shop", "value": {"city": "{{ customer.number }}"}}],
        }  # fmt: skip
        get = {**post, "name": "find", "method": "GET"}
        spec = assistant(post, get)
        runner = room.runner(spec)
        assert runner is not None and [tool.parameters for tool in runner.specs()] == [body, body]
        assert await asked(room, spec, "stock", "t1", sku="a1") == ToolAnswer('{"stock":3}')
        assert (await asked(room, spec, "find", "t2", sku="missing")).failed
    first, second = receiver.received
    assert (first.method, first.path, first.headers["x-name"]) == ("POST", "/a1", "Ann")
    assert first.json == {"sku": "a1", "shop": {"city": "+15550111"}}
    assert (second.method, second.path.partition("?")[0]) == ("GET", "/missing")


async def test_a_template_that_is_none_and_an_address_that_is_refused(room: ToolRoom) -> None:
    wrong = {"type": "apiRequest", "name": "wrong", "url": "https://example.test/{{"}
    metadata = {"type": "apiRequest", "name": "keys", "url": "http://169.254.169.254/latest"}
    spec = assistant(wrong, metadata)
    assert (await asked(room, spec, "wrong")).failed
    assert (await asked(room, spec, "keys", "t2")).failed


async def test_functions_of_this_process_and_those_nobody_runs(room: ToolRoom) -> None:
    spec = assistant(
        {"type": "function", "function": {"name": "book_appointment"}}, server={"url": "http://127.0.0.1:9"}
    )
    answer = await asked(room, spec, "book_appointment", date="2031-05-05", time="10:00", name="Ann")
    assert '"booked": true' in answer
    with pytest.raises(ConfigurationError, match="look: no such tool here"):
        room.runner(assistant(LOOK))
    assert room.runner(assistant()) is None
    assert room.runner(assistant({"type": "voicemail"})) is None
