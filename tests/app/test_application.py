"""An application over real HTTP: what it takes, what it answers, and that it acts once."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.webhooks.receiver import served

from antiphon.app import (
    Application,
    Bounds,
    Call,
    ToolCall,
    hmac_signature,
    shared_secret,
    standard_webhooks,
)
from antiphon.clock import ManualClock
from antiphon.errors import ConfigurationError
from antiphon.webhooks import signing

SECRET = {"x-vapi-secret": "s3cret"}


@asynccontextmanager
async def at(application: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        served(application, lifespan=True) as url,
        httpx.AsyncClient(base_url=url, headers=SECRET, timeout=10) as client,
    ):
        yield client


def application(**given: Any) -> Application:
    return Application(shared_secret("s3cret"), **given)


def tool_calls(*asked: Mapping[str, Any], call: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"message": {"type": "tool-calls", "call": {"id": call}, "toolCallList": list(asked), **fields}}


def asked(name: str, id: str = "t1", **arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


async def results(client: httpx.AsyncClient, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post("/", json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def test_tools_are_described_checked_and_answered_by_their_ids() -> None:
    app = application()

    @app.tool
    async def weather(city: str, day: dt.date, unit: Literal["c", "f"] = "c", *, call: Call, asked: ToolCall) -> str:
        """Tells the
        weather."""
        return f"{city} {day:%A} {unit}\n{call.caller} {asked.id}"

    @app.tool(name="add", deadline_s=2)
    def add_numbers(a: int, b: int) -> dict[str, int]:
        assert threading.current_thread() is not threading.main_thread(), "plain functions run in threads"
        return {"sum": a + b}

    described = app.documents("https://app.test/tools", "t00l")
    assert [tool["function"]["name"] for tool in described] == ["weather", "add"]
    assert described[0]["function"]["description"] == "Tells the weather."
    assert described[0]["function"]["parameters"]["required"] == ["city", "day"]
    assert described[1]["server"] == {"url": "https://app.test/tools", "secret": "t00l", "timeoutSeconds": 3}
    async with at(app) as client:
        body = tool_calls(
            asked("weather", "t1", city="Rome", day="2026-05-13"),
            asked("add", "t2", a=1, b="2"),
            asked("add", "t3", a="one", b=2),
            asked("cook", "t4"),
            customer={"number": "+15550111"},
        )
        found = await results(client, body)
    assert [(one["toolCallId"], one["name"]) for one in found] == [
        ("t1", "weather"), ("t2", "add"), ("t3", "add"), ("t4", "cook"),
    ]  # fmt: skip
    assert found[0]["result"] == "Rome Wednesday c +15550111 t1", "on one line"
    assert found[1]["result"] == '{"sum":3}'
    assert "argument a" in found[2]["error"] and "one" not in found[2]["error"]
    assert found[3]["error"] == "There is no tool cook."


@pytest.mark.parametrize(
    "message",
    [
        {"toolCalls": [{"id": "t1", "function": {"name": "echo", "arguments": '{"text": "hi"}'}}]},
        {"toolCallList": [{"id": "t1", "name": "echo", "parameters": {"text": "hi"}}]},
        {"toolWithToolCallList": [{"type": "function", "function": {"name": "echo", "parameters": {}},
                                   "toolCall": {"id": "t1", "function": {"name": "echo", "parameters": {"text": "hi"}}}}]},
    ],
)  # fmt: skip
async def test_calls_are_read_wherever_they_stand(message: dict[str, Any]) -> None:
    app = application()

    @app.tool
    def echo(text: str) -> str:
        return text

    async with at(app) as client:
        said = {"message": {"type": "tool-calls", "call": {"id": "c"}, **message}}
        assert await results(client, said) == [{"toolCallId": "t1", "name": "echo", "result": "hi"}]
        old = {"message": {"type": "function-call", "functionCall": {"name": "echo", "parameters": {"text": "old"}}}}
        assert (await client.post("/", json=old)).json() == {"result": "old"}


async def test_the_same_tool_call_acts_once_even_while_it_is_at_work() -> None:
    app, begun, may_end = application(), asyncio.Event(), asyncio.Event()
    times: list[str] = []

    @app.tool
    async def book(call: Call) -> int:
        times.append(call.id)
        begun.set()
        await may_end.wait()
        return len(times)

    async with at(app) as client:
        first = asyncio.create_task(results(client, tool_calls(asked("book"), timestamp=1)))
        await begun.wait()
        second = asyncio.create_task(results(client, tool_calls(asked("book"), timestamp=2)))
        may_end.set()
        one = [{"toolCallId": "t1", "name": "book", "result": "1"}]
        assert (await first, await second) == (one, one)
        assert await results(client, tool_calls(asked("book"), timestamp=3)) == one
        (other,) = await results(client, tool_calls(asked("book"), call="c2"))
        assert other["result"] == "2", "the same id in another call is another call"
    assert times == ["c1", "c2"]


async def test_a_tool_past_its_deadline_is_told_and_its_work_goes_on() -> None:
    app, may_end, ended = application(), asyncio.Event(), asyncio.Event()

    @app.tool(deadline_s=0.05)
    async def slow() -> str:
        await may_end.wait()
        ended.set()
        return "booked"

    @app.tool
    def breaks() -> None:
        raise RuntimeError("what was said")

    async with at(app) as client:
        late, broken = await results(client, tool_calls(asked("slow"), asked("breaks", "t2"), timestamp=1))
        assert late["error"] == "The application did not answer in time."
        assert broken["error"] == "The tool failed."
        may_end.set()
        await asyncio.wait_for(ended.wait(), 5)
        (again,) = await results(client, tool_calls(asked("slow"), timestamp=2))
        assert again["result"] == "booked"


async def test_a_delivery_that_comes_again_is_answered_as_it_was() -> None:
    app = application()
    told: list[Any] = []
    failures = [RuntimeError("the database is away")]

    @app.on("end-of-call-report")
    async def over(message: Mapping[str, Any], call: Call) -> None:
        if failures:
            raise failures.pop()
        told.append((message["endedReason"], call.id, call.ended))

    @app.on("*")
    def others(message: Mapping[str, Any]) -> None:
        told.append(message["type"])

    async with at(app) as client:
        report = {"message": {"type": "end-of-call-report", "endedReason": "x", "call": {"id": "c1"}}}
        assert (await client.post("/", json=report)).status_code == 500, "it comes again"
        for _ in range(3):
            answer = await client.post("/anywhere/below", json=report)
            assert (answer.status_code, answer.json()) == (200, {})
        await client.post("/", json={"message": {"type": "hang"}})
        assert told == [("x", "c1", True), "hang"]
        assert app.call("c1") is not None


async def test_an_assistant_request_is_answered_or_said_to_have_no_answer() -> None:
    silent, app = application(), application()

    @app.on("assistant-request")
    async def who(message: Mapping[str, Any], call: Call) -> dict[str, Any]:
        return {"assistantId": "a", "assistantOverrides": {"variableValues": {"caller": call.caller}}}

    ringing = {"message": {"type": "assistant-request", "call": {"id": "c1", "customer": {"number": "+1555"}}}}
    async with at(app) as client, at(silent) as other:
        assert (await client.post("/", json=ringing)).json() == {
            "assistantId": "a", "assistantOverrides": {"variableValues": {"caller": "+1555"}},
        }  # fmt: skip
        assert (await other.post("/", json=ringing)).status_code == 501
        assert (await other.post("/", json={"message": {"type": "status-update"}})).json() == {}


async def test_what_is_returned_is_written_as_json_or_said_not_to_be() -> None:
    app = application()

    @app.on("hang")
    def hang(message: Mapping[str, Any]) -> Any:
        return {dt.date(2031, 5, 5): {1, 2}, 7: dt.time(9)} if message.get("fine") else {"huge": 1 << 80}

    @app.tool
    def huge() -> int:
        return 1 << 80

    async with at(app) as client:
        fine = await client.post("/", json={"message": {"type": "hang", "fine": True}})
        assert fine.json() == {"2031-05-05": "{1, 2}", "7": "09:00:00"}
        assert (await client.post("/", json={"message": {"type": "hang"}})).status_code == 500
        (found,) = await results(client, tool_calls(asked("huge")))
        assert found["error"] == "The tool's result cannot be written as JSON."


async def test_a_handler_past_its_deadline_is_joined_by_the_delivery_that_comes_again() -> None:
    app, may_end = application(), asyncio.Event()
    times = []

    @app.on("end-of-call-report", deadline_s=0.05)
    async def over(message: Mapping[str, Any]) -> None:
        times.append(message)
        await may_end.wait()

    async with at(app) as client:
        report = {"message": {"type": "end-of-call-report", "call": {"id": "c1"}}}
        late = await client.post("/", json=report)
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        may_end.set()
        assert (await client.post("/", json=report)).status_code == 200
    assert len(times) == 1


async def test_what_is_not_proven_not_posted_or_no_delivery_is_refused() -> None:
    app = application(bounds=Bounds(body_bytes=200))
    told = []

    @app.on("*")
    def heard(message: Mapping[str, Any]) -> None:
        told.append(message)

    async with at(app) as client:
        delivery = {"message": {"type": "status-update"}}
        assert (await client.get("/")).status_code == 405
        assert (await client.post("/", json=delivery, headers={"x-vapi-secret": "other"})).status_code == 401
        assert (await client.post("/", json={"message": {"type": "x", "fill": "y" * 300}})).status_code == 413
        for wrong in (b"{", b"[]", b"{}", b'{"message": 7}', b'{"message": {"type": 7}}', b"\xff"):
            assert (await client.post("/", content=wrong)).status_code == 400
        assert told == []
        many = tool_calls(*({"id": f"t{number}", "name": "x"} for number in range(40)))
    async with at(application()) as client:
        assert (await client.post("/", json=many)).status_code == 413
        assert (await client.post("/", json=tool_calls())).status_code == 400


async def test_signed_deliveries_are_taken_once_within_their_time() -> None:
    clock = ManualClock()
    app = Application(standard_webhooks("whsec_c2VjcmV0LXNlY3JldA=="), hmac_signature("k3y"), clock=clock)
    told = []

    @app.on("status-update")
    def heard(message: Mapping[str, Any]) -> None:
        told.append(message["status"])

    def signed(plan: signing.Hmac, status: str, id: str) -> dict[str, Any]:
        body = orjson.dumps({"message": {"type": "status-update", "status": status}})
        headers = signing.signed_headers(plan, signing.Signed(body), clock.wall_ms() // 1000, id)
        return {"content": body, "headers": headers}

    ours, platform = signing.standard_webhooks("whsec_c2VjcmV0LXNlY3JldA=="), signing.Hmac("k3y")
    async with at(app) as client:
        first = signed(ours, "ringing", "msg_1")
        for _ in range(2):
            assert (await client.post("/", **first)).status_code == 200
        assert (await client.post("/", **signed(platform, "ended", ""))).status_code == 200
        assert told == ["ringing", "ended"], "a replay within the tolerance does nothing"
        clock.advance(301_000)
        assert (await client.post("/", **first)).status_code == 401
        clock.advance(3_600_000)
        assert (await client.post("/", **signed(ours, "queued", "msg_1"))).status_code == 200
    assert told == ["ringing", "ended", "queued"], "what was remembered is forgotten"


async def test_no_more_is_at_work_than_allowed() -> None:
    app, begun, may_end = application(bounds=Bounds(running=1)), asyncio.Event(), asyncio.Event()

    @app.on("hang")
    async def hang(message: Mapping[str, Any]) -> None:
        begun.set()
        await may_end.wait()

    async with at(app) as client:
        first = asyncio.create_task(client.post("/", json={"message": {"type": "hang"}}))
        await begun.wait()
        assert (await client.post("/", json={"message": {"type": "hang", "n": 2}})).status_code == 503
        may_end.set()
        assert (await first).status_code == 200


async def test_it_is_mounted_in_another_app() -> None:
    app = application()

    @app.on("hang")
    async def hang(message: Mapping[str, Any]) -> dict[str, Any]:
        return {"heard": message["type"]}

    async with at(Starlette(routes=[Mount("/hooks/antiphon", app)])) as client:
        answer = await client.post("/hooks/antiphon/calls", json={"message": {"type": "hang"}})
        assert answer.json() == {"heard": "hang"}


def test_what_cannot_be_registered() -> None:
    with pytest.raises(ConfigurationError, match="accepts_anybody"):
        Application()
    app = Application(accepts_anybody=True)

    @app.tool
    def good() -> None: ...

    @app.on("hang")
    def hang() -> None: ...

    def untyped(a) -> None: ...  # type: ignore[no-untyped-def]

    def star(*messages: object) -> None: ...

    for function, given in ((good, {}), (untyped, {}), (good, {"name": "a b"}), (good, {"name": "x", "deadline_s": 0})):
        with pytest.raises(ConfigurationError):
            app.tool(**given)(function)
    for kind, function in (("hang", hang), ("tool-calls", hang), ("status-update", star)):
        with pytest.raises(ConfigurationError):
            app.on(kind)(function)
