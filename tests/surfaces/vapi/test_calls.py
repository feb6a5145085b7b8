"""Whole calls of the REST API on real sockets, with scripted engines: asked for, spoken on, controlled, overheard, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import SocketCaller, ask, ended, on_socket, transport
from tests.serving import GREETING, running_server, settings_for
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from antiphon.composition.process import Antiphon
from antiphon.config import Api
from antiphon.vocabulary import AudioFormat, Encoding

ENGINES: dict[str, Any] = {
    "transcriber": {"provider": "scripted", "transcripts": ["what is the price of marmalade"]},
    "model": {"provider": "scripted", "messages": [{"role": "system", "content": "Be brief, {{ customer.name }}."}],
              "options": {"replies": ["It costs eleven crowns."], "first_token_ms": 40}},
    "voice": {"provider": "scripted", "options": {"ms_per_character": 30, "first_chunk_ms": 20}},
    "startSpeakingPlan": {"waitSeconds": 0.3, "transcriptionEndpointingPlan": {"onNoPunctuationSeconds": 0.3}},
}  # fmt: skip


@asynccontextmanager
async def server(folder: Path, **api: Any) -> AsyncIterator[tuple[Antiphon, httpx.AsyncClient]]:
    async with running_server(settings_for(folder, open_api=True, api=Api(**api))) as running:
        yield running


async def greeted(caller: SocketCaller) -> None:
    await caller.until_told("transcript", role="assistant", transcript=GREETING)


async def test_a_conversation_with_speech_both_ways_and_its_record(tmp_path: Path) -> None:
    async with server(tmp_path) as (antiphon, client):
        call = await ask(client, name="first", metadata={"ticket": 7})
        assert (call["type"], call["status"], call["assistantId"]) == ("vapi.websocketCall", "queued", "scripted")
        assert call["subscriptionLimits"] == {
            "concurrencyBlocked": False, "concurrencyLimit": 400, "remainingConcurrentCalls": 399,
        }  # fmt: skip
        assert set(call["monitor"]) == {"listenUrl", "controlUrl"}
        assert call["transport"]["websocketCallUrl"].endswith("/transport")
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            assert caller.loud_bytes() > 1000
            assert (await client.get(f"/call/{call['id']}")).json()["status"] in ("queued", "in-progress")
            caller.say()
            await caller.until_told("transcript", role="user", transcriptType="final")
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        assert caller.closed == (1000, "ended")
        assert [message["status"] for message in caller.told("status-update")] == ["in-progress", "ended"]
        record = await ended(client, call["id"])
        assert antiphon.manager.live == 0
    assert record["endedReason"] == "customer-ended-call"
    assert (record["name"], record["metadata"]) == ("first", {"ticket": 7})
    assert record["createdAt"] < record["startedAt"] < record["endedAt"]
    said = [(message["role"], message["message"]) for message in record["artifact"]["messages"]]
    assert said == [("bot", GREETING), ("user", "what is the price of marmalade"), ("bot", "It costs eleven crowns.")]
    bot, user, answer = record["artifact"]["messages"]
    assert bot["endTime"] > bot["time"] and user["endTime"] > user["time"] and answer["time"] >= user["endTime"]
    assert 0 < user["secondsFromStart"] < answer["secondsFromStart"] < 10
    assert record["artifact"]["transcript"] == (
        f"AI: {GREETING}\nUser: what is the price of marmalade\nAI: It costs eleven crowns.\n"
    )
    assert record["messages"] == record["artifact"]["messages"]
    assert "monitor" not in record


async def test_a_barge_in_silences_the_agent_and_tells_the_client(tmp_path: Path) -> None:
    words = "This is a long greeting that nobody would ever want to hear to its very end, so it is interrupted."
    async with server(tmp_path) as (_, client):
        call = await ask(client, assistant={**ENGINES, "firstMessage": words})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="started")
            await caller.until(lambda: caller.loud_bytes() > 10_000)
            caller.say(900)
            await caller.until_told("user-interrupted")
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        record = await ended(client, call["id"])
    bot = record["artifact"]["messages"][1]
    assert record["artifact"]["messages"][0]["message"] == "Be brief, ."
    assert bot["role"] == "bot" and words.startswith(bot["message"].rstrip(".")) and bot["message"] != words
    assert [each["reason"] for each in record["warnings"] if each["field"] == "model.messages.0.content"] == [
        "variable customer is not defined: nothing is said for it"
    ]
    assert record["endedReason"] == "customer-ended-call"


@pytest.mark.parametrize("audio", [AudioFormat(Encoding.MULAW, 8000), AudioFormat(Encoding.PCM16, 24_000)])
async def test_other_formats_are_heard_and_spoken(tmp_path: Path, audio: AudioFormat) -> None:
    described = transport(format=str(audio.encoding), sampleRate=audio.rate_hz)
    async with server(tmp_path) as (_, client):
        call = await ask(client, transport=described)
        assert call["transport"]["audioFormat"] == described["audioFormat"]
        async with on_socket(call["transport"]["websocketCallUrl"], audio) as caller:
            await greeted(caller)
            assert audio.ms_of(len(caller.heard)) >= len(GREETING) * 30 - 20
            caller.say()
            await caller.until_told("transcript", role="user", transcript="what is the price of marmalade")


async def test_the_downlink_is_paced(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        call = await ask(client, assistant={**ENGINES, "firstMessage": "x" * 100})  # three seconds
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="started")
            begun = asyncio.get_running_loop().time()
            await caller.until(lambda: caller.audio.ms_of(len(caller.heard)) >= 1500)
            assert asyncio.get_running_loop().time() - begun > 1.0


async def test_a_url_is_good_for_one_socket_and_for_its_time(tmp_path: Path) -> None:
    async with server(tmp_path, call_waits_s=5) as (antiphon, client):
        call = await ask(client)
        url = call["transport"]["websocketCallUrl"]
        other = call["id"][:-1] + ("1" if call["id"].endswith("0") else "0")
        for wrong in (url.replace(call["id"], other), url.replace("/transport", "/listen"), f"{url}x"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(wrong)
            assert refused.value.response.status_code in (403, 404)
        async with on_socket(url) as caller:
            await greeted(caller)
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            assert refused.value.response.status_code == 409
        await ended(client, call["id"])
        never = await ask(client)
        antiphon.api.live.planner.give_up(never["id"])  # type: ignore[union-attr]  # what its timer does
        record = await ended(client, never["id"])
        assert record["endedReason"] == "call.in-progress.error-vapifault-transport-never-connected"
        assert "startedAt" not in record
        with pytest.raises(InvalidStatus) as refused:
            await connect(never["transport"]["websocketCallUrl"])
        assert refused.value.response.status_code == 404
