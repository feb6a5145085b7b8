"""An application's own knowledge in whole calls and in chats: who is asked, what the model is told, and what happens without an answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from tests.api_caller import ask, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from tests.surfaces.vapi.test_squad_records import told_of
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.asked_knowledge import found_in
from antiphon.errors import RequestFailed
from antiphon.tools.http import HttpAnswer

QUESTION, ANSWER = "what is the price of marmalade", "It costs eleven crowns."
PRICE = {
    "documents": [{"content": "Jam is cheap.", "similarity": 0.2}, {"content": "Marmalade: 11.", "similarity": 0.9}]
}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"message": {"role": "assistant", "content": "Eleven, it says here."}}, "Eleven, it says here."),
        (PRICE, ANSWER),
        ({}, ANSWER),
        (Response(status_code=500), ANSWER),
        (JSONResponse([1]), ANSWER),
    ],
    ids=["its own words", "documents", "nothing", "an error", "no object"],
)
async def test_a_call(tmp_path: Path, answer: Any, says: str) -> None:
    async def knows(came: Received) -> Any:
        return answer

    async with (
        receiving(Receiver(knows)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        base = {"provider": "custom-knowledge-base", "server": {"url": f"{receiver.url}/known", "secret": "s3cret"}}
        assistant = {**ENGINES, "model": {**ENGINES["model"], "knowledgeBase": base}, "firstMessage": "Good day."}
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Good day.")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript=says)
        record = await told_of(client, call["id"])
        log = (await client.get("/logs", params={"type": "Webhook"})).json()["results"]
    assert "successEvaluation" in record["analysis"]
    (asked,) = receiver.received  # and nobody is asked by whoever judges the call
    assert (asked.path, asked.headers["x-vapi-secret"]) == ("/known", "s3cret")
    message = asked.json["message"]
    assert message["type"] == "knowledge-base-request" and message["call"]["id"] == call["id"]
    assert message["messages"][-2:] == [
        {"role": "assistant", "content": "Good day."}, {"role": "user", "content": QUESTION},
    ]  # fmt: skip
    assert not [each for each in record.get("warnings", ()) if "knowledge" in each["field"]]
    assert "knowledge-base-request" in {each.get("webhookType") for each in log}
    assert "Marmalade" not in str(log) and QUESTION not in str(log)


async def test_the_model_is_told_what_is_known_before_the_question(tmp_path: Path) -> None:
    async def both(came: Received) -> Any:
        said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]}
        return said if came.path.endswith("/chat/completions") else PRICE

    async with (
        receiving(Receiver(both)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        base = {"provider": "custom-knowledge-base", "server": {"url": f"{receiver.url}/known"}}
        model = {"provider": "custom-llm", "url": f"{receiver.url}/v1", "model": "m", "knowledgeBase": base}
        chat = await client.post("/chat", json={"assistant": {"model": model}, "input": QUESTION})
        assert chat.status_code == 201, chat.text
    (body,) = (each.json for each in receiver.received if each.method == "POST" and each.path != "/known")
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"].endswith("\n\nMarmalade: 11.\n\nJam is cheap."), "the likeliest first"


@pytest.mark.parametrize(
    ("body", "documents", "say"),
    [
        (b'{"message": "So."}', (), "So."),
        (b'{"message": {"content": "  "}, "documents": []}', (), ""),
        (
            b'{"documents": [{"content": 7}, "x", {"content": "a"}, {"content": "b", "similarity": "no"}]}',
            ("a", "b"),
            "",
        ),
        (b'{"documents": {"content": "a"}}', (), ""),
    ],
)
def test_what_is_read(body: bytes, documents: tuple[str, ...], say: str) -> None:
    found = found_in(HttpAnswer(200, body))
    assert (found.documents, found.say) == (documents, say)


@pytest.mark.parametrize("answer", [HttpAnswer(200, b"no"), HttpAnswer(200, b"[]"), HttpAnswer(404, b"{}")])
def test_what_is_none(answer: HttpAnswer) -> None:
    with pytest.raises(RequestFailed):
        found_in(answer)


async def test_a_server_that_does_not_answer_holds_nobody_up_for_long(tmp_path: Path) -> None:
    async def sleeps(came: Received) -> Any:
        await asyncio.sleep(30)

    async with (
        receiving(Receiver(sleeps)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        base = {"provider": "custom-knowledge-base", "server": {"url": receiver.url, "timeoutSeconds": 1}}
        model = {**ENGINES["model"], "knowledgeBase": base}
        chat = await client.post("/chat", json={"assistant": {"model": model}, "input": QUESTION})
    assert chat.json()["output"][-1]["content"] == ANSWER
