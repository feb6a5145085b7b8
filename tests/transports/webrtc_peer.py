"""A browser for tests: a stock aiortc peer on loopback, and a network between it and us that loses and delays."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from typing import Any, cast

import aioice.ice
import numpy as np
import pytest
from aiortc import AudioStreamTrack, MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from numpy.typing import NDArray

from antiphon.clock import Clock, SystemClock
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.aiortc_engine import AiortcEngine
from antiphon.transports.webrtc.base import WebRtcLeg
from antiphon.transports.webrtc.settings import IceSettings, WebRtcSettings

LOOPBACK = IceSettings(addresses=("127.0.0.1",))
PATIENCE_S = 60.0
"""Longer than anything here takes; a test that waits for it fails."""


@contextmanager
def only_loopback() -> Iterator[None]:
    """aiortc's peers use every address but loopback, and a test machine may have no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
        yield


async def eventually(is_so: Callable[[], bool]) -> None:
    """For what tells nobody when it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Owner:
    """The leg's listener and its sink."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.texts: list[str] = []
        self.heard: list[tuple[int | None, bytes]] = []
        self.keys: list[str] = []
        self.changed = asyncio.Event()
        self.fails_on: str = ""

    def connected(self) -> None:
        self._note("connected")

    def channel_opened(self, label: str) -> None:
        self._note(f"opened {label}")

    def message(self, text: str) -> None:
        self.texts.append(text)
        if text == self.fails_on:
            raise RuntimeError("our bug")
        self.changed.set()

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        self.heard.append((media_ms, payload))
        self.changed.set()

    def mark(self, name: str) -> None:
        raise AssertionError("there are no marks")

    def dtmf(self, digit: str) -> None:
        self.keys.append(digit)

    def closed(self, reason: str) -> None:
        self._note(f"closed {reason}")

    def _note(self, event: str) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def until_event(self, event: str) -> None:
        await self.until(lambda: event in self.events)

    def samples(self) -> NDArray[np.int16]:
        return np.frombuffer(b"".join(audio for _, audio in self.heard), dtype=np.int16)


class Microphone(MediaStreamTrack):
    """16-bit audio at 48 kHz as aiortc sends it, in real time; silence after it."""

    kind = "audio"

    def __init__(self, samples: NDArray[np.int16]) -> None:
        super().__init__()
        self._samples = samples
        self._frames = 0
        self._began_s: float | None = None

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._began_s = self._began_s if self._began_s is not None else loop.time()
        await asyncio.sleep(max(0.0, self._began_s + self._frames * 0.02 - loop.time()))
        start = self._frames * 960
        frame = AudioFrame.from_ndarray(self._frame(start), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        self._frames += 1
        return frame

    def _frame(self, start: int) -> NDArray[np.int16]:
        frame = np.zeros((1, 960), dtype=np.int16)
        part = self._samples[start : start + 960]
        frame[0, : part.size] = part
        return frame


class Browser:
    """A stock peer with the Realtime clients' channel. Its offer carries no candidates, as theirs."""

    def __init__(self, microphone: MediaStreamTrack | None = None) -> None:
        self.peer = RTCPeerConnection()
        self.channel: RTCDataChannel = self.peer.createDataChannel("oai-events")
        self.texts: list[Any] = []
        self.heard: list[AudioFrame] = []
        self.changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.peer.addTrack(microphone or AudioStreamTrack())
        self.peer.on("track", self._on_track)
        self.channel.on("message", self._on_message)
        self.channel.on("open", self.changed.set)
        self.channel.on("close", self.changed.set)

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        lines = self.peer.localDescription.sdp.splitlines()
        return "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n"

    async def take(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def opened(self) -> None:
        """Until the channel may be written to: a moment later than at our end."""
        await self.until(lambda: self.channel.readyState == "open")

    def heard_samples(self) -> NDArray[np.int16]:
        """What came out of the speaker: mono at 48 kHz."""
        if not self.heard:
            return np.zeros(0, dtype=np.int16)
        return np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in self.heard])

    async def close(self) -> None:
        await self.peer.close()
        # A track of a call that never came about does not end by itself.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_message(self, message: Any) -> None:
        self.texts.append(message)
        self.changed.set()

    def _on_track(self, track: MediaStreamTrack) -> None:
        async def listen() -> None:
            try:
                while True:
                    frame = await track.recv()
                    assert isinstance(frame, AudioFrame)
                    self.heard.append(frame)
                    self.changed.set()
            except MediaStreamError:
                return

        self._tasks.add(asyncio.get_running_loop().create_task(listen()))


class Meeting:
    """An engine of ours, and the browsers that called it."""

    def __init__(self, settings: WebRtcSettings, clock: Clock) -> None:
        self.watch = SocketWatch(clock)
        self.engine = AiortcEngine(settings, self.watch)
        self.browsers: list[Browser] = []

    async def call(
        self, browser: Browser, owner: Owner, edit: Callable[[str], str] = str, route: Callable[[str], str] = str
    ) -> WebRtcLeg:
        """``edit`` changes the offer, ``route`` the answer before the browser sees it."""
        self.browsers.append(browser)
        answer, leg = await self.engine.answer(edit(await browser.offer()), owner)
        leg.listen(owner)
        await browser.take(route(answer))
        return leg


@asynccontextmanager
async def meeting(settings: WebRtcSettings | None = None, clock: Clock | None = None) -> AsyncIterator[Meeting]:
    """With the machine's clock, time is looked at as in the server; with a manual one, the test does it (``watch.check``)."""
    with only_loopback():
        there = Meeting(settings or WebRtcSettings(ice=LOOPBACK), clock or SystemClock())
        if clock is None:
            there.watch.start()
        try:
            yield there
        finally:
            for browser in there.browsers:
                await browser.close()
            await there.engine.close()
            there.watch.stop()


class _Side(asyncio.DatagramProtocol):
    def __init__(self, network: Network) -> None:
        self.network = network
        self.transport: asyncio.DatagramTransport | None = None
        self.peer: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.network.carry(self, data, addr)


_MOST_UNREAD = 200
"""Datagrams that may lie in a socket when a network is blocked: a call sends some hundred a second."""


class Network:
    """Between a browser and a leg: ``route`` makes the browser talk to us through it."""

    def __init__(self, loss: float = 0.0, jitter_ms: float = 0.0, seed: int = 1) -> None:
        self.loss = loss
        self.jitter_ms = jitter_ms
        self.blocked = False
        """Nothing gets through."""
        self.impaired = False
        """Whether it loses and delays. The beginning of a call may be left alone: a lost handshake is repeated after a second."""
        self.carried = self.lost = 0
        self._random = random.Random(seed)
        self._browser = _Side(self)
        self._server = _Side(self)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for side in (self._browser, self._server):
            await loop.create_datagram_endpoint(lambda side=side: side, local_addr=("127.0.0.1", 0))

    def route(self, answer: str) -> str:
        """The answer, naming this network in place of us."""
        match = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer)
        assert match is not None and self._browser.transport is not None
        self._server.peer = (match[1], int(match[2]))
        port = self._browser.transport.get_extra_info("sockname")[1]
        return answer.replace(f"{match[1]} {match[2]} typ host", f"127.0.0.1 {port} typ host")

    async def block(self) -> None:
        """Nothing gets through any more, and what had got through has been read: on the loopback a datagram lies at its receiver's as
        soon as it is sent, and each turn of the loop takes one."""
        self.blocked = True
        for _ in range(_MOST_UNREAD):
            await asyncio.sleep(0)

    @property
    def server_address(self) -> tuple[str, int] | None:
        """Where the leg is, once it was routed."""
        return cast("tuple[str, int] | None", self._server.peer)

    def carry(self, side: _Side, data: bytes, addr: Any) -> None:
        to = self._server if side is self._browser else self._browser
        if side is self._browser:
            self._browser.peer = addr
        self.carried += 1
        if self.blocked:
            return
        if not self.impaired:
            self._deliver(to, data)
        elif self._random.random() < self.loss:
            self.lost += 1
        else:
            delay_s = self._random.random() * self.jitter_ms / 1000
            asyncio.get_running_loop().call_later(delay_s, self._deliver, to, data)

    def _deliver(self, to: _Side, data: bytes) -> None:
        if to.transport is not None and not to.transport.is_closing() and to.peer is not None:
            to.transport.sendto(data, to.peer)

    def close(self) -> None:
        for side in (self._browser, self._server):
            if side.transport is not None:
                side.transport.close()
