"""Whether a TURN server lets us in: it does, it does not take our credentials, or it is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aioice import stun
from aioice.turn import make_integrity_key
from tests.transports.test_webrtc_sockets import sockets_open
from tests.transports.webrtc_peer import eventually

from antiphon.transports.webrtc.relay import check_relay
from antiphon.transports.webrtc.settings import TurnServer


class Turn(asyncio.DatagramProtocol):
    """A TURN server with one user."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        message = stun.parse_message(data)
        known = message.attributes.get("USERNAME") == "us"
        kind = stun.Class.RESPONSE if known else stun.Class.ERROR
        reply = stun.Message(
            message_method=message.message_method, message_class=kind, transaction_id=message.transaction_id
        )
        if known:
            reply.attributes["LIFETIME"] = 600
            reply.attributes["XOR-MAPPED-ADDRESS"] = addr
            reply.attributes["XOR-RELAYED-ADDRESS"] = ("127.0.0.1", 50_000)
            reply.add_message_integrity(make_integrity_key("us", "here", "secret"))
        else:
            reply.attributes["ERROR-CODE"] = (401, "Unauthorized")
            reply.attributes["REALM"] = "here"
            reply.attributes["NONCE"] = b"once"
        self.transport.sendto(bytes(reply), addr)

    def server(self, username: str) -> TurnServer:
        return TurnServer("127.0.0.1", self.transport.get_extra_info("sockname")[1], username, "secret")


@pytest.fixture
async def turn() -> AsyncIterator[Turn]:
    there = Turn()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: there, local_addr=("127.0.0.1", 0))
    yield there
    there.transport.close()


@pytest.mark.parametrize(("username", "state"), [("us", "good"), ("them", "refused")])
async def test_a_relay_takes_our_credentials_or_does_not(turn: Turn, username: str, state: str) -> None:
    before = sockets_open()
    assert await check_relay(turn.server(username)) == state
    await eventually(lambda: sockets_open() == before)


async def test_a_relay_that_is_not_there_is_not_waited_for_long() -> None:
    before = sockets_open()
    silent, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    port = silent.get_extra_info("sockname")[1]
    assert await check_relay(TurnServer("127.0.0.1", port, "us", "secret"), within_s=0.2) == "unreachable"
    silent.close()
    assert await check_relay(TurnServer("no.such.host.invalid", 3478, "us", "secret"), within_s=2) == "unreachable"
    await eventually(lambda: sockets_open() == before)
