"""A client of the REST API's calls that knows nothing of ours: httpx, and the websockets package for the media."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from antiphon.providers.scripted_hum import hum
from antiphon.vocabulary import AudioFormat, Encoding

PCM_16K = AudioFormat(Encoding.PCM16, 16_000)
PATIENCE_S = 60.0
FRAME_MS = 20


class SocketCaller:
    """Sends a frame every 20 ms, silence where nothing is to be said, and keeps what comes."""

    def __init__(self, socket: ClientConnection, audio: AudioFormat) -> None:
        self.socket = socket
        self.audio = audio
        self.messages: list[dict[str, Any]] = []
        self.heard = bytearray()
        self.closed: tuple[int, str] | None = None
        self._say = bytearray()
        self._news = asyncio.Event()

    def say(self, duration_ms: int = 700) -> None:
        """Something the voice-activity model takes for speech."""
        start = self.audio.bytes_for_ms(250)
        self._say += hum(self.audio)[start : start + self.audio.bytes_for_ms(duration_ms)]

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send(orjson.dumps(message).decode())

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_told(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first message of this kind with these fields."""

        def found() -> list[dict[str, Any]]:
            return self.told(kind, **fields)

        await self.until(found)
        return found()[0]

    def told(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"type": kind, **fields}
        return [message for message in self.messages if wanted.items() <= message.items()]

    def loud_bytes(self) -> int:
        return sum(1 for byte in self.heard if byte not in (0, 0xFF))

    async def speak_for_ever(self) -> None:
        size = self.audio.bytes_for_ms(FRAME_MS)
        silence = (b"\0" if self.audio.encoding is Encoding.PCM16 else b"\xff") * size
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = bytes(self._say[:size])
                del self._say[:size]
                await self.socket.send(frame + silence[len(frame) :])
                next_s += FRAME_MS / 1000
                await asyncio.sleep(max(0.0, next_s - loop.time()))

    async def hear_for_ever(self) -> None:
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.heard += message
                else:
                    self.messages.append(orjson.loads(message))
                self._news.set()
        except ConnectionClosed:
            pass
        self.closed = (self.socket.close_code or 0, self.socket.close_reason or "")
        self._news.set()


@asynccontextmanager
async def on_socket(url: str, audio: AudioFormat = PCM_16K) -> AsyncIterator[SocketCaller]:
    """A caller on the socket of a planned call."""
    async with connect(url, max_size=None) as socket:
        caller = SocketCaller(socket, audio)
        tasks = [asyncio.create_task(caller.hear_for_ever()), asyncio.create_task(caller.speak_for_ever())]
        try:
            yield caller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def transport(**audio_format: Any) -> dict[str, Any]:
    described = {"format": "pcm_s16le", "container": "raw", "sampleRate": 16_000} | audio_format
    return {"provider": "vapi.websocket", "audioFormat": described}


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """A call over a socket, of the assistant ``scripted`` where none is named."""
    named = {} if "assistant" in body or "squad" in body else {"assistantId": "scripted"}
    answer = await client.post("/call", json={**named, "transport": transport(), **body})
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()
    return call


async def ended(client: httpx.AsyncClient, call_id: str) -> dict[str, Any]:
    """The record once the call has ended. Of one that began, what was said may come a moment later: it is waited for, up to two seconds."""
    looks = 100
    async with asyncio.timeout(PATIENCE_S):
        while True:
            call: dict[str, Any] = (await client.get(f"/call/{call_id}")).json()
            if call["status"] == "ended":
                looks -= 1
                if not call.get("startedAt") or call.get("messages") or looks <= 0:
                    return call
            await asyncio.sleep(0.02)
