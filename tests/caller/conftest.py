"""A small real agent that speaks Twilio over real sockets, and the sounds and plans its callers use."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import httpx
import numpy as np
import pytest
from tests.listening import listening
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from antiphon.audio.g711 import mulaw_encode
from antiphon.caller.caller import CallPlan
from antiphon.caller.clips import LineNoise, make_clip
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.hearing import is_audible
from antiphon.caller.script import BargeIn, Line

TOKEN = "the-account-s-token"


HASTY = Patience(agent_done_ms=140, greeting_ms=200, reply_ms=300)


def tone_pcm(duration_ms: int, frequency_hz: float = 440.0) -> np.ndarray[Any, np.dtype[np.int16]]:
    t = np.arange(8 * duration_ms) / 8000
    return np.rint(8000 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.int16)


def tone(duration_ms: int) -> bytes:
    return mulaw_encode(tone_pcm(duration_ms)).tobytes()


@dataclass
class Agent:
    """Greets, answers every silence after speech with a tone, and stops when spoken over."""

    reply_ms: int = 200
    greeting_ms: int = 100
    patience_frames: int = 5
    received: list[dict[str, Any]] = field(default_factory=list)
    echoes: list[str] = field(default_factory=list)
    connections: int = 0
    hang_up_after: int = 0
    """Close the connection once so many marks have come back; 0: never."""
    replies: Iterator[int] | None = None
    """How long each reply is; ``reply_ms`` where not set."""
    on_start: Callable[[ServerConnection, str], Awaitable[None]] | None = None
    _marks: int = 0

    async def __call__(self, connection: ServerConnection) -> None:
        self.connections += 1
        playing = quiet_frames = 0
        speaking = False
        stream_sid = ""
        async for text in connection:
            message = json.loads(text)
            self.received.append(message)
            match message["event"]:
                case "start":
                    stream_sid = message["streamSid"]
                    if self.on_start is not None:
                        await self.on_start(connection, stream_sid)
                    playing += await self.say(connection, stream_sid, self.greeting_ms)
                case "mark":
                    self.echoes.append(message["mark"]["name"])
                    playing -= 1
                    if len(self.echoes) == self.hang_up_after:
                        return
                case "media" if is_audible(base64.b64decode(message["media"]["payload"])):
                    if playing and not speaking:
                        await connection.send(json.dumps({"event": "clear", "streamSid": stream_sid}))
                    speaking, quiet_frames = True, 0
                case "media" if speaking:
                    quiet_frames += 1
                    if quiet_frames == self.patience_frames:
                        speaking = False
                        length_ms = next(self.replies) if self.replies is not None else self.reply_ms
                        playing += await self.say(connection, stream_sid, length_ms)
                case "dtmf":
                    playing += await self.say(connection, stream_sid, self.reply_ms)
                case "stop":
                    return

    async def say(self, connection: ServerConnection, stream_sid: str, duration_ms: int) -> int:
        """Send a tone and a mark; how many marks are now under way."""
        self._marks += 1
        payload = base64.b64encode(tone(duration_ms)).decode()
        for message in (
            {"event": "media", "media": {"payload": payload}},
            {"event": "mark", "mark": {"name": f"m{self._marks}"}},
        ):
            await connection.send(json.dumps(message | {"streamSid": stream_sid}))
        return 1


Handler = Callable[[ServerConnection], Awaitable[None]]
StartServer = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def media_server() -> StartServer:
    """``async with media_server(handler) as url``: a WebSocket server; with ``status`` it refuses the handshake."""

    @asynccontextmanager
    async def start(handler: Handler, status: int = 101, signed_with: str = "") -> AsyncIterator[str]:
        urls = []

        def check(connection: ServerConnection, request: Request) -> Response | None:
            signature = request.headers.get("x-twilio-signature", "")
            if signed_with and not RequestValidator(signed_with).validate(urls[0], {}, signature):
                return connection.respond(HTTPStatus.FORBIDDEN, "signature\n")
            return None if status == 101 else connection.respond(HTTPStatus(status), "no\n")

        async def handle(connection: ServerConnection) -> None:
            try:
                await handler(connection)
            except ConnectionClosed:
                return

        async with serve(handle, "127.0.0.1", 0, process_request=check, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            urls.append(f"ws://127.0.0.1:{port}/media")
            yield urls[0]

    return start


@dataclass
class HttpRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


Reply = tuple[int, bytes]


@pytest.fixture
def http_server() -> StartServer:
    """``async with http_server(answer) as url``: a plain HTTP server; ``answer(request) -> (status, body)``."""

    @asynccontextmanager
    async def start(answer: Callable[[HttpRequest], Reply]) -> AsyncIterator[str]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, content = answer(HttpRequest(method, path, headers, body))
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode())
            writer.write(content)
            await writer.drain()

        async with listening(handle) as port:
            yield f"http://127.0.0.1:{port}"

    return start


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60) as client:
        yield client


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def hasty() -> Patience:
    """For servers that are known never to greet or to answer."""
    return HASTY


@pytest.fixture(name="cued")
def cued_fixture() -> Callable[..., Cued]:
    return cued


def cued(duration_ms: int = 120, *, barge_in_ms: int | None = None, kind: str = "say", reply: bool = True) -> Cued:
    """A spoken line that is a tone."""
    line = Line(kind, "tone", expects_reply=reply)  # type: ignore[arg-type]
    if barge_in_ms is not None:
        line = Line(kind, "tone", BargeIn(barge_in_ms), reply)  # type: ignore[arg-type]
    return Cued(line, make_clip(tone_pcm(duration_ms, 300.0), LineNoise(None)))


@pytest.fixture
def quick_plan() -> Callable[..., CallPlan]:
    """A plan of tones for a caller who takes a short silence for the end of speech.

    It waits long for what must come, so that a busy machine fails no test; what must not come is waited for with ``HASTY``.
    """

    def plan(*lines: Cued, **settings: Any) -> CallPlan:
        patience = Patience(agent_done_ms=140, greeting_ms=2000, reply_ms=2000, noise_ms=400)
        return CallPlan(lines or (cued(),), **({"patience": patience} | settings))

    return plan
