"""An application's own voice in whole calls: the running server, a real HTTP server that speaks, a caller on a socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.responses import StreamingResponse
from tests.api_caller import PCM_16K, ask, ended, on_socket
from tests.providers.fakes.server import KEY
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.providers.scripted_hum import endless, hum

GREETING, ANSWER = "Good day.", "It costs eleven crowns."


async def speaks(came: Received) -> StreamingResponse:
    text = came.json["message"]["text"]
    audio = endless(hum(PCM_16K), 0, PCM_16K.bytes_for_ms(40 * len(text)))
    return StreamingResponse(iter([audio[:1001], audio[1001:]]), media_type="application/octet-stream")


async def test_what_the_caller_hears_is_the_application_s(tmp_path: Path) -> None:
    async with (
        receiving(Receiver(speaks)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        server = {"url": f"{receiver.url}/voice", "secret": KEY, "headers": {"X-Tenant": "a"}}
        named = {"provider": "custom-voice", "voiceId": "ann", "server": server}
        call = await ask(client, assistant={**ENGINES, "name": "Desk", "voice": named, "firstMessage": GREETING})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript=GREETING)
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript=ANSWER)
            heard_ms = PCM_16K.ms_of(2 * caller.loud_bytes())
        record = await ended(client, call["id"])
        stored = await client.get(f"/call/{call['id']}")
    assert heard_ms > 0.9 * 40 * len(GREETING + ANSWER)
    assert [each.json["message"]["text"] for each in receiver.received] == [GREETING, ANSWER]
    for each in receiver.received:
        message = each.json["message"]
        assert (each.path, each.headers["x-vapi-secret"], each.headers["x-tenant"]) == ("/voice", KEY, "a")
        assert (message["type"], message["sampleRate"], message["voiceId"]) == ("voice-request", 16_000, "ann")
        assert message["call"]["id"] == call["id"]
    assert KEY not in stored.text
    assert not [each for each in record.get("warnings", ()) if "voice" in each["field"]]


@pytest.mark.parametrize("url", ["http://10.0.0.1/voice", "http://127.0.0.1:9/voice"], ids=["private", "nobody there"])
async def test_where_it_cannot_be_asked_another_speaks(tmp_path: Path, url: str) -> None:
    async with (
        receiving(Receiver(speaks)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        other = {"provider": "custom-voice", "server": {"url": receiver.url}}
        named = {"provider": "custom-voice", "server": {"url": url}, "fallbackPlan": {"voices": [other]}}
        call = await ask(client, assistant={**ENGINES, "voice": named, "firstMessage": GREETING})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript=GREETING)
            assert caller.loud_bytes() > 1000
    assert [each.json["message"]["text"] for each in receiver.received] == [GREETING]
