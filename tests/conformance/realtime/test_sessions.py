"""Checks 1 to 5: connecting, who may, and ephemeral keys."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
import trustme
from openai import AsyncOpenAI
from openai.types.realtime import ClientSecretCreateResponse
from tests.conformance.realtime.server import MODEL, Server, eventually
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.talk import Talk, talking
from tests.conformance.realtime.tap import Tap
from tests.node import NodeError, node_program
from websockets.exceptions import InvalidStatus

SECRET_DEFAULT_S = 600


def whole(session: dict[str, Any]) -> None:
    """A session as it must be echoed: everything is there, defaults too."""
    assert session["type"] == "realtime"
    assert session["object"] == "realtime.session"
    assert session["id"].startswith("sess_")
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    detection = session["audio"]["input"]["turn_detection"]
    assert detection["type"] == "server_vad"
    assert detection["create_response"] is True
    assert detection["interrupt_response"] is True
    assert isinstance(session["audio"]["output"]["voice"], str)
    assert session["tools"] == []
    assert session["tool_choice"] == "auto"


@pytest.mark.parametrize("way", ["base_url", "websocket_base_url"])
async def test_check_1_openai_python_connects(tap: Tap, server: Server, way: str) -> None:
    urls = {"base_url": tap.base_url} if way == "base_url" else {"websocket_base_url": f"ws://127.0.0.1:{tap.port}/v1"}
    async with AsyncOpenAI(api_key=server.key, **urls) as client, talking(client) as talk:  # type: ignore[arg-type]
        created = talk.events[0]
        assert created.type == "session.created"
        assert created.session.model
    whole(tap.line.of("server")[0]["session"])


async def test_the_session_begins_with_what_was_sent_before_it_had(client: AsyncOpenAI, tap: Tap) -> None:
    manager = client.realtime.connect(model=MODEL)
    manager.send({"type": "session.update", "session": {"type": "realtime", "instructions": "Be early."}})
    async with manager as connection:
        created = await connection.recv()
        updated = await connection.recv()
    assert (created.type, updated.type) == ("session.created", "session.updated")
    assert tap.line.of("server")[1]["session"]["instructions"] == "Be early."


async def test_check_2_nobody_comes_in_without_a_key(tap: Tap) -> None:
    for key in ("sk_antiphon_wrong", "ek_wrong"):
        async with AsyncOpenAI(base_url=tap.base_url, api_key=key) as stranger:
            with pytest.raises(InvalidStatus) as refused:
                async with stranger.realtime.connect(model=MODEL):
                    pass
        assert refused.value.response.status_code == 401
        assert b'"invalid_api_key"' in refused.value.response.body
    assert tap.sockets == []


async def test_check_2_a_secret_opens_many_sessions_with_its_configuration(
    client: AsyncOpenAI, tap: Tap, server: Server
) -> None:
    session = {"type": "realtime", "instructions": "Speak like a pirate.", "output_modalities": ["text"]}
    secret = await client.realtime.client_secrets.create(session=session)  # type: ignore[arg-type]
    async with AsyncOpenAI(base_url=tap.base_url, api_key=secret.value) as user:
        for _ in range(2):
            async with talking(user):
                pass
        with pytest.raises(openai.PermissionDeniedError):
            await user.realtime.client_secrets.create()
    for line in tap.sockets:
        created = line.of("server")[0]["session"]
        assert created["instructions"] == "Speak like a pirate."
        assert created["output_modalities"] == ["text"]


async def test_check_2_an_expired_secret_is_no_key(
    client: AsyncOpenAI, tap: Tap, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 10})
    now_ms = server.app.clock.wall_ms
    monkeypatch.setattr(type(server.app.clock), "wall_ms", lambda _clock: now_ms() + 11_000)
    async with AsyncOpenAI(base_url=tap.base_url, api_key=secret.value) as late:
        with pytest.raises(InvalidStatus) as refused:
            async with late.realtime.connect(model=MODEL):
                pass
    assert refused.value.response.status_code == 401


async def test_check_3_a_subprotocol_carries_the_key_and_only_realtime_comes_back(
    tap: Tap, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    protocols = ["realtime", f"openai-insecure-api-key.{server.key}", "openai-agents-sdk.0.20.0"]
    async with node_program("socket.mjs") as program:
        url = f"{tap.ws_url}?model={MODEL}"
        answer = await program.ask("connect", url=url, protocols=protocols)
        assert answer == {"protocol": "realtime", "extensions": ""}
        told = await program.until("event")
        assert told["event"]["type"] == "session.created"
        with pytest.raises(NodeError, match="401"):
            await program.ask("connect", url=url, protocols=["realtime", "openai-insecure-api-key.nonsense"])
    assert server.key not in capfd.readouterr().err


async def test_check_4_npm_openai_over_tls(tls_tap: Tap, server: Server, stage: Stage, authority: trustme.CA) -> None:
    stage.says("Hello from behind TLS.")
    with authority.cert_pem.tempfile() as certificate:
        async with node_program("openai.mjs", {"NODE_EXTRA_CA_CERTS": certificate}) as program:
            url = await program.ask("connect", baseURL=tls_tap.base_url, apiKey=server.key, model=MODEL)
            assert url.startswith("wss:")
            content = [{"type": "input_text", "text": "hi"}]
            item = {"type": "message", "role": "user", "content": content}
            await program.ask("send", event={"type": "conversation.item.create", "item": item})
            response = {"output_modalities": ["text"]}
            await program.ask("send", event={"type": "response.create", "response": response})
            told = await program.until("event", lambda told: told["event"]["type"] == "response.done")
            await program.ask("close")
            await program.until("closed")
        assert told["event"]["response"]["output"][0]["content"][0]["text"] == "Hello from behind TLS."
        assert program.all("error") == []
        assert program.all("uncaught") == []


async def test_check_5_client_secrets_and_their_bounds(client: AsyncOpenAI, server: Server) -> None:
    raw = await client.realtime.client_secrets.with_raw_response.create()
    secret = ClientSecretCreateResponse.model_validate_json(raw.content)
    assert secret.value.startswith("ek_")
    assert secret.expires_at == pytest.approx(server.app.clock.wall_ms() / 1000 + SECRET_DEFAULT_S, abs=3)
    assert secret.session.type == "realtime"
    for seconds in (10, 7200):
        await client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": seconds})
    for seconds in (9, 7201):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": seconds})
        assert refused.value.param == "expires_after.seconds"


async def test_a_transcription_session_only_transcribes(tap: Tap, client: AsyncOpenAI, ten: Any, stage: Stage) -> None:
    stage.hears = [ten.words]
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        talk = Talk(connection)
        try:
            await talk.until("session.created")
            detection = {"type": "server_vad", "silence_duration_ms": 300}
            audio = {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": detection}}
            await talk.send("session.update", session={"type": "transcription", "audio": audio})
            await talk.until("session.updated")
            await talk.speak(ten.audio(lead_ms=300, tail_ms=900))
            said = await talk.until("conversation.item.input_audio_transcription.completed")
            assert said.transcript == ten.words
            await talk.respond()
            await talk.until("error")
            await asyncio.sleep(0.2)
            assert talk.of("response.created") == []
        finally:
            await talk.close()
    assert tap.line.of("server")[0]["session"]["type"] == "transcription"


async def test_the_network_breaks_and_the_session_is_gone(server: Server, client: AsyncOpenAI, tap: Tap) -> None:
    async with talking(client):
        assert server.app.manager.live == 1
        await tap.cut()
    await eventually(lambda: server.app.manager.live == 0)
