"""A session is freed the moment it is over: the garbage collector, which hardly ever looks (``session.returning``), is not needed."""

from __future__ import annotations

import asyncio
import base64
import gc

import orjson
import pytest
from tests.conformance.realtime.server import Server, eventually
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage
from websockets.asyncio.client import ClientConnection, connect

from antiphon.media.port import MediaPort
from antiphon.session.returning import Returning
from antiphon.session.session import Session
from antiphon.surfaces.realtime.commands import Commands
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.listener import RealtimeListener
from antiphon.surfaces.realtime.response_events import ResponseEvents
from antiphon.vocabulary import EndReason

KINDS = (RealtimeSession, RealtimeListener, ResponseEvents, Commands, Session, MediaPort)


def left() -> list[str]:
    return [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, KINDS)]


@pytest.mark.parametrize("ends", ["the client leaves", "the server ends it"])
async def test_nothing_is_left_of_a_session(
    ends: str, server: Server, stage: Stage, ten: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Returning, "collect", lambda self: None)
    stage.says("Hello there, my friend.")
    gc.collect()
    gc.disable()
    try:
        await asyncio.create_task(_session(server, ten, by_server=ends == "the server ends it"))
        await eventually(lambda: left() == [], 3)
    finally:
        gc.enable()


async def _session(server: Server, said: Said, *, by_server: bool) -> None:
    """Something is said and answered, something typed and answered, one event is a mistake."""
    address = f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime"
    async with connect(address, additional_headers={"Authorization": f"Bearer {server.key}"}, max_size=None) as socket:
        await socket.send(orjson.dumps({"type": "conversation.item.delete", "item_id": "none"}).decode())
        audio = said.audio(lead_ms=100, tail_ms=900)
        for start in range(0, len(audio), 48_000):
            piece = audio[start : start + 48_000]
            await socket.send(_append(piece))
        await _until_done(socket)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]}
        await socket.send(orjson.dumps({"type": "conversation.item.create", "item": item}).decode())
        await socket.send('{"type":"response.create"}')
        await _until_done(socket)
        if by_server:
            [live] = server.app.manager.sessions()
            live.drop(EndReason.EXCEEDED_MAX_DURATION)
            del live
            await socket.wait_closed()


def _append(audio: bytes) -> str:
    return orjson.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}).decode()


async def _until_done(socket: ClientConnection) -> None:
    async with asyncio.timeout(60):
        while orjson.loads(await socket.recv())["type"] != "response.done":
            pass
