"""The agent presses telephone keys, or leaves a message, as its model asks for it: heard by whoever is at the other end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api_caller import ask, ended, on_socket
from tests.audio.test_dtmf import heard_in
from tests.surfaces.vapi.test_calls import server
from tests.surfaces.vapi.test_handoffs import calls, desk

GREETING = "One moment."


async def test_keys_are_heard_once_the_agent_is_silent(tmp_path: Path) -> None:
    caller_of = desk(
        "Caller", calls("dtmf", keys="1-2w#"), "Done.", first=GREETING, model={"tools": [{"type": "dtmf"}]}
    )
    async with server(tmp_path) as (_, client):
        call = await ask(client, assistant=caller_of)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="stopped")
            silent_from = len(caller.heard)
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="Done.")
            sound = np.frombuffer(bytes(caller.heard[silent_from:]), dtype=np.int16)
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
    assert heard_in(sound, 16_000).replace("?", "").startswith("12#")
    (result,) = [each for each in record["messages"] if each["role"] == "tool_call_result"]
    assert result["result"] == "The keys were pressed. Wait for what is answered."


@pytest.mark.parametrize("keys", ["", "one", "1;2", "9" * 65, None])
async def test_what_are_no_keys_is_told_to_the_model(tmp_path: Path, keys: Any) -> None:
    caller_of = desk("Caller", calls("dtmf", keys=keys), "Sorry.", first=GREETING, model={"tools": [{"type": "dtmf"}]})
    async with server(tmp_path) as (_, client):
        call = await ask(client, assistant=caller_of)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="stopped")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="Sorry.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
    (result,) = [each for each in record["messages"] if each["role"] == "tool_call_result"]
    assert result["result"].startswith("The keys were not pressed: they are 0 to 9")


async def test_a_message_is_left_and_the_call_ends(tmp_path: Path) -> None:
    caller_of = desk(
        "Caller",
        calls("voicemail"),
        first=GREETING,
        model={"tools": [{"type": "voicemail"}]},
        voicemailMessage="Call us back.",
    )
    async with server(tmp_path) as (_, client):
        call = await ask(client, assistant=caller_of)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="stopped")
            caller.say()
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
    said = [each["message"] for each in record["messages"] if each["role"] == "bot"]
    assert said[-1] == "Call us back."
