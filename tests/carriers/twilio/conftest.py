"""A real server with the Twilio carrier on it, and a Twilio that signs, asks webhooks and opens media sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from multidict import MultiDict
from twilio.request_validator import RequestValidator
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect

from antiphon.carriers.base import CallAnswered
from antiphon.carriers.streams.token import SpendNonce
from antiphon.carriers.twilio.carrier import TwilioCarrier
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.webhook import CallStatusChanged
from antiphon.clock import ManualClock
from antiphon.errors import AntiphonError
from antiphon.surfaces.http.application import application
from antiphon.transports.base import CallStarted, CallTransport
from antiphon.transports.socket import MediaRoutes, http_protocol
from antiphon.transports.watch import SocketWatch

AUTH_TOKEN = "not-a-real-token"
ACCOUNT = "AC" + "0" * 32
CALLER, CALLED = "+15550001111", "+15550002222"
PUBLIC_URL = "https://voice.example.com"


class RecordingSink:
    """A session that only remembers."""

    def __init__(self, started: CallStarted, transport: CallTransport) -> None:
        self.started = started
        self.transport = transport
        self.heard: list[tuple[bytes, int | None]] = []
        self.marks: list[str] = []
        self.digits = ""
        self.closes: list[str] = []
        self.fails_on_audio = False
        self._changed = asyncio.Event()

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        if self.fails_on_audio:
            raise RuntimeError("our bug")
        self.heard.append((payload, media_ms))
        self._changed.set()

    def mark(self, name: str) -> None:
        self.marks.append(name)
        self._changed.set()

    def dtmf(self, digit: str) -> None:
        self.digits += digit
        self._changed.set()

    def closed(self, reason: str) -> None:
        self.closes.append(reason)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class RecordingAcceptor:
    """Takes every call, unless told how to refuse."""

    def __init__(self) -> None:
        self.calls: list[RecordingSink] = []
        self.refuses_to_admit: Exception | None = None
        self.refuses_to_accept: AntiphonError | None = None
        self.on_accept: Callable[[CallTransport], None] = lambda transport: None
        self._accepted = asyncio.Event()

    def require_room(self) -> None:
        self.admit()

    def admit(self) -> None:
        if self.refuses_to_admit is not None:
            raise self.refuses_to_admit

    def accept(self, started: CallStarted, transport: CallTransport) -> RecordingSink:
        if self.refuses_to_accept is not None:
            raise self.refuses_to_accept
        self.calls.append(RecordingSink(started, transport))
        self.on_accept(transport)
        self._accepted.set()
        return self.calls[-1]

    async def call(self, number: int = 0) -> RecordingSink:
        """The ``number``-th call taken, once it is."""
        async with asyncio.timeout(60):
            while len(self.calls) <= number:
                self._accepted.clear()
                await self._accepted.wait()
        return self.calls[number]


class Stream:
    """A media socket as Twilio drives it: numbers its messages, stamps its audio."""

    def __init__(self, client: ClientConnection, call_sid: str, stream_sid: str) -> None:
        self.client = client
        self.call_sid = call_sid
        self.stream_sid = stream_sid
        self.sequence = 0
        self.timestamp_ms = 0

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        await self.client.send(json.dumps(message) if isinstance(message, dict) else message)

    async def send_event(self, event: str, content: dict[str, Any], **changes: Any) -> None:
        self.sequence += 1
        message = {"event": event, "sequenceNumber": str(self.sequence), "streamSid": self.stream_sid, event: content}
        await self.send({**message, **changes})

    async def connected(self) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    async def start(self, parameters: dict[str, str], **changes: Any) -> None:
        content = {
            "accountSid": ACCOUNT,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        await self.send_event("start", {**content, **changes})

    async def media(self, audio: bytes, **changes: Any) -> None:
        content = {"track": "inbound", "chunk": str(self.sequence), "timestamp": str(self.timestamp_ms)}
        self.timestamp_ms += len(audio) // 8
        await self.send_event("media", {**content, "payload": base64.b64encode(audio).decode()}, **changes)

    async def dtmf(self, digit: str) -> None:
        await self.send_event("dtmf", {"track": "inbound_track", "digit": digit})

    async def mark(self, name: str) -> None:
        await self.send_event("mark", {"name": name})

    async def stop(self) -> None:
        await self.send_event("stop", {"accountSid": ACCOUNT, "callSid": self.call_sid})

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            text = await self.client.recv()
        assert isinstance(text, str), "Twilio takes text frames only"
        message: dict[str, Any] = json.loads(text)
        return message

    async def close_code(self) -> int | None:
        async with asyncio.timeout(60):
            await self.client.wait_closed()
        return self.client.close_code


@dataclass
class Twilio:
    """The carrier's side of one running server."""

    settings: TwilioSettings
    clock: ManualClock
    watch: SocketWatch
    acceptor: RecordingAcceptor
    carrier: TwilioCarrier
    state: ServerState
    port: int
    http: httpx.AsyncClient
    statuses: list[CallStatusChanged] = field(default_factory=list)
    answers: list[CallAnswered] = field(default_factory=list)

    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)
        self.watch.check(self.clock.now_ms())

    def sign(self, url: str, fields: Any = None, auth_token: str = AUTH_TOKEN) -> str:
        return str(RequestValidator(auth_token).compute_signature(url, fields or {}))

    async def webhook(
        self,
        path: str,
        fields: Sequence[tuple[str, str]] | dict[str, str],
        *,
        signature: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A form webhook, signed as Twilio does unless a signature is given."""
        pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
        signed = self.sign(PUBLIC_URL + path, MultiDict(pairs)) if signature is None else signature
        return await self.http.post(
            path,
            content=urlencode(pairs),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                **({"x-twilio-signature": signed} if signed else {}),
                **(headers or {}),
            },
        )

    async def ring(self, call_sid: str = "CA1", path: str = "/twilio/voice", **fields: str) -> dict[str, str]:
        """A call comes in: the parameters of the stream we are told to open."""
        form = {"CallSid": call_sid, "AccountSid": ACCOUNT, "From": CALLER, "To": CALLED, "Direction": "inbound"}
        answer = await self.webhook(path, {**form, **fields})
        assert answer.status_code == 200
        stream = ET.fromstring(answer.text).find("./Connect/Stream")
        assert stream is not None, answer.text
        return {element.attrib["name"]: element.attrib["value"] for element in stream.findall("Parameter")}

    @asynccontextmanager
    async def socket(
        self, call_sid: str = "CA1", stream_sid: str = "MZ1", *, signature: str | None = None
    ) -> AsyncIterator[Stream]:
        """A media socket, with nothing said on it yet."""
        signed = self.sign(self.settings.media_url) if signature is None else signature
        headers = {"x-twilio-signature": signed} if signed else {}
        url = f"ws://127.0.0.1:{self.port}{self.settings.media_path}"
        async with connect(url, additional_headers=headers, compression=None, max_size=None) as client:
            yield Stream(client, call_sid, stream_sid)

    @asynccontextmanager
    async def call(
        self, call_sid: str = "CA1", stream_sid: str = "MZ1", **fields: str
    ) -> AsyncIterator[tuple[Stream, RecordingSink]]:
        """A live call: webhook, socket, connected, start."""
        parameters = await self.ring(call_sid, **fields)
        number = len(self.acceptor.calls)
        async with self.socket(call_sid, stream_sid) as stream:
            await stream.connected()
            await stream.start(parameters)
            yield stream, await self.acceptor.call(number)

    async def idle(self) -> None:
        """Until nothing is left of any call."""
        async with asyncio.timeout(60):
            while len(self.watch) or self.carrier.authorizer.live_streams:  # noqa: ASYNC110  # seen from outside
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    check_assistant: Callable[[str], None] = lambda name: None, spend_nonce: SpendNonce | None = None, **changes: Any
) -> AsyncIterator[Twilio]:
    settings = replace(TwilioSettings(PUBLIC_URL, auth_token=AUTH_TOKEN, account_sid=ACCOUNT), **changes)
    clock, acceptor, routes = ManualClock(), RecordingAcceptor(), MediaRoutes()
    watch = SocketWatch(clock)
    statuses: list[CallStatusChanged] = []
    answers: list[CallAnswered] = []
    carrier = TwilioCarrier(
        settings, acceptor, watch, statuses.append, answers.append, check_assistant, spend_nonce=spend_nonce
    )
    carrier.add_media_routes(routes)
    app = application(carrier.routes)
    config = uvicorn.Config(app, http=http_protocol(routes), ws="none", lifespan="off", log_level="error")
    config.load()
    state = ServerState()
    factory: Any = config.http_protocol_class
    listening = await asyncio.get_running_loop().create_server(
        lambda: factory(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = listening.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False, timeout=60) as http:
        twilio = Twilio(settings, clock, watch, acceptor, carrier, state, port, http, statuses, answers)
        yield twilio
        await twilio.idle()
    listening.close()
    await listening.wait_closed()
    await carrier.close()


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with serving() as running:
        yield running


@pytest.fixture
def serve() -> Callable[..., Any]:
    """Serve with other settings."""
    return serving
