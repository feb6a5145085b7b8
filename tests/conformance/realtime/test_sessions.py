"""Checks 1 to 8: connecting, who may, ephemeral keys, and the session's configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
import trustme
from openai import AsyncOpenAI
from openai.types.realtime import ClientSecretCreateResponse
from tests.conformance.realtime.server import MODEL, Server, eventually, serve_here
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.talk import Talk, talking
from tests.conformance.realtime.tap import Tap
from tests.node import NodeError, node_program
from websockets.exceptions import InvalidStatus

from antiphon.config import Realtime

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


# ------------------------------------------------------------------------------------------------ session.update


async def echoed(talk: Talk, **session: Any) -> dict[str, Any]:
    """The session after an update, as it was sent over the wire."""
    count = len(talk.of("session.updated")) + 1
    await talk.update(**session)
    updated = await talk.until("session.updated", count)
    return dict(updated.session.to_dict(mode="json"))


async def test_check_6_updates_change_what_they_name_and_nothing_else(client: AsyncOpenAI) -> None:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
    async with talking(client) as talk:
        before = await echoed(talk)
        after = await echoed(talk, instructions="One.", tools=[tool], max_output_tokens=100)
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed == {"instructions", "tools", "max_output_tokens"}
        after = await echoed(talk, audio={"input": {"transcription": {"model": "whisper-1", "language": "en"}}})
        assert after["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}
        assert after["audio"]["input"]["turn_detection"] == before["audio"]["input"]["turn_detection"]
        assert after["audio"]["output"] == before["audio"]["output"]
        assert after["tools"][0]["name"] == "f"
        after = await echoed(talk, audio={"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}})
        assert "language" not in after["audio"]["input"]["transcription"], "transcription is replaced whole"
        after = await echoed(talk, instructions="", tools=[], audio={"input": {"transcription": None}})
        assert after["instructions"] == ""
        assert after["tools"] == []
        assert after["audio"]["input"]["transcription"] is None


async def test_check_6_turn_detection_is_replaced_whole_and_its_defaults_are_shown(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:

        async def detecting(detection: dict[str, Any] | None) -> Any:
            return (await echoed(talk, audio={"input": {"turn_detection": detection}}))["audio"]["input"][
                "turn_detection"
            ]

        first = await detecting({"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 350})
        assert (first["threshold"], first["silence_duration_ms"], first["prefix_padding_ms"]) == (0.7, 350, 300)
        second = await detecting({"type": "server_vad", "create_response": False})
        assert (second["threshold"], second["create_response"], second["interrupt_response"]) == (0.5, False, True)
        semantic = await detecting({"type": "semantic_vad"})
        assert semantic["eagerness"] == "auto"
        assert semantic["create_response"] is True
        assert semantic["interrupt_response"] is True
        assert await detecting(None) is None


async def test_check_6_ten_rapid_updates_have_ten_answers_in_order(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        for number in range(10):
            await talk.update(instructions=f"Number {number}.")
        await talk.until("session.updated", 10)
        said = [event.session.instructions for event in talk.of("session.updated")]
        assert said == [f"Number {number}." for number in range(10)]


async def test_sdk_clients_send_what_means_nothing_here(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}
        after = await echoed(
            talk,
            model="gpt-realtime-2.1",
            tracing="auto",
            reasoning={"effort": "low"},
            parallel_tool_calls=True,
            prompt=None,
            tools=[{"type": "function", "name": "f", "parameters": schema}],
            audio={
                "input": {"noise_reduction": None, "transcription": {"model": "gpt-realtime-whisper"}},
                "output": {"voice": "ash"},
            },
        )
        assert after["audio"]["output"]["voice"] == "ash"
        assert talk.of("error") == []


async def refused(talk: Talk, **event: Any) -> Any:
    """The error that an event gets."""
    count = len(talk.of("error")) + 1
    await talk.connection.send_raw(orjson.dumps({"event_id": "mine", **event}).decode())
    return (await talk.until("error", count)).error


async def test_check_7_errors_name_the_code_the_place_and_the_event(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        before = await echoed(talk)
        error = await refused(talk, type="session.update", session={"instructions": "x"})
        assert (error.code, error.param, error.event_id) == ("missing_required_parameter", "session.type", "mine")
        assert error.message == "Missing required parameter: 'session.type'."
        vad = {"type": "server_vad", "create_response": None}
        session = {"type": "realtime", "instructions": "half", "audio": {"input": {"turn_detection": vad}}}
        error = await refused(talk, type="session.update", session=session)
        assert error.code == "invalid_type"
        assert error.param == "session.audio.input.turn_detection.create_response"
        assert "expected a boolean, but got null" in error.message
        error = await refused(talk, type="scooby.dooby.doo")
        assert (error.code, error.param) == ("invalid_value", "type")
        assert "scooby.dooby.doo" in error.message
        error = await refused(talk, type="session.update", session={"type": "realtime", "max_output_tokens": 5000})
        assert error.param == "session.max_output_tokens"
        assert await echoed(talk) == before, "nothing of a refused update may be applied"


async def test_check_7_unknown_fields_are_ignored_unless_strict(server: Server, client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        after = await echoed(talk, instructions="Yes.", favourite_colour="blue")
        assert after["instructions"] == "Yes."
        assert talk.of("error") == []


async def test_check_7_a_strict_server_refuses_what_it_does_not_know(stage: Stage, tmp_path: Path) -> None:
    async with serve_here(tmp_path, realtime=Realtime(strict=True)) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        async with AsyncOpenAI(base_url=url, api_key=server.key) as client, talking(client) as talk:
            before = await echoed(talk)
            session = {"type": "realtime", "instructions": "half", "favourite_colour": "blue"}
            error = await refused(talk, type="session.update", session=session)
            assert (error.code, error.param) == ("unknown_parameter", "session.favourite_colour")
            assert error.event_id == "mine"
            assert await echoed(talk) == before


@pytest.mark.parametrize(
    "message",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"type": 1}', b'{"type": null}', b"[" * 100_000, b'{"type":"\\ud800"}',
        b'{"type":"input_audio_buffer.append"}', b'{"type":"input_audio_buffer.append","audio":"***"}',
        b'{"type":"input_audio_buffer.append","audio":5}', b'{"type":"response.create","response":"now"}',
        b'{"type":"conversation.item.create","item":{"type":"message","role":"user","content":"hi"}}',
        b'{"type":"conversation.item.create","item":{"type":"message","role":"pirate","content":[]}}',
        b'{"type":"conversation.item.create","item":{"type":"carrier_pigeon"}}',
        b'{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":"soon"}',
    ],
)  # fmt: skip
async def test_nonsense_gets_an_error_and_the_session_goes_on(client: AsyncOpenAI, message: bytes) -> None:
    async with talking(client) as talk:
        await talk.connection.send_raw(message.decode())
        error = (await talk.until("error")).error
        assert error.type == "invalid_request_error"
        await talk.settled()


async def test_check_8_the_voice_may_change_until_it_was_heard(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("Hello.")
    async with talking(client) as talk:
        first = await echoed(talk, audio={"output": {"voice": "cedar"}})
        assert first["audio"]["output"]["voice"] == "cedar"
        await talk.respond()
        await talk.until("response.done")
        await talk.update(audio={"output": {"voice": "ash"}}, instructions="Half.")
        error = (await talk.until("error")).error
        assert error.code == "cannot_update_voice"
        after = await echoed(talk, audio={"output": {"voice": "cedar"}})
        assert after["audio"]["output"]["voice"] == "cedar"
        assert after["instructions"] != "Half."


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
