"""A call over a network that loses, delays and reorders, and peers that break the rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import numpy as np
import pytest
from aiortc.rtcsctptransport import WEBRTC_DCEP, DataChunk, ForwardTsnChunk, SackChunk
from numpy.typing import NDArray
from tests.transports.webrtc_peer import LOOPBACK, Browser, Microphone, Network, Owner, meeting

from antiphon.clock import SystemClock
from antiphon.media.facts import Nobody
from antiphon.media.plane import MediaPlane
from antiphon.media.port import MediaPort
from antiphon.media.settings import HearingSettings
from antiphon.providers.scripted_hum import hum
from antiphon.transports.webrtc.base import WebRtcLeg
from antiphon.transports.webrtc.settings import WebRtcSettings
from antiphon.vocabulary import AudioFormat, Encoding

SECONDS = 3.0


class Loud:
    """A voice-activity model for which loud is speech."""

    rate_hz = 16_000
    window_samples = 512

    def resize(self, slots: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...
    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.abs(windows).max(axis=1).astype(np.float32)


class Listener(Owner, Nobody):
    """A leg's sink that hears through a real media port, as a session does. What the ears and the mouth say is not asked for here."""

    wants_from = 0.0
    busy = False

    def __init__(self) -> None:
        super().__init__()
        self.plane = MediaPlane(SystemClock(), {16_000: Loud})
        self.port: MediaPort | None = None
        self.audio_out = bytearray()

    def listen(self, leg: WebRtcLeg) -> None:
        self.port = self.plane.open(self, leg, leg.format_in, leg.format_out, HearingSettings())
        self.port.listen(self)

    def hear(self, audio: bytes, media_ms: int) -> None:
        assert media_ms == len(self.audio_out) // 32, "no step in the time base"
        self.audio_out += audio

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        super().audio(payload, media_ms)
        if self.port is not None:
            self.port.audio(payload, media_ms)
            self.plane.on_beat()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    between = Network(loss=0.05, jitter_ms=60.0, seed=4)
    await between.open()
    yield between
    between.close()


def speech() -> NDArray[np.int16]:
    said = np.frombuffer(hum(AudioFormat(Encoding.PCM16, 48_000)), dtype=np.int16)
    return np.tile(said, 2)[: int(SECONDS * 48_000)]


async def test_speech_stays_continuous_over_a_lossy_network_and_no_event_is_lost(network: Network) -> None:
    async with meeting() as here:
        browser, listener = Browser(Microphone(speech())), Listener()
        leg = await here.call(browser, listener, route=network.route)
        listener.listen(leg)
        await listener.until_event("opened oai-events")
        await browser.opened()
        network.impaired = True
        for number in range(30):
            leg.send_event(f"to the browser {number}")
            browser.channel.send(f"to us {number}")
        await listener.until(lambda: len(listener.audio_out) >= SECONDS * 32_000)
        await listener.until(lambda: len(listener.texts) == 30)
        await browser.until(lambda: len(browser.texts) == 30)
        network.impaired = False

        assert browser.texts == [f"to the browser {number}" for number in range(30)]
        assert listener.texts == [f"to us {number}" for number in range(30)]
        positions = [media_ms for media_ms, _ in listener.heard if media_ms is not None]
        assert positions == sorted(set(positions)), "in order, none twice"
        counters = listener.plane.hearing_counters
        assert network.lost > 5
        assert counters.gaps > 0
        assert counters.concealed_ms == positions[-1] - 20 * (len(positions) - 1), "every hole was filled, exactly"
        assert counters.jumps == 0
        assert counters.concealed_ms < 0.25 * positions[-1]
        heard = np.frombuffer(bytes(listener.audio_out), dtype=np.int16)[: int(SECONDS * 16_000)]
        assert level_db(heard) == pytest.approx(level_db(speech()) - 3, abs=1.5), "3 dB down by aiortc's stereo"
        # Second by second, too: it neither fades nor stops.
        for second in range(int(SECONDS)):
            assert level_db(heard[second * 16_000 :][:16_000]) > level_db(heard) - 4


def level_db(samples: NDArray[np.int16]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1))


@pytest.mark.parametrize("kind", ["channel opened twice", "acknowledges the unsent", "opens streams without end"])
async def test_a_peer_that_breaks_the_rules_ends_its_own_call(kind: str) -> None:
    async with meeting(WebRtcSettings(ice=LOOPBACK)) as here:
        (rude, victim), (polite, other) = (Browser(), Owner()), (Browser(), Owner())
        for browser, owner in ((rude, victim), (polite, other)):
            await here.call(browser, owner)
            await owner.until_event("opened oai-events")
            await browser.opened()
        association = rude.peer.sctp
        assert association is not None
        if kind == "channel opened twice":
            stream = rude.channel.id
            assert stream is not None
            await association._send(stream, WEBRTC_DCEP, b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00x")
        elif kind == "acknowledges the unsent":
            sack = SackChunk()
            sack.cumulative_tsn = association._last_received_tsn
            sack.advertised_rwnd = 1000
            sack.gaps = [(1, 60_000)] * 100
            await association._send_chunk(sack)
        else:
            for stream in range(200, 600):
                skipped = ForwardTsnChunk()
                skipped.cumulative_tsn = association._local_tsn + stream
                skipped.streams = [(stream, 1)]
                await association._send_chunk(skipped)
        await victim.until_event("closed violation")
        polite.channel.send("well")
        await other.until(lambda: other.texts == ["well"])


async def test_a_message_that_is_never_finished_is_not_kept_for_ever() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        await here.call(browser, owner)
        await owner.until_event("opened oai-events")
        await browser.opened()
        association = browser.peer.sctp
        assert association is not None
        stream = browser.channel.id
        with suppress(ConnectionError):  # it ends before we do
            for number in range(1400):
                chunk = DataChunk(flags=2 if number == 0 else 0)  # a first fragment, then middle ones
                chunk.tsn = association._local_tsn + number
                chunk.stream_id, chunk.stream_seq, chunk.protocol = stream, 1, 51
                chunk.user_data = bytes(1150)
                await association._send_chunk(chunk)
                await asyncio.sleep(0)
        await owner.until_event("closed violation")
