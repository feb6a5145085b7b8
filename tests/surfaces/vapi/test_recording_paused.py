"""The recording is paused and resumed on a live call, by control and by tool: what is said meanwhile is in no file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.api_caller import SocketCaller, ask, ended, on_socket
from tests.serving import GREETING, running_server, settings_for
from tests.surfaces.vapi.test_call_control import control
from tests.surfaces.vapi.test_calls import ENGINES, greeted

from antiphon.audio.wav import is_being_written, read_wav
from antiphon.composition.process import Antiphon
from antiphon.session.event_log import read_event_log

SLOW = {**ENGINES, "firstMessage": GREETING}
PAUSES = {"tool_calls": [{"name": "pause_recording", "arguments": {}}]}


async def recording_of(antiphon: Antiphon, call_id: str) -> Any:
    """Both sides as loud or not, in steps of 20 ms, once the file is whole."""
    path = antiphon.calls_dir / f"{call_id}.wav"
    async with asyncio.timeout(60):
        while not path.exists() or is_being_written(path):  # noqa: ASYNC110 (a file tells nobody)
            await asyncio.sleep(0.02)
    samples, rate_hz = read_wav(path)
    step = rate_hz // 50
    whole = samples[: len(samples) // step * step]
    return np.abs(whole.astype(np.int32)).reshape(-1, step, 2).max(axis=1) > 300


def stretches(loud: Any) -> int:
    """How often it becomes loud, gaps of less than a fifth of a second left aside."""
    at = np.flatnonzero(loud)
    return int(at.size > 0) + int(np.sum(np.diff(at) > 10))


async def say(caller: SocketCaller) -> None:
    """Speech, until all of it is sent."""
    caller.say()
    async with asyncio.timeout(60):
        while caller._say:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def spoken(caller: SocketCaller, times: int) -> None:
    """Until the agent has spoken so often, to the end."""
    await caller.until(lambda: len(caller.told("speech-update", role="assistant", status="stopped")) >= times)


async def test_by_control(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        call = await ask(client, assistant=SLOW)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            await spoken(caller, 1)
            paused = await control(client, call, type="control", control="pause-recording")
            assert (paused.status_code, paused.json()) == (200, {"success": True})
            await say(caller)
            await spoken(caller, 2)
            assert (await control(client, call, type="control", control="resume-recording")).status_code == 200
            await control(client, call, type="say", content="Recorded again.")
            await spoken(caller, 3)
        record = await ended(client, call["id"])
        loud = await recording_of(antiphon, call["id"])
    kept = read_event_log(antiphon.calls_dir / f"{call['id']}.jsonl")
    (paused_ms, first_is), (resumed_ms, second_is) = kept.pauses
    assert (first_is, second_is) == (True, False) and resumed_ms - paused_ms > 500
    assert kept.header.started_ms < paused_ms and resumed_ms < kept.entries[-1].now_ms
    assert stretches(loud[:, 0]) == 0, "all that the caller said was said while it was paused"
    assert stretches(loud[:, 1]) == 2, "the greeting and the last words of the agent, not the answer"
    first, last = np.flatnonzero(loud[:, 1])[[0, -1]]
    gap = np.diff(np.flatnonzero(loud[:, 1])).max()
    assert gap > 50 and last - first > gap, "silence as long as what was said"
    assert "eleven crowns" in record["artifact"]["transcript"], "the transcript goes on"


async def test_by_tool(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": f"{verb}_recording"}} for verb in ("pause", "resume")]
    model = {"provider": "scripted", "options": {"replies": [PAUSES, "Go on."]}, "tools": tools}
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        call = await ask(client, assistant={**SLOW, "model": model})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            await say(caller)
            await caller.until_told("transcript", role="assistant", transcript="Go on.")
            await say(caller)
            await caller.until(lambda: len(caller.told("speech-update", role="user", status="stopped")) >= 2)
        await ended(client, call["id"])
        loud = await recording_of(antiphon, call["id"])
    assert stretches(loud[:, 0]) == 1, "what was said before the tool ran, and nothing after"


@pytest.mark.parametrize("where", ["assistant", "socket", "page"])
async def test_where_it_cannot_be_paused_that_is_said(tmp_path: Path, where: str) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        if where == "page":
            answer = await client.post("/call/web", json={"assistantId": "scripted"})
            call = answer.json()
            page, _, token = call["webCallUrl"].partition("?token=")
            url = page.replace("http", "ws", 1).replace("/web-call/", "/call/") + f"/media?token={token}"
        else:
            recorded = {} if where == "socket" else {"artifactPlan": {"recordingEnabled": False}}
            call = await ask(client, assistant={**SLOW, **recorded})
            url = call["transport"]["websocketCallUrl"]
        async with on_socket(url) as caller:
            await greeted(caller)
            if where == "assistant":
                refused = await control(client, call, type="control", control="pause-recording")
                assert refused.status_code == 400 and "not recorded" in str(refused.json()["message"])
                assert not list(antiphon.calls_dir.glob(f"{call['id']}*.wav"))
                return
            await caller.send({"type": "control", "control": "pause-recording"})
            if where == "page":
                await caller.until(lambda: "what is recorded" in str(caller.told("error")))
                return
            await say(caller)
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        await ended(client, call["id"])
        assert stretches((await recording_of(antiphon, call["id"]))[:, 0]) == 0


async def test_a_conversation_in_text_is_told_that_there_is_nothing_to_pause(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "pause_recording"}}]
    model = {"provider": "scripted", "options": {"replies": [PAUSES, "Well."]}, "tools": tools}
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        body = {"assistant": {**ENGINES, "model": model}, "input": "pause"}
        chat: httpx.Response = await client.post("/chat", json=body)
    assert chat.status_code == 201 and "This conversation is not recorded." in chat.text
