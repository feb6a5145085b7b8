"""``assistant.speechStarted``: what the agent says, as its sound is made, for whoever shows captions."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.api_caller import ask, ended, on_socket
from tests.surfaces.vapi.test_calls import ENGINES, server
from tests.webhooks.receiver import Receiver, receiving

KIND = "assistant.speechStarted"
LONG = "It costs eleven crowns, as it did last year. There is no other."


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_client_and_a_server_are_told_piece_by_piece_where_they_want_it(tmp_path: Path, wanted: bool) -> None:
    kinds = {"clientMessages": ["transcript", KIND], "serverMessages": [KIND, "end-of-call-report"]} if wanted else {}
    model = {**ENGINES["model"], "options": {"replies": [LONG]}}
    async with receiving(Receiver()) as receiver, server(tmp_path) as (_, client):
        assistant = {**ENGINES, "model": model, "firstMessage": "Good day.", "server": {"url": receiver.url}, **kinds}
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Good day.")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript=LONG)
        record = await ended(client, call["id"])
        await receiver.until(lambda: any(each["type"] == "end-of-call-report" for each in receiver.messages))
    told = caller.told(KIND)
    there = [each for each in receiver.messages if each["type"] == KIND]
    assert not [each for each in record.get("warnings", ()) if "Messages" in each["field"]]
    if not wanted:
        assert told == there == []
        return
    for each in (told, there):
        assert (each[0]["text"], each[0]["turn"], each[0]["source"]) == ("Good day.", 0, "force-say")
        texts = [caption["text"] for caption in each[1:]]
        assert texts[-1] == LONG and all(LONG.startswith(text) for text in texts)
        assert texts == sorted(texts, key=len)
        assert {(caption["turn"], caption["source"]) for caption in each[1:]} == {(1, "model")}
    assert there[0]["call"]["id"] == call["id"]
