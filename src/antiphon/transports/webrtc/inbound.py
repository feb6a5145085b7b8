"""The client's side of a leg's audio: RTP put in order, decoded, placed on the stream's own time; keys picked out.

A hole is not filled here. ``media_ms`` comes from RTP timestamps, so the media plane sees it, conceals it and counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from antiphon.audio.jitter import Gap, JitterBuffer
from antiphon.errors import MalformedMessage
from antiphon.transports.webrtc import rtp
from antiphon.transports.webrtc.opus import OpusDecoder
from antiphon.transports.webrtc.rtp import CLOCK_HZ, CLOCK_PER_MS, Reception, RtpPacket, Unwrapped
from antiphon.transports.webrtc.sdp import AudioOffer

_MAX_HELD_PACKETS = 50
"""A second of audio behind a hole: then the hole is given up, however short the wait was."""


class Inbound:
    """One leg's. Called on the event loop; decoding 20 ms there costs less than handing them to a thread and back."""

    def __init__(
        self,
        audio: AudioOffer,
        rate_hz: int,
        reorder_wait_ms: int,
        on_audio: Callable[[bytes, int], None],
        on_key: Callable[[str], None],
    ) -> None:
        """``on_audio(pcm, media_ms)``: 16-bit mono PCM at ``rate_hz``; ``media_ms`` begins at 0 and jumps over what was lost."""
        self._opus = audio.opus
        self._event = audio.telephone_event[0] if audio.telephone_event is not None else None
        self._rate_hz = rate_hz
        self._reorder_wait_ms = reorder_wait_ms
        self._on_audio = on_audio
        self._on_key = on_key
        self.anomalies: Counter[str] = Counter()
        """What was odd: ``malformed_rtp``, ``malformed_opus``, ``foreign_payload``, ``new_source``, ``lost_packets``."""
        self.heard: Reception | None = None
        """The source that is heard, once there is one."""
        self._position = 0
        """Where the stream's next sample is due, on the 48 kHz clock."""
        self._listen_to(0)

    def receive(self, data: bytes, now_ms: int) -> None:
        """One decrypted RTP packet."""
        try:
            packet = rtp.parse(data)
        except MalformedMessage:
            self.anomalies["malformed_rtp"] += 1
            return
        if packet.payload_type not in (self._opus, self._event):
            self.anomalies["foreign_payload"] += 1
            return
        if self.heard is None or packet.ssrc != self.heard.ssrc:
            if self.heard is not None:
                self.anomalies["new_source"] += 1
            self._listen_to(packet.ssrc)
            self.heard = Reception(packet.ssrc)
        self.heard.note(packet, now_ms)
        self._take(self._jitter.put(packet.sequence, packet, now_ms))

    def release(self, now_ms: int) -> None:
        """What has waited long enough for a packet that is missing. To be called every 20 ms or so."""
        deadline_ms = self._jitter.deadline()
        if deadline_ms is not None and now_ms >= deadline_ms:
            self._take(self._jitter.release(now_ms))

    def _listen_to(self, ssrc: int) -> None:
        """A new source, with numbers of its own; its audio follows on that of the one before."""
        self._jitter: JitterBuffer[RtpPacket] = JitterBuffer(_MAX_HELD_PACKETS, self._reorder_wait_ms, modulus=0x10000)
        self._decoder = OpusDecoder(self._rate_hz)
        self._unwrapped = Unwrapped()
        self._origin: int | None = None
        self._last_event: int | None = None

    def _take(self, items: Iterable[RtpPacket | Gap]) -> None:
        for item in items:
            if isinstance(item, Gap):
                self.anomalies["lost_packets"] += item.missing
            elif item.payload_type == self._opus:
                self._play(item)
            else:
                self._press(item)

    def _play(self, packet: RtpPacket) -> None:
        timestamp = self._unwrapped.of(packet.timestamp)
        if self._origin is None:
            self._origin = timestamp - self._position
        try:
            audio = self._decoder.decode(packet.payload)
        except MalformedMessage:
            # As good as lost: the hole shows in the next packet's position.
            self.anomalies["malformed_opus"] += 1
            return
        position = timestamp - self._origin
        self._position = position + len(audio) // 2 * CLOCK_HZ // self._rate_hz
        self._on_audio(audio, round(position / CLOCK_PER_MS))

    def _press(self, packet: RtpPacket) -> None:
        """A key is one event however many packets repeat it: they share its timestamp (RFC 4733 §2.5.1)."""
        if packet.timestamp != self._last_event:
            self._last_event = packet.timestamp
            key = rtp.key_of(packet.payload)
            if key is not None:
                self._on_key(key)
