"""A call over a plain WebSocket: binary messages are audio in both directions, text messages are somebody else's protocol.

Audio has no header and no time: it is mono in the format both sides know beforehand, cut anywhere. It leaves in real time with a small
lead, so that at an interruption little of it waits at the client; that little the client throws away when it is told to
(``flush_message``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from antiphon.errors import AntiphonError, CapacityError, ProviderError
from antiphon.transports.base import CallSink, LostReason
from antiphon.transports.listener import MediaSocket, SocketLimits
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import AudioFormat

LIMITS = SocketLimits(max_message_bytes=1024 * 1024)
PING_AFTER_MS = 5000
GONE_AFTER_MS = 20_000
"""Nothing for so long, not even the answer to a ping: the client is gone."""
MAX_AHEAD_MS = 120_000
"""So much audio may come before its time: a client may send a recording at once."""
log = structlog.get_logger(__name__)


class PcmCall(Protocol):
    """Whoever let the socket in, and makes a call of it."""

    def begin(self, socket: PcmSocket) -> CallSink:
        """Its media is here. Raises AntiphonError where it cannot be a call any more."""
        ...

    def text(self, socket: PcmSocket, payload: bytes) -> None:
        """A text message of the client."""
        ...


class PcmSocket(MediaSocket):
    """A media socket, and the ``CallTransport`` of the call on it."""

    LIMITS = LIMITS

    __slots__ = ("_call", "_flush_message", "_format", "_half", "_hear", "_pinged_at_ms", "_received_ms", "_sink")

    marks = False
    paced = True

    def __init__(self, watch: SocketWatch, audio: AudioFormat, call: PcmCall, flush_message: bytes = b"") -> None:
        """``flush_message`` tells the client to throw away the audio that it has not played; empty: nothing does."""
        super().__init__(watch)
        self._format = audio
        self._call = call
        self._flush_message = flush_message
        self._sink: CallSink | None = None
        self._hear: Callable[[bytes, int | None], None] | None = None
        self._half = b""
        """The first byte of a sample whose second is in the next message."""
        self._received_ms = 0.0
        self._pinged_at_ms = 0

    # What the session says (CallTransport; ``close`` and ``unsent_bytes`` are the base's).

    def send_audio(self, audio: bytes) -> None:
        self.send_binary(audio)

    def send_mark(self, name: str) -> None:
        """Nobody answers: the session goes by the clock."""

    def clear(self) -> None:
        if self._flush_message:
            self.send_text(self._flush_message)

    # What the client says.

    def opened(self) -> None:
        try:
            self._sink = self._call.begin(self)
        except AntiphonError as error:
            # Refused before it was a call: the client is told why in the close frame.
            log.warning("pcm_call_refused", code=error.code)
            self.close(1013 if isinstance(error, CapacityError) else 1011, _why(error))
            return
        self._hear = self._sink.audio

    def binary(self, payload: bytes) -> None:
        hear = self._hear
        if hear is None:
            return
        if self._half:
            payload, self._half = self._half + payload, b""
        if len(payload) % self._format.bytes_per_sample:
            payload, self._half = payload[:-1], payload[-1:]
        if payload:
            self._received_ms += self._format.ms_of(len(payload))
            hear(payload, None)

    def text(self, payload: bytes) -> None:
        if self._sink is not None:
            self._call.text(self, payload)

    # The socket's life.

    def tick(self, now_ms: int, silent_ms: int) -> None:
        if silent_ms >= GONE_AFTER_MS:
            self.stall()
        elif self._received_ms > now_ms - self.opened_at_ms + MAX_AHEAD_MS:
            self.violate(1008, "audio comes faster than it was spoken")
        elif silent_ms >= PING_AFTER_MS and now_ms - self._pinged_at_ms >= PING_AFTER_MS:
            self._pinged_at_ms = now_ms
            self.ping()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._sink = self._hear = None
        super().close(code, reason)

    def lost(self, reason: LostReason) -> None:
        sink, self._sink, self._hear = self._sink, None, None
        if sink is not None:
            sink.closed(reason)


def _why(error: AntiphonError) -> str:
    if isinstance(error, CapacityError):
        return "no capacity"
    return "an engine is not available" if isinstance(error, ProviderError) else "the call cannot be started"
