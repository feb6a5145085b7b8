"""One media WebSocket, whatever protocol it speaks: control frames, limits, closing and liveness.

A subclass says what text and binary messages mean. What the base keeps true:

- frames, and messages put together of fragments, are read up to ``max_message_bytes`` (1009 beyond) and must be whole
  within ``message_timeout_ms`` (1008), reserved bits and stray continuations are protocol errors (1002), text is UTF-8
  (1007); pings are answered only while nothing waits to be written, so that a ping flood from a peer that does not read
  costs no memory;
- a peer that floods, stops reading or falls silent is found by ``check(now_ms)``, which one ``SocketWatch`` calls for
  all sockets: no task and no timer per call, and no clock on the hot path;
- an exception of ours closes this call with 1011 and nothing else;
- ``lost`` is called at most once, and never after ``close``.
"""

from __future__ import annotations

import codecs
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import structlog
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from antiphon.transports.base import LostReason
from antiphon.transports.watch import SocketWatch

"""As ``CallSink.closed`` lists them."""

_TEXT = WSMsgType.TEXT
_BINARY = WSMsgType.BINARY
_CONTINUATION = WSMsgType.CONTINUATION
_PING = WSMsgType.PING
_PONG = WSMsgType.PONG
_CLOSE = WSMsgType.CLOSE
_CLOSE_REASON_BYTES = 123  # a control frame holds 125, two of them are the code (RFC 6455 §5.5.1)
_COPIED_BYTES = (
    8 * 1024
)  # above, ``send`` of picows hands the event loop a view of a header that it overwrites with the next
_UTF8_STRIDE_BYTES = 64 * 1024  # a long text is checked without its like being made in memory
_FRAME_HEAD_BYTES = 14  # the longest
_HEADROOM = 14  # what picows wants free before a payload, for the frame's header
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one peer may cost us."""

    max_message_bytes: int = 64 * 1024
    """Of one message, whether in one frame or in fragments."""
    message_timeout_ms: int = 10_000
    """From a message's first byte to its last. A quarter of an hour of audio in one message (20 MiB) takes 8 s at 20 Mbit/s."""
    max_unsent_bytes: int = 256 * 1024
    """Beyond this the peer is not reading."""
    write_stall_ms: int = 5000
    """How long more than the transport's high-water mark may wait to be written."""
    user_timeout_ms: int = 5000
    """How long the peer's TCP may acknowledge nothing."""
    close_linger_ms: int = 1000
    """How long we wait for the peer's half of the closing handshake."""
    max_frames_per_check: int = 2000
    """A phone sends 13 in 250 ms; after a network stall, some hundreds."""


class MediaSocket(WSListener, metaclass=ABCMeta):
    """Base of every media socket's listener. Lives from the 101 to the end of the TCP connection."""

    LIMITS: ClassVar[SocketLimits] = SocketLimits()
    """Of this kind of endpoint: for its class to say."""

    __slots__ = (
        "_closing",
        "_closing_since_ms",
        "_fragments",
        "_fragments_since_ms",
        "_fragments_type",
        "_frames_checked",
        "_heard_at_ms",
        "_partial_since_ms",
        "_paused_since_ms",
        "_transport",
        "_watch",
        "fragment_bytes",
        "frames",
        "limits",
        "opened_at_ms",
        "partial_frame_bytes",
        "subprotocol",
    )

    def __init__(self, watch: SocketWatch, limits: SocketLimits | None = None, subprotocol: str = "") -> None:
        """``subprotocol`` is what the handshake is answered with, one of those the peer offered; empty for none."""
        self.limits = limits or self.LIMITS
        self.subprotocol = subprotocol
        self.opened_at_ms = 0
        self._watch = watch
        self._transport: WSTransport | None = None
        self._closing = False
        self._closing_since_ms: int | None = None
        self._fragments: bytearray | None = None
        self._fragments_since_ms = 0
        self._fragments_type = _TEXT
        self.fragment_bytes = 0
        """How much is kept of a message in fragments."""
        self.partial_frame_bytes = 0
        """How much has arrived of a frame that is not whole, as ``grew`` was told."""
        self._partial_since_ms: int | None = None
        self.frames = 0
        """Whole frames so far."""
        self._frames_checked = 0
        self._heard_at_ms = 0
        self._paused_since_ms: int | None = None

    # For subclasses to say.

    def opened(self) -> None:
        """The socket may be written to."""

    @abstractmethod
    def text(self, payload: bytes) -> None:
        """One whole text message. It is UTF-8."""

    @abstractmethod
    def binary(self, payload: bytes) -> None:
        """One whole binary message."""

    @abstractmethod
    def lost(self, reason: LostReason) -> None:
        """The connection is gone or going, not by ``close``. At most once."""

    def gone(self) -> None:
        """The TCP connection has ended, however it came to that. Exactly once for every socket that opened."""

    def tick(self, now_ms: int, silent_ms: int) -> None:
        """Called by ``check`` while the socket is open; nothing has arrived for ``silent_ms``."""

    def ponged(self) -> None:
        """A ping was answered: nothing that the peer sent before it is still on its way."""

    # What a subclass and its owner may do. All of it is nothing once the socket closes.

    @property
    def closing(self) -> bool:
        """Whether the closing handshake has begun, or the connection is gone."""
        return self._closing

    def send_text(self, payload: bytes) -> None:
        """One text frame."""
        self._send(_TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        """One binary frame."""
        self._send(_BINARY, payload)

    def ping(self) -> None:
        """Make the peer answer (``ponged``) and its machine acknowledge something."""
        if not self._closing and self._transport is not None:
            self._transport.send_ping()

    def kept_bytes(self) -> int:
        """What is kept of a message that is not whole."""
        return self.partial_frame_bytes + self.fragment_bytes

    def unsent_bytes(self) -> int:
        """Bytes the kernel has not taken yet."""
        if self._transport is None or self._transport.is_disconnected:
            return 0
        # asyncio types this on WriteTransport; picows' stub says Transport, which is one.
        return self._transport.underlying_transport.get_write_buffer_size()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake. ``lost`` will not be called. Safe to call twice."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        self._closing_since_ms = self._watch.clock.now_ms()
        self._transport.send_close(WSCloseCode(code), _fitting(reason))

    def violate(self, code: int, reason: str) -> None:
        """The peer broke the protocol: close with ``code`` and say so to the owner."""
        self._end("violation", code, reason)

    def stall(self) -> None:
        """The peer is not there any more: no handshake, the connection is cut."""
        self._tell_lost("stalled")
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def finish(self, reason: LostReason, code: int = 1000) -> None:
        """The peer ended the stream in its own protocol's words: tell the owner, then close."""
        self._end(reason, code, "")

    def fail_ours(self, error: Exception) -> None:
        """Our own code failed on this call: this call ends, the process goes on."""
        log.exception("media_socket_failed", error_type=type(error).__name__, exc_info=error)
        try:
            self._end("reset", 1011, "internal error")
        except Exception as second:
            # Telling the owner failed as well; the socket goes in any case.
            log.exception("media_socket_teardown_failed", error_type=type(second).__name__)
            if self._transport is not None:
                self._transport.disconnect(graceful=False)

    def check(self, now_ms: int) -> None:
        """Find a peer that floods, does not read, or is not there. Called a few times a second."""
        frames = self.frames - self._frames_checked
        if frames:
            self._frames_checked = self.frames
            self._heard_at_ms = now_ms
        if self._closing:
            since_ms = self._closing_since_ms
            if since_ms is not None and now_ms - since_ms >= self.limits.close_linger_ms:
                self._cut()
        elif frames > self.limits.max_frames_per_check:
            self.violate(1008, "too many messages")
        elif self._is_message_late(now_ms):
            self.violate(1008, "a message took too long")
        elif self._is_write_stalled(now_ms):
            self.stall()
        else:
            self.tick(now_ms, now_ms - self._heard_at_ms)

    def excuse(self, now_ms: int) -> None:
        """This process was held up (``SocketWatch.look``): every time that is counted begins anew."""
        self._frames_checked = self.frames
        self._heard_at_ms = now_ms
        self._fragments_since_ms = now_ms
        if self._partial_since_ms is not None:
            self._partial_since_ms = now_ms
        if self._paused_since_ms is not None:
            self._paused_since_ms = now_ms
        if self._closing_since_ms is not None:
            self._closing_since_ms = now_ms

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.opened_at_ms = self._heard_at_ms = self._watch.clock.now_ms()
        self._watch.add(self)
        try:
            self.opened()
        except Exception as error:
            self.fail_ours(error)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.frames += 1
        try:
            if frame.rsv1 or frame.rsv2 or frame.rsv3:
                self.violate(1002, "reserved bits set")
            elif frame.msg_type is _TEXT and frame.fin and self._fragments is None:
                if not self._closing:
                    payload = frame.get_payload_as_bytes()
                    if payload.isascii():
                        self.text(payload)
                    else:
                        self._on_text(payload)
            else:
                self._on_other_frame(transport, frame)
        except Exception as error:
            self.fail_ours(error)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._watch.discard(self)
        try:
            self._drop_fragments()
            try:
                # picows closes by itself on a broken frame (1002, 1009): it has then sent a close frame that we did not.
                self._tell_lost("violation" if transport.is_close_frame_sent else "reset")
            finally:
                self.gone()
        except Exception as error:
            log.exception("media_socket_teardown_failed", error_type=type(error).__name__)

    def pause_writing(self) -> None:
        self._paused_since_ms = self._watch.clock.now_ms()

    def resume_writing(self) -> None:
        self._paused_since_ms = None

    # How it is done.

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        transport = self._transport
        if self._closing or transport is None:
            return
        if len(payload) <= _COPIED_BYTES:
            transport.send(kind, payload)
        else:
            transport.send_reuse_external_bytearray(kind, bytearray(_HEADROOM) + payload, _HEADROOM)
        # Only a paused transport can be over the limit, so that the usual send asks nothing.
        if self._paused_since_ms is not None and self.unsent_bytes() > self.limits.max_unsent_bytes:
            self.stall()

    def _on_other_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is _CLOSE:
            self._on_close(transport, frame)
        elif kind is _PING:
            if not self.unsent_bytes():
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _PONG:
            if not self._closing:
                self.ponged()
        elif kind is _TEXT or kind is _BINARY:
            self._on_data(kind, frame)
        elif kind is _CONTINUATION:
            self._on_continuation(frame)

    def _on_data(self, kind: WSMsgType, frame: WSFrame) -> None:
        if self._closing:
            return
        if self._fragments is not None:
            self.violate(1002, "a message inside a fragmented one")
        elif not frame.fin:
            self._fragments = bytearray(frame.get_payload_as_bytes())
            self.fragment_bytes = len(self._fragments)
            self._fragments_since_ms = self._watch.clock.now_ms()
            self._fragments_type = kind
        else:
            self.binary(frame.get_payload_as_bytes())

    def _on_continuation(self, frame: WSFrame) -> None:
        if self._closing:
            return
        if self._fragments is None:
            self.violate(1002, "a continuation of nothing")
            return
        if self.fragment_bytes + frame.payload_size > self.limits.max_message_bytes:
            self._drop_fragments()
            self.violate(1009, "message too big")
            return
        self._fragments += frame.get_payload_as_bytes()
        self.fragment_bytes = len(self._fragments)
        if frame.fin:
            whole = bytes(self._fragments)
            self._drop_fragments()
            if self._fragments_type is _TEXT:
                self._on_text(whole)
            else:
                self.binary(whole)

    def _drop_fragments(self) -> None:
        self._fragments = None
        self.fragment_bytes = 0

    def _on_text(self, payload: bytes) -> None:
        if _is_utf8(payload):
            self.text(payload)
        else:
            self.violate(1007, "text must be UTF-8")

    def _on_close(self, transport: WSTransport, frame: WSFrame) -> None:
        code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big") if frame.payload_size else 1000
        if not _may_be_sent(code):
            self.violate(1002, "not a close code")
            return
        self._tell_lost("hangup")
        if not transport.is_close_frame_sent:
            transport.send_close(WSCloseCode(code))
        self._closing_since_ms = self._watch.clock.now_ms()
        transport.disconnect()

    def grew(self, read_bytes: int) -> None:
        """So many bytes arrived, and the frame they belong to is not whole."""
        self.partial_frame_bytes += read_bytes
        if self._closing:
            return
        if self._partial_since_ms is None:
            self._partial_since_ms = self._watch.clock.now_ms()
        if self.kept_bytes() > self.limits.max_message_bytes + _FRAME_HEAD_BYTES:
            self.violate(1009, "message too big")

    def shrank(self) -> None:
        """A frame has come to its end."""
        self.partial_frame_bytes = 0
        self._partial_since_ms = None

    def _is_message_late(self, now_ms: int) -> bool:
        since_ms = self._fragments_since_ms if self._fragments is not None else self._partial_since_ms
        return since_ms is not None and now_ms - since_ms >= self.limits.message_timeout_ms

    def _is_write_stalled(self, now_ms: int) -> bool:
        """Whether the peer has not been reading for too long."""
        since_ms = self._paused_since_ms
        return since_ms is not None and now_ms - since_ms >= self.limits.write_stall_ms

    def _end(self, reason: LostReason, code: int, text: str) -> None:
        was_closing = self._closing
        try:
            self._tell_lost(reason)
        finally:
            if not was_closing and self._transport is not None:
                self._closing_since_ms = self._watch.clock.now_ms()
                self._transport.send_close(WSCloseCode(code), _fitting(text))

    def _tell_lost(self, reason: LostReason) -> None:
        if not self._closing:
            self._closing = True
            self.lost(reason)

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


def _may_be_sent(code: int) -> bool:
    """Whether a close frame may carry it (RFC 6455 §7.4)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def _is_utf8(text: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(text), _UTF8_STRIDE_BYTES):
            decoder.decode(text[at : at + _UTF8_STRIDE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _fitting(reason: str) -> bytes:
    """A close reason cut to what a control frame holds, never inside a character."""
    return reason.encode()[:_CLOSE_REASON_BYTES].decode("utf-8", "ignore").encode()
