"""Calls that are handed from one assistant to another, on real sockets: by the model, by the control URL, to whom a server names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.api_caller import SocketCaller, ask, ended, on_socket, transport
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES, server
from tests.webhooks.receiver import Received, Receiver, receiving

PLAN = ENGINES["startSpeakingPlan"]


def desk(name: str, *replies: Any, first: str | None = None, prompt: str = "", **fields: Any) -> dict[str, Any]:
    """An assistant with engines of its own."""
    model = {
        "provider": "scripted",
        "messages": [{"role": "system", "content": prompt or f"You are {name}."}],
        "options": {"replies": list(replies) or [f"{name} speaking."], "first_token_ms": 40},
        **fields.pop("model", {}),
    }
    heard = {"provider": "scripted", "transcripts": [f"hello {name}", f"again {name}"]}
    voice = {"provider": "scripted", "options": {"ms_per_character": 25, "first_chunk_ms": 20}}
    return {"name": name, "model": model, "voice": voice, "transcriber": heard, "startSpeakingPlan": PLAN,
            **({"firstMessage": first} if first is not None else {}), **fields}  # fmt: skip


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": tool, "arguments": arguments}]}


def said(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.get("assistantName", ""), each["message"]) for each in record["messages"] if each["role"] == "bot"]


async def until_said(caller: SocketCaller, text: str) -> dict[str, Any]:
    return await caller.until_told("transcript", role="assistant", transcript=text)


async def test_a_squad_s_member_hands_the_call_to_another(tmp_path: Path) -> None:
    async with server(tmp_path) as (antiphon, client):
        billing = desk("Billing", "Billing speaking.", prompt="Bill {{ customer.name }} as {{ plan }}.")
        stored = (await client.post("/assistant", json=billing)).json()
        destination = {
            "type": "assistant",
            "assistantName": "Billing",
            "message": "I pass you on.",
            "description": "bills",
        }
        squad = {
            "name": "Desk",
            "members": [
                {"assistant": desk("Front", calls("handoff_to_Billing"), first="Front desk."), "assistantDestinations": [destination]},
                {"assistantId": stored["id"]},
            ],
        }  # fmt: skip
        overrides = {"variableValues": {"plan": "gold"}}
        body = {"squad": squad, "squadOverrides": overrides, "customer": {"name": "Ada"}, "transport": transport()}
        answer = await client.post("/call", json=body)
        assert answer.status_code == 201, answer.text
        call = answer.json()
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            assert (await until_said(caller, "Front desk."))["assistantName"] == "Front"
            caller.say()
            await until_said(caller, "I pass you on.")
            told = await until_said(caller, "Billing speaking.")
            assert (told["assistantName"], told["assistantId"]) == ("Billing", stored["id"])
            (update,) = caller.told("transfer-update")
            assert update["destination"] == {"type": "assistant", "assistantName": "Billing"}
            assert (update["fromAssistant"], update["toAssistant"]) == ({"name": "Front"}, {"name": "Billing"})
            assert [each["newAssistant"]["name"] for each in caller.told("assistant.started")] == ["Front", "Billing"]
            caller.say()
            await caller.until_told("transcript", role="user", transcript="hello Billing")
            live = (await client.get(f"/call/{call['id']}")).json()
            assert [each["assistantName"] for each in live["artifact"]["assistantActivations"]] == ["Front", "Billing"]
            history = antiphon.manager.find(call["id"]).conversation.history()  # type: ignore[union-attr]
            systems = [message.content for message in history if message.role == "system"]
            assert systems == ["You are Front.", "Bill Ada as gold."], "a transfer's history rolls on"
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
    assert said(record)[:3] == [("Front", "Front desk."), ("Front", "I pass you on."), ("Billing", "Billing speaking.")]
    assert record["artifact"]["assistantActivations"] == [
        {"assistantName": "Front"}, {"assistantName": "Billing", "assistantId": stored["id"]},
    ]  # fmt: skip


async def test_a_handoff_tool_passes_on_variables_and_what_the_plan_says_of_the_past(tmp_path: Path) -> None:
    destination = {
        "type": "assistant", "assistantId": "", "contextEngineeringPlan": {"type": "none"},
        "variableExtractionPlan": {
            "schema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
            "aliases": [{"key": "shout", "value": "{{ order | upcase }}!"}],
        },
    }  # fmt: skip
    async with server(tmp_path) as (antiphon, client):
        other = desk("Orders", first="Order {{ order }}, {{ shout }}", prompt="Only {{ order }}.")
        stored = (await client.post("/assistant", json=other)).json()
        tool = {"type": "handoff", "destinations": [{**destination, "assistantId": stored["id"]}]}
        name = f"handoff_to_{stored['id']}"
        first = desk("Front", calls(name, order="a7"), first="Front desk.", model={"tools": [tool]})
        call = await ask(client, assistant=first)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "Front desk.")
            caller.say()
            await until_said(caller, "Order a7, A7!")
            history = antiphon.manager.find(call["id"]).conversation.history()  # type: ignore[union-attr]
            assert [(each.role, each.content) for each in history] == [
                ("system", "Only a7."), ("assistant", "Order a7, A7!"),
            ]  # fmt: skip
        record = await ended(client, call["id"])
    assert ("user", "hello Front") in [(each["role"], each.get("message")) for each in record["messages"]]


async def test_the_control_url_hands_over_and_says_so_when_it_cannot(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        stored = (await client.post("/assistant", json=desk("Second", first="Second here."))).json()
        call = await ask(client, assistant=desk("First", first="First here."))
        control = call["monitor"]["controlUrl"]

        async def asked(**message: Any) -> tuple[int, Any]:
            answer = await client.post(control, json={"type": "handoff", **message})
            return answer.status_code, answer.json().get("message")

        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "First here.")
            assert await asked() == (400, ["destination must be an object"])
            status, problem = await asked(destination={"type": "assistant", "assistantName": "Second"})
            assert status == 400 and "there is none here" in problem[0]
            status, problem = await asked(destination={"type": "assistant", "assistantId": "nobody"})
            assert status == 400 and "there is no assistant nobody" in problem[0]
            broken = {**desk("Third"), "voice": {"provider": "nobody"}}
            status, _ = await asked(destination={"type": "assistant", "assistant": broken})
            assert status == 400
            plan = {"type": "lastNMessages"}
            wrong = {"type": "assistant", "assistantId": stored["id"], "contextEngineeringPlan": plan}
            status, problem = await asked(destination=wrong)
            assert status == 400 and "maxMessages" in problem[0]
            right = {"type": "assistant", "assistantId": stored["id"]}
            assert (await asked(destination=right, content="One moment."))[0] == 200
            await until_said(caller, "One moment.")
            await until_said(caller, "Second here.")
        record = await ended(client, call["id"])
    assert said(record) == [("First", "First here."), ("First", "One moment."), ("Second", "Second here.")]


@pytest.mark.parametrize("answer", ["assistant", "error", "nothing"])
async def test_a_dynamic_destination_is_asked_for(tmp_path: Path, answer: str) -> None:
    async def names(came: Received) -> Any:
        if came.json["message"]["type"] != "handoff-destination-request":
            return {}
        third = {"type": "assistant", "assistant": desk("Third", first="Third here.")}
        return {"assistant": {"destination": third, "result": "Gone."}, "error": {"error": "Not now."}, "nothing": {}}[
            answer
        ]

    parameters = {"type": "object", "properties": {"intent": {"type": "string"}}}
    async with (
        receiving(Receiver(names)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        tool = {"type": "handoff", "destinations": [{"type": "dynamic", "server": {"url": f"{receiver.url}/where"}}],
                "function": {"name": "route", "parameters": parameters}}  # fmt: skip
        first = desk("Front", calls("route", intent="bill"), "I stay.", first="Front desk.", model={"tools": [tool]})
        call = await ask(client, assistant=first)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "Front desk.")
            caller.say()
            await until_said(caller, "Third here." if answer == "assistant" else "I stay.")
        record = await ended(client, call["id"])
    (asked,) = (message for message in receiver.messages if message["type"] == "handoff-destination-request")
    assert asked["parameters"] == {"intent": "bill"} and asked["call"]["id"] == call["id"]
    (result,) = (each["result"] for each in record["messages"] if each["role"] == "tool_call_result")
    assert result.startswith({"assistant": "Gone.", "error": "Not now.", "nothing": "The application named no"}[answer])


@pytest.mark.parametrize("answer", ["assistant", "number", "error"])
async def test_a_transfer_without_destinations_is_asked_for(tmp_path: Path, answer: str) -> None:
    async def names(came: Received) -> Any:
        if came.json["message"]["type"] != "transfer-destination-request":
            return {}
        third = {"type": "assistant", "assistant": desk("Third", first="Third here."), "message": "I pass you on."}
        number = {"type": "number", "number": "+15550142", "message": "I pass you on."}
        return {"assistant": {"destination": third}, "number": {"destination": number}, "error": {"error": "Not now."}}[
            answer
        ]

    async with (
        receiving(Receiver(names)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        tool = {"type": "transferCall", "destinations": []}
        first = desk(
            "Front", calls("transferCall", why="bill"), "I stay.", first="Front desk.", model={"tools": [tool]}
        )
        call = await ask(client, assistant={**first, "server": {"url": receiver.url}})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "Front desk.")
            caller.say()
            await until_said(caller, "I stay." if answer == "error" else "I pass you on.")
            if answer == "assistant":
                await until_said(caller, "Third here.")
        record = await ended(client, call["id"])
    (asked,) = (message for message in receiver.messages if message["type"] == "transfer-destination-request")
    assert asked["call"]["id"] == call["id"] and asked["assistant"]["name"] == "Front" and "artifact" in asked
    assert not [each for each in record.get("warnings", ()) if "tools" in each["field"]]


async def test_a_whole_squad_can_take_over_and_each_server_is_told_of_its_own(tmp_path: Path) -> None:
    async with (
        receiving(Receiver()) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        wanted = ["status-update", "transfer-update", "assistant.started", 'transcript[transcriptType="final"]']

        def served(name: str, *replies: Any, **fields: Any) -> dict[str, Any]:
            server = {"url": f"{receiver.url}/{name}"}
            return desk(name, *replies, server=server, serverMessages=wanted, **fields)

        members = [{"assistant": served("One")}, {"assistant": served("Two", first="Two here.")}]
        squad = (await client.post("/squad", json={"name": "Other", "members": members})).json()
        destination = {"type": "squad", "squadId": squad["id"], "entryAssistantName": "Two"}
        tool = {"type": "handoff", "destinations": [destination]}
        first = served("Front", calls("handoff_to_Two"), first="Front desk.", model={"tools": [tool]})
        call = await ask(client, assistant=first)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await until_said(caller, "Front desk.")
            caller.say()
            await until_said(caller, "Two here.")
        await ended(client, call["id"])
        await receiver.until(lambda: any(m.get("status") == "ended" for m in receiver.messages))
    by_path: dict[str, list[dict[str, Any]]] = {}
    for came in receiver.received:
        by_path.setdefault(came.path, []).append(came.json["message"])
    assert set(by_path) == {"/Front", "/Two"}
    front, two = by_path["/Front"], by_path["/Two"]
    statuses = [message["status"] for message in front if message["type"] == "status-update"]
    assert statuses == ["queued", "in-progress"]
    assert front[-1]["type"] == "transfer-update"
    assert two[0]["type"] == "assistant.started" and two[0]["assistant"]["name"] == "Two"
    assert [message["status"] for message in two if message["type"] == "status-update"] == ["ended"]
    assert [message["transcript"] for message in two if message.get("role") == "assistant"] == ["Two here."]
