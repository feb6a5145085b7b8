"""Answers in text: who may be asked, what is kept, how a conversation goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.serving import running_server, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")


def scripted(*replies: Any, **more: Any) -> dict[str, Any]:
    """An assistant that says these in turn."""
    options = {"replies": list(replies)}
    return {"name": "S", "model": {"provider": "scripted", "options": options}, **more}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path_factory.mktemp("chat")
    async with running_server(settings_for(folder, open_api=True)) as (_, client):
        client.timeout = httpx.Timeout(60)
        yield client


async def ask(client: httpx.AsyncClient, path: str = "/chat", status: int = 201, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_string_is_answered_by_an_assistant_s_file(client: httpx.AsyncClient) -> None:
    chat = await ask(client, assistantId="scripted", input="What does it cost?", name="prices")
    assert chat["output"] == [{"role": "assistant", "content": "It costs eleven crowns."}]
    assert chat["input"] == [{"role": "user", "content": "What does it cost?"}]
    assert chat["messages"] == []
    assert (chat["assistantId"], chat["name"], chat["cost"]) == ("scripted", "prices", 0)
    assert [cost["type"] for cost in chat["costs"]] == ["model", "chat"]
    assert (await client.get(f"/chat/{chat['id']}")).json() == chat
    assert not [name for name in chat if name.startswith("_")]


async def test_a_chat_goes_on_where_the_one_before_it_ended(client: httpx.AsyncClient) -> None:
    first = await ask(client, assistant=scripted("One.", "Two.", "Three."), input="a")
    second = await ask(client, previousChatId=first["id"], input=[{"role": "user", "content": "b"}])
    third = await ask(client, previousChatId=second["id"], input="c")
    assert [chat["output"][0]["content"] for chat in (first, second, third)] == ["One.", "Two.", "Three."]
    assert [message["content"] for message in third["messages"]] == ["a", "One.", "b", "Two."]
    assert third["previousChatId"] == second["id"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"input": "x"}, "one of assistantId, assistant, squadId, squad, sessionId, previousChatId must be provided"),
        ({"assistantId": "a", "sessionId": "s", "input": "x"}, "sessionId and assistantId are mutually exclusive"),
        ({"previousChatId": "a", "sessionId": "s", "input": "x"}, "sessionId and previousChatId are mutually exclusive"),
        ({"assistantId": "scripted", "input": ""}, "input must be a non-empty"),
        ({"assistantId": "scripted"}, "input must be a non-empty"),
        ({"assistantId": "scripted", "input": [{"role": "king"}]}, "input.0.role must be one of"),
        ({"assistantId": "scripted", "input": [{"role": "user", "content": [{"type": "image_url"}]}]}, "input.0.content.0"),
        ({"assistantId": "scripted", "input": "x", "customer": {}}, "property customer should not exist"),
        ({"assistantId": "scripted", "input": "x", "name": "n" * 41}, "name must be shorter than or equal to 40 characters"),
        ({"assistantId": "scripted", "input": "x", "stream": "yes"}, "stream must be a boolean value"),
        ({"assistantId": "scripted", "input": "x", "assistantOverrides": {"model": {}}}, "assistantOverrides.model cannot"),
        ({"squadId": "x", "input": "x"}, "squadId there is no squad x"),
        ({"squadId": "x", "assistantId": "y", "input": "x"}, "assistantId and squadId are mutually exclusive"),
        ({"squad": {"members": 3}, "input": "x"}, "squad.members must be an array"),
        ({"squad": {"members": []}, "input": "x"}, "squad.members must contain at least 1 element"),
        ({"previousChatId": "x", "squad": {"members": [{}]}, "input": "x"}, "previousChatId and squad are mutually exclusive"),
        ({"assistantId": "scripted", "input": "x", "transport": {"type": "twilio.sms"}}, "transport is not supported"),
        ({"assistantId": "nobody", "input": "x"}, "Couldn't Get Assistant. assistantId nobody does not exist."),
        ({"assistant": {"model": {"provider": "nobody"}}, "input": "x"}, "assistant.model.provider"),
        ({"assistant": {"name": "n"}, "input": "x"}, "assistant.model an assistant needs a model"),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_told_what_is_wrong(
    client: httpx.AsyncClient, body: dict[str, Any], problem: str
) -> None:
    refused = await ask(client, status=400, **body)
    assert (refused["statusCode"], refused["error"]) == (400, "Bad Request")
    assert any(problem in line for line in [refused["message"]] if isinstance(line, str)) or any(
        problem in line for line in refused["message"]
    ), refused


async def test_chats_are_listed_found_and_deleted(client: httpx.AsyncClient) -> None:
    made = [await ask(client, assistantId="scripted", input=str(number), name="listed") for number in range(3)]
    listed = (await client.get("/chat", params={"name": "listed", "limit": 2})).json()
    assert [chat["id"] for chat in listed["results"]] == [chat["id"] for chat in reversed(made)][:2]
    assert listed["metadata"]["totalItems"] == 3
    assert (await client.get("/chat", params={"previousChatId": "x"})).json()["results"] == []
    gone = await client.delete(f"/chat/{made[0]['id']}")
    assert (gone.status_code, gone.json()["id"]) == (200, made[0]["id"])
    assert (await client.get(f"/chat/{made[0]['id']}")).status_code == 404
    assert (await ask(client, status=404, previousChatId=made[0]["id"], input="x"))["message"]


async def events(client: httpx.AsyncClient, path: str, **body: Any) -> list[Any]:
    async with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data: ") async for line in answer.aiter_lines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


async def test_an_answer_is_streamed_as_it_is_written(client: httpx.AsyncClient) -> None:
    options = {"replies": ["one two three four five"], "token_interval_ms": 10}
    assistant = {"model": {"provider": "scripted", "options": options}}
    told = await events(client, "/chat", assistant=assistant, input="x", stream=True)
    assert len(told) > 1
    assert {event["path"] for event in told} == {"chat.output[0].content"}
    assert "".join(event["delta"] for event in told) == "one two three four five"
    kept = (await client.get(f"/chat/{told[0]['id']}")).json()
    assert kept["output"][0]["content"] == "one two three four five"


async def test_an_answer_nobody_reads_any_more_is_given_up(client: httpx.AsyncClient) -> None:
    options = {"replies": ["word " * 2000], "token_interval_ms": 30}
    assistant = {"model": {"provider": "scripted", "options": options}}
    async with client.stream("POST", "/chat", json={"assistant": assistant, "input": "x", "stream": True}) as answer:
        async for line in answer.aiter_lines():
            if line:
                id = json.loads(line.removeprefix("data: "))["id"]
                break
    assert (await client.get(f"/chat/{id}")).status_code == 404


async def test_variables_are_filled_into_prompts_and_last_for_the_conversation(client: httpx.AsyncClient) -> None:
    workflow = {
        "name": "w",
        "nodes": [
            {"name": "hello", "type": "conversation", "isStart": True, "prompt": "x",
             "messagePlan": {"firstMessage": "Hello {{who}}."}},
        ],
    }  # fmt: skip
    assistant = {"model": {"provider": "workflow", "workflow": workflow}}
    values = {"variableValues": {"who": "Ada"}}
    chat = await ask(client, assistant=assistant, input="hi", assistantOverrides=values)
    assert chat["assistantOverrides"] == values
    second = await ask(client, previousChatId=chat["id"], input="hi")
    assert second["assistantOverrides"] == values


async def test_a_model_that_fails_is_not_answered_with_something_clients_repeat(client: httpx.AsyncClient) -> None:
    assistant = {"model": {"provider": "custom-llm", "url": "http://127.0.0.1:9/v1", "model": "m"}}
    refused = await ask(client, status=424, assistant=assistant, input="x")
    assert refused["error"] == "Failed Dependency"
    told = await events(client, "/chat", assistant=assistant, input="x", stream=True)
    assert told[-1]["error"]["statusCode"] == 424


# ---------------------------------------------------------------------------------------------- sessions


async def test_a_session_goes_on_until_it_is_completed(client: httpx.AsyncClient) -> None:
    session = await ask(client, "/session", assistant=scripted("One.", "Two."), name="s")
    assert (session["status"], session["expirationSeconds"], session["messages"]) == ("active", 86400, [])
    chats = [await ask(client, sessionId=session["id"], input=text) for text in ("a", "b")]
    assert [chat["output"][0]["content"] for chat in chats] == ["One.", "Two."]
    assert chats[1]["sessionId"] == session["id"]
    said = ["a", "One.", "b", "Two."]
    assert [m["content"] for m in (await client.get(f"/session/{session['id']}")).json()["messages"]] == said
    refused = await ask(client, status=400, previousChatId=chats[0]["id"], input="x")
    assert "continue with its sessionId" in refused["message"][0]

    done = await client.patch(f"/session/{session['id']}", json={"status": "completed"})
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    assert [cost["type"] for cost in done.json()["costs"]] == ["model", "model", "session"]
    assert "is completed" in (await ask(client, status=400, sessionId=session["id"], input="x"))["message"]
    listed = (await client.get("/session", params={"name": "s"})).json()
    assert [each["id"] for each in listed["results"]] == [session["id"]]
    assert [message["content"] for message in listed["results"][0]["messages"]] == said

    gone = (await client.delete(f"/session/{session['id']}")).json()
    assert [message["content"] for message in gone["messages"]] == said
    for chat in chats:
        assert (await client.get(f"/chat/{chat['id']}")).status_code == 404


async def test_messages_of_a_session_can_be_set(client: httpx.AsyncClient) -> None:
    before = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "One."}]
    session = await ask(client, "/session", assistant=scripted("One.", "Two.", "Three."), messages=before)
    assert (await ask(client, sessionId=session["id"], input="b"))["output"][0]["content"] == "Two."
    await client.patch(f"/session/{session['id']}", json={"messages": []})
    chat = await ask(client, sessionId=session["id"], input="c")
    assert (chat["messages"], chat["output"][0]["content"]) == ([], "One.")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"expirationSeconds": 59}, "expirationSeconds must not be less than 60"),
        ({"expirationSeconds": True}, "expirationSeconds must be a number"),
        ({"name": 1}, "name must be a string"),
        ({"squadId": ["x"]}, "squadId must be a string"),
        ({"customer": {"number": 7}}, "customer.number must be a string"),
        ({"status": "over"}, "status must be one of the following values: active, completed"),
        ({"assistant": {}, "assistantId": "x"}, "mutually exclusive"),
        ({"color": "red"}, "property color should not exist"),
        ({"messages": [{"role": "x"}]}, "messages.0.role"),
        ({"messages": 7}, "messages must be an array"),
    ],
)
async def test_a_wrong_session_is_refused(client: httpx.AsyncClient, body: dict[str, Any], problem: str) -> None:
    refused = await client.post("/session", json=body)
    assert refused.status_code == 400
    assert problem in " ".join(refused.json()["message"])


async def test_nulls_of_a_session_are_as_if_they_were_not_there(client: httpx.AsyncClient) -> None:
    nulls = dict.fromkeys(
        ("name", "status", "expirationSeconds", "assistant", "squad", "squadId", "messages", "customer")
    )
    made = await client.post("/session", json={**nulls, "assistantId": "scripted"})
    assert made.status_code == 201, made.text
    session = made.json()
    assert (session["status"], session["expirationSeconds"]) == ("active", 86400)
    await ask(client, sessionId=session["id"], input="x")
    nulls_of_patch = dict.fromkeys(("name", "status", "expirationSeconds", "messages"))
    patched = await client.patch(f"/session/{session['id']}", json=nulls_of_patch)
    assert (patched.status_code, patched.json()["status"]) == (200, "active")
    assert [message["content"] for message in patched.json()["messages"]] == [
        "x",
        patched.json()["messages"][1]["content"],
    ]
    await ask(client, sessionId=session["id"], input="y")


async def test_a_workflow_keeps_its_place_over_the_chats_of_a_session(client: httpx.AsyncClient) -> None:
    """The front desk books: its model keeps nothing, so all it knows was read from the session again."""
    session = await ask(client, "/session", assistantId="front-desk")
    said = []
    for line in ("I would like to book an appointment", "next Tuesday", "at ten in the morning", "John Smith", "yes"):
        chat = await ask(client, sessionId=session["id"], input=line)
        said.append(chat["output"][-1]["content"])
    messages = (await client.get(f"/session/{session['id']}")).json()["messages"]
    tools = [message for message in messages if message["role"] == "tool"]
    assert tools, said
    called = next(message for message in messages if message.get("tool_calls"))
    assert called["tool_calls"][0]["function"]["name"] == "book_appointment"


# ---------------------------------------------------------------------------------------------- web pages


async def test_a_web_page_chats_in_a_session_of_its_own(client: httpx.AsyncClient) -> None:
    told = await events(
        client, "/chat/web", assistantId="scripted", input="x", stream=True, sessionExpirationSeconds=120
    )
    assert told[-1] == "[DONE]"
    session = told[0]["sessionId"]
    assert "".join(event["delta"] for event in told[:-1]) == "It costs eleven crowns."
    second = await ask(client, "/chat/web", sessionId=session, input="y", sessionEnd=True)
    assert set(second) == {"id", "sessionId", "output"}
    kept = (await client.get(f"/session/{session}")).json()
    assert (kept["status"], kept["expirationSeconds"], len(kept["messages"])) == ("completed", 120, 4)


async def test_a_browser_may_ask_whether_it_may_chat(client: httpx.AsyncClient) -> None:
    asked = {
        "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-client-id",
    }  # fmt: skip
    answer = await client.options("/chat/web", headers=asked)
    assert answer.status_code in (200, 400)  # with ``open_api`` no page of another origin is let in
