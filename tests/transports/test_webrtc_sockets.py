"""Every socket of a call is closed by us, whatever becomes of the call: none is left to the garbage collector."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aioice import stun
from tests.transports.webrtc_peer import Browser, Meeting, Owner, eventually, meeting

from antiphon.errors import CapacityError
from antiphon.transports.webrtc.settings import IceSettings, TurnServer, WebRtcSettings

TWO_ADDRESSES = ("127.0.0.1", "127.0.0.2")


def sockets_open() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


class Relay(asyncio.DatagramProtocol):
    """A TURN server that takes everybody in, and answers no more after that; or never answers."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.asked = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.set()
        message = stun.parse_message(data)
        if self.answers and message.message_method == stun.Method.ALLOCATE:
            reply = stun.Message(
                message_method=stun.Method.ALLOCATE,
                message_class=stun.Class.RESPONSE,
                transaction_id=message.transaction_id,
            )
            reply.attributes["LIFETIME"] = 600
            reply.attributes["XOR-MAPPED-ADDRESS"] = addr
            reply.attributes["XOR-RELAYED-ADDRESS"] = ("127.0.0.1", 50_000)
            self.transport.sendto(bytes(reply), addr)

    @property
    def server(self) -> TurnServer:
        return TurnServer("127.0.0.1", self.transport.get_extra_info("sockname")[1], "us", "secret")


@pytest.fixture
async def relay(request: pytest.FixtureRequest) -> AsyncIterator[Relay]:
    there = Relay(answers=request.param)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: there, local_addr=("127.0.0.1", 0))
    yield there
    there.transport.close()


async def _offer(here: Meeting) -> str:
    browser = Browser()
    here.browsers.append(browser)
    return await browser.offer()


@pytest.mark.parametrize("relay", [False], indirect=True)
@pytest.mark.parametrize("how", ["nobody waits any more", "the server ends", "the relay is given up"])
async def test_while_the_ways_to_us_are_gathered(relay: Relay, how: str) -> None:
    ice = IceSettings(addresses=TWO_ADDRESSES, turn=relay.server)
    patience_ms = 50 if how == "the relay is given up" else 60_000
    async with meeting(WebRtcSettings(ice=ice, gather_timeout_ms=patience_ms)) as here:
        offer = await _offer(here)
        before = sockets_open()
        answering = asyncio.create_task(here.engine.answer(offer, Owner()))
        await relay.asked.wait()
        assert sockets_open() == before + 3
        if how == "nobody waits any more":
            answering.cancel()
        elif how == "the server ends":
            closing = asyncio.create_task(here.engine.close())
            await eventually(lambda: sockets_open() == before + 1)
            await closing
            answering.cancel()
        else:
            _, leg = await answering
            assert sockets_open() == before + 2
            leg.close()
        await asyncio.gather(answering, return_exceptions=True)
        await eventually(lambda: sockets_open() == before)
        assert here.engine.legs == 0


@pytest.mark.parametrize("relay", [True], indirect=True)
async def test_a_relay_that_does_not_say_goodbye_is_not_waited_for(relay: Relay) -> None:
    async with meeting(WebRtcSettings(ice=IceSettings(addresses=TWO_ADDRESSES, turn=relay.server))) as here:
        offer = await _offer(here)
        before = sockets_open()
        answer, leg = await here.engine.answer(offer, Owner())
        assert "typ relay" in answer
        assert sockets_open() == before + 3
        leg.close()
        await here.engine.close()
        await eventually(lambda: sockets_open() == before)


async def test_between_one_address_and_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked goes away when the first port is open and the second is not."""
    async with meeting(WebRtcSettings(ice=IceSettings(addresses=TWO_ADDRESSES))) as here:
        offer = await _offer(here)
        before = sockets_open()
        loop = asyncio.get_running_loop()
        really = loop.create_datagram_endpoint
        second = asyncio.Event()

        async def slowly(factory: Any, local_addr: Any) -> Any:
            if local_addr[0] == TWO_ADDRESSES[1]:
                second.set()
                await asyncio.Event().wait()
            return await really(factory, local_addr=local_addr)

        monkeypatch.setattr(loop, "create_datagram_endpoint", slowly)
        answering = asyncio.create_task(here.engine.answer(offer, Owner()))
        await second.wait()
        assert sockets_open() == before + 1
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        await eventually(lambda: sockets_open() == before)


@pytest.mark.parametrize("closes", [True, False])
async def test_the_server_ends_while_a_port_opens(monkeypatch: pytest.MonkeyPatch, closes: bool) -> None:
    async with meeting(WebRtcSettings(ice=IceSettings(addresses=TWO_ADDRESSES))) as here:
        offer = await _offer(here)
        before = sockets_open()
        loop = asyncio.get_running_loop()
        really = loop.create_datagram_endpoint
        second, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(factory: Any, local_addr: Any) -> Any:
            opened = await really(factory, local_addr=local_addr)
            if local_addr[0] == TWO_ADDRESSES[1]:
                second.set()
                await go_on.wait()
            return opened

        monkeypatch.setattr(loop, "create_datagram_endpoint", slowly)
        answering = asyncio.create_task(here.engine.answer(offer, Owner()))
        await second.wait()
        if closes:
            await here.engine.close()
        go_on.set()
        [result] = await asyncio.gather(answering, return_exceptions=True)
        if not closes:
            result[1].close()
        await eventually(lambda: sockets_open() == before)
        assert here.engine.legs == 0


async def test_an_engine_that_has_ended_meanwhile_begins_no_call() -> None:
    async with meeting() as here:
        offer = await _offer(here)
        before = sockets_open()
        answering = asyncio.create_task(here.engine.answer(offer, Owner()))
        await asyncio.sleep(0)  # it loads aiortc now
        await here.engine.close()
        with pytest.raises(CapacityError):
            await answering
        assert here.engine.legs == 0
        await eventually(lambda: sockets_open() == before)


async def test_calls_that_end_in_every_way_leave_no_socket() -> None:
    async with meeting() as here:
        before = sockets_open()
        connected, closed_early, never = Owner(), Owner(), Owner()
        await here.call(Browser(), connected)
        await connected.until_event("opened oai-events")
        leg = await here.call(Browser(), closed_early)
        leg.close()
        await here.engine.answer(await _offer(here), never)
        for browser in here.browsers:
            await browser.close()
        here.browsers.clear()
        await here.engine.close()
        await eventually(lambda: sockets_open() == before)
