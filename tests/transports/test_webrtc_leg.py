"""A browser's call over real sockets: a stock aiortc peer against the engine."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
import pytest
import structlog
from aioice import stun
from numpy.typing import NDArray
from tests.transports.webrtc_peer import LOOPBACK, Browser, Meeting, Microphone, Network, Owner, eventually, meeting

from antiphon.clock import ManualClock
from antiphon.errors import CapacityError
from antiphon.transports.webrtc.base import EventTooLarge, InvalidOffer
from antiphon.transports.webrtc.settings import IceSettings, WebRtcSettings


def tone(seconds: float, rate_hz: int, hz: float = 440.0, level: float = 8000.0) -> NDArray[np.int16]:
    return (np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz) * level).astype(np.int16)


def pitch_hz(samples: NDArray[np.int16], rate_hz: int) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate_hz / samples.size)


def rms(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    between = Network(seed=7)
    await between.open()
    yield between
    between.close()


async def test_a_browser_whose_offer_has_no_candidates_is_heard_and_hears() -> None:
    async with meeting() as here:
        browser, owner = Browser(Microphone(tone(1.0, 48_000, 300.0))), Owner()
        offers: list[str] = []
        leg = await here.call(browser, owner, edit=lambda offer: offers.append(offer) or offer)
        assert "candidate" not in offers[0]
        await owner.until_event("connected")
        said = tone(0.6, 24_000, 500.0).tobytes()
        for start in range(0, len(said), 3840):
            leg.send_audio(said[start : start + 3840])
            await asyncio.sleep(0.02)
        await owner.until(lambda: len(owner.heard) >= 45)
        await browser.until(lambda: len(browser.heard) >= 30)

        heard = owner.samples()[3200:12_800]
        assert pitch_hz(heard, leg.format_in.rate_hz) == pytest.approx(300, abs=5)
        # aiortc sends it in stereo, 3 dB down on each side.
        assert rms(heard) == pytest.approx(8000 / 2**0.5 / 2**0.5, rel=0.1)
        spoken = browser.heard_samples()
        loud = spoken[np.abs(spoken) > 500]
        assert loud.size > 20_000
        middle = spoken[np.flatnonzero(np.abs(spoken) > 500)[0] + 4800 :][:9600]
        assert pitch_hz(middle, 48_000) == pytest.approx(500, abs=6)
        assert rms(middle) == pytest.approx(8000 / 2**0.5, rel=0.1)
        positions = [media_ms for media_ms, _ in owner.heard]
        assert positions == [20 * number for number in range(len(positions))]
        assert all(len(audio) == 640 for _, audio in owner.heard)
        assert (leg.paced, leg.marks, leg.unsent_bytes()) == (True, False, 0)


async def test_events_go_both_ways_in_order_the_early_ones_first() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        leg = await here.call(browser, owner)
        for number in range(5):
            leg.send_event(f"early {number}")
        assert leg.unsent_event_bytes() == 35
        await owner.until_event("opened oai-events")
        leg.send_event("late ü")
        await browser.opened()
        browser.channel.send("hello ü")
        browser.channel.send(b"\x00\x01")
        browser.channel.send("again")
        await owner.until(lambda: len(owner.texts) == 2)
        await browser.until(lambda: len(browser.texts) == 6)
        assert owner.texts == ["hello ü", "again"]
        assert browser.texts == [*(f"early {number}" for number in range(5)), "late ü"]
        assert owner.events == ["connected", "opened oai-events"]
        leg.close()
        await here.engine.close()
        assert here.engine.anomalies["binary_message"] == 1


async def test_an_event_may_be_as_large_as_the_browser_takes_and_no_larger() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        leg = await here.call(
            browser, owner, edit=lambda offer: re.sub(r"max-message-size:\d+", "max-message-size:60000", offer)
        )
        assert leg.max_event_bytes == 60_000
        with pytest.raises(EventTooLarge) as refused:
            leg.send_event("ü" * 30_001)
        assert (refused.value.size_bytes, refused.value.limit_bytes) == (60_002, 60_000)
        leg.send_event("ü" * 30_000)
        await browser.until(lambda: len(browser.texts) == 1)
        assert browser.texts[0] == "ü" * 30_000


async def test_a_browser_that_hangs_up_ends_the_leg_and_everything_is_freed() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        leg = await here.call(browser, owner)
        await owner.until_event("opened oai-events")
        await browser.close()
        await owner.until(lambda: owner.events.count("closed hangup") == 2)
        assert owner.events[2:] == ["closed hangup", "closed hangup"], "the sink and the listener, once each"
        leg.send_event("too late")
        leg.send_audio(b"\0\0")
        leg.clear()
        leg.close()
        await here.engine.close()
        assert here.engine.legs == len(here.watch) == 0


async def test_closing_a_leg_tells_the_browser_after_the_last_event_and_nobody_else() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        leg = await here.call(browser, owner)
        await owner.until_event("opened oai-events")
        leg.send_event("x" * 100_000)
        leg.send_event("the last")
        leg.close(1000, "done")
        await browser.until(lambda: browser.channel.readyState == "closed")
        assert browser.texts[-1] == "the last"
        assert owner.events == ["connected", "opened oai-events"]


async def test_there_are_no_more_legs_than_allowed() -> None:
    async with meeting(WebRtcSettings(ice=LOOPBACK, max_legs=1)) as here:
        leg = await here.call(Browser(), Owner())
        offer = await _offer(here)
        with pytest.raises(CapacityError):
            await here.engine.answer(offer, Owner())
        leg.close()
        await eventually(lambda: here.engine.legs == 0)
        await here.engine.answer(offer, Owner())
        await here.engine.close()
        with pytest.raises(CapacityError):
            await here.engine.answer(offer, Owner())


async def _offer(here: Meeting) -> str:
    browser = Browser()
    here.browsers.append(browser)
    return await browser.offer()


async def test_an_offer_that_makes_no_sense_costs_nothing() -> None:
    async with meeting() as here:
        for offer in ("", "v=0", "hello", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"):
            with pytest.raises(InvalidOffer):
                await here.engine.answer(offer, Owner())
        assert here.engine.legs == len(here.watch) == 0


async def test_ports_are_from_the_range_and_the_public_address_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    ice = IceSettings(addresses=("127.0.0.1",), ports=(free, free), public_address="203.0.113.9")
    async with meeting(WebRtcSettings(ice=ice)) as here:
        offer = await _offer(here)
        answer, _ = await here.engine.answer(offer, Owner())
        assert re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer) == 2 * [("203.0.113.9", str(free))]
        assert "127.0.0.1 " not in answer.replace("IN IP4 127.0.0.1\r\ns=", "")
        with pytest.raises(CapacityError):
            await here.engine.answer(offer, Owner())


class StunServer(asyncio.DatagramProtocol):
    """Tells everybody that they come from 203.0.113.50."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = stun.parse_message(data)
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.50", addr[1])
        self.transport.sendto(bytes(response), addr)


async def test_the_address_outside_a_nat_is_asked_for_and_told() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    ice = IceSettings(addresses=("127.0.0.1",), stun=transport.get_extra_info("sockname"))
    async with meeting(WebRtcSettings(ice=ice)) as here:
        answer, _ = await here.engine.answer(await _offer(here), Owner())
    transport.close()
    assert re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) \d+ typ srflx", answer) == ["203.0.113.50"] * 2


async def test_servers_that_do_not_answer_delay_the_answer_by_the_timeout_only() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        ice = IceSettings(addresses=("127.0.0.1",), stun=("127.0.0.1", deaf.getsockname()[1]))
        async with meeting(WebRtcSettings(ice=ice, gather_timeout_ms=100)) as here:
            browser, owner = Browser(), Owner()
            await here.call(browser, owner)
            await owner.until_event("connected")


async def test_a_browser_that_never_comes_is_given_up() -> None:
    clock = ManualClock()
    async with meeting(clock=clock) as here:
        owner = Owner()
        _, leg = await here.engine.answer(await _offer(here), owner)
        leg.listen(owner)
        clock.advance(14_999)
        here.watch.check(clock.now_ms())
        assert owner.events == []
        clock.advance(1)
        here.watch.check(clock.now_ms())
        assert owner.events == ["closed stalled", "closed stalled"]


async def test_a_browser_that_vanishes_is_given_up_and_one_that_is_only_muted_is_not(network: Network) -> None:
    clock = ManualClock()
    async with meeting(clock=clock) as here:
        browser, owner = Browser(), Owner()
        await here.call(browser, owner, route=network.route)
        await owner.until_event("opened oai-events")
        await browser.opened()
        network.blocked = True
        here.watch.check(clock.now_ms())
        for _ in range(3):
            clock.advance(14_000)
            browser.channel.send("still here")
            network.blocked = False
            heard = len(owner.texts)
            await owner.until(lambda heard=heard: len(owner.texts) > heard)
            await network.block()
            here.watch.check(clock.now_ms())
        assert "closed stalled" not in owner.events
        here.watch.check(clock.now_ms())
        clock.advance(15_000)
        here.watch.check(clock.now_ms())
        assert owner.events[-1] == "closed stalled"


async def test_a_browser_that_does_not_read_its_events_is_given_up(network: Network) -> None:
    async with meeting(WebRtcSettings(ice=LOOPBACK, max_unsent_event_bytes=200_000)) as here:
        browser, owner = Browser(), Owner()
        leg = await here.call(browser, owner, route=network.route)
        await owner.until_event("opened oai-events")
        network.blocked = True
        for _ in range(6):
            leg.send_event("x" * 50_000)
        assert owner.events[-1] == "closed stalled"
        assert leg.unsent_event_bytes() <= 200_000


async def test_before_the_channel_opens_only_so_many_events_are_kept() -> None:
    async with meeting(WebRtcSettings(ice=LOOPBACK, max_early_events=3)) as here:
        owner = Owner()
        _, leg = await here.engine.answer(await _offer(here), owner)
        for _ in range(3):
            leg.send_event("event")
        assert owner.events == []
        leg.send_event("one too many")
        assert owner.events == ["closed stalled"]


async def test_garbage_on_the_port_harms_nobody() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        ports: list[int] = []

        def note(answer: str) -> str:
            ports.append(int(re.findall(r" 127\.0\.0\.1 (\d+) typ host", answer)[0]))
            return answer

        def spray() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for first in range(256):
                    for size in (1, 20, 60, 1600):
                        stranger.sendto(bytes([first]) + os.urandom(size - 1), ("127.0.0.1", ports[0]))
                stranger.sendto(b"", ("127.0.0.1", ports[0]))
                # A STUN request whose attribute is longer than the message, and one with a broken address.
                stranger.sendto(
                    bytes.fromhex("000100080000000000000000000000000000000000060400"), ("127.0.0.1", ports[0])
                )
                stranger.sendto(
                    bytes.fromhex("01010008" + "2112a442" + "00" * 12 + "0020000400ff0000"), ("127.0.0.1", ports[0])
                )

        leg = await here.call(browser, owner, route=note)
        spray()
        await owner.until_event("opened oai-events")
        spray()
        await browser.opened()
        browser.channel.send("still here")
        await owner.until(lambda: owner.texts == ["still here"])
        heard = len(owner.heard)
        await owner.until(lambda: len(owner.heard) > heard + 5)
        leg.close()


async def test_an_exception_of_the_owners_ends_that_leg_only() -> None:
    async with meeting() as here:
        (first, one), (second, two) = (Browser(), Owner()), (Browser(), Owner())
        one.fails_on = "boom"
        for browser, owner in ((first, one), (second, two)):
            await here.call(browser, owner)
            await owner.until_event("opened oai-events")
        await first.opened()
        first.channel.send("boom")
        await one.until_event("closed reset")
        await second.opened()
        second.channel.send("well")
        await two.until(lambda: two.texts == ["well"])
        assert "closed reset" not in two.events


@pytest.mark.parametrize("more", [("video",), ("video", "video"), ("audio",), ("audio", "video")])
async def test_a_browser_that_offers_more_than_we_take_is_talked_to_all_the_same(more: tuple[str, ...]) -> None:
    async with meeting() as here:
        browser, owner = Browser(Microphone(tone(1.0, 48_000, 300.0))), Owner()
        for kind in more:
            browser.peer.addTransceiver(kind)
        leg = await here.call(browser, owner)
        await owner.until_event("opened oai-events")
        await browser.opened()
        browser.channel.send("hello")
        await owner.until(lambda: owner.texts == ["hello"] and len(owner.heard) > 10)
        assert (browser.peer.connectionState, browser.peer.iceConnectionState) == ("connected", "completed")
        leg.close()


async def test_channels_of_other_names_are_refused() -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        other = browser.peer.createDataChannel("telemetry")
        leg = await here.call(browser, owner)
        await owner.until_event("opened oai-events")
        await eventually(lambda: other.readyState == "closed")
        await browser.opened()
        browser.channel.send("hello")
        await owner.until(lambda: owner.texts == ["hello"])
        assert owner.events == ["connected", "opened oai-events"]
        leg.close()


async def test_nothing_of_a_call_reaches_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []

    def note(text: str) -> str:
        secrets.extend(re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint|candidate):(.+?)\r", text))
        return text

    with structlog.testing.capture_logs() as logs:
        async with meeting() as here:
            browser, owner = Browser(), Owner()
            leg = await here.call(browser, owner, edit=note, route=note)
            await owner.until_event("opened oai-events")
            leg.send_event("marmalade")
            await browser.opened()
            browser.channel.send("rumpelstiltskin")
            await owner.until(lambda: owner.texts != [])
            leg.close()
    events = [entry["event"] for entry in logs]
    assert {"webrtc_leg_connected", "webrtc_leg_closed"} <= set(events), "the logs were watched"
    written = repr(logs) + "\n".join(record.getMessage() for record in caplog.records)
    assert len(secrets) >= 8
    for secret in [*secrets, "marmalade", "rumpelstiltskin", "127.0.0.1"]:
        assert secret not in written


async def test_twenty_calls_leave_nothing_behind() -> None:
    async def wave(count: int) -> None:
        owners = [Owner() for _ in range(count)]
        for number, owner in enumerate(owners):
            leg = await here.call(Browser(), owner)
            await owner.until_event("opened oai-events")
            leg.send_audio(bytes(9600))
            if number % 2:
                leg.close()
        for browser in here.browsers:
            await browser.close()
        here.browsers.clear()
        await eventually(lambda: here.engine.legs == 0)
        gc.collect()

    def left() -> tuple[int, int, int]:
        # The loop's own pool (asyncio_0 …) grows with what the peers give it, and stays.
        threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
        return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), len(threads)

    async with meeting() as here:
        await wave(2)  # pools and threads that stay are there after this
        await eventually(lambda: len(asyncio.all_tasks()) == 1)
        before = left()
        await wave(20)
        await eventually(lambda: left() == before)
        assert len(here.watch) == 0


async def test_a_stranger_can_neither_end_a_call_nor_keep_it_alive(network: Network) -> None:
    clock = ManualClock()
    async with meeting(clock=clock) as here:
        browser, owner = Browser(), Owner()
        await here.call(browser, owner, route=network.route)
        await owner.until_event("opened oai-events")
        await network.block()
        here.watch.check(clock.now_ms())
        clock.advance(15_000)
        assert network.server_address is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(1000):
                stranger.sendto(b"\x80\x60" + number.to_bytes(2) + bytes(60), network.server_address)
                stranger.sendto(b"\x17\xfe\xfd" + bytes(40), network.server_address)
                if number % 20 == 0:
                    await asyncio.sleep(0.001)
        assert owner.events == ["connected", "opened oai-events"], "it has not ended the call"
        here.watch.check(clock.now_ms())
        assert owner.events[-1] == "closed stalled", "and was not taken for the browser"
