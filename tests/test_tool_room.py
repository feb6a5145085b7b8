"""An assistant's tools over real HTTP: who runs them, with what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.responses import JSONResponse
from tests.tools.mcp_server import mcp_server
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.assistants.spec import parse_assistant
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import SystemClock
from antiphon.errors import ConfigurationError
from antiphon.knowledge.library import StoredText
from antiphon.tool_room import ToolRoom
from antiphon.tools.composite import CompositeTools
from antiphon.tools.webhook import CallFacts
from antiphon.vocabulary import CallContext, EndReason, Message, ToolAnswer, ToolCall
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.egress import Egress
from antiphon.webhooks.signing import Bearer

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


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("def look(x): ...", "my.py:4: tools_file: look: parameter x must be named and have a type hint"),
        ("def look(x: Nobody): ...", "my.py:4: tools_file: look: NameError: name 'Nobody' is not defined"),
        ("def look(x: int): ...\n\n@tool(name='look')\ndef twice(x: int): ...", "my.py:7: tools_file: look: there is a tool of this name"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_function_is_told_with_its_line(
    room: ToolRoom, tmp_path: Path, function: str, says: str
) -> None:
    path = tmp_path / "my.py"
    head = "from __future__ import annotations\nfrom antiphon.tools import tool\n\n@tool\n"
    path.write_text(head + function + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        room.declare(path)
    assert str(raised.value).startswith(says)


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
    filled = {"type": "apiRequest", "name": "filled", "url": "{{ scheme }}://[", "method": "GET"}
    spec = assistant(wrong, metadata, filled)
    assert (await asked(room, spec, "wrong")).failed
    assert (await asked(room, spec, "keys", "t2")).failed
    assert await asked(room, spec, "filled", "t3", scheme="http") == ToolAnswer(
        "The request could not be written.", failed=True
    )


async def test_functions_of_this_process_and_those_nobody_runs(room: ToolRoom) -> None:
    spec = assistant(
        {"type": "function", "function": {"name": "book_appointment"}}, server={"url": "http://127.0.0.1:9"}
    )
    answer = await asked(room, spec, "book_appointment", date="2031-05-05", time="10:00", name="Ann")
    assert '"booked": true' in answer
    with pytest.raises(ConfigurationError, match="look: no such tool here"):
        room.runner(assistant(LOOK))
    assert room.runner(assistant()) is None
    assert room.runner(assistant({"type": "sms"})) is None


async def test_answers_say_variables_that_later_tools_may_use(room: ToolRoom) -> None:
    told: list[Any] = []
    room.variables.on_change = lambda call_id, values: told.append((call_id, values))

    async def answer(came: Received) -> Any:
        if came.path == "/hook":
            (call,) = came.json["message"]["toolCallList"]
            result = {"customer": {"id": 7, "name": "Ann", "notes": "none"}}
            # As most applications send it: JSON in a text.
            return {"results": [{"toolCallId": call["id"], "result": orjson.dumps(result).decode()}]}
        return JSONResponse({"stock": 3}, headers={"x-shelf": "B4"})

    async with receiving(Receiver(answer)) as receiver:
        customer = {"type": "object", "properties": {"id": {"type": "number"}}}
        look = {
            **LOOK,
            "server": {"url": f"{receiver.url}/hook"},
            "variableExtractionPlan": {
                "schema": {"type": "object", "properties": {"customer": customer}},
                "aliases": [{"key": "greeting", "value": "Hello {{ customer.name }} ({{ tier }})"}],
            },
        }
        stock = {
            "type": "apiRequest", "name": "stock", "url": receiver.url + "/of/{{ customer.id }}",
            "parameters": [{"key": "say", "value": "{{ greeting }}"}],
            "variableExtractionPlan": {
                "aliases": [{"key": "shelf", "value": "{{ tool.response.headers.x-shelf }}: {{ $.stock }}"}]
            },
        }  # fmt: skip
        spec = assistant(look, stock)
        await asked(room, spec, "look", "t1")
        await asked(room, spec, "stock", "t2")
        assert receiver.received[1].path == "/of/7"
        assert receiver.received[1].json == {"say": "Hello Ann (gold)"}
    assert told[-1] == ("c1", {"customer": {"id": 7}, "greeting": "Hello Ann (gold)", "shelf": "B4: 3"})
    room.observer.call_ended("c1", 0, EndReason.CUSTOMER_ENDED)
    assert room.variables.of("c1") == {}


async def test_what_failed_says_no_variables(room: ToolRoom) -> None:
    async def answer(came: Received) -> Any:
        if came.path == "/hook":
            return {"results": [{"toolCallId": "t1", "error": "gone", "result": {"id": 7}}]}
        return JSONResponse({"id": 7}, status_code=404)

    async with receiving(Receiver(answer)) as receiver:
        plan = {"schema": {"type": "object", "properties": {"id": {}}}}
        look = {**LOOK, "server": {"url": f"{receiver.url}/hook"}, "variableExtractionPlan": plan}
        stock = {"type": "apiRequest", "name": "stock", "url": receiver.url, "variableExtractionPlan": plan}
        spec = assistant(look, stock)
        assert (await asked(room, spec, "look", "t1")).failed
        assert (await asked(room, spec, "stock", "t2")).failed
    assert room.variables.of("c1") == {}


async def test_calls_of_whatever_tool_can_be_refused(room: ToolRoom) -> None:
    goodbye = {"type": "regex", "regex": "(?i)bye", "target": {"role": "user"}, "negate": True}
    plan = {"conditions": [goodbye, {"type": "liquid", "liquid": "{% if tier == 'gold' %}true{% endif %}"}]}
    book = {"type": "function", "function": {"name": "book_appointment"}, "rejectionPlan": plan}
    runner = room.runner(assistant({"type": "endCall", "rejectionPlan": plan}, book))
    assert runner is not None
    early = replace(CONTEXT, messages=(Message("user", "I have a question"),))
    late = replace(CONTEXT, messages=(Message("user", "Goodbye"),))
    arguments = {"date": "2031-05-05", "time": "10:00", "name": "Ann"}
    for name in ("endCall", "book_appointment"):
        refused = await runner.run(ToolCall(f"t-{name}", name, arguments), early)
        assert isinstance(refused, ToolAnswer) and refused.failed and not refused.ends_call
    ends = await runner.run(ToolCall("t-endCall", "endCall"), late)
    assert isinstance(ends, ToolAnswer) and ends.ends_call, "what was refused before may be run now"
    booked = await runner.run(ToolCall("t-book_appointment", "book_appointment", arguments), late)
    assert isinstance(booked, str) and '"booked": true' in booked


async def test_tools_of_mcp_servers_are_offered_once_they_have_been_named(room: ToolRoom) -> None:
    async with mcp_server() as shop, mcp_server("sse") as other:
        messages = [{"type": "request-start", "content": "One moment."}]
        first = {
            "type": "mcp",
            "server": {"url": shop.url, "secret": "s3cret", "headers": {"x-tenant": "7"}, "timeoutSeconds": 3},
            "messages": messages,
            "toolMessages": [{"name": "say.it", "messages": []}],
        }
        second = {"type": "mcp", "server": {"url": other.url}, "metadata": {"protocol": "sse"}}
        away = {"type": "mcp", "server": {"url": "http://127.0.0.1:9/mcp"}}
        runner = room.runner(assistant({"type": "endCall"}, first, second, away))
        assert isinstance(runner, CompositeTools)
        assert [spec.name for spec in runner.specs()] == ["endCall"]
        assert [field for field, _ in runner.missing()] == ["model.tools.1", "model.tools.2", "model.tools.3"]
        await runner.load()
        specs = {spec.name: spec for spec in runner.specs()}
        assert list(specs) == ["endCall", "stock", "say_it", "broken", "slow"]
        assert [said.text for said in specs["stock"].words.start + specs["say_it"].words.start] == ["One moment."]
        assert specs["stock"].deadline_ms == 3000
        assert specs["stock"].description == "How many of an article there are."
        told = dict(runner.missing())
        assert "stock, say_it, broken, slow: there is a tool of this name already" in told["model.tools.2"]
        assert "not offered: the server did not answer" in told["model.tools.3"] and "model.tools.1" not in told
        assert await runner.run(ToolCall("t1", "say_it", {"text": "hi"}), CONTEXT) == ToolAnswer("It says hi.")
        assert await runner.run(ToolCall("t1", "say_it", {"text": "hi"}), CONTEXT) == ToolAnswer("It says hi.")
        assert {headers["x-vapi-secret"] for _, headers in shop.requests} == {"s3cret"}
        room.observer.call_ended("c1", 0, EndReason.CUSTOMER_ENDED)
        await shop.until(lambda: shop.methods().count("DELETE") == 2)


async def test_files_are_asked_for_the_organisation_whose_call_it_is(room: ToolRoom) -> None:
    asked_for: list[tuple[str, str]] = []

    async def look(org_id: str, id: str) -> StoredText | None:
        asked_for.append((org_id, id))
        return StoredText("menu.txt", "1", lambda: b"Soup costs four crowns.") if id == "f1" else None

    room.looks.append(look)
    room.knowledge._meaning = None  # the words alone: the model has tests of its own
    base = {"provider": "google", "name": "menu", "description": "What there is to eat.", "fileIds": ["f1", "gone"]}
    spec = assistant({"type": "query", "function": {"name": "look_up"}, "knowledgeBases": [base]})
    answer = await asked(room, spec, "look_up", "t1", query="What is the price of the soup?")
    assert answer == ToolAnswer("[menu.txt] Soup costs four crowns.")
    room.facts = lambda context: CallFacts(org_id="o2")
    await asked(room, spec, "look_up", "t2", query="soup")
    room.facts = None
    in_text = room.runner(spec)
    assert in_text is not None
    await in_text.run(ToolCall("t3", "look_up", {"query": "soup"}), replace(CONTEXT, org_id="o3"))
    assert {org for org, _ in asked_for} == {DEFAULT_ORG, "o2", "o3"}
    runner = room.runner(spec)
    assert runner is not None and "menu: What there is to eat." in runner.specs()[0].description
    assert room.runner(assistant({"type": "query", "knowledgeBases": []})) is None


async def test_a_request_to_an_api_is_authenticated_by_its_credential(room: ToolRoom) -> None:
    async def authenticate(org_id: str, id: str) -> Bearer:
        if id == "gone":
            raise ConfigurationError("credentialId", "there is none")
        return Bearer(f"token of {org_id}'s {id}")

    room.authenticate = authenticate
    room.facts = lambda context: CallFacts(org_id="o2")
    async with receiving(Receiver()) as receiver:
        stock = {"type": "apiRequest", "name": "stock", "url": receiver.url, "credentialId": "c7"}
        spec = assistant(stock, {**stock, "name": "unproven", "credentialId": "gone"})
        assert not (await asked(room, spec, "stock", "t1")).failed
        assert (await asked(room, spec, "unproven", "t2")).failed
    assert [came.headers["authorization"] for came in receiver.received] == ["Bearer token of o2's c7"]


async def test_a_function_of_this_process_says_what_its_assistant_does_not(room: ToolRoom, tmp_path: Path) -> None:
    file = tmp_path / "tools.py"
    file.write_text(
        "from antiphon.tools import tool\n\n@tool(deadline_s=2)\ndef look(sku: str) -> str:\n    'Looks.'\n    return sku\n"
    )
    room.declare(file)
    own = {"name": "look", "description": "Looks it up.", "parameters": {"type": "object", "properties": {}}}
    bare, full = (room.runner(assistant({"type": "function", "function": said})) for said in (LOOK["function"], own))
    assert bare is not None and full is not None
    (spec,), (other,) = bare.specs(), full.specs()
    assert (spec.description, spec.deadline_ms, list(spec.parameters["properties"])) == ("Looks.", 2000, ["sku"])
    assert (other.description, other.parameters) == ("Looks it up.", own["parameters"])
    assert await bare.run(ToolCall("t1", "look", {"sku": "a1"}), CONTEXT) == "a1"


@pytest.mark.parametrize(
    ("statuses", "plan", "asks", "failed"),
    [
        ([503, 200], None, 1, True),
        ([503, 500, 200], {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0}, 3, False),
        ([503, 503, 503], {"type": "exponential", "maxRetries": 1, "baseDelaySeconds": 0.01}, 2, True),
        ([404, 200], {"maxRetries": 3, "baseDelaySeconds": 0, "excludedStatusCodes": [404]}, 1, True),
    ],
)
@pytest.mark.parametrize("kind", ["function", "apiRequest"])
async def test_a_request_that_failed_is_made_again_where_its_author_says_so(
    room: ToolRoom, kind: str, statuses: list[int], plan: dict[str, Any] | None, asks: int, failed: bool
) -> None:
    left = list(statuses)

    async def answer(came: Received) -> Any:
        return JSONResponse({"results": [{"toolCallId": "t1", "result": "three"}]}, left.pop(0))

    async with receiving(Receiver(answer)) as server:
        again = {"backoffPlan": plan} if plan else {}
        tool: dict[str, Any] = {**LOOK, "server": {"url": server.url, **again}}
        if kind == "apiRequest":
            tool = {"type": kind, "name": "look", "url": server.url, "method": "POST", **again}
        got = await asked(room, assistant(tool), "look")
    assert (got.failed, len(server.received)) == (failed, asks)
    assert len({each.headers.get("webhook-id") for each in server.received}) == 1
    assert {each.headers.get("idempotency-key") for each in server.received} == {"t1"}, "it can be known again"


async def test_an_address_that_may_not_be_called_is_asked_for_once(room: ToolRoom) -> None:
    plan = {"maxRetries": 9, "baseDelaySeconds": 10}
    tool = {**LOOK, "server": {"url": "http://10.0.0.1", "backoffPlan": plan}}
    assert (await asked(room, assistant(tool), "look")).failed
