"""One Twilio media stream: what the carrier says goes to a ``CallSink``, what the session says goes to the carrier.

    awaiting connected ──▶ awaiting start ──▶ live ──▶ closing (the base's)

A message that makes no sense in its state is counted and ignored, except where going on would be unsafe: a second
``start`` (1008), a ``stop`` before ``start`` (1000), no ``start`` within 5 s (1008), fifty binary frames (1003), a hundred
unreadable messages in a row (1007).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Protocol

import structlog

from antiphon.carriers.streams.order import Anomalies, StreamOrder
from antiphon.carriers.twilio import wire
from antiphon.errors import MalformedMessage, ProtocolViolation
from antiphon.transports.base import CallSink, LostReason
from antiphon.transports.listener import MediaSocket
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import TELEPHONE

START_TIMEOUT_MS = 5000
SILENCE_TIMEOUT_MS = 3000
"""Nothing for so long, not even the answer to a ping, is a connection that is half open."""
QUIET_AFTER_MS = 1000
"""Twilio sends audio all the time, but carriers stop sending for a caller who is muted or whose line leaves out silence (Twilio's error
31953 speaks of them). A stream without audio for so long is asked by a ping at every check: the answer comes after whatever was sent
before it, so that there was nothing to be heard until then. As long as the longest hole that is filled when audio comes after it."""
MAX_BINARY_FRAMES = 50
MAX_MALFORMED_RUN = 100
MAX_EARLY_MESSAGES = 250
"""Kept while other processes are asked whether a token was used: five seconds of audio."""
LARGEST_MEDIA_BYTES = 4000
"""Audio in one message: half a second, well below what ``send_text`` takes."""
_BYTES_PER_MS = TELEPHONE.bytes_for_ms(1)
_SILENT_SAMPLE = b"\xff"  # zero in µ-law (G.711)
log = structlog.get_logger(__name__)


class StreamOwner(Protocol):
    """Whoever let the socket in, and makes a call of it."""

    anomalies: Anomalies
    """Counts what goes wrong on all of its streams."""

    def entered(self, stream: TwilioMediaStream) -> None:
        """The handshake is done; the socket has yet to show a token."""
        ...

    def spend(self, start: wire.Start) -> Awaitable[bool] | None:
        """Whether no other process has begun a call with this stream's token; None where there is no other."""
        ...

    def begin(self, stream: TwilioMediaStream, start: wire.Start) -> CallSink:
        """Make the stream a call. Raises ProtocolViolation with the code to close the socket with."""
        ...

    def ended(self, stream: TwilioMediaStream, call_sid: str) -> None:
        """The stream is no call any more. May be told twice."""
        ...

    def left(self, stream: TwilioMediaStream) -> None:
        """The connection is gone."""
        ...


class _State(Enum):
    AWAITING_CONNECTED = auto()
    AWAITING_START = auto()
    STARTING = auto()
    """Other processes are asked about its token."""
    LIVE = auto()


class TwilioMediaStream(MediaSocket):
    """A media socket, and the ``CallTransport`` of the call on it."""

    __slots__ = (
        "_binary_frames",
        "_call_sid",
        "_early",
        "_hear",
        "_malformed_run",
        "_media_end_ms",
        "_order",
        "_outbound",
        "_owner",
        "_quiet_since_ms",
        "_silence_until_ms",
        "_sink",
        "_starting",
        "_state",
        "_stream_sid",
        "anomalies",
    )

    marks = True
    paced = True

    def __init__(self, owner: StreamOwner, watch: SocketWatch) -> None:
        super().__init__(watch)
        self.anomalies = Anomalies(owner.anomalies)
        self._owner = owner
        self._order = StreamOrder(self.anomalies)
        self._state = _State.AWAITING_CONNECTED
        self._early: list[bytes] | None = None
        """What has come while other processes are asked; None: nobody is."""
        self._starting: asyncio.Task[None] | None = None
        self._sink: CallSink | None = None
        self._hear: Callable[[bytes, int | None], None] | None = None
        """The sink's ``audio``: whatever is looked up on its way is one more of the call's objects that no cache holds."""
        self._outbound: wire.Outbound | None = None
        self._stream_sid = ""
        self._call_sid = ""
        self._malformed_run = 0
        self._binary_frames = 0
        self._media_end_ms = 0.0
        """Where the stream's audio ended when it was last looked at."""
        self._quiet_since_ms = 0
        """Since when the stream has not gone on, to within the time between two checks."""
        self._silence_until_ms = 0
        """Until when the session has been given silence for what did not come."""

    # What the session says (CallTransport; ``close`` and ``unsent_bytes`` are the base's).

    def send_audio(self, audio: bytes) -> None:
        if self._outbound is None:
            return
        if len(audio) <= LARGEST_MEDIA_BYTES:
            self.send_text(self._outbound.media(audio))
            return
        for start in range(0, len(audio), LARGEST_MEDIA_BYTES):
            self.send_text(self._outbound.media(audio[start : start + LARGEST_MEDIA_BYTES]))

    def send_mark(self, name: str) -> None:
        if self._outbound is not None:
            self.send_text(self._outbound.mark(name))

    def clear(self) -> None:
        if self._outbound is not None:
            self.send_text(self._outbound.clear)

    # What the carrier says.

    def text(self, payload: bytes) -> None:
        # Fifty times a second for every call: what nearly every message needs stands here in one piece.
        try:
            message = wire.decode_media(payload)
        except wire.NOT_PLAIN:
            self._read(payload)
            return
        body, hear = message.media, self._hear
        if hear is None or message.streamSid != self._stream_sid or body.track != "inbound":
            if self._early is not None:
                self._keep(payload)
                return
            self._on_foreign_media(message.streamSid, message.sequenceNumber)
            return
        self._malformed_run = 0
        audio = body.payload
        media_ms = self._order.place(message.sequenceNumber, body.timestamp, len(audio) / _BYTES_PER_MS)
        if media_ms is not None:
            hear(audio, media_ms)

    def _read(self, payload: bytes) -> None:
        """Anything but plain audio."""
        if self._early is not None:
            self._keep(payload)
            return
        try:
            message = wire.parse(payload)
        except MalformedMessage as error:
            self._malformed(error)
            return
        if type(message) is wire.Media:
            self._on_media(message)
        else:
            self._malformed_run = 0
            self._on_event(message)

    def binary(self, payload: bytes) -> None:
        self.anomalies.count("binary_frame")
        self._binary_frames += 1
        if self._binary_frames >= MAX_BINARY_FRAMES:
            self.violate(1003, "text messages only")

    def _on_media(self, media: wire.Media) -> None:
        sink = self._sink
        if sink is None or media.stream_sid != self._stream_sid or media.track != "inbound":
            self._on_foreign_media(media.stream_sid, media.sequence)
            return
        self._malformed_run = 0
        media_ms = self._order.place(media.sequence, media.timestamp_ms, len(media.payload) / _BYTES_PER_MS)
        if media_ms is not None:
            sink.audio(media.payload, media_ms)

    def _on_foreign_media(self, stream_sid: str, sequence: int) -> None:
        """Audio that nobody waits for."""
        self._malformed_run = 0
        if self._sink is None:
            self.anomalies.count("before_start")
        elif stream_sid != self._stream_sid:
            self.anomalies.count("foreign_stream")
        else:
            self.anomalies.count("foreign_track")
            self._order.pass_over(sequence)

    def _on_event(self, message: wire.Inbound) -> None:
        match message:
            case wire.Connected() if self._state is _State.AWAITING_CONNECTED:
                self._state = _State.AWAITING_START
            case wire.Start():
                self._on_start(message)
            case wire.Stop() if self._sink is None:
                self.close()
            case wire.Dtmf() | wire.Mark() | wire.Stop() if self._sink is not None:
                if message.stream_sid == self._stream_sid:
                    self._on_stream_event(self._sink, message)
                else:
                    self.anomalies.count("foreign_stream")
            case wire.Unknown():
                self.anomalies.count("unknown_event")
                if message.stream_sid == self._stream_sid:
                    self._order.pass_over(message.sequence)
            case wire.Connected():
                self.anomalies.count("second_connected")
            case _:
                self.anomalies.count("before_start")

    def _on_start(self, start: wire.Start) -> None:
        if self._state is _State.AWAITING_CONNECTED:
            self.anomalies.count("no_connected")  # some emulators leave it out, and nothing depends on it
        elif self._state is not _State.AWAITING_START:
            self.violate(1008, "second start")
            return
        self._order.note(start.sequence)
        spending = self._owner.spend(start)
        if spending is None:
            self._begin(start)
            return
        self._state, self._early = _State.STARTING, []
        self._starting = asyncio.get_running_loop().create_task(self._begin_once_spent(spending, start))

    async def _begin_once_spent(self, spending: Awaitable[bool], start: wire.Start) -> None:
        try:
            ours = await spending
            early, self._early, self._starting = self._early or [], None, None
            if self.closing:
                return
            if not ours:
                log.warning("twilio_stream_refused", call_sid=start.call_sid, reason="replayed")
                self.violate(1008, "not authorized")
                return
            self._begin(start)
            for payload in early:
                if not self.closing:
                    self.text(payload)
        except Exception as error:
            self.fail_ours(error)

    def _keep(self, payload: bytes) -> None:
        assert self._early is not None
        if len(self._early) >= MAX_EARLY_MESSAGES:
            self.violate(1008, "too much before the call has begun")
        else:
            self._early.append(bytes(payload))

    def _begin(self, start: wire.Start) -> None:
        # Set before the session exists, so that it may speak at once.
        self._stream_sid = start.stream_sid
        self._call_sid = start.call_sid
        self._outbound = wire.Outbound(start.stream_sid)
        try:
            sink = self._owner.begin(self, start)
        except ProtocolViolation as violation:
            self.violate(violation.close_code, violation.reason)
            return
        self._state = _State.LIVE
        if self.closing:  # the session refused the call in the moment it saw it
            self._owner.ended(self, start.call_sid)
        else:
            self._sink, self._hear = sink, sink.audio

    def _on_stream_event(self, sink: CallSink, message: wire.Dtmf | wire.Mark | wire.Stop) -> None:
        is_new = self._order.note(message.sequence)
        match message:
            case wire.Mark():
                # Delivered in any case: the playback ledger knows which marks it waits for.
                sink.mark(message.name)
            case wire.Dtmf():
                if is_new:
                    sink.dtmf(message.digit)
            case wire.Stop():
                self.finish("stop")

    def _malformed(self, error: MalformedMessage) -> None:
        self.anomalies.count(f"malformed_{error.kind}")
        self._malformed_run += 1
        if self._malformed_run >= MAX_MALFORMED_RUN:
            self.violate(1007, "unreadable messages")

    # The socket's life.

    def opened(self) -> None:
        self._owner.entered(self)

    def tick(self, now_ms: int, silent_ms: int) -> None:
        if self._sink is not None:
            if silent_ms >= SILENCE_TIMEOUT_MS:
                self.stall()
            elif self._order.end_ms != self._media_end_ms:
                self._media_end_ms = self._order.end_ms
                self._quiet_since_ms = self._silence_until_ms = now_ms
            elif now_ms - self._quiet_since_ms >= QUIET_AFTER_MS:
                self.ping()
        elif now_ms - self.opened_at_ms >= START_TIMEOUT_MS:
            self.violate(1008, "no start")

    def ponged(self) -> None:
        """The caller's side is there and has sent no audio: what it did not send was silence. So turns close and holds are resolved."""
        now_ms, hear = self._watch.clock.now_ms(), self._hear
        # Before the first audio nothing is assumed: a stream that never has any is the session's to end (``no_audio_timeout_ms``).
        if hear is None or not self._media_end_ms or self._order.end_ms != self._media_end_ms:
            return
        if now_ms - self._quiet_since_ms < QUIET_AFTER_MS:
            return
        silent_ms = min(now_ms - self._silence_until_ms, SILENCE_TIMEOUT_MS)
        self._silence_until_ms = now_ms
        if silent_ms > 0:
            self.anomalies.count("silence_assumed")
            hear(_SILENT_SAMPLE * (silent_ms * TELEPHONE.rate_hz // 1000), None)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._sink = self._hear = None
        self._owner.ended(self, self._call_sid)
        super().close(code, reason)

    def lost(self, reason: LostReason) -> None:
        sink, self._sink, self._hear = self._sink, None, None
        self._owner.ended(self, self._call_sid)
        if sink is not None:
            if reason not in ("stop", "hangup"):  # else somebody hung up, which the call itself tells
                log.info("twilio_stream_lost", call_sid=self._call_sid, reason=reason)
            sink.closed(reason)

    def gone(self) -> None:
        self._owner.left(self)
        told = {"anomalies": dict(self.anomalies.counts)} if self.anomalies.counts else {}
        log.info("twilio_socket_closed", call_sid=self._call_sid, **told)
