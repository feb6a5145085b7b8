"""Whole calls over real sockets, with good agents and bad ones."""

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.listening import listening

from antiphon.audio.wav import read_wav
from antiphon.caller import caller as module
from antiphon.caller import playout
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.dialogue import Cued
from antiphon.caller.hearing import Utterance
from antiphon.caller.impairment import Impairment, Stall
from antiphon.caller.measure import Spoken
from antiphon.caller.script import Line
from antiphon.caller.summary import CallReport, report_on
from antiphon.caller.webhook import Identity

TOKEN = "the-account-s-token"


async def place(plan: CallPlan, client: httpx.AsyncClient, **settings: Any) -> CallReport:
    return report_on(await Caller(plan, CallerBeat(), **settings).call(client))


async def test_a_signed_call_through_the_webhook_is_answered(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, http_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(agent, signed_with=TOKEN) as media_url:
        twiml = (
            f'<Response><Connect><Stream url="{media_url}"><Parameter name="token" value="t"/></Stream>'
            "</Connect></Response>"
        )
        async with http_server(lambda request: (200, twiml.encode())) as origin:
            plan = quick_plan(cued(), webhook_url=f"{origin}/voice", identity=Identity(auth_token=TOKEN))
            report = await place(plan, client)
    assert not report.failed, report.record.problem
    assert report.record.faults == {}
    events = [message["event"] for message in agent.received]
    assert events[:2] == ["connected", "start"]
    assert events[-1] == "stop"
    start = agent.received[1]["start"]
    assert start["customParameters"] == {"token": "t"}
    assert start["callSid"] == report.record.call_sid
    numbers = [int(message["sequenceNumber"]) for message in agent.received[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    frames = [message["media"] for message in agent.received if message["event"] == "media"]
    assert [int(frame["timestamp"]) for frame in frames] == [20 * index for index in range(len(frames))]
    assert agent.echoes == ["m1", "m2"]
    turn = report.turns[0]
    # The agent waits for five silent frames, and then answers at once.
    assert turn.response_ms is not None
    assert 80 <= turn.response_ms < 1500
    assert len(report.record.utterances) == 2


async def test_a_barge_in_is_cleared_and_answered(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    agent.replies = iter([1000, 1000, 100])
    async with media_server(agent) as media_url:
        plan = quick_plan(
            cued(), cued(barge_in_ms=200), cued(barge_in_ms=100, kind="noise", reply=False), media_url=media_url
        )
        report = await place(plan, client)
    assert not report.failed
    spoken, interrupting, noise = report.turns
    assert spoken.barge_in is None
    assert interrupting.barge_in is not None
    assert interrupting.barge_in.clear_ms is not None
    assert 0 < interrupting.barge_in.clear_ms < 900
    assert interrupting.barge_in.silent_ms == interrupting.barge_in.clear_ms
    assert noise.noise is not None
    assert noise.noise.outcome == "resumed"
    assert len(report.record.cuts_ms) == 2
    assert report.record.cleared_ms > 100
    assert agent.echoes == ["m1", "m2", "m3", "m4"]


async def test_keys_reach_the_server_in_order(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(agent) as media_url:
        keys = Cued(Line("dtmf", "1#"))
        report = await place(quick_plan(keys, media_url=media_url), client)
    assert not report.failed
    pressed = [message["dtmf"]["digit"] for message in agent.received if message["event"] == "dtmf"]
    assert pressed == ["1", "#"]


async def test_a_bad_network_is_between_the_two(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    impairment = Impairment(jitter_ms=30, loss=0.2, reorder=0.1, stalls=(Stall(200, 100),), seed=1)
    async with media_server(agent) as media_url:
        report = await place(quick_plan(cued(), media_url=media_url, impairment=impairment), client)
    numbers = [int(message["sequenceNumber"]) for message in agent.received[1:-1]]
    assert len(set(numbers)) == len(numbers)
    assert report.record.lost > 5
    assert set(range(1, max(numbers) + 1)) - set(numbers)
    assert report.record.reordered > 0
    assert numbers != sorted(numbers)


async def test_both_sides_are_recorded_on_one_time_line(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with media_server(agent) as media_url:
        report = await place(quick_plan(cued(), media_url=media_url, keep_audio=True), client)
    assert report.record.recording is not None
    report.record.recording.write(tmp_path / "call.wav")
    report.record.recording.write_mixed(tmp_path / "mixed.wav")
    samples, rate_hz = read_wav(tmp_path / "call.wav")
    assert rate_hz == 8000
    assert abs(len(samples) / 8 - report.record.duration_ms) < 1
    said, heard = (np.flatnonzero(np.abs(samples[:, side].astype(int)) > 4000) / 8 for side in (0, 1))
    spoken = report.turns[0].spoken
    assert abs(said[0] - spoken.started_ms) < 100
    assert abs(said[-1] - spoken.ended_ms) < 100
    assert abs(heard[0] - report.record.utterances[0].heard_from_ms) < 2
    assert abs(heard[-1] - report.record.utterances[-1].heard_to_ms) < 2


class Witness:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def begins(self, call_sid: str) -> None:
        self.events.append(call_sid)

    def caller_speaks(self, spoken: Spoken) -> None:
        self.events.append(spoken.content)

    def agent_spoke(self, utterance: Utterance, audio: bytes) -> None:
        self.events.append(round((utterance.heard_to_ms - utterance.heard_from_ms) / 100) * 100)
        assert len(audio) in (0, round((utterance.heard_to_ms - utterance.heard_from_ms) * 8))


@pytest.mark.parametrize("keep_audio", [True, False])
async def test_an_observer_is_told_who_speaks(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient, keep_audio: bool
) -> None:
    witness = Witness()
    async with media_server(agent) as media_url:
        plan = quick_plan(cued(), media_url=media_url, keep_audio=keep_audio)
        report = await place(plan, client, observer=witness)
    assert witness.events == [report.record.call_sid, 100, "tone", 200]


async def test_a_refused_handshake_is_told(
    agent: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(agent, status=403) as media_url:
        report = await place(quick_plan(media_url=media_url), client)
    assert report.record.problem == "the server refused the media socket: HTTP 403"
    assert report.failed
    assert report.record.duration_ms == 0
    assert report.record.unsaid == 1


async def test_a_wrong_signature_is_refused(
    agent: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(agent, signed_with=TOKEN) as media_url:
        plan = quick_plan(media_url=media_url, identity=Identity(auth_token="another"))
        report = await place(plan, client)
    assert report.record.problem == "the server refused the media socket: HTTP 403"
    assert agent.connections == 0


async def test_a_server_that_is_not_there_is_told(quick_plan: Any, client: httpx.AsyncClient) -> None:
    report = await place(quick_plan(media_url="ws://127.0.0.1:1/media"), client)
    assert report.record.problem.startswith("the media socket cannot be reached")
    report = await place(quick_plan(media_url="ws://127.0.0.1:99999999/media"), client)
    assert report.record.problem.startswith("not a URL: Port out of range")


async def test_a_server_that_does_not_speak_websocket_is_told(
    quick_plan: Any, http_server: Any, client: httpx.AsyncClient
) -> None:
    async with http_server(lambda request: (200, b"hello")) as origin:
        report = await place(quick_plan(media_url=origin.replace("http", "ws")), client)
    assert report.record.problem == "the server refused the media socket: HTTP 200"


async def test_a_busy_server_is_told(quick_plan: Any, http_server: Any, client: httpx.AsyncClient) -> None:
    busy = b"<Response><Say>All lines are busy.</Say><Hangup/></Response>"
    async with http_server(lambda request: (200, busy)) as origin:
        report = await place(quick_plan(webhook_url=origin), client)
    assert report.record.problem == 'the server took no media and hung up, saying: "All lines are busy."'


async def listen(connection: Any) -> str:
    """Read up to ``start``; the stream's id."""
    while True:
        message = json.loads(await connection.recv())
        if message["event"] == "start":
            return str(message["streamSid"])


async def drain(connection: Any) -> None:
    async for _ in connection:
        pass


async def test_a_server_that_never_answers_leaves_turns_unanswered(
    cued: Any, quick_plan: Any, hasty: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(drain) as media_url:
        report = await place(quick_plan(cued(), cued(), media_url=media_url, patience=hasty), client)
    assert report.record.problem == ""
    assert report.unanswered == 2
    assert report.failed


async def test_a_server_that_closes_in_the_middle_is_told(
    quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async def close(connection: Any) -> None:
        await listen(connection)
        await connection.close(1011, "oops")

    async with media_server(close) as media_url:
        report = await place(quick_plan(media_url=media_url), client)
    assert report.record.problem == "the server ended the call (close code 1011) with 1 line unsaid"


async def test_a_caller_may_hang_up_before_all_is_said(
    cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async with media_server(drain) as media_url:
        caller = Caller(quick_plan(cued(), cued(), media_url=media_url), CallerBeat())
        asyncio.get_running_loop().call_later(0.05, caller.hang_up)
        record = await caller.call(client)
    assert record.problem == ""
    assert record.unsaid >= 1


async def test_a_lost_connection_is_told(quick_plan: Any, media_server: Any, client: httpx.AsyncClient) -> None:
    async def vanish(connection: Any) -> None:
        await listen(connection)
        connection.transport.abort()

    async with media_server(vanish) as media_url:
        report = await place(quick_plan(media_url=media_url), client)
    assert report.record.problem == "the server ended the call (the connection was lost) with 1 line unsaid"


async def test_an_agent_may_hang_up_when_all_is_said(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    agent.hang_up_after = 2
    witness = Witness()
    async with media_server(agent) as media_url:
        report = await place(quick_plan(cued(), media_url=media_url), client, observer=witness)
    assert not report.failed
    assert agent.received[-1]["event"] != "stop"
    assert witness.events[-1] == 200


async def test_nonsense_is_counted_and_survived(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    loud = base64.b64encode(bytes(800)).decode()

    async def talk_nonsense(connection: Any, stream_sid: str) -> None:
        await connection.send("hello")
        await connection.send(b"\x00" * 160)
        await connection.send(json.dumps({"event": "media", "streamSid": "MZ0", "media": {"payload": loud}}))
        await connection.send(json.dumps({"event": "hangup", "streamSid": stream_sid}))
        await connection.ping()
        await connection.send(['{"event":"clear","stream', f'Sid":"{stream_sid}"}}'])

    agent.on_start = talk_nonsense
    async with media_server(agent) as media_url:
        report = await place(quick_plan(cued(), media_url=media_url), client)
    assert not report.failed
    assert report.record.faults == {"not_json": 1, "binary": 1, "wrong_stream_sid": 1, "unknown_event": 1}
    assert len(report.record.cuts_ms) == 1


async def test_a_call_that_does_not_end_is_ended(quick_plan: Any, media_server: Any, client: httpx.AsyncClient) -> None:
    async with media_server(drain) as media_url:
        report = await place(quick_plan(media_url=media_url, limit_ms=100), client)
    assert report.record.problem == "the call was not over after 0.1 s"


async def test_a_server_that_does_not_close_its_side_is_not_waited_for(
    quick_plan: Any, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANG_UP_S", 0.05)
    answered = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
        )
        await writer.drain()
        while await reader.read(65536):
            pass
        answered.set()

    async with listening(deaf) as port:
        url = f"ws://127.0.0.1:{port}/media"
        report = await place(quick_plan(media_url=url, limit_ms=60), client)
        await asyncio.wait_for(answered.wait(), 5)
    assert report.record.faults == {"close_not_answered": 1}


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


async def test_a_cancelled_call_hangs_up(quick_plan: Any, media_server: Any, client: httpx.AsyncClient) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def wait(connection: Any) -> None:
        await listen(connection)
        started.set()
        async for text in connection:
            if json.loads(text)["event"] == "stop":
                stopped.set()

    async with media_server(wait) as media_url:
        task = asyncio.create_task(Caller(quick_plan(media_url=media_url), CallerBeat()).call(client))
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        await asyncio.wait_for(stopped.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_more_than_the_telephone_can_hold_is_not_heard(
    agent: Any,
    hasty: Any,
    cued: Any,
    quick_plan: Any,
    media_server: Any,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playout, "LIMIT_MS", 50)
    async with media_server(agent) as media_url:
        report = await place(quick_plan(cued(), media_url=media_url, patience=hasty), client)
    assert report.record.media_messages == 2
    assert report.record.utterances == ()
    assert report.unanswered == 1
