"""Check 30: many sessions at once, slow readers, the end of a session's time, and a server that goes."""

from __future__ import annotations

import asyncio
import base64
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime import oracles
from tests.conformance.realtime.server import Server, eventually, serve_here
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.talk import talking
from tests.conformance.realtime.tap import tapping
from tests.conformance.twilio.server import serve_in_child
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from antiphon.config import Realtime
from antiphon.surfaces.realtime import listener
from antiphon.surfaces.realtime.settings import RealtimeSettings

SESSIONS, WAVES, TURNS = 50, 3, 2
MODEL = "assistant:busy"
KEY = {"Authorization": "Bearer whoever"}
"""The child's API is open."""
SETTLES_KIB = 8 * 1024


@pytest.mark.timed
async def test_fifty_sessions_at_once_leave_nothing_behind(tmp_path: Path, ten: Said) -> None:
    """Each speaks two turns as fast as people do; every response is whole, and memory, files and tasks come back."""
    async with serve_in_child(tmp_path) as (server, child):
        server.assistant("busy", hears=["ten of clubs", "seven of clubs"], answers=["You said ten.", "You said seven."])
        address = f"ws{server.url.removeprefix('http')}/v1/realtime?model={MODEL}"
        before = await server.status()
        files = child.open_files()
        memory_kib = []
        for _ in range(WAVES):
            together = asyncio.Barrier(SESSIONS)
            async with asyncio.TaskGroup() as group:
                sessions = [group.create_task(_session(address, ten, together)) for _ in range(SESSIONS)]
            for session in sessions:
                _whole(session.result())
            await server.idle()
            memory_kib.append(child.rss_kib())
        assert memory_kib[-1] - memory_kib[0] <= max(memory_kib[0] // 10, SETTLES_KIB), memory_kib
        await eventually(lambda: child.open_files() <= files, 2)
        async with asyncio.timeout(60):  # the work after the last sessions goes on for a moment
            while (await server.status())["tasks"] > before["tasks"]:  # noqa: ASYNC110 (another process tells nobody)
                await asyncio.sleep(0.1)
        busy = (
            "overload_began",
            "overload_ended",
            "media_upgrade_refused",
        )  # the machine may have other things to do, too
        assert not [line for line in child.lines if line.get("level") != "info" and line["event"] not in busy]


async def _session(address: str, said: Said, together: asyncio.Barrier) -> list[dict[str, Any]]:
    """All that the server sent to one session. It speaks once all the others are there, too."""
    events: list[dict[str, Any]] = []
    async with await _connected(address) as socket:
        await together.wait()

        async def until_done(count: int) -> None:
            while sum(event["type"] == "response.done" for event in events) < count:
                events.append(orjson.loads(await socket.recv()))

        vad = {"type": "server_vad", "silence_duration_ms": 300}
        update = {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": vad}}},
        }
        await socket.send(orjson.dumps(update).decode())
        for turn in range(TURNS):
            audio = said.audio(lead_ms=100, tail_ms=600)
            listening = asyncio.create_task(until_done(turn + 1))
            for start in range(0, len(audio), 4800):
                await socket.send(_append(audio[start : start + 4800]))
                await asyncio.sleep(0.1)
            await asyncio.wait_for(listening, 10)
    return events


async def _connected(address: str) -> ClientConnection:
    """A session. A server that is busy for a moment says so (503), and one comes again."""
    for _ in range(40):
        try:
            return await connect(address, additional_headers=KEY, max_size=None, compression=None)
        except InvalidStatus as refused:
            if refused.response.status_code != 503:
                raise
            await asyncio.sleep(0.25)
    raise AssertionError("the server is busy all the time")


def _append(audio: bytes) -> str:
    return orjson.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}).decode()


def _whole(events: list[dict[str, Any]]) -> None:
    assert oracles.order(events) == []
    done = [event["response"] for event in events if event["type"] == "response.done"]
    assert [response["status"] for response in done] == ["completed"] * TURNS
    said = [response["output"][0]["content"][0]["transcript"] for response in done]
    assert said == ["You said ten.", "You said seven."]
    assert not [event for event in events if event["type"] == "error"]


async def test_a_client_that_does_not_read_costs_little(
    server: Server, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of speech, made at once for a client that takes nothing: what waits is bounded, and in the end the client is given up."""
    monkeypatch.setattr(listener.RealtimeListener, "LIMITS", replace(listener.LIMITS, write_stall_ms=1500))
    stage.says("a very long answer " * 4000)
    address = f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime"
    headers = {"Authorization": f"Bearer {server.key}"}
    async with connect(address, additional_headers=headers, max_queue=1, close_timeout=0.1) as socket:
        await socket.send('{"type":"response.create"}')
        await socket.recv()
        socket.transport.pause_reading()
        [waiting] = server.app.watch._sockets
        most, began_s = 0, asyncio.get_running_loop().time()

        def given_up() -> bool:
            nonlocal most
            most = max(most, waiting.unsent_bytes())
            return server.app.manager.live == 0

        await eventually(given_up, 60)
        took_ms = (asyncio.get_running_loop().time() - began_s) * 1000
        socket.transport.abort()
    bytes_per_ms = 48 * 4 / 3
    ahead = RealtimeSettings().audio_ahead_ms * bytes_per_ms
    bound = (ahead + took_ms * bytes_per_ms) * 1.3
    assert ahead * 0.8 < most < bound, "no more than what a client may have ahead, and what the network holds"


async def test_check_30_a_session_does_not_last_for_ever(stage: Stage, tmp_path: Path) -> None:
    """Sixty minutes, scaled: the error, then the end of the connection, with a code that no client takes for a fault to mend."""
    settings = Realtime().model_copy(update={"session_max_minutes": 0.02})
    async with serve_here(tmp_path, realtime=settings) as server, tapping(server.port) as tap:
        async with AsyncOpenAI(base_url=tap.base_url, api_key=server.key) as client, talking(client) as talk:
            error = (await talk.until("error", within_s=60)).error
            assert error.code == "session_expired"
            assert "maximum duration" in error.message
            await tap.until(lambda: tap.line.close_code is not None)
        assert tap.line.close_code in (1000, 1008) or tap.line.close_code >= 4000


async def test_check_30_a_server_that_stops_says_so(tmp_path: Path) -> None:
    """SIGTERM: 1001 or 1012, which openai-python takes for a reason to come again."""
    async with serve_in_child(tmp_path) as (server, child):
        port = int(server.url.rpartition(":")[2])
        async with tapping(port) as tap, AsyncOpenAI(base_url=tap.base_url, api_key="whoever") as client:
            reconnecting: list[Any] = []

            def again(event: Any) -> None:
                reconnecting.append(event)

            manager = client.realtime.connect(
                model="gpt-realtime", on_reconnecting=again, max_retries=1, initial_delay=0.05
            )
            async with manager as connection:
                assert (await connection.recv()).type == "session.created"
                child.process.send_signal(signal.SIGTERM)

                async def read_on() -> None:
                    async for _ in connection:
                        pass

                await asyncio.wait_for(read_on(), 8)  # nobody is there to come back to: it ends
            assert tap.sockets[0].close_code in (1001, 1012)
            assert reconnecting
        assert await child.end() == 0
