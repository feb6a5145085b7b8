"""Our side of a leg's audio: what the mouth sends ahead is kept here and leaves in 20 ms frames on the process's one beat.

While there is nothing to say, nothing is sent but a frame of silence now and then. Timestamps go on with time, so the client's jitter
buffer takes the pause for what it is (RFC 3551 §4.1).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from antiphon.errors import MalformedMessage
from antiphon.transports.webrtc import rtp
from antiphon.transports.webrtc.opus import FRAME_MS, OpusEncoder
from antiphon.transports.webrtc.rtp import CLOCK_PER_MS, Sent
from antiphon.vocabulary import AudioFormat

TAIL_FRAMES = 5
"""Silence sent after speech: without it, a client conceals the missing packets by drawing out the last syllable. It also brings the encoder
to rest, where a decoder that has heard nothing for a while is."""
KEEPALIVE_FRAMES = 20
"""While silent, one frame in 400 ms, as Opus's own discontinuous transmission does (RFC 7587 §3.1.3): the client sees a live track."""


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms on their way through the encoder."""

    pcm: bytes
    timestamp: int
    """On the 48 kHz clock, unwrapped."""
    starts: bool
    """The first after a pause."""
    epoch: int
    """How often the buffer had been cleared: a frame of an older epoch is not sent any more."""


class Outbound:
    """One leg's. ``encode`` runs in the encoder's thread, everything else on the event loop."""

    def __init__(
        self, audio: AudioFormat, encoder: OpusEncoder, payload_type: int, ssrc: int, max_backlog_ms: int
    ) -> None:
        self._encoder = encoder
        self._payload_type = payload_type
        self._frame_bytes = audio.bytes_for_ms(FRAME_MS)
        self._max_bytes = audio.bytes_for_ms(max_backlog_ms)
        self._silence = bytes(self._frame_bytes)
        self._buffer = bytearray()
        self._epoch = 0
        self._tail = 0
        self._idle = 0
        self._pausing = True
        self._sequence = 0
        self._audio = audio
        self.sent = Sent(ssrc)
        self.anomalies: Counter[str] = Counter()
        """What was odd: ``dropped_ms`` (stale audio), ``encoder_failures``."""

    def write(self, audio: bytes) -> None:
        """More audio, any whole number of samples."""
        self._buffer += audio
        excess = len(self._buffer) - self._max_bytes
        if excess > 0:
            self.anomalies["dropped_ms"] += round(self._audio.ms_of(excess))
            del self._buffer[:excess]

    def clear(self) -> None:
        """Silence, from the next frame on; what is being encoded is not sent either."""
        if self._buffer or self._tail == TAIL_FRAMES:
            self._buffer.clear()
            self._epoch += 1
            self._tail = TAIL_FRAMES

    @property
    def waiting_bytes(self) -> int:
        return len(self._buffer)

    def next_frame(self, beat: int) -> Frame | None:
        """What is due at this beat (they are numbered, 20 ms each); None for nothing. To be asked once for each beat."""
        pcm = self._next_pcm()
        if pcm is None:
            self._pausing = True
            return None
        starts, self._pausing = self._pausing, False
        return Frame(pcm, self.timestamp_at(beat * FRAME_MS), starts, self._epoch)

    @staticmethod
    def timestamp_at(now_ms: int) -> int:
        """What the RTP clock shows then, unwrapped."""
        return now_ms * CLOCK_PER_MS

    def _next_pcm(self) -> bytes | None:
        if self._buffer:
            pcm = bytes(self._buffer[: self._frame_bytes])
            del self._buffer[: self._frame_bytes]
            self._tail = TAIL_FRAMES
            self._idle = 0
            # Less than a frame and nothing behind it: the speech is over, or late. Either way it is heard now.
            return pcm.ljust(self._frame_bytes, b"\0")
        if self._tail:
            self._tail -= 1
            return self._silence
        self._idle += 1
        return self._silence if self._idle % KEEPALIVE_FRAMES == 1 else None

    def encode(self, frame: Frame) -> bytes:
        """The frame as an Opus packet; empty where the encoder failed, which costs this frame only."""
        try:
            return self._encoder.encode(frame.pcm)
        except MalformedMessage:
            self.anomalies["encoder_failures"] += 1
            return b""

    def packet(self, frame: Frame, opus: bytes) -> bytes | None:
        """The RTP packet to encrypt and send; None where the frame was cleared meanwhile."""
        if not opus or frame.epoch != self._epoch:
            return None
        self._sequence += 1
        self.sent.packets += 1
        self.sent.payload_bytes += len(opus)
        return rtp.pack(self._payload_type, frame.starts, self._sequence, frame.timestamp, self.sent.ssrc, opus)
