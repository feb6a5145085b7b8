"""The UDP port of a call, and those who are not its client: an open port, whose number may be known."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aioice import stun
from aioice.ice import CandidatePair
from tests.transports.webrtc_peer import LOOPBACK, Browser, Meeting, Owner, eventually, meeting

from antiphon.transports.webrtc.ice import IceLink
from antiphon.transports.webrtc.leg import Leg
from antiphon.transports.webrtc.sdp import RemoteCandidate
from antiphon.transports.webrtc.settings import IceSettings


class Answered:
    """What the answer of a call says of its port."""

    def __init__(self, answer: str) -> None:
        self.port = int(re.findall(r" 127\.0\.0\.1 (\d+) typ host", answer)[0])
        self.ufrag = re.findall(r"a=ice-ufrag:(\S+)", answer)[0]
        self.password = re.findall(r"a=ice-pwd:(\S+)", answer)[0]


def record(kind: int, body: bytes, sequence: int = 0, epoch: int = 0) -> bytes:
    """A DTLS record in the clear."""
    return struct.pack("!BHHHIH", kind, 0xFEFD, epoch, 0, sequence, len(body)) + body


ALERT = record(21, b"\x02\x28")
GARBAGE = {
    "alert": ALERT,
    "close_notify": record(21, b"\x01\x00"),
    "half a record": b"\x16" + bytes(19),
    "handshake": record(22, bytes(range(60)), 7),
    "client hello": record(22, b"\x01" + (60).to_bytes(3, "big") + bytes(5) + (60).to_bytes(3, "big") + bytes(60)),
    "server hello": record(22, b"\x02" + (10).to_bytes(3, "big") + bytes(5) + (10).to_bytes(3, "big") + bytes(10)),
    "encrypted": record(23, bytes(80), 7, 1),
    "media": b"\x80\x6f" + bytes(90),
    "control": b"\x80\xc8" + bytes(90),
}


@pytest.mark.parametrize("kind", GARBAGE)
async def test_what_strangers_send_from_the_first_moment_on_ends_no_call(kind: str) -> None:
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        ports: list[int] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

            def spray(answer: str) -> str:
                ports.append(Answered(answer).port)
                for _ in range(50):
                    stranger.sendto(GARBAGE[kind], ("127.0.0.1", ports[0]))
                return answer

            async def go_on() -> None:
                while True:
                    stranger.sendto(GARBAGE[kind], ("127.0.0.1", ports[0]))
                    await asyncio.sleep(0.001)

            await here.call(browser, owner, route=spray)
            spraying = asyncio.create_task(go_on())
            await owner.until_event("opened oai-events")
            await browser.opened()
            browser.channel.send("here I am")
            await owner.until(lambda: owner.texts == ["here I am"])
            spraying.cancel()
            await asyncio.gather(spraying, return_exceptions=True)
        assert owner.events == ["connected", "opened oai-events"]


def request(username: str = "", password: str = "", method: stun.Method = stun.Method.BINDING) -> bytes:
    message = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
    if username:
        message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 7
    if password:
        message.add_message_integrity(password.encode())
    return bytes(message)


async def test_whoever_does_not_know_the_call_gets_no_answer() -> None:
    async with meeting() as here:
        browser = Browser()
        here.browsers.append(browser)
        offer = await browser.offer()
        answer, _ = await here.engine.answer(offer, Owner())
        known = Answered(answer)
        theirs = re.findall(r"a=ice-ufrag:(\S+)", offer)[0]
        strange = [
            request(),
            request("nobody:else", "x" * 22),
            request(f"{known.ufrag}:{theirs}"),
            request(f"{known.ufrag}:{theirs}", "x" * 22),
            request(f"{known.ufrag}:else", known.password),
            request(f"{known.ufrag}", known.password),
            request(f"{theirs}:{known.ufrag}", known.password),
            request(method=stun.Method.ALLOCATE),
            request(f"{known.ufrag}:{theirs}", known.password, stun.Method.ALLOCATE),
            request()[:10],
            b"\x00\x01\xea\x60" + request()[4:],
            ALERT,
        ]
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as us:
            us.setblocking(False)
            for datagram in strange:
                us.sendto(datagram, ("127.0.0.1", known.port))
            ours = request(f"{known.ufrag}:{theirs}", known.password)
            us.sendto(ours, ("127.0.0.1", known.port))
            async with asyncio.timeout(60):
                reply = await loop.sock_recv(us, 2000)
        assert reply[:2] == b"\x01\x01", "the first answer is a success"
        assert reply[8:20] == ours[8:20], "and ours"


def link_of(leg: object) -> Any:
    return cast(Leg, leg)._link._connection


@asynccontextmanager
async def bystanders(count: int) -> AsyncIterator[tuple[list[int], Callable[[], int]]]:
    """Ports of somebody else's, and how many datagrams have come to them."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    got = 0

    def received() -> int:
        nonlocal got
        for each in sockets:
            while True:
                try:
                    each.recv(2000)
                except BlockingIOError:
                    break
                got += 1
        return got

    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)
        yield [each.getsockname()[1] for each in sockets], received
    finally:
        for each in sockets:
            each.close()


async def offer_naming(here: Meeting, ports: list[int], more: str = "") -> str:
    browser = Browser()
    here.browsers.append(browser)
    lines = "".join(
        f"a=candidate:{n} 1 udp {2_130_706_431 - n} 127.0.0.1 {port} typ host\r\n" for n, port in enumerate(ports)
    )
    offer = await browser.offer()
    return offer.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{lines}").replace("t=0 0\r\n", f"t=0 0\r\n{more}")


@pytest.mark.parametrize(("ports", "datagrams"), [(32, 8), (1, 1)])
async def test_an_offer_sends_a_third_party_one_datagram_for_each_of_few_addresses(ports: int, datagrams: int) -> None:
    async with meeting() as here, bystanders(ports) as (named, received):
        _, leg = await here.engine.answer(await offer_naming(here, named * 3), Owner())
        link = link_of(leg)
        await eventually(lambda: len(link._check_list) == datagrams)
        await eventually(lambda: all(pair.state is CandidatePair.State.FAILED for pair in link._check_list))
        assert received() == datagrams


async def test_a_client_that_only_answers_is_asked_again() -> None:
    """ICE lite: nothing but our own checks finds the way."""
    async with meeting() as here, bystanders(1) as (named, received):
        await here.engine.answer(await offer_naming(here, named, "a=ice-lite\r\n"), Owner())
        await eventually(lambda: received() >= 3)


async def test_a_lost_check_is_made_up_for_by_the_clients_own() -> None:
    """A NAT drops ours until the client's own has opened the way."""
    async with meeting() as here:
        browser, owner = Browser(), Owner()
        here.browsers.append(browser)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
            offer = await offer_naming(here, [client.getsockname()[1]])
            answer, _leg = await here.engine.answer(offer, owner)
            known = Answered(answer)
            theirs = re.findall(r"a=ice-ufrag:(\S+)", offer)[0]
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(60):
                lost = await loop.sock_recv(client, 2000)
                client.sendto(request(f"{known.ufrag}:{theirs}", known.password), ("127.0.0.1", known.port))
                seen = [await loop.sock_recv(client, 2000) for _ in range(3)]
        checks = {datagram[8:20] for datagram in seen if datagram[:2] == b"\x00\x01"}
        assert checks
        assert lost[8:20] not in checks, "it has begun anew"
        assert len([datagram for datagram in seen if datagram[:2] == b"\x00\x01"]) == 2, "and with patience"


async def test_forged_senders_make_us_remember_and_send_little() -> None:
    """Whoever has the password may write any sender on its checks."""
    async with meeting() as here:
        browser = Browser()
        here.browsers.append(browser)
        offer = await browser.offer()
        answer, leg = await here.engine.answer(offer, Owner())
        known = Answered(answer)
        theirs = re.findall(r"a=ice-ufrag:(\S+)", offer)[0]
        link = link_of(leg)
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(60)]
        try:
            for number, each in enumerate(sockets):
                each.sendto(request(f"{known.ufrag}:{theirs}", known.password), ("127.0.0.1", known.port))
                await eventually(lambda number=number: link.checks > number)
        finally:
            for each in sockets:
                each.close()
        assert len(link.sources) == 16
        assert len(link._check_list) == 32
        assert link.anomalies["too_many_sources"] == 28


async def test_addresses_of_this_machine_itself_are_checked_only_where_we_listen_on_them() -> None:
    async with bystanders(1) as ([port], received):
        link = IceLink(IceSettings(addresses=("127.0.0.2",)), lambda _: None)
        await link.gather(1000)
        here = [RemoteCandidate("1", 5, "127.0.0.1", port, "host")]
        assert link.worth_checking(here[0])
        await link.close()
        link = IceLink(LOOPBACK, lambda _: None)
        assert not link.worth_checking(here[0]), "no port of ours is open on loopback"
        assert received() == 0
