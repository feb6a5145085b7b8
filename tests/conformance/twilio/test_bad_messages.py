"""Rows 15 to 18: what a media socket may say wrong.

Beside each such call another one goes on undisturbed, and mostly so does the bad one.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from picows import WSMsgType
from tests.conformance.twilio.attentive import AttentiveStream
from tests.conformance.twilio.phone import Phone, eventually
from tests.conformance.twilio.server import Server, undisturbed

from antiphon.conversation import events as ev

SPEECH = "and so on " * 100
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def server(standing: Server) -> Server:
    """One server for all of these tests."""
    return standing


async def talking(server: Server) -> Phone:
    """A call on which the agent talks all the time."""
    phone = await server.call(server.assistant("talking", greeting=SPEECH))
    await phone.until_hears(100)
    return phone


async def still_served(server: Server, phone: Phone) -> None:
    """The call goes on: a key the caller presses arrives, and the agent's speech was not disturbed."""
    undisturbed(phone)
    phone.press("7#")
    await phone.until(lambda: phone.clears_ms)
    await phone.hang_up()
    log = await server.log(phone.ids.call_sid)
    assert [entry.event.digit for entry in log.entries if isinstance(entry.event, ev.DtmfPressed)] == ["7", "#"]


def media(phone: Phone, payload: Any, **changes: Any) -> str:
    """A media message that claims to be the next one."""
    document = {
        "event": "media",
        "sequenceNumber": "1000000",
        "media": {"track": "inbound", "chunk": "1", "timestamp": str(len(phone.said) // 8), "payload": payload},
        "streamSid": phone.ids.stream_sid,
    }
    return json.dumps(document | changes)


class TestRow15:
    """Payloads."""

    async def test_row_15_a_bad_payload_is_dropped_and_counted(self, server: Server) -> None:
        other, phone = await asyncio.gather(server.bystander(), talking(server))
        bad = {
            "not base64": "!!!!",
            "odd characters": "////é",
            "torn": "/",
            "empty": "",
            "a number": 7,
            "nothing": None,
            "an object": {"a": 1},
        }
        for payload in bad.values():
            phone.send(media(phone, payload))
        anomalies = server.app.twilio.authorizer.anomalies.counts
        await eventually(lambda: sum(anomalies.values()) == len(bad))
        assert f"antiphon_media_anomalies_total {len(bad)}.0" in server.app.metrics.text().decode()
        assert set(anomalies) == {
            "malformed_bad_base64", "malformed_empty_payload", "malformed_mistyped_field", "malformed_missing_field",
        }  # fmt: skip
        await still_served(server, phone)
        undisturbed(other)

    async def test_row_15_odd_audio_is_audio(self, server: Server, attentive: list[AttentiveStream]) -> None:
        """One byte, or a WAV header: Twilio plays it, and so it is heard."""
        other = await server.bystander()
        phone = await server.rings(server.assistant("a", greeting=SPEECH, transcriber={"provider": "attentive"}))
        phone.send('{"event":"connected"}')
        phone.send(phone.uplink.start(phone.stream.parameters))
        odd = [b"\xff", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"\x00" * 3001]
        for audio in odd:
            phone.send_audio(audio)
        await eventually(lambda: attentive and len(attentive[0].heard) == len(phone.said))
        assert bytes(attentive[0].heard) == b"".join(odd)
        phone.run()
        await phone.until_hears(200)
        await still_served(server, phone)
        undisturbed(other)

    async def test_row_15_a_megabyte_closes_the_socket(self, server: Server) -> None:
        other, phone = await asyncio.gather(server.bystander(), talking(server))
        phone.send(media(phone, base64.b64encode(bytes(1024 * 1024)).decode()))
        await phone.until(phone.closed.is_set)
        assert phone.close_reason == "close code 1009"
        assert (await server.log(phone.ids.call_sid)).ended == "transport-lost"
        undisturbed(other)


class TestRow16:
    """Messages that are no message."""

    async def test_row_16_unreadable_messages_are_counted_and_the_call_goes_on(self, server: Server) -> None:
        other, phone = await asyncio.gather(server.bystander(), talking(server))
        sid = phone.ids.stream_sid
        bad = [
            "",
            "hello",
            "[1, 2]",
            "null",
            '"media"',
            "{}",
            '{"event": 5}',
            '{"event": "media"}',
            '{"event": "media", "media": []}',
            json.dumps({"event": "mark", "streamSid": sid}),
            json.dumps({"event": "dtmf", "streamSid": sid, "dtmf": {"digit": "12"}}),
            media(phone, "//8=", media={"payload": "//8=", "timestamp": "-5"}),
            media(phone, "//8=", media={"payload": "//8=", "timestamp": "9" * 400}),
            "[" * 20_000 + "]" * 20_000,
            '{"event": "media\x00"',
            '{"a":' * 5000 + "1" + "}" * 5000,
        ]
        for text in bad:
            phone.send(text)
        anomalies = server.app.twilio.authorizer.anomalies.counts
        await eventually(lambda: sum(anomalies.values()) == len(bad))
        assert all(label.startswith("malformed_") for label in anomalies), anomalies
        await still_served(server, phone)
        undisturbed(other)

    async def test_row_16_unknown_events_are_ignored_and_numbers_may_be_numbers(
        self, server: Server, attentive: list[AttentiveStream]
    ) -> None:
        other = await server.bystander()
        phone = await server.rings(server.assistant("a", greeting=SPEECH, transcriber={"provider": "attentive"}))
        phone.send('{"event":"connected","new":{"thing":[]}}')
        phone.send(phone.uplink.start(phone.stream.parameters))
        phone.send('{"event":"weather","streamSid":"x","weather":{}}')
        phone.send(media(phone, "", sequenceNumber=2, media={"payload": "//8=", "timestamp": 0, "chunk": 1}))
        await eventually(lambda: attentive and attentive[0].heard == b"\xff\xff")
        anomalies = server.app.twilio.authorizer.anomalies.counts
        assert anomalies == {"unknown_event": 1}
        undisturbed(other)


class TestRow17:
    """Frames."""

    async def test_row_17_binary_pings_and_fragments(self, server: Server) -> None:
        other, phone = await asyncio.gather(server.bystander(), talking(server))
        for _ in range(10):
            phone.send_raw(WSMsgType.BINARY, b"\x00\x01\x02")
        for _ in range(300):
            phone.send_raw(WSMsgType.PING, b"are you there")
        key = phone.uplink.dtmf("7")
        phone.send_raw(WSMsgType.TEXT, key[:20], fin=False)
        phone.send_raw(WSMsgType.CONTINUATION, key[20:])
        phone.press("#")
        await phone.until(lambda: phone.clears_ms)
        assert server.app.twilio.authorizer.anomalies.counts == {"binary_frame": 10}
        assert not phone.closed.is_set()
        undisturbed(other)

    @pytest.mark.parametrize(
        ("frames", "code"),
        [
            ([(WSMsgType.BINARY, b"x", True)] * 50, 1003),
            ([(WSMsgType.CONTINUATION, b"x", True)], 1002),
            ([(WSMsgType.TEXT, b'{"event": "media", "\xff\xfe": 1}', True)], 1007),
            ([(WSMsgType.TEXT, b"x" * 60_000, False), (WSMsgType.CONTINUATION, b"x" * 60_000, True)], 1009),
            ([(WSMsgType.TEXT, b"x" * 10_000_000, True)], 1009),
            ([(WSMsgType.TEXT, b"no JSON", True)] * 100, 1007),
            ([(WSMsgType.PING, b"", True)] * 5000, 1008),
        ],
        ids=["binary", "stray continuation", "no UTF-8", "long fragments", "10 MB", "100 unreadable", "ping flood"],
    )
    async def test_row_17_beyond_bearing_the_socket_is_closed(
        self, server: Server, frames: list[tuple[WSMsgType, bytes, bool]], code: int
    ) -> None:
        other, phone = await asyncio.gather(server.bystander(), talking(server))
        for _ in range(30):  # what a process that was held up finds waiting is no flood: that goes on
            for kind, payload, fin in frames:
                phone.send_raw(kind, payload, fin=fin)
            with suppress(AssertionError):
                await phone.until(phone.closed.is_set, 2)
                break
        assert phone.close_reason == f"close code {code}"
        assert (await server.log(phone.ids.call_sid)).ended == "transport-lost"
        undisturbed(other)


class TestRow18:
    """Numbers that do not fit."""

    async def test_row_18_no_audio_twice_gaps_filled_time_only_forward(
        self, server: Server, attentive: list[AttentiveStream]
    ) -> None:
        other = await server.bystander()
        phone = await server.rings(server.assistant("a", greeting=SPEECH, transcriber={"provider": "attentive"}))
        phone.send('{"event":"connected"}')
        phone.send(phone.uplink.start(phone.stream.parameters))

        def frame(fill: int, sequence: int, timestamp_ms: int, sid: str = "") -> None:
            payload = base64.b64encode(bytes([fill]) * 160).decode()
            content = {"track": "inbound", "chunk": "1", "timestamp": str(timestamp_ms), "payload": payload}
            phone.send(
                media(
                    phone, payload, sequenceNumber=str(sequence), streamSid=sid or phone.ids.stream_sid, media=content
                )
            )

        frame(1, 2, 0)
        frame(2, 3, 20)
        frame(2, 3, 20)  # duplicate
        frame(9, 4, 40, sid="MZ" + "f" * 32)  # another's
        frame(3, 4, 40)
        frame(5, 6, 80)  # 5 is missing: 20 ms are filled in
        frame(4, 5, 60)  # and come too late
        frame(6, 7, 5100)  # time leaps by five seconds: nothing is invented
        frame(7, 8, 5020)  # and goes back: what comes follows
        frame(8, 1, 5060)  # numbers begin again, time goes on
        await eventually(lambda: attentive and bytes(attentive[0].heard).endswith(bytes([8]) * 160))
        heard = bytes(attentive[0].heard)
        places = [heard.find(bytes([fill]) * 160) for fill in (1, 2, 3, 5, 6, 7, 8)]
        assert places == sorted(places)
        assert -1 not in places
        assert bytes([9]) * 160 not in heard
        assert heard.count(bytes([2]) * 160) == 1, "the duplicate was not heard"
        assert len(heard) / 8 == 7 * 20 + 2 * 20, "two holes of 20 ms were filled, five seconds were not invented"
        anomalies = server.app.twilio.authorizer.anomalies.counts
        assert anomalies["stale_media"] == 2
        assert anomalies["foreign_stream"] == 1
        assert anomalies["sequence_gap"] >= 1
        phone.run()
        await phone.until_hears(100)
        assert not phone.closed.is_set()
        undisturbed(other)
