"""Checks 3 and 27: ``@openai/agents`` in Chromium, from a page of another origin, with a person's speech as its microphone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from tests.browser.chromium import Page, browser_page
from tests.conformance.realtime import oracles
from tests.conformance.realtime.oracles import AgentsJs
from tests.conformance.realtime.server import Server
from tests.conformance.realtime.speech import RATE_HZ, Said, silence
from tests.conformance.realtime.stage import Stage, tool_call
from tests.conformance.realtime.tap import Tap
from tests.conformance.realtime.web import page_origin

from antiphon.audio.wav import write_wav

VAD = {"type": "server_vad", "silenceDurationMs": 400, "interruptResponse": True, "createResponse": True}
CONFIG = {"audio": {"input": {"turnDetection": VAD, "transcription": {"model": "whisper-1"}}}}
LOUD = 0.02


def microphone(path: Path, *sounds: Said | int) -> Path:
    """A WAV file of people's words and silences in ms, and a long silence at the end."""
    pieces = [silence(sound) if isinstance(sound, int) else sound.pcm for sound in (*sounds, 30_000)]
    write_wav(path, np.concatenate(pieces), RATE_HZ)
    return path.with_name(f"{path.name}%noloop")


class Client:
    """The page with its session."""

    def __init__(self, page: Page, connected: dict[str, Any]) -> None:
        self.page = page
        self.connected = connected
        self._over = False

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the server sent, as the SDK passed it on."""
        return [told["event"] for told in self.page.program.all("event")]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def at_ms(self, kind: str, number: int = 0) -> float:
        """By the page's clock."""
        times = [told["at_ms"] for told in self.page.program.all("event") if told["event"]["type"] == kind]
        return float(times[number])

    async def until(
        self, kind: str, count: int = 1, within_s: float = 60.0, where: Callable[[Any], bool] = bool
    ) -> Any:
        """The ``count``th event of a type."""

        def counted(told: dict[str, Any]) -> bool:
            matching = [e for e in self.of(kind) if where(e)]
            return len(matching) >= count and told["event"] is matching[count - 1]

        return (await self.page.program.until("event", counted, within_s=within_s))["event"]

    def assert_well(self) -> None:
        """Nothing has gone wrong so far."""
        assert self.page.problems == []
        assert self.page.program.all("error") == []

    async def leave(self) -> None:
        """Hang up, unless the server has."""
        if not self._over:
            await self.page.evaluate("() => session.close()")
            self.assert_well()

    async def hung_up(self) -> None:
        """Until the SDK has noticed that the server hung up. (It reports the aborted data channel as an error.)"""
        self._over = True
        await self.page.program.until("connection", lambda told: told["status"] == "disconnected")

    async def say(self, text: str) -> None:
        """Typed words."""
        await self.page.evaluate("(text) => session.sendMessage(text)", text)

    async def history(self) -> list[tuple[str, str]]:
        """Who said what, as the SDK keeps it."""
        items = await self.page.evaluate("() => session.history")
        return [
            (item["role"], "".join(part.get("transcript") or part.get("text") or "" for part in item["content"]))
            for item in items
            if item["type"] == "message"
        ]

    async def loud_ms(self, from_ms: float = 0, to_ms: float = 1e12) -> list[float]:
        """When the agent was heard."""
        loudness = await self.page.evaluate("() => loudness")
        return [at_ms for at_ms, level in loudness if level > LOUD and from_ms <= at_ms < to_ms]


@asynccontextmanager
async def client_in_browser(
    kind: str, url: str, key: str, agents_js: AgentsJs, *, mic: Path | None = None, tools: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """A session that has begun; nothing may have gone wrong at its end."""
    with page_origin() as origin:
        async with browser_page(microphone=mic) as page:
            await page.goto(origin)
            asked = {"kind": kind, "url": url, "apiKey": key, "tools": tools or {}, "config": CONFIG}
            client = Client(page, await page.evaluate("connect", asked, within_s=60))
            yield client
            await client.leave()
    assert not oracles.faults(client.events, agents_js)


@pytest.fixture
async def secret(client: AsyncOpenAI) -> str:
    """What a page is given in place of a private key."""
    return (await client.realtime.client_secrets.create()).value


async def test_check_3_websocket_in_a_browser(
    server: Server, tap: Tap, stage: Stage, secret: str, agents_js: AgentsJs
) -> None:
    stage.says("Hello, browser.")
    async with client_in_browser("websocket", f"{tap.ws_url}?model=gpt-realtime", secret, agents_js) as client:
        await client.say("hi")
        await client.until("response.done")
        assert (await client.history())[-1] == ("assistant", "Hello, browser.")
    assert "sec-websocket-protocol: realtime\r\n" in tap.line.answer.lower()
    assert secret not in tap.line.answer


@pytest.mark.timed
async def test_check_27_webrtc_in_a_browser(
    server: Server, stage: Stage, secret: str, agents_js: AgentsJs, ten: Said, tmp_path: Path
) -> None:
    """A spoken turn; a long answer that is interrupted by speech; another answer."""
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    stage.hears = ["count for me", "that is enough"]
    stage.says(long, "Very well.")
    stage.ms_per_character = 60
    mic = microphone(tmp_path / "mic.wav", 1000, ten, 3000, ten)
    url = f"{server.url}/v1/realtime/calls"
    async with client_in_browser("webrtc", url, secret, agents_js, mic=mic) as client:
        assert client.connected["callId"].startswith("rtc_")
        assert client.connected["connect_ms"] < 2000
        assert "a=candidate" not in client.connected["offer"]
        await client.until("input_audio_buffer.speech_started")
        first = (await client.until("response.created"))["response"]["id"]
        await client.until("output_audio_buffer.started")
        await client.until("input_audio_buffer.speech_started", 2)
        cleared = await client.until("output_audio_buffer.cleared")
        assert cleared["response_id"] == first
        await client.until("output_audio_buffer.stopped")
        history = await client.history()
        assert [role for role, _ in history] == ["user", "assistant", "user", "assistant"]
        assert (history[0][1], history[3][1]) == ("count for me", "Very well.")
        # The browser's echo canceller may take a piece out of what is said over the agent: then it is one turn of two utterances.
        assert history[2][1] in ("that is enough", "that is enough that is enough")
        heard = history[1][1]
        assert long.startswith(heard.strip()) and 0 < len(heard) < len(long)
        started_ms, cleared_ms = (
            client.at_ms("output_audio_buffer.started"),
            client.at_ms("output_audio_buffer.cleared"),
        )
        loud = await client.loud_ms(started_ms, cleared_ms)
        assert loud, "the agent was heard"
        # It falls silent when speech begins, and it is decided a little later that this was an interruption.
        assert loud[-1] < client.at_ms("input_audio_buffer.speech_started", 1) + 400
        assert not await client.loud_ms(cleared_ms + 100, client.at_ms("output_audio_buffer.started", 1))
        assert len(heard) * stage.ms_per_character == pytest.approx(loud[-1] - started_ms, abs=700)
    assert not client.of("response.output_audio.delta"), "audio goes over the track"


WITH_CAMERA = """
async ({ url, apiKey, kinds }) => {
  const peer = new RTCPeerConnection();
  for (const kind of kinds) peer.addTransceiver(kind, { direction: "sendrecv" });
  const channel = peer.createDataChannel("oai-events");
  const first = new Promise((resolve) => (channel.onmessage = ({ data }) => resolve(JSON.parse(data).type)));
  await peer.setLocalDescription(await peer.createOffer());
  const headers = { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/sdp" };
  const response = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
  const type = await first;
  const flows = peer.getTransceivers().map((each) => [each.receiver.track.kind, each.currentDirection]);
  const state = peer.connectionState;
  peer.close();
  return { type, flows, state };
}
"""


@pytest.mark.parametrize("kinds", [["audio", "video"], ["video", "audio"], ["audio", "audio", "video", "video"]])
async def test_a_browser_that_offers_its_camera_connects_without_it(
    server: Server, secret: str, kinds: list[str]
) -> None:
    with page_origin() as origin:
        async with browser_page() as page:
            await page.goto(origin)
            asked = {"url": f"{server.url}/v1/realtime/calls", "apiKey": secret, "kinds": kinds}
            found = await page.evaluate(WITH_CAMERA, asked, within_s=30)
    heard = kinds.index("audio")
    wanted = [[kind, "sendrecv" if number == heard else "inactive"] for number, kind in enumerate(kinds)]
    assert found == {"type": "session.created", "flows": wanted, "state": "connected"}


async def test_check_27_typing_tools_the_stop_button_and_a_hangup(
    server: Server, client: AsyncOpenAI, stage: Stage, secret: str, agents_js: AgentsJs, tmp_path: Path
) -> None:
    """With a silent microphone: Chromium's own beeps, and a beep may pass for an interruption."""
    stage.says(
        tool_call("get_weather", city="Rome"), "It is sunny in Rome and it will stay so for a very long time, they say."
    )
    url = f"{server.url}/v1/realtime/calls"
    mic = microphone(tmp_path / "mic.wav", 2000)
    tools = {"get_weather": "sun"}
    async with client_in_browser("webrtc", url, secret, agents_js, mic=mic, tools=tools) as page:
        await page.say("What is the weather in Rome?")
        assert (await page.page.program.until("tool"))["input"] == {"city": "Rome"}
        await page.until("output_audio_buffer.started")
        await page.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 700))")
        await page.page.evaluate("() => session.interrupt()")
        await page.until("output_audio_buffer.cleared")
        await page.page.evaluate("() => session.interrupt()")  # nothing is playing any more
        await page.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 300))")
        page.assert_well()
        await client.realtime.calls.hangup(page.connected["callId"])
        await page.hung_up()
