"""The media socket, client side: whole text messages in and out, over picows.

picows hands over single frames; Twilio accepts fragmented text, so fragments are joined here, up to a limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from picows import (
    WSCloseCode,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from antiphon.caller.webhook import CallFailed, split_url

CONNECT_TIMEOUT_S = 5.0
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""Twilio names no limit; this is a minute and a half of audio in one message, with room to spare."""


class MediaSocket(WSListener):
    """One connection. ``on_text`` gets each whole text message, ``on_closed`` the reason, once."""

    def __init__(self, on_text: Callable[[bytes], None], on_closed: Callable[[str], None]) -> None:
        super().__init__()
        self.faults: Counter[str] = Counter()
        """What the server sent that Twilio does not take: ``binary`` (31950), ``too_long``."""
        self._on_text = on_text
        self._on_closed = on_closed
        self._transport: WSTransport | None = None
        self._fragments = bytearray()
        self._skipping = False
        self.opened = False
        """Whether the connection was ever up."""

    def send(self, message: bytes) -> None:
        """Send a text message; after the end of the connection, nothing."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def close(self) -> None:
        """Begin the closing handshake; ``on_closed`` tells of its end."""
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)

    def abort(self) -> None:
        """Drop the connection without waiting for anything."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.opened = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT and frame.fin:
            self._on_text(frame.get_payload_as_bytes())
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._join(frame)
        elif frame.msg_type == WSMsgType.BINARY:
            self.faults["binary"] += 1
        elif frame.msg_type == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        received = transport.close_handshake.recv if transport.close_handshake else None
        self._on_closed("the connection was lost" if received is None else f"close code {int(received.code.value)}")

    def _join(self, frame: WSFrame) -> None:
        if not self._skipping and len(self._fragments) + frame.payload_size > MAX_MESSAGE_BYTES:
            self.faults["too_long"] += 1
            self._skipping = True
        if not self._skipping:
            self._fragments += frame.get_payload_as_bytes()
        if frame.fin:
            whole, skipped = bytes(self._fragments), self._skipping
            self._fragments.clear()
            self._skipping = False
            if not skipped:
                self._on_text(whole)


async def open_media_socket(url: str, headers: dict[str, str], socket: MediaSocket) -> None:
    """Connect ``socket`` to ``url``. Raises CallFailed in the caller's own words."""
    split_url(url, "ws", "wss")
    try:
        await ws_connect(
            lambda: socket,
            url,
            extra_headers=headers,
            websocket_handshake_timeout=CONNECT_TIMEOUT_S,
            max_frame_size=MAX_MESSAGE_BYTES,
            max_redirects=0,
        )
    except WSHandshakeError as error:
        if error.response is not None:
            raise CallFailed(f"the server refused the media socket: HTTP {int(error.response.status)}") from error
        raise CallFailed("the server's answer to the media socket's handshake is not a WebSocket's") from error
    except TimeoutError as error:
        raise CallFailed(f"the media socket did not open within {CONNECT_TIMEOUT_S:g} s") from error
    except OSError as error:
        raise CallFailed(f"the media socket cannot be reached: {error.strerror or error}") from error
    if not socket.opened:
        # picows returns without a word when the peer closes instead of answering.
        raise CallFailed("the server hung up instead of opening the media socket")
