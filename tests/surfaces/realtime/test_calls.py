"""Calls over WebRTC: a real server with scripted engines, and a stock aiortc peer on loopback."""

from __future__ import annotations

import asyncio
import codecs
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import structlog
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription
from numpy.typing import NDArray
from starlette import formparsers
from tests.serving import running_server, settings_for, write_assistant
from tests.stopwatch import Stopwatch
from tests.transports.webrtc_peer import Browser, Microphone, only_loopback
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from antiphon.audio.pcm import dbfs
from antiphon.composition.process import Antiphon
from antiphon.config import Realtime, WebRtc
from antiphon.providers.scripted_hum import hum
from antiphon.surfaces.realtime import browser_call
from antiphon.surfaces.realtime.protocol.order import OrderChecker
from antiphon.transports.webrtc import aiortc_engine
from antiphon.vocabulary import AudioFormat, Encoding, EndReason

CALLS = "/v1/realtime/calls"
SDP = {"Content-Type": "application/sdp"}
GREETING = "Good day, this is the front desk, and what may we do for you on this fine day?"
LOUD_DBFS = -40.0


class Caller(Browser):
    """A browser with a call; ``place.call`` makes it."""

    call_id = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(text) for text in self.texts]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def sent(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The ``count``th event of this type."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def send(self, kind: str, **fields: Any) -> None:
        self.channel.send(orjson.dumps({"type": kind, **fields}).decode())

    def loud_ms(self) -> int:
        return loud_ms(self.heard_samples())

    def assert_in_order(self) -> None:
        checker = OrderChecker()
        assert [violation for event in self.events if (violation := checker.see(event))] == []


class Place:
    """A server, and how to call it."""

    def __init__(self, antiphon: Antiphon, http: httpx.AsyncClient, key: str) -> None:
        self.antiphon = antiphon
        self.http = http
        self.key = key

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def secret(self, session: dict[str, Any]) -> dict[str, str]:
        """A client secret with this session, as a header."""
        made = await self.http.post("/v1/realtime/client_secrets", json={"session": session}, headers=self.headers)
        return {"Authorization": f"Bearer {made.json()['value']}"}

    async def post(self, offer: str, path: str = f"{CALLS}?model=assistant:scripted", **headers: str) -> httpx.Response:
        return await self.http.post(path, content=offer, headers={**self.headers, **SDP, **headers})

    @asynccontextmanager
    async def call(
        self,
        post: Callable[[str], Awaitable[httpx.Response]] | None = None,
        microphone: Microphone | None = None,
        edit: Callable[[str], str] = str,
        caller: Caller | None = None,
    ) -> AsyncIterator[Caller]:
        """A call that has been answered; its events are checked at the end. ``edit`` changes the offer."""
        caller = caller or Caller(microphone)
        try:
            answer = await (post or self.post)(edit(await caller.offer()))
            assert answer.status_code == 201, answer.text
            caller.call_id = answer.headers["location"].rpartition("/")[2]
            await caller.take(answer.text)
            yield caller
        finally:
            await caller.close()

    def sideband(self, call_id: str) -> connect:
        url = self.antiphon.settings.base_url.replace("http", "ws")
        return connect(f"{url}/v1/realtime?call_id={call_id}", additional_headers=self.headers)

    async def hang_up(self, call_id: str, verb: str = "hangup", **headers: str) -> httpx.Response:
        return await self.http.post(f"{CALLS}/{call_id}/{verb}", headers={**self.headers, **headers})

    async def until_empty(self) -> None:
        antiphon = self.antiphon
        for _ in range(500):
            if not (len(antiphon.realtime) or antiphon.manager.live or antiphon.webrtc.legs or len(antiphon.watch)):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("something was left behind")


@asynccontextmanager
async def serving(folder: Path, **webrtc: Any) -> AsyncIterator[Place]:
    write_assistant(folder / "assistants", GREETING, ms_per_character=30)
    settings = settings_for(
        folder,
        realtime=Realtime(debug_order=True, cors_origins=["https://ours.example"]),
        webrtc=WebRtc(addresses=["127.0.0.1"], **webrtc),
    )
    with only_loopback():
        async with running_server(settings) as (antiphon, http):
            yield Place(antiphon, http, antiphon.keys.create("test", 0)[1])


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with serving(tmp_path) as served:
        yield served
        await served.until_empty()


def hummed(duration_ms: int) -> NDArray[np.int16]:
    """What the scripted voice speaks, at 48 kHz."""
    wideband = np.frombuffer(hum(AudioFormat(Encoding.PCM16, 24_000)), dtype=np.int16)
    return np.repeat(np.tile(wideband, 2)[: duration_ms * 24], 2)


def loud_ms(samples: NDArray[np.int16]) -> int:
    """How much of it is speech rather than pause."""
    frames = samples[: samples.size // 960 * 960].reshape(-1, 960)
    return sum(20 for frame in frames if dbfs(frame) > LOUD_DBFS)


def speech(lead_ms: int, duration_ms: int = 1000) -> Microphone:
    """Silence, then what the voice-activity model takes for speech, then silence."""
    spoken = hummed(250 + duration_ms)[250 * 48 :]
    return Microphone(np.concatenate([np.zeros(lead_ms * 48, dtype=np.int16), spoken]))


async def next_of(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            event: dict[str, Any] = orjson.loads(await socket.recv())
            if event["type"] == kind:
                return event


# ------------------------------------------------------------------------------------------------ a conversation


async def test_a_greeting_a_spoken_turn_and_its_answer(place: Place) -> None:
    async with place.call(microphone=speech(lead_ms=3700)) as caller:
        await caller.sent("output_audio_buffer.stopped", 2)
        assert caller.events[0]["type"] == "session.created"
        greeting, answer = (done["response"] for done in caller.of("response.done"))
        assert greeting["output"][0]["content"][0]["transcript"] == GREETING
        assert answer["output"][0]["content"][0]["transcript"] == "It costs eleven crowns."
        assert [event["response_id"] for event in caller.of("output_audio_buffer.stopped")] == [
            greeting["id"],
            answer["id"],
        ]
        assert caller.of("response.output_audio.delta") == [], "sound goes over the track"
        said = hummed(len(GREETING) * 30), hummed(len("It costs eleven crowns.") * 30)
        assert caller.loud_ms() == pytest.approx(sum(map(loud_ms, said)), abs=200)
        caller.assert_in_order()


async def test_speech_cuts_the_agent_off_and_the_item_to_what_was_heard(place: Place) -> None:
    watch = Stopwatch()
    async with place.call(microphone=speech(lead_ms=1500)) as caller:
        cleared = await caller.sent("output_audio_buffer.cleared")
        heard_ms = caller.loud_ms()
        done = (await caller.sent("response.done"))["response"]
        assert cleared["response_id"] == done["id"]
        truncated = await caller.sent("conversation.item.truncated")
        # What was on its way when this process got no time is heard here later than there.
        assert truncated["audio_end_ms"] == pytest.approx(heard_ms, abs=300 + watch.held_up_ms)
        caller.send("conversation.item.retrieve", item_id=truncated["item_id"])
        [part] = (await caller.sent("conversation.item.retrieved"))["item"]["content"]
        assert GREETING.startswith(part["transcript"])
        assert 0 < len(part["transcript"]) < len(GREETING)
        await caller.sent("output_audio_buffer.stopped")
        caller.assert_in_order()


async def test_what_the_client_sends_as_soon_as_it_can_is_obeyed_in_order(place: Place) -> None:
    caller = Caller()

    def at_once() -> None:
        for number in range(5):
            caller.send("session.update", session={"type": "realtime", "instructions": f"Number {number}."})
        caller.send("response.create", response={"output_modalities": ["text"]})

    caller.channel.on("open", at_once)
    path = f"{CALLS}?model=some-model"
    async with place.call(lambda offer: place.post(offer, path), caller=caller):
        await caller.sent("response.done")
        kinds = [event["type"] for event in caller.events]
        assert kinds[:6] == ["session.created"] + ["session.updated"] * 5
        said = [event["session"]["instructions"] for event in caller.of("session.updated")]
        assert said == [f"Number {number}." for number in range(5)]
        caller.assert_in_order()


async def test_audio_over_the_channel_and_messages_that_are_none_are_refused(place: Place) -> None:
    async with place.call() as caller:
        await caller.sent("session.created")
        caller.send("input_audio_buffer.append", audio="AAAA", event_id="mine")
        refused = (await caller.sent("error"))["error"]
        assert (refused["code"], refused["event_id"]) == ("invalid_event_for_transport", "mine")
        caller.channel.send("{")
        assert (await caller.sent("error", 2))["error"]["code"] == "invalid_json"
        caller.channel.send("x" * 200_000)
        assert (await caller.sent("error", 3))["error"]["code"] == "invalid_json"
        assert place.antiphon.manager.live == 1


async def test_events_are_no_longer_than_the_client_takes(place: Place) -> None:
    def small(offer: str) -> str:
        assert "a=max-message-size:262144" in offer
        return offer.replace("a=max-message-size:262144", "a=max-message-size:65536")

    async with place.call(edit=small) as caller:
        await caller.sent("session.created")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 120_000}]}
        caller.send("conversation.item.create", item=item)
        added = await caller.sent("conversation.item.done")
        caller.send("conversation.item.retrieve", item_id=added["item"]["id"])
        await caller.sent("conversation.item.retrieved")
        caller.send("session.update", session={"type": "realtime", "instructions": "y" * 120_000})
        assert (await caller.sent("session.updated"))["session"]["instructions"].startswith("yyy")
        assert max(len(text.encode()) for text in caller.texts) <= 65_536
        assert place.antiphon.manager.live == 1
        caller.assert_in_order()


# ------------------------------------------------------------------------------------------------ its beginning


async def test_the_agent_waits_for_the_channel_but_not_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_call, "CHANNEL_WAIT_S", 0.3)
    create = RTCPeerConnection.createDataChannel
    monkeypatch.setattr(RTCPeerConnection, "createDataChannel", lambda peer, _label: create(peer, "something-else"))
    caller = Caller()
    async with place.call(caller=caller):
        await caller.until(lambda: caller.loud_ms() > 300)
        assert caller.texts == []


async def test_a_call_without_a_channel_is_a_call(place: Place) -> None:
    peer, tracks = RTCPeerConnection(), []
    peer.addTrack(AudioStreamTrack())
    peer.on("track", tracks.append)
    await peer.setLocalDescription(await peer.createOffer())
    answer = await place.post(peer.localDescription.sdp)
    assert answer.status_code == 201
    assert "m=application" not in answer.text
    await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    call_id = answer.headers["location"].rpartition("/")[2]
    async with place.sideband(call_id) as sideband:
        started = asyncio.create_task(next_of(sideband, "output_audio_buffer.started"))
        async with asyncio.timeout(60):
            while dbfs((await tracks[0].recv()).to_ndarray().reshape(-1)) < LOUD_DBFS:
                pass
        await started
        assert (await place.hang_up(call_id)).status_code == 200
        with pytest.raises(ConnectionClosed):
            await next_of(sideband, "nothing else")
    await peer.close()


async def test_a_client_that_takes_next_to_nothing_is_talked_to_all_the_same(place: Place) -> None:
    async with place.call(edit=lambda offer: offer.replace("max-message-size:262144", "max-message-size:64")) as caller:
        await caller.until(lambda: caller.loud_ms() > 300)
        assert caller.texts == []


async def test_a_call_that_never_connects_can_be_joined_and_is_dropped(place: Place) -> None:
    caller, antiphon = Caller(), place.antiphon
    try:
        answer = await place.post(await caller.offer())
        call_id = answer.headers["location"].rpartition("/")[2]
        async with place.sideband(call_id) as sideband:
            await next_of(sideband, "session.created")
            update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
            await sideband.send(orjson.dumps(update).decode())
            assert (await next_of(sideband, "session.updated"))["session"]["instructions"] == "Be brief."
            await sideband.send('{"type": "response.create"}')
            assert (await next_of(sideband, "error"))["error"]["code"] == "session_not_ready"
            antiphon.watch.check(antiphon.clock.now_ms() + 14_000)
            assert antiphon.realtime.find(call_id) is not None
            antiphon.watch.check(antiphon.clock.now_ms() + 15_000)
            assert antiphon.realtime.find(call_id) is None
    finally:
        await caller.close()


async def test_a_server_that_stops_leaves_nobody_waiting(tmp_path: Path) -> None:
    caller = Caller()
    async with serving(tmp_path) as place:
        await place.post(await caller.offer())
        assert len(place.antiphon.realtime) == 1
    assert len(place.antiphon.realtime) == place.antiphon.webrtc.legs == 0
    await caller.close()


# ------------------------------------------------------------------------------------------------ its end


async def test_whoever_hangs_up_everything_is_over(place: Place) -> None:
    async with place.call() as caller:
        await caller.sent("output_audio_buffer.started")
        answer = await place.hang_up(caller.call_id)
        assert (answer.status_code, answer.content) == (200, b"")
        await caller.until(lambda: caller.channel.readyState == "closed")
        assert (await place.hang_up(caller.call_id)).status_code == 404
    await place.until_empty()
    async with place.call() as caller:
        await caller.sent("output_audio_buffer.started")
        caller.channel.close()
        await place.until_empty()
    async with place.call() as caller:
        await caller.sent("output_audio_buffer.started")
        await caller.peer.close()
        await place.until_empty()


async def test_the_last_event_arrives_before_the_line_is_gone(place: Place) -> None:
    async with place.call() as caller:
        await caller.sent("output_audio_buffer.started")
        session = place.antiphon.manager.find(caller.call_id)
        assert session is not None
        session.drop(EndReason.EXCEEDED_MAX_DURATION)
        await caller.until(lambda: caller.channel.readyState == "closed")
        assert caller.events[-1]["error"]["code"] == "session_expired"
        caller.assert_in_order()


async def test_a_client_that_vanishes_is_missed(place: Place) -> None:
    async with place.call() as caller:
        await caller.sent("output_audio_buffer.started")
        place.antiphon.watch.check(place.antiphon.clock.now_ms() + 16_000)
        place.antiphon.watch.check(place.antiphon.clock.now_ms() + 32_000)
        assert len(place.antiphon.realtime) == place.antiphon.manager.live == 0
        await place.until_empty()


async def test_a_sideband_is_told_of_the_end(place: Place) -> None:
    async with place.call() as caller:
        await caller.sent("session.created")
        async with place.sideband(caller.call_id) as sideband:
            await next_of(sideband, "session.created")
            await place.hang_up(caller.call_id)
            with suppress(ConnectionClosed):
                await next_of(sideband, "nothing of this kind")
            assert sideband.close_code == 1000


# ------------------------------------------------------------------------------------------------ who may, and what is refused


async def test_a_secret_s_session_is_what_the_call_begins_with(place: Place) -> None:
    secret = await place.secret({"type": "realtime", "model": "assistant:scripted", "instructions": "Be brief."})

    async def bare(offer: str) -> httpx.Response:
        return await place.http.post(f"{CALLS}?model=another", content=offer, headers={**secret, **SDP})

    async def form(offer: str) -> httpx.Response:
        session = {"type": "realtime", "model": "another", "audio": {"output": {"voice": "cedar"}}}
        parts = {
            "sdp": (None, offer, "application/sdp"),
            "session": ("blob", orjson.dumps(session), "application/json"),
        }
        return await place.http.post(CALLS, files=parts, headers=secret)

    for post, voice in ((bare, "marin"), (form, "cedar")):
        async with place.call(post) as caller:
            session = (await caller.sent("session.created"))["session"]
            assert (session["model"], session["instructions"]) == ("assistant:scripted", "Be brief.")
            assert session["audio"]["output"]["voice"] == voice
            for verb in ("hangup", "accept", "reject", "refer"):
                assert (await place.hang_up(caller.call_id, verb, **secret)).status_code == 403
            assert place.antiphon.manager.live == 1


async def test_a_form_in_a_server_s_name_chooses_the_model(place: Place) -> None:
    async def form(offer: str) -> httpx.Response:
        files = {"sdp": (None, offer), "session": (None, '{"type": "realtime", "model": "assistant:scripted"}')}
        return await place.http.post("/openai/v1/realtime/calls", files=files, headers={"api-key": place.key})

    async with place.call(form) as caller:
        assert (await caller.sent("session.created"))["session"]["model"] == "assistant:scripted"


async def test_nobody_else_may_call(place: Place) -> None:
    async def status(**headers: str) -> tuple[int, str]:
        answer = await place.http.post(CALLS, content="v=0", headers={**SDP, **headers})
        return answer.status_code, answer.json()["error"]["code"]

    assert await status() == (401, "invalid_api_key")
    assert await status(Authorization="Bearer ek_none") == (401, "invalid_api_key")
    assert await status(**place.headers, Origin="https://theirs.example") == (403, "origin_not_allowed")
    assert (await place.http.post(f"{CALLS}/rtc_1/hangup")).status_code == 401
    assert place.antiphon.webrtc.legs == 0


async def test_web_pages_of_our_origins_may_call_and_learn_the_call_s_id(place: Place) -> None:
    asked = {
        "Origin": "https://ours.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-openai-agents-sdk",
    }
    assert (await place.http.options(CALLS, headers=asked)).status_code == 200
    caller = Caller()
    answer = await place.post(await caller.offer(), Origin="https://ours.example")
    assert answer.headers["access-control-expose-headers"] == "Location"
    assert answer.headers["content-type"] == "application/sdp"
    await place.hang_up(answer.headers["location"].rpartition("/")[2])
    await caller.close()


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def form(*parts: tuple[str, str]) -> str:
    written = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
    )
    return f"{written}--b--\r\n"


REFUSED: list[tuple[dict[str, str], Any, int, str, str | None]] = [
    (SDP, "", 400, "invalid_offer", None),
    (SDP, b"\xff\xfe", 400, "invalid_offer", None),
    (SDP, "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 400, "invalid_offer", None),
    (SDP, "x" * 600_000, 413, "request_too_large", None),
    ({"Content-Type": "application/json"}, "{}", 415, "unsupported_content_type", None),
    ({"Content-Type": ""}, "v=0", 415, "unsupported_content_type", None),
    ({"Content-Type": "multipart/form-data"}, "v=0", 400, "invalid_form", None),
    ({"Content-Type": "multipart/form-data; boundary="}, "v=0", 400, "invalid_form", None),
    ({"Content-Type": "multipart/form-data; boundary=" + "b" * 71}, "v=0", 400, "invalid_form", None),
    ({"Content-Type": 'multipart/form-data; boundary="b\\"; charset=x"'}, "v=0", 400, "invalid_form", None),
    (FORM, form(("sdp", "v=0")).encode().replace(b"v=0", b"v=0\xff"), 400, "invalid_offer", None),
    (
        FORM,
        form(("sdp", "v=0"), ("session", "{}")).encode().replace(b"{}", b'{"a": "\xff"}'),
        400,
        "invalid_json",
        "session",
    ),
    (FORM, form(("sdp", "v=0"), ("session", '{"x": ' + "[" * 300 + "]" * 300 + "}")), 400, "invalid_json", "session"),
    *(
        (
            {"Content-Type": f"multipart/form-data; boundary=b; charset={codec}"},
            form(("sdp", "9b" * 200_000)),
            400,
            "invalid_offer",
            None,
        )
        for codec in (
            "punycode",
            "idna",
            "undefined",
            "unicode_escape",
            "utf-7",
            "base64",
            "zip",
            "utf-16",
            "nonsense",
            "",
        )
    ),
    (FORM, "no form", 400, "invalid_form", None),
    (FORM, form(("session", "{}")), 400, "missing_required_parameter", "sdp"),
    (FORM, form(("sdp", "v=0"), ("session", "{")), 400, "invalid_json", "session"),
    (FORM, form(("sdp", "v=0"), ("session", "[]")), 400, "invalid_type", "session"),
    (FORM, form(("sdp", "v=0"), ("session", '{"type": "other"}')), 400, "invalid_value", "session.type"),
    (FORM, form(("sdp", "v=0"), ("session", '{"model": "assistant:nobody"}')), 404, "model_not_found", "model"),
    (FORM, form(("sdp", "v=0")), 400, "invalid_offer", None),
    (FORM, form(*(("sdp", "v=0") for _ in range(9))), 400, "invalid_form", None),
]


async def test_no_codec_is_the_client_s_choice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of Python's need the square of a text's length."""
    decoded: list[str] = []
    real = formparsers._user_safe_decode

    def watched(text: bytes, codec: str) -> str:
        decoded.append(codec)
        return real(text, codec)

    monkeypatch.setattr(formparsers, "_user_safe_decode", watched)
    headers = {**place.headers, "Content-Type": "multipart/form-data; charset=punycode; boundary=b; charset*=punycode"}
    await place.http.post(CALLS, content=form(("sdp", "v=0")), headers=headers)
    assert {codecs.lookup(name).name for name in decoded} == {"iso8859-1"}


async def test_what_is_no_call_is_refused_in_openai_s_shape(place: Place) -> None:
    for headers, body, status, code, param in REFUSED:
        answer = await place.http.post(CALLS, content=body, headers={**place.headers, **headers})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, param), body[:80]
        assert error["type"] == "invalid_request_error"
        assert place.antiphon.webrtc.legs == len(place.antiphon.realtime) == 0


async def test_a_call_here_neither_rings_nor_can_be_transferred(place: Place) -> None:
    async with place.call() as caller:
        codes = [
            (await place.hang_up(caller.call_id, verb)).json()["error"]["code"]
            for verb in ("accept", "reject", "refer")
        ]
        assert codes == ["call_not_ringing", "call_not_ringing", "call_not_sip"]
        unknown = await place.hang_up("rtc_nobody", "accept")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "call_not_found")


async def test_a_full_server_and_one_that_stops_say_so(tmp_path: Path) -> None:
    async with serving(tmp_path, max_legs=1) as place:
        callers = [Caller(), Caller()]
        offers = [await caller.offer() for caller in callers]
        assert (await place.post(offers[0])).status_code == 201
        full = await place.post(offers[1])
        assert (full.status_code, full.json()["error"]["code"]) == (503, "server_full")
        assert len(place.antiphon.realtime) == 1
        place.antiphon.manager.drain()
        draining = await place.post(offers[1])
        assert (draining.status_code, draining.json()["error"]["code"]) == (503, "server_draining")
        for caller in callers:
            await caller.close()


async def test_room_that_is_gone_when_the_call_connects_is_said_on_the_channel(place: Place) -> None:
    caller = Caller()
    answer = await place.post(await caller.offer())
    place.antiphon.manager._max_calls = 0
    await caller.take(answer.text)
    assert (await caller.sent("error"))["error"]["code"] == "server_error"
    await caller.until(lambda: caller.channel.readyState == "closed")
    await caller.close()


async def test_the_first_offer_has_nothing_to_load(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """To import what it takes holds the interpreter, and with it every live call."""

    def load() -> None:
        raise AssertionError("loaded while calls may be live")

    monkeypatch.setattr(aiortc_engine, "_load", load)
    async with place.call() as caller:
        await caller.sent("session.created")


async def test_without_the_extra_the_server_says_what_is_missing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.antiphon.webrtc, "_make", None)
    monkeypatch.setitem(sys.modules, "antiphon.transports.webrtc.leg", None)
    caller = Caller()
    answer = await place.post(await caller.offer())
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "webrtc_unavailable")
    await caller.close()


async def test_a_form_is_answered_so_too_where_nothing_can_read_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    with structlog.testing.capture_logs() as logs:
        answer = await place.http.post(CALLS, content=form(("sdp", "v=0")), headers={**place.headers, **FORM})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "webrtc_unavailable")
    [problem] = [entry["problem"] for entry in logs if entry["event"] == "webrtc_unavailable"]
    assert "python-multipart" in problem
    stranger = await place.http.post(CALLS, content=form(("sdp", "v=0")), headers=FORM)
    assert stranger.status_code == 401, "who asks is found out before"


# ------------------------------------------------------------------------------------------------ the older dialect


async def test_a_client_of_the_older_dialect_is_understood(place: Place) -> None:
    body = {"model": "assistant:scripted", "modalities": ["text"], "instructions": "Be brief."}
    made = await place.http.post("/v1/realtime/sessions", json=body, headers=place.headers)
    assert made.json()["modalities"] == ["text"]
    key = {"Authorization": f"Bearer {made.json()['client_secret']['value']}"}

    async def post(offer: str) -> httpx.Response:
        return await place.http.post("/v1/realtime?model=x", content=offer, headers={**key, **SDP})

    async with place.call(post) as caller:
        session = (await caller.sent("session.created"))["session"]
        assert (session["modalities"], session["instructions"]) == (["text"], "Be brief.")
        caller.send("session.update", session={"instructions": "Be long."})
        assert (await caller.sent("session.updated"))["session"]["instructions"] == "Be long."
        caller.send("response.create")
        await caller.sent("response.text.delta")
        await caller.sent("response.done")
        assert {"conversation.item.added", "conversation.item.done"}.isdisjoint(
            event["type"] for event in caller.events
        )
