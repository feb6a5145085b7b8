"""RTP and RTCP as bytes, read by another reader where there is one."""

from __future__ import annotations

import pytest
from aiortc import rtp as other
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import MalformedMessage
from antiphon.transports.webrtc import rtp
from antiphon.transports.webrtc.rtp import Reception, RtpPacket, Sent, Unwrapped


@given(
    st.integers(0, 127), st.booleans(), st.integers(0, 2**40), st.integers(0, 2**50), st.integers(0, 2**32 - 1),
    st.binary(max_size=200),
)  # fmt: skip
def test_a_packet_is_read_as_it_was_written(
    kind: int, marker: bool, number: int, when: int, ssrc: int, body: bytes
) -> None:
    data = rtp.pack(kind, marker, number, when, ssrc, body)
    assert rtp.parse(data) == RtpPacket(kind, marker, number % 2**16, when % 2**32, ssrc, body)
    read = other.RtpPacket.parse(data)
    assert (read.payload_type, read.sequence_number, read.payload) == (kind, number % 2**16, body)


def test_sources_extensions_and_padding_are_skipped() -> None:
    packet = other.RtpPacket(payload_type=111, sequence_number=5, timestamp=960, ssrc=9, payload=b"opus", marker=1)
    packet.csrc = [1, 2, 3]
    packet.padding_size = 4
    extensions = other.HeaderExtensionsMap()
    packet.extensions.mid = "0"
    data = packet.serialize(extensions)
    assert rtp.parse(data) == RtpPacket(111, True, 5, 960, 9, b"opus")
    # One with a header extension of two words, by hand.
    with_extension = b"\x90\x6f" + data[2:12] + b"\xbe\xde\x00\x02" + bytes(8) + b"opus"
    assert rtp.parse(with_extension).payload == b"opus"


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_be_malformed(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except MalformedMessage:
        packet = None
    assert packet is None or len(packet.payload) <= len(data) - 12
    rtp.is_rtcp(data)
    assert rtp.key_of(data) in (None, *"0123456789*#ABCD")


def test_control_packets_are_told_from_media() -> None:
    assert rtp.is_rtcp(b"\x80\xc8\x00\x06")
    assert rtp.is_rtcp(b"\x81\xc9")
    assert not rtp.is_rtcp(rtp.pack(111, True, 0, 0, 0, b""))
    assert not rtp.is_rtcp(b"\x80")


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=30), st.integers(0, 2**32 - 1))
def test_timestamps_are_counted_on_over_the_wrap(steps: list[int], start: int) -> None:
    unwrapped, true = Unwrapped(), start
    assert unwrapped.of(start) == true
    for step in steps:
        true += step
        assert unwrapped.of(true % 2**32) == true


def heard(sequences: list[int], ssrc: int = 77) -> Reception:
    reception = Reception(ssrc)
    for at, sequence in enumerate(sequences):
        packet = RtpPacket(111, False, sequence % 2**16, at * 960, ssrc, b"")
        reception.note(packet, at * 20)
    return reception


def test_what_was_lost_is_reported_and_counted_anew_for_the_next_report() -> None:
    reception = heard([number for number in range(65_500, 65_600) if number % 4])
    data = rtp.report(Sent(1), 0, 0, reception, "us")
    (first, described) = other.RtcpPacket.parse(data)
    assert isinstance(first, other.RtcpRrPacket)
    (block,) = first.reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost) == (77, 24, 24 * 256 // 99)
    assert block.highest_sequence == 65_599
    assert block.jitter == 0
    assert isinstance(described, other.RtcpSdesPacket)
    assert described.chunks[0].items == [(1, b"us")]
    again = other.RtcpPacket.parse(rtp.report(Sent(1), 0, 0, reception, "us"))[0]
    assert isinstance(again, other.RtcpRrPacket)
    assert (again.reports[0].packets_lost, again.reports[0].fraction_lost) == (24, 0)


def test_jitter_is_what_the_arrival_times_say() -> None:
    reception = Reception(5)
    for at in range(400):
        reception.note(RtpPacket(111, False, at, at * 960, 5, b""), at * 20 + (10 if at % 2 else 0))
    first = other.RtcpPacket.parse(rtp.report(Sent(1), 0, 0, reception, "us"))[0]
    assert isinstance(first, other.RtcpRrPacket)
    assert first.reports[0].jitter == pytest.approx(480, abs=2), "10 ms on the 48 kHz clock"


def test_what_was_sent_is_reported_with_the_time_of_day() -> None:
    wall_ms = 1_700_000_000_500
    data = rtp.report(Sent(99, packets=3, payload_bytes=300), 2**32 + 960, wall_ms, None, "x" * 16)
    first = other.RtcpPacket.parse(data)[0]
    assert isinstance(first, other.RtcpSrPacket)
    assert (first.ssrc, first.reports) == (99, [])
    info = first.sender_info
    assert (info.rtp_timestamp, info.packet_count, info.octet_count) == (960, 3, 300)
    assert info.ntp_timestamp / 2**32 - 2_208_988_800 == pytest.approx(wall_ms / 1000, abs=0.001)


@pytest.mark.parametrize(("event", "key"), [(0, "0"), (9, "9"), (10, "*"), (11, "#"), (15, "D"), (16, None)])
def test_keys_are_those_of_the_telephone(event: int, key: str | None) -> None:
    assert rtp.key_of(bytes([event, 0x0A, 0, 160])) == key
