"""Checks 6 to 8: the session's configuration, and what is wrong with an event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from openai import AsyncOpenAI
from tests.conformance.realtime.server import Server, serve_here
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.talk import Talk, talking

from antiphon.config import Realtime


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


NONSENSE = [
    b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"type": 1}', b'{"type": null}', b"[" * 100_000, b'{"type":"\\ud800"}',
    b'{"type":"input_audio_buffer.append"}', b'{"type":"input_audio_buffer.append","audio":"***"}',
    b'{"type":"input_audio_buffer.append","audio":5}', b'{"type":"response.create","response":"now"}',
    b'{"type":"conversation.item.create","item":{"type":"message","role":"user","content":"hi"}}',
    b'{"type":"conversation.item.create","item":{"type":"message","role":"pirate","content":[]}}',
    b'{"type":"conversation.item.create","item":{"type":"carrier_pigeon"}}',
    b'{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":"soon"}',
]  # fmt: skip


async def test_nonsense_gets_an_error_each_and_the_session_goes_on(client: AsyncOpenAI) -> None:
    """All in one session: it goes on after each."""
    async with talking(client) as talk:
        for count, message in enumerate(NONSENSE, start=1):
            await talk.connection.send_raw(message.decode())
            error = (await talk.until("error", count)).error
            assert error.type == "invalid_request_error", message[:80]
            await talk.settled()
            assert len(talk.of("error")) == count, message[:80]


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
