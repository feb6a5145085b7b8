"""RTP as bytes (RFC 3550, 4733, 5761): read and write packets, count what was received. PURE."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from antiphon.errors import MalformedMessage

CLOCK_HZ = 48_000
"""Opus's RTP clock, whatever the audio's own rate (RFC 7587 §4.1)."""
CLOCK_PER_MS = CLOCK_HZ // 1000
_HEADER = struct.Struct("!BBHII")
_KEYS = "0123456789*#ABCD"
_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION = 200, 201, 202


class RtpPacket(NamedTuple):
    payload_type: int
    marker: bool
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in ticks of the payload's clock."""
    ssrc: int
    payload: bytes


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram that begins like RTP is RTCP (RFC 5761 §4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def parse(data: bytes) -> RtpPacket:
    """One decrypted packet; extensions are skipped. Raises MalformedMessage("rtp")."""
    if len(data) < _HEADER.size or data[0] >> 6 != 2:
        raise MalformedMessage("rtp", "no RTP header")
    flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start = _HEADER.size + 4 * (flags & 0x0F)
    end = len(data)
    if flags & 0x10:
        if end < start + 4:
            raise MalformedMessage("rtp", "extension beyond the end")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    if flags & 0x20:
        end -= data[-1]
    if start > end:
        raise MalformedMessage("rtp", "longer than itself")
    return RtpPacket(kind & 0x7F, kind > 0x7F, sequence, timestamp, ssrc, data[start:end])


def pack(payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    """One packet, to be encrypted. ``sequence`` and ``timestamp`` are counted without wrapping."""
    kind = payload_type | (0x80 if marker else 0)
    return _HEADER.pack(0x80, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def key_of(payload: bytes) -> str | None:
    """The key of an RFC 4733 event: 0-9, *, #, A-D; None for other events (flash, tones) and for what is none."""
    return _KEYS[payload[0]] if len(payload) >= 4 and payload[0] < len(_KEYS) else None


class Unwrapped:
    """Counts a 32-bit timestamp on without wrapping."""

    def __init__(self) -> None:
        self._last: int | None = None

    def of(self, timestamp: int) -> int:
        """The timestamp, by the shorter way from the one before."""
        if self._last is None:
            self._last = timestamp
        else:
            self._last += (timestamp - self._last + 0x80000000) % 0x100000000 - 0x80000000
        return self._last


@dataclass(slots=True)
class Reception:
    """What one source has sent us, as a receiver report tells it (RFC 3550, appendices A.3 and A.8)."""

    ssrc: int
    received: int = 0
    _first: int = 0
    _highest: int = 0
    _jitter: float = 0.0
    _transit: int = 0
    _expected_before: int = 0
    _received_before: int = 0

    def note(self, packet: RtpPacket, now_ms: int) -> None:
        """A packet has arrived at ``now_ms``."""
        transit = (now_ms * CLOCK_PER_MS - packet.timestamp) & 0xFFFFFFFF
        if self.received == 0:
            self._first = self._highest = packet.sequence
        else:
            self._highest = max(self._highest, self._unwrapped(packet.sequence))
            change = (transit - self._transit + 0x80000000) % 0x100000000 - 0x80000000
            self._jitter += (min(abs(change), CLOCK_HZ) - self._jitter) / 16
        self._transit = transit
        self.received += 1

    def report(self) -> bytes:
        """One report block. What was lost since the last one begins anew."""
        expected = self._highest - self._first + 1
        lost = min(max(expected - self.received, 0), 0x7FFFFF)
        expected_now, received_now = expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = expected, self.received
        lost_now = max(expected_now - received_now, 0)
        fraction = min(255, lost_now * 256 // expected_now) if expected_now > 0 else 0
        return struct.pack(
            "!IIIIII", self.ssrc, fraction << 24 | lost, self._highest & 0xFFFFFFFF, int(self._jitter), 0, 0
        )

    def _unwrapped(self, sequence: int) -> int:
        return self._highest + (sequence - self._highest + 0x8000) % 0x10000 - 0x8000


@dataclass(slots=True)
class Sent:
    """What we have sent, as a sender report tells it."""

    ssrc: int
    packets: int = 0
    payload_bytes: int = 0


def report(sent: Sent, timestamp: int, wall_ms: int, heard: Reception | None, cname: str) -> bytes:
    """A compound RTCP packet: how much we sent and how well we hear. ``timestamp`` (unwrapped) is that of ``wall_ms``, UTC since 1970."""
    blocks = heard.report() if heard is not None else b""
    count = 1 if blocks else 0
    if sent.packets:
        seconds, rest_ms = divmod(wall_ms, 1000)
        body = struct.pack(
            "!IIIIII",
            sent.ssrc,
            (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF,
            (rest_ms << 32) // 1000,
            timestamp & 0xFFFFFFFF,
            sent.packets & 0xFFFFFFFF,
            sent.payload_bytes & 0xFFFFFFFF,
        )
        first = _control(_SENDER_REPORT, count, body + blocks)
    else:
        first = _control(_RECEIVER_REPORT, count, struct.pack("!I", sent.ssrc) + blocks)
    name = cname.encode()
    items = struct.pack("!IBB", sent.ssrc, 1, len(name)) + name
    # At least one zero byte ends the list of items, and the chunk ends on a multiple of four.
    items += bytes(4 - len(items) % 4)
    return first + _control(_DESCRIPTION, 1, items)


def _control(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
