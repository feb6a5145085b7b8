"""Sound in binary messages of a session's own WebSocket, which the server plays out: a real server, a real socket, people's speech."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.conformance.realtime import speech
from tests.serving import running_server, settings_for, write_assistant
from tests.surfaces.realtime.test_listener import Place, until_empty
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from antiphon.audio import pcm
from antiphon.config import Realtime

GREETING = "Good day, this is the front desk of a rather large house, and what may we do for you?"
BYTES_PER_MS = 48
QUERY = "model=assistant:scripted&playout=server"


class Line:
    """What comes over the socket: events, and the agent's sound as it would be heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.kinds: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.sound_ms = 0.0
        self.marked_ms: dict[str, float] = {}
        """Each mark that came, and how much sound had come before it."""
        self._came = asyncio.Condition()

    async def read(self) -> None:
        async for message in self._socket:
            if isinstance(message, bytes):
                self.sound_ms += len(message) / BYTES_PER_MS
                continue
            async with self._came:
                self.events.append(orjson.loads(message))
                self.kinds.append(self.events[-1]["type"])
                if self.kinds[-1] == "antiphon.mark":
                    self.marked_ms[self.events[-1]["mark"]] = self.sound_ms
                self._came.notify_all()

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(60), self._came:
            await self._came.wait_for(lambda: self.kinds.count(kind) >= count)

    async def until_marked(self, sound_ms: float) -> None:
        """Until a mark has come behind so much sound."""
        async with asyncio.timeout(60), self._came:
            await self._came.wait_for(lambda: any(at_ms >= sound_ms for at_ms in self.marked_ms.values()))

    async def speak(self, audio: bytes) -> None:
        """As it is spoken."""
        step = 20 * BYTES_PER_MS
        for at in range(0, len(audio), step):
            await self._socket.send(audio[at : at + step])
            await asyncio.sleep(0.02)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    write_assistant(tmp_path / "assistants", GREETING, ms_per_character=30)
    settings = settings_for(tmp_path, realtime=Realtime(debug_order=True))
    async with running_server(settings) as (antiphon, http):
        yield Place(antiphon, http, antiphon.keys.create("test", 0)[1])
        await until_empty(antiphon)


async def test_the_agent_is_sent_as_it_is_heard_and_an_interruption_throws_away_the_rest(place: Place) -> None:
    card = speech.recordings()["cards-001"]
    async with place.connect(QUERY) as socket:
        line = Line(socket)
        reading = asyncio.create_task(line.read())
        await line.until("output_audio_buffer.started")
        await line.speak(speech.quiet(500) + pcm.to_bytes(card.pcm) + speech.quiet(1200))
        await line.until("output_audio_buffer.cleared")
        heard_ms = line.sound_ms
        assert "antiphon.flush" in line.kinds[: line.kinds.index("output_audio_buffer.cleared")]
        assert heard_ms < len(GREETING) * 30 - 300, "paced: most of it had not left"
        await line.until("output_audio_buffer.started", 2)
        await line.until("output_audio_buffer.stopped")
        assert "response.output_audio.delta" not in line.kinds
        assert "error" not in line.kinds
        await socket.close()
        with suppress(asyncio.CancelledError):
            await reading


async def test_what_is_no_sound_of_such_a_session_is_told(place: Place) -> None:
    async with place.connect(QUERY) as socket:
        line = Line(socket)
        reading = asyncio.create_task(line.read())
        await line.until("session.created")
        await socket.send(bytes(1001 * BYTES_PER_MS))
        await line.until("error")
        await socket.send(orjson.dumps({"type": "input_audio_buffer.append", "audio": "AAAA"}).decode())
        await line.until("error", 2)
        await socket.send(b"\0")  # half a sample: its other half may come
        await socket.send(b"\0" * 961)
        await socket.close()
        await reading
    codes = [event["error"]["code"] for event in line.events if event["type"] == "error"]
    assert codes == ["invalid_message", "invalid_event_for_transport"]
    async with place.connect("model=assistant:scripted&playout=client") as socket:
        line = Line(socket)
        reading = asyncio.create_task(line.read())
        await socket.send(bytes(960))
        await line.until("error")
        await socket.close()
        await reading


@pytest.mark.parametrize("query", ["model=assistant:scripted&playout=page", "call_id=sess_x&playout=server"])
async def test_who_plays_it_out_must_be_one_of_two(place: Place, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(query)
    assert refused.value.response.status_code == 400
    assert refused.value.response.body is not None
    assert orjson.loads(refused.value.response.body)["error"]["param"] == "playout"


async def test_a_client_that_asked_for_marks_says_what_was_heard(place: Place) -> None:
    async with place.connect(f"{QUERY}&marks=true") as socket:
        line = Line(socket)
        reading = asyncio.create_task(line.read())

        async def send(mark: str) -> None:
            await socket.send(orjson.dumps({"type": "antiphon.mark", "mark": mark}).decode())

        await line.until_marked(len(GREETING) * 30 - 100)
        whole_ms = round(line.sound_ms)
        names, positions = list(line.marked_ms), list(line.marked_ms.values())
        assert len(names) >= 3, "while it is played, not only at its end"
        assert positions == sorted(positions)
        assert round(positions[-1]) == whole_ms, "the last is behind all the sound"
        assert "output_audio_buffer.stopped" not in line.kinds, "nobody has said that it was heard"
        await send("of nobody")
        for name in names[:-1]:
            await send(name)
        await socket.send(orjson.dumps({"type": "session.update", "session": {"type": "realtime"}}).decode())
        await line.until("session.updated")
        assert "output_audio_buffer.stopped" not in line.kinds
        await send(names[-1])
        await line.until("output_audio_buffer.stopped")
        assert "error" not in line.kinds
        await socket.send('{"type": "antiphon.mark", "mark": 7}')
        await line.until("error")
        assert line.events[-1]["error"]["param"] == "mark"
        await socket.close()
        await reading


async def test_without_being_asked_for_there_are_no_marks(place: Place) -> None:
    async with place.connect(QUERY) as socket:
        line = Line(socket)
        reading = asyncio.create_task(line.read())
        await line.until("output_audio_buffer.stopped")
        assert line.marked_ms == {}
        await socket.send('{"type": "antiphon.mark", "mark": "r1"}')
        await line.until("error")
        await socket.close()
        await reading


@pytest.mark.parametrize("query", ["model=assistant:scripted&marks=true", f"{QUERY}&marks=yes"])
async def test_marks_go_with_sound_that_the_server_plays_out(place: Place, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with place.connect(query):
            pass
    assert refused.value.response.status_code == 400
    assert orjson.loads(refused.value.response.body or b"")["error"]["param"] == "marks"
