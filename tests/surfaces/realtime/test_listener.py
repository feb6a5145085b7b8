"""The WebSocket itself: handshakes, keys, big frames, peers that do not read. A real server with scripted engines."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openai import AsyncAzureOpenAI
from tests.serving import running_server, settings_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from antiphon.composition.process import Antiphon
from antiphon.config import Realtime
from antiphon.surfaces.realtime.listener import RealtimeListener

GREETING = {"model": "assistant:scripted"}


class Place:
    """A server, and how to get in."""

    def __init__(self, antiphon: Antiphon, http: httpx.AsyncClient, key: str) -> None:
        self.antiphon = antiphon
        self.http = http
        self.key = key

    def connect(self, query: str = "model=gpt-realtime", *, key: str | None = None, **options: Any) -> connect:
        options.setdefault("additional_headers", {"Authorization": f"Bearer {self.key if key is None else key}"})
        options.setdefault("compression", None)
        url = self.antiphon.settings.base_url.replace("http", "ws")
        return connect(f"{url}{options.pop('path', '/v1/realtime')}?{query}", max_size=None, **options)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    settings = settings_for(tmp_path, realtime=Realtime(debug_order=True, cors_origins=["https://ours.example"]))
    async with running_server(settings) as (antiphon, http):
        yield Place(antiphon, http, antiphon.keys.create("test", 0)[1])


async def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a kind."""
    async with asyncio.timeout(60):
        while True:
            event: dict[str, Any] = orjson.loads(await socket.recv())
            if event["type"] == kind:
                return event


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(orjson.dumps({"type": kind, **fields}).decode())


async def until_empty(antiphon: Antiphon) -> None:
    for _ in range(500):
        if not (len(antiphon.realtime) or antiphon.manager.live or len(antiphon.watch)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("something was left behind")


async def test_a_session_opens_answers_and_leaves_nothing_behind(place: Place) -> None:
    async with place.connect() as socket:
        created = await receive(socket, "session.created")
        assert created["session"]["model"] == "gpt-realtime"
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers
        await send(socket, "response.create", response={"output_modalities": ["text"]})
        assert (await receive(socket, "response.done"))["response"]["status"] == "completed"
    await until_empty(place.antiphon)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("", 401, "invalid_api_key"), ("sk_wrong", 401, "invalid_api_key"), ("ek_x", 401, "invalid_api_key")],
)
async def test_without_a_good_key_there_is_no_upgrade(place: Place, key: str, status: int, code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(key=key)
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.body is not None
    assert orjson.loads(response.body)["error"]["code"] == code


async def test_a_browser_brings_its_key_as_a_subprotocol_and_hears_only_realtime(place: Place) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{place.key}"]
    async with place.connect(subprotocols=offered, additional_headers={}, origin="https://ours.example") as socket:
        assert socket.subprotocol == "realtime"
        await receive(socket, "session.created")
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(subprotocols=offered, additional_headers={}, origin="https://theirs.example")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("query", "path", "status"),
    [
        ("model=assistant:nobody", "/v1/realtime", 404), ("call_id=rtc_nobody", "/v1/realtime", 404),
        ("model=x", "/v1/realtime/other", 404), ("model=x", "/openai/v1/realtime/", 404),
        ("model=x", "/realtime", 404), ("model=x", "/openai/realtime/x", 404), ("model=x", "/", 404), ("model=x", "/healthz", 404),
    ],
)  # fmt: skip
async def test_what_is_not_there(place: Place, query: str, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(query, path=path)
    assert refused.value.response.status_code == status
    assert place.antiphon.manager.live == 0


@pytest.mark.parametrize(
    "path", ["/openai/v1/realtime", "/openai/realtime", "//openai//realtime", "/openai//v1/realtime"]
)
@pytest.mark.parametrize(
    ("query", "model"),
    [
        ("api-version=2025-04-01-preview&deployment=our-deployment", "our-deployment"),
        ("api-version=2025-04-01-preview&deployment=assistant:scripted", "assistant:scripted"),
        ("model=x&deployment=y", "x"),
        ("api-version=2025-04-01-preview", "gpt-realtime"),
    ],
)
async def test_azure_s_paths_header_and_word_for_the_model(place: Place, path: str, query: str, model: str) -> None:
    async with place.connect(query, path=path, additional_headers={"api-key": place.key}) as socket:
        assert (await receive(socket, "session.created"))["session"]["model"] == model


async def test_azure_s_sdk(place: Place) -> None:
    base = place.antiphon.settings.base_url.replace("http", "ws")
    client = AsyncAzureOpenAI(
        api_key=place.key,
        api_version="2025-04-01-preview",
        azure_endpoint=place.antiphon.settings.base_url,
        websocket_base_url=f"{base}/openai",
    )
    async with client, client.realtime.connect(model="assistant:scripted") as connection:
        event = await connection.recv()
        assert event.type == "session.created"
        assert event.session.model == "assistant:scripted"  # type: ignore[union-attr]


@pytest.mark.parametrize("query", ["model=x", "call_id=rtc_x"])
async def test_an_open_api_is_closed_to_pages_of_other_origins(tmp_path: Path, query: str) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (antiphon, http):
        place = Place(antiphon, http, "any")
        with pytest.raises(InvalidStatus) as refused:
            await place.connect(query, origin="http://evil.example", additional_headers={})
        assert refused.value.response.status_code == 403
        url = "/v1/realtime/calls/rtc_x/hangup"
        for path in ("/v1/realtime/client_secrets", "/v1/realtime/calls?model=x", url, "/talk/key/scripted"):
            answer = await http.post(path, headers={"Origin": "http://evil.example"}, content=b"{}")
            assert answer.status_code in (401, 403), path
            assert "access-control-allow-origin" not in answer.headers
        assert (await http.get("/calls/x/timeline", headers={"Origin": "http://evil.example"})).status_code == 403
        assert (await http.post("/v1/realtime/client_secrets")).status_code == 200


async def test_a_full_server_says_so_before_the_upgrade(place: Place) -> None:
    place.antiphon.manager.drain()
    with pytest.raises(InvalidStatus) as refused:
        await place.connect()
    assert refused.value.response.status_code == 503
    assert refused.value.response.body is not None
    assert orjson.loads(refused.value.response.body)["error"]["code"] == "server_draining"


async def test_a_client_secret_has_its_own_configuration_and_may_not_watch_others(place: Place) -> None:
    headers = {"Authorization": f"Bearer {place.key}"}
    session = {"type": "realtime", "model": "assistant:scripted", "instructions": "Be brief."}
    made = await place.http.post("/v1/realtime/client_secrets", json={"session": session}, headers=headers)
    secret = made.json()["value"]
    for _ in range(2):
        async with place.connect("model=another", key=secret) as socket:
            created = await receive(socket, "session.created")
            assert created["session"]["model"] == "assistant:scripted", "its holder cannot choose another"
            assert created["session"]["instructions"] == "Be brief."
            call_id = created["session"]["id"]
            with pytest.raises(InvalidStatus) as refused:
                await place.connect(f"call_id={call_id}", key=secret)
            assert refused.value.response.status_code == 403
            async with place.connect(f"call_id={call_id}") as sideband:
                await receive(sideband, "session.created")
                await send(sideband, "session.update", session={"type": "realtime", "instructions": "Be long."})
                assert (await receive(socket, "session.updated"))["session"]["instructions"] == "Be long."


async def test_the_biggest_append_and_one_too_big(place: Place) -> None:
    async with place.connect() as socket:
        await receive(socket, "session.created")
        await send(socket, "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        for size in (15 * 2**20, 15 * 2**20 + 3):
            await send(
                socket, "input_audio_buffer.append", audio=base64.b64encode(b"\0" * size).decode(), event_id="big"
            )
        assert (await receive(socket, "error"))["error"]["event_id"] == "big"
        await send(socket, "input_audio_buffer.clear")
        await receive(socket, "input_audio_buffer.cleared")
        with suppress(ConnectionClosed):
            await socket.send("x" * (22 * 2**20))
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket, "nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    await until_empty(place.antiphon)


async def test_big_frames_arrive_whole_and_in_order(place: Place) -> None:
    """Bigger than what picows copies by itself, to a peer that reads now and then."""
    async with place.connect() as socket:
        await receive(socket, "session.created")
        texts = [chr(97 + number) * 60_000 for number in range(20)]
        for text in texts:
            content = [{"type": "input_text", "text": text}]
            await send(socket, "conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await asyncio.sleep(0.2)
        for text in texts:
            added = await receive(socket, "conversation.item.added")
            assert added["item"]["content"][0]["text"] == text


async def test_binary_messages_and_bad_ones_are_answered(place: Place) -> None:
    async with place.connect() as socket:
        await receive(socket, "session.created")
        await socket.send(b"\x00\x01")
        assert (await receive(socket, "error"))["error"]["code"] == "invalid_message"
        await socket.send("{")
        assert (await receive(socket, "error"))["error"]["code"] == "invalid_json"


async def test_a_peer_that_does_not_read_is_cut_off(place: Place) -> None:
    """Not by how long a reply takes to send, but when nothing at all is taken."""
    async with place.connect() as socket:
        await receive(socket, "session.created")
        socket.transport.pause_reading()
        [listener] = [known for known in place.antiphon.watch._sockets if isinstance(known, RealtimeListener)]
        event = orjson.dumps({"type": "test", "filler": "x" * 100_000})
        for _ in range(100):
            listener.send(event)
        assert listener.unsent_bytes() > 1_000_000
        now_ms = place.antiphon.clock.now_ms()
        listener.check(now_ms)
        listener.check(now_ms + 19_000)
        assert not listener.closing
        listener.check(now_ms + 21_000)
        assert listener.closing
        socket.transport.abort()
    await until_empty(place.antiphon)


async def test_a_peer_that_is_far_behind_is_cut_off(place: Place) -> None:
    async with place.connect() as socket:
        await receive(socket, "session.created")
        socket.transport.pause_reading()
        [listener] = [known for known in place.antiphon.watch._sockets if isinstance(known, RealtimeListener)]
        event = orjson.dumps({"type": "test", "filler": "x" * 250_000})
        sent = 0
        while not listener.closing and sent < 200:
            listener.send(event)
            sent += 1
        assert 60 < sent < 100, "16 MiB and what the kernel holds"
        socket.transport.abort()
    await until_empty(place.antiphon)


async def test_a_silent_client_is_pinged_and_stays(place: Place) -> None:
    async with place.connect() as socket:
        await receive(socket, "session.created")
        [listener] = [known for known in place.antiphon.watch._sockets if isinstance(known, RealtimeListener)]
        now_ms = place.antiphon.clock.now_ms()
        for later_ms in (20_000, 40_000, 600_000):
            listener.check(now_ms + later_ms)
        assert not listener.closing
        await send(socket, "input_audio_buffer.clear")
        await receive(socket, "input_audio_buffer.cleared")


async def test_the_server_stops(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, open_api=True)
    async with running_server(settings) as (antiphon, http):
        place = Place(antiphon, http, "any")
        socket = await place.connect()
        await receive(socket, "session.created")
    with pytest.raises(ConnectionClosed) as closed:
        await receive(socket, "nothing")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, open_api=True, realtime=Realtime(enabled=False))
    async with running_server(settings) as (antiphon, http):
        with pytest.raises(InvalidStatus) as refused:
            await Place(antiphon, http, "any").connect()
        assert refused.value.response.status_code in (403, 404)


async def test_the_older_dialect(place: Place) -> None:
    headers = {"Authorization": f"Bearer {place.key}", "OpenAI-Beta": "realtime=v1"}
    async with place.connect(additional_headers=headers) as socket:
        assert (await receive(socket, "session.created"))["session"]["input_audio_format"] == "pcm16"
        await send(socket, "session.update", session={"instructions": "Be brief.", "turn_detection": None})
        assert (await receive(socket, "session.updated"))["session"]["instructions"] == "Be brief."
        content = [{"type": "input_text", "text": "hello"}]
        await send(socket, "conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await receive(socket, "conversation.item.created")
        await send(socket, "response.create", response={"modalities": ["text", "audio"]})
        assert (await receive(socket, "response.audio_transcript.delta"))["delta"] == "It costs eleven crowns."
        await receive(socket, "response.audio.delta")
        done = (await receive(socket, "response.done"))["response"]
        assert done["output"][0]["content"][0] == {"type": "audio", "transcript": "It costs eleven crowns."}
