"""Rows 6, 8 and 9 (7 is in ``test_patience``): which streams become calls, and which do not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from tests.conformance.twilio.phone import IDENTITY, Phone, eventually
from tests.conformance.twilio.server import TOKEN_SECRET, Server, undisturbed

from antiphon.caller.webhook import Stream
from antiphon.caller.wire import CONNECTED, Uplink
from antiphon.carriers.streams.token import Parties, StreamTokens, TokenClaims
from antiphon.carriers.twilio.settings import TwilioSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def server(standing: Server) -> Server:
    """One server for all of these tests."""
    return standing


class TestRow06:
    """A token opens one socket, for its own call, for a minute."""

    async def refused(self, server: Server, phone: Phone) -> None:
        """``phone`` is closed with 1008 within 100 ms, while a call goes on; no session is made for it."""
        started = len(list(server.calls_dir.glob("*.jsonl")))
        await phone.connect()
        server.phones.append(phone)
        phone.begin()
        await phone.until(phone.closed.is_set)
        assert phone.close_reason == "close code 1008"
        assert phone.closed_ms < 100
        assert not phone.received
        assert server.app.manager.live == 1
        assert len(list(server.calls_dir.glob("*.jsonl"))) == started

    async def test_row_06_a_token_used_twice(self, server: Server) -> None:
        first = await server.bystander()
        again = Phone(server.beat)
        again.ids, again.uplink = first.ids, Uplink(first.ids)
        again.stream = first.stream
        await self.refused(server, again)
        undisturbed(first)

    async def test_row_06_a_token_of_another_call(self, server: Server) -> None:
        other = await server.bystander()
        phone, victim = Phone(server.beat), Phone(server.beat)
        await victim.ring(server.http, f"{server.url}/twilio/voice")
        phone.stream = victim.stream
        await self.refused(server, phone)
        undisturbed(other)

    async def test_row_06_an_expired_token(self, server: Server) -> None:
        other = await server.bystander()
        phone = Phone(server.beat)
        await phone.ring(server.http, f"{server.url}/twilio/voice")
        secret = TwilioSettings(server.url, token_secret=TOKEN_SECRET, verify_signatures=False).secret("stream-token")
        claims = TokenClaims("an id", "default", phone.ids.call_sid, phone.ids.account_sid)
        minted_ms = time.time_ns() // 1_000_000 - 61_000
        token = StreamTokens(secret).mint(claims, Parties(IDENTITY.caller, IDENTITY.called), minted_ms)
        phone.stream = Stream(phone.stream.url, {**phone.stream.parameters, "token": token})
        await self.refused(server, phone)
        undisturbed(other)

    @pytest.mark.parametrize("parameters", [{}, {"token": ""}, {"token": "made.up"}, {"token": "é" * 900}])
    async def test_row_06_no_token_at_all(self, server: Server, parameters: dict[str, str]) -> None:
        other = await server.bystander()
        phone = Phone(server.beat)
        phone.stream = Stream(other.stream.url, parameters)
        await self.refused(server, phone)
        undisturbed(other)


class TestRow08:
    """Messages before ``start``."""

    async def test_row_08_media_marks_and_keys_are_counted_and_ignored(self, server: Server) -> None:
        other = await server.bystander()
        phone = await server.rings(server.assistant("a", greeting="Hello."))
        early = Uplink(phone.ids)
        for message in (early.media(b"//8=", 0), early.dtmf("1"), early.mark("m"), CONNECTED, early.media(b"//8=", 0)):
            phone.send(message)
        anomalies = server.app.twilio.authorizer.anomalies.counts
        await eventually(lambda: anomalies["before_start"] == 4)
        assert not phone.received, "nothing can be sent without a stream's name"
        phone.send(phone.uplink.start(phone.stream.parameters))
        phone.run()
        await phone.until_quiet()
        undisturbed(other)

    async def test_row_08_stop_before_start_closes(self, server: Server) -> None:
        other = await server.bystander()
        phone = await server.rings(f"{server.url}/twilio/voice")
        phone.send(CONNECTED)
        phone.send(phone.uplink.stop())
        await asyncio.wait_for(phone.closed.wait(), 1)
        assert phone.close_reason == "close code 1000"
        assert server.app.manager.live == 1
        undisturbed(other)


class TestRow09:
    """One live session for a call."""

    async def test_row_09_a_second_start_ends_the_socket(self, server: Server) -> None:
        other = await server.bystander()
        phone = await server.call(server.assistant("a", greeting="Hello. " * 9))
        await phone.until_hears(100)
        phone.send(phone.uplink.start(phone.stream.parameters))
        await phone.until(phone.closed.is_set)
        assert phone.close_reason == "close code 1008"
        log = await server.log(phone.ids.call_sid)
        assert log.ended == "transport-lost"
        undisturbed(other)

    async def test_row_09_two_sockets_of_one_call_at_once(self, server: Server) -> None:
        """Twilio may ask the webhook twice, so that both have a good token: the first to start is the call."""
        other = await server.bystander()
        url = server.assistant("a", greeting="Hello. " * 9)
        first, second = Phone(server.beat), Phone(server.beat)
        second.ids, second.uplink = replace(first.ids, stream_sid="MZ" + "2" * 32), Uplink(first.ids)
        second.uplink = Uplink(second.ids)
        await asyncio.gather(first.ring(server.http, url), second.ring(server.http, url))
        await asyncio.gather(first.connect(), second.connect())
        server.phones += [first, second]
        first.begin()
        second.begin()
        await second.until(second.closed.is_set)
        assert second.close_reason == "close code 1008"
        assert not second.received
        await first.until_hears(100)
        assert server.app.manager.live == 2
        undisturbed(other)
