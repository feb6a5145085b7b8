"""Checks 28 and 29 and what the REST side of calls promises, with openai-python and an aiortc peer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime import oracles
from tests.conformance.realtime.calling import Call, Post, calling
from tests.conformance.realtime.oracles import AgentsJs
from tests.conformance.realtime.server import MODEL, Server, eventually
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, last, tool_call
from tests.conformance.realtime.talk import Talk
from tests.transports.webrtc_peer import Network
from websockets.exceptions import InvalidStatus

VAD = {"type": "server_vad", "silence_duration_ms": 400}
SESSION: dict[str, Any] = {
    "type": "realtime",
    "model": MODEL,
    "audio": {"input": {"turn_detection": VAD, "transcription": {"model": "whisper-1"}}},
}


def posting(client: AsyncOpenAI, **session: Any) -> Post:
    """``calls.create``: multipart with a session, the bare SDP without."""

    async def post(offer: str) -> tuple[str, str]:
        given = {"session": session} if session else {}
        answer = await client.realtime.calls.with_raw_response.create(sdp=offer, **given)
        assert answer.http_response.status_code == 201
        assert answer.headers["content-type"].startswith("application/sdp")
        location = answer.headers["location"]
        assert location.startswith("/v1/realtime/calls/rtc_")
        return answer.http_response.text, location.rpartition("/")[2]

    return post


@pytest.fixture
async def call(client: AsyncOpenAI, agents_js: AgentsJs) -> AsyncIterator[Call]:
    """A call that is on; its events are judged at the end."""
    async with calling(posting(client, **SESSION)) as answered:
        yield answered
    assert not oracles.faults(answered.events, agents_js)
    assert answered.of("response.output_audio.delta") == [], "audio goes over the track"


async def test_check_28_a_spoken_turn_and_a_barge_in(call: Call, stage: Stage, ten: Said) -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    stage.hears = ["count for me", "enough"]
    stage.says(long, "Very well.")
    stage.ms_per_character = 60
    call.microphone.say(ten)
    response = (await call.until_sent("response.created"))["response"]["id"]
    await call.until_sent("output_audio_buffer.started")
    await call.until(lambda: call.loud_ms() > 700)
    call.microphone.say(ten)
    assert (await call.until_sent("output_audio_buffer.cleared"))["response_id"] == response
    await call.until_sent("output_audio_buffer.stopped")
    kinds = [event["type"] for event in call.events]
    assert kinds.index("response.content_part.added") < kinds.index("output_audio_buffer.started")
    told = last(stage.asked[1], "assistant")
    assert told is not None
    assert told.interrupted
    assert long.startswith(told.content)
    assert 0 < len(told.content) < len(long)


@pytest.mark.parametrize("way", ["multipart", "bare SDP", "ephemeral key"])
async def test_check_28_three_ways_to_begin_and_one_to_end(
    client: AsyncOpenAI, server: Server, stage: Stage, way: str
) -> None:
    stage.says("Hello and welcome to this call.")
    caller, session = client, {}
    if way == "multipart":
        session = {**SESSION, "instructions": "Be brief."}
    if way == "ephemeral key":
        secret = await client.realtime.client_secrets.create(session={**SESSION, "instructions": "Be brief."})  # type: ignore[arg-type]
        caller = AsyncOpenAI(base_url=client.base_url, api_key=secret.value)
    async with calling(posting(caller, **session)) as call:
        created = call.of("session.created")[0]["session"]
        assert created["instructions"] == ("" if way == "bare SDP" else "Be brief.")
        call.send("response.create")
        await call.until_sent("output_audio_buffer.stopped")
        assert call.loud_ms() > 100
        await client.realtime.calls.hangup(call.call_id)
        await call.until(lambda: call.channel.readyState == "closed")
        await eventually(lambda: server.app.manager.live == 0)
    if caller is not client:
        await caller.close()


async def test_check_28_events_fit_the_channel(call: Call, stage: Stage) -> None:
    """A tool's answer of 200 KB is taken; what is said about it is no larger than the client takes."""
    stage.says(tool_call("fetch"), "A lot of text.")
    tool = {"type": "function", "name": "fetch", "parameters": {"type": "object", "properties": {}}}
    call.send("session.update", session={"type": "realtime", "tools": [tool]})
    call.send("response.create")
    done = await call.until_sent("response.done")
    output = "x" * 200_000
    item = {"type": "function_call_output", "call_id": done["response"]["output"][0]["call_id"], "output": output}
    call.send("conversation.item.create", item=item)
    call.send("response.create")
    assert (await call.until_sent("response.done", 2))["response"]["status"] == "completed"
    told = last(stage.asked[1], "tool")
    assert told is not None
    assert told.content == output
    offered = re.search(r"a=max-message-size:(\d+)", call.peer.localDescription.sdp)
    assert offered is not None
    assert max(len(text.encode()) for text in call.texts) <= int(offered[1])


async def test_check_28_the_client_stops_the_agent(call: Call, stage: Stage) -> None:
    stage.says("one two three four five six seven eight nine ten eleven twelve")
    call.send("response.create")
    await call.until_sent("output_audio_buffer.started")
    await asyncio.sleep(0.5)
    call.send("response.cancel")
    call.send("output_audio_buffer.clear")
    await call.until_sent("output_audio_buffer.cleared")
    heard_ms = call.loud_ms()
    await asyncio.sleep(0.6)
    assert call.loud_ms() <= heard_ms + 200
    stage.says("More.")
    call.send("response.create")
    assert (await call.until_sent("response.done", 2))["response"]["status"] == "completed"


async def test_what_is_no_offer(client: AsyncOpenAI) -> None:
    for offer in ("", "v=0\r\n", "nonsense"):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.realtime.calls.create(sdp=offer)
        assert refused.value.code == "invalid_offer"


async def test_calls_that_are_not_there(client: AsyncOpenAI) -> None:
    for ask in (
        client.realtime.calls.hangup("rtc_nowhere"),
        client.realtime.calls.accept("rtc_nowhere", type="realtime"),
        client.realtime.calls.reject("rtc_nowhere"),
        client.realtime.calls.refer("rtc_nowhere", target_uri="tel:+15550100"),
    ):
        with pytest.raises(openai.NotFoundError):
            await ask
    with pytest.raises(InvalidStatus) as refused:
        async with client.realtime.connect(call_id="rtc_nowhere"):
            pass
    assert refused.value.response.status_code == 404


async def test_check_29_two_sidebands_see_and_steer_a_call(
    call: Call, client: AsyncOpenAI, server: Server, stage: Stage
) -> None:
    stage.says(tool_call("get_weather", city="Rome"), "It is sunny.")
    async with (
        client.realtime.connect(call_id=call.call_id) as first,
        client.realtime.connect(call_id=call.call_id) as second,
    ):
        talks = [Talk(first), Talk(second)]
        try:
            for talk in talks:
                assert (await talk.until("session.created")).session.id == call.of("session.created")[0]["session"][
                    "id"
                ]
            tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
            await talks[0].update(instructions="Answer in one word.", tools=[tool])
            await call.until_sent("session.updated")
            await talks[1].until("session.updated")
            call.send("response.create")
            done = await talks[0].until("response.done")
            item = {"type": "function_call_output", "call_id": done.response.output[0].call_id, "output": "sun"}
            await talks[0].send("conversation.item.create", item=item)
            await talks[0].respond()
            assert (await call.until_sent("response.done", 2))["response"]["status"] == "completed"
            await talks[1].until("response.done", 2)
        finally:
            for talk in talks:
                await talk.close()
    await asyncio.sleep(0.1)
    assert server.app.manager.live == 1, "the call goes on without them"
    assert last(stage.asked[1], "system").content == "Answer in one word."  # type: ignore[union-attr]


async def test_a_key_for_sessions_is_no_key_to_the_calls_of_others(
    call: Call, client: AsyncOpenAI, server: Server
) -> None:
    secret = await client.realtime.client_secrets.create()
    async with AsyncOpenAI(base_url=client.base_url, api_key=secret.value) as user:
        with pytest.raises(openai.PermissionDeniedError):
            await user.realtime.calls.hangup(call.call_id)
        with pytest.raises(InvalidStatus):
            async with user.realtime.connect(call_id=call.call_id):
                pass
    assert server.app.manager.live == 1


async def test_a_bad_network_keeps_its_turns(client: AsyncOpenAI, stage: Stage, cards: dict[str, Said]) -> None:
    """5 % of packets lost and 60 ms of jitter, both ways."""
    stage.hears = ["one", "two", "three"]
    stage.says("First answer here.", "Second answer here.", "Third answer here.")
    network = Network(loss=0.05, jitter_ms=60.0, seed=5)
    await network.open()
    try:
        async with calling(posting(client, **SESSION), network.route) as call:
            network.impaired = True
            for number, name in enumerate(("cards-001", "cards-003", "goforward"), 1):
                call.microphone.say(cards[name])
                await call.until_sent("output_audio_buffer.stopped", number)
            said = [event["transcript"] for event in call.of("conversation.item.input_audio_transcription.completed")]
            assert said == ["one", "two", "three"]
            assert [event["response"]["status"] for event in call.of("response.done")] == ["completed"] * 3
            spoken_ms = sum(stage.duration_ms(request.text) for request in stage.spoken)
            # aiortc's own jitter buffer gives up many packets that come out of order; what it keeps is here.
            assert call.loud_ms() > spoken_ms * 0.3
            assert network.lost > 10
            network.impaired = False  # so that its goodbye arrives
    finally:
        network.close()
