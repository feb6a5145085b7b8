"""Sockets to vendors of voices: pooled for each address, connected before they are needed, given up when they are lost."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from picows import WSAutoPingStrategy, WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from antiphon.errors import ProviderTimeout, ProviderUnavailable

CONNECT_TIMEOUT_S = 5.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A minute of 24 kHz speech in base64 in one message: vendors send less than a second."""
LONGEST_REFUSAL_S = 60.0
"""A vendor that asks for a longer pause is asked again nevertheless: the limit may be another one by then."""
REFUSAL_S = 5.0
"""A vendor that refuses without saying for how long is spared so long: calls go to the voice that stands in, at once."""
_IDLE_PING_S, _PONG_S = 20.0, 10.0
_OFF = logging.getLogger("antiphon.providers.sockets")
_OFF.setLevel(logging.ERROR)  # picows tells of each connection

log = structlog.get_logger(__name__)


class VendorSocket(WSListener):
    """One connection. A vendor's own overrides ``on_text``, ``on_binary`` and ``on_lost``."""

    def __init__(self, provider: str, url: str) -> None:
        super().__init__()
        self.provider = provider
        self.url = url
        self.in_use = 0
        """Replies that hold a place on it."""
        self.retired = False
        """It takes no new reply, and is closed with the last."""
        self.used = False
        """Whether a reply has had it before: then it may have died unseen."""
        self._transport: WSTransport | None = None
        self._fragments = bytearray()

    def on_text(self, message: bytes) -> None:
        """A whole text message."""

    def on_binary(self, message: bytes) -> None:
        """A whole binary message."""

    def on_lost(self, problem: str) -> None:
        """The connection has ended; called once."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def send(self, message: bytes) -> None:
        """A text message; nothing after the end of the connection, of which ``on_lost`` has told."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin:
            self.on_text(frame.get_payload_as_bytes())
        elif kind == WSMsgType.BINARY and frame.fin:
            self.on_binary(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._join(frame, transport)

    def _join(self, frame: WSFrame, transport: WSTransport) -> None:
        if frame.msg_type != WSMsgType.CONTINUATION:
            self._binary = frame.msg_type == WSMsgType.BINARY
        self._fragments += frame.get_payload_as_bytes()
        if len(self._fragments) > MAX_MESSAGE_BYTES:
            transport.disconnect(graceful=False)
        elif frame.fin:
            whole = bytes(self._fragments)
            self._fragments.clear()
            (self.on_binary if self._binary else self.on_text)(whole)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        received = transport.close_handshake.recv if transport.close_handshake else None
        told: Any = received.code if received is not None else None
        code = (
            None if told is None else int(getattr(told, "value", told))
        )  # one of the vendor's own (4000 …) is no member
        # The reason may repeat what was sent: it is read for what it says of us, and never told on.
        reason = (received.reason or "") if received is not None else ""
        self.on_lost(closing(code, reason))


def closing(code: int | None, reason: str) -> str:
    """What the end of a connection says, in our words."""
    if code is None:
        return "the connection was lost"
    told = reason.lower()
    for sign, meaning in _SIGNS:
        if sign in told:
            return meaning
    return f"the vendor closed the connection with code {code}"


_SIGNS = (
    ("api_key", "the vendor refused the setting api_key"),
    ("api key", "the vendor refused the setting api_key"),
    ("unauthorized", "the vendor refused the setting api_key"),
    ("invalid_authorization", "the vendor refused the setting api_key"),
    ("quota", "the quota of the account of the setting api_key is used up"),
    ("credit", "the quota of the account of the setting api_key is used up"),
    ("voice", "the vendor does not know the voice of the setting voiceId"),
    ("model", "the vendor does not know the setting model"),
    ("language", "the vendor does not take the setting language"),
    ("max_active_conversations", "too many replies at once on one connection"),
    ("simultaneous contexts", "too many replies at once on one connection"),
    ("rate limit", "the vendor's limit of requests is reached"),
    ("concurren", "the vendor's limit of replies at once is reached"),
)


def meaning(*told: str) -> str:
    """What a vendor's error means for the operator, as one line that names the setting; the vendor's own words are not repeated, they may
    hold what was to be said."""
    text = " ".join(told).lower()
    return next((each for sign, each in _SIGNS if sign in text), "the vendor reported an error")


def refusal(status: int) -> str:
    """What an HTTP status instead of a connection means, naming the setting."""
    return {
        400: "the vendor refused the settings (HTTP 400): look at model, voiceId, language",
        401: "the vendor refused the setting api_key (HTTP 401)",
        402: "the quota of the account of the setting api_key is used up (HTTP 402)",
        403: "the setting api_key has no right to this voice or model (HTTP 403)",
        404: "the vendor knows no such voice, model or base_url (HTTP 404): look at voiceId, model, base_url",
        429: "the vendor's limit of requests is reached (HTTP 429)",
    }.get(status, f"the vendor refused the connection (HTTP {status})")


def retry_after_s(headers: Any) -> float:
    """How long a vendor that refuses wants to be left alone, bounded (RFC 9110 §10.2.3, in seconds)."""
    try:
        return min(max(float(headers.get("Retry-After", REFUSAL_S)), 0.0), LONGEST_REFUSAL_S)
    except (TypeError, ValueError):
        return REFUSAL_S


class Refusals:
    """A vendor that has refused is not asked again before its time."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._until_s = 0.0
        self._problem = ""

    def check(self) -> None:
        """Raises ProviderUnavailable while the vendor wants to be left alone."""
        rest_s = self._until_s - time.monotonic()
        if rest_s > 0:
            raise ProviderUnavailable(self._provider, f"{self._problem}; asked again in {rest_s:.0f} s")

    def refused(self, status: int, headers: Any) -> ProviderUnavailable:
        self._problem = refusal(status)
        self._until_s = time.monotonic() + retry_after_s(headers) if status in (401, 402, 403, 429, 503) else 0.0
        log.warning("voice_refused", provider=self._provider, status=status, problem=self._problem)
        return ProviderUnavailable(self._provider, self._problem)


class SocketPool:
    """Connections of one vendor and credential. A reply leases a place on one, and gives it back."""

    def __init__(
        self,
        provider: str,
        make: Callable[[str], VendorSocket],
        headers: Mapping[str, str],
        *,
        places: int,
        most: int,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        """``make(url)`` gives a socket to connect; each has ``places`` for replies. There are at most ``most``."""
        self._provider = provider
        self._make = make
        self._headers = dict(headers)
        self._places = places
        self._most = most
        self._connect_timeout_s = connect_timeout_s
        self._sockets: list[VendorSocket] = []
        self._opening: dict[str, asyncio.Lock] = {}
        self._ssl: ssl.SSLContext | None = None
        self._refusals = Refusals(provider)
        self._closed = False

    @property
    def sockets(self) -> tuple[VendorSocket, ...]:
        """Those that are connected."""
        return tuple(self._sockets)

    async def lease(self, url: str) -> VendorSocket:
        """Raises ProviderUnavailable, ProviderTimeout."""
        if (socket := self._free(url)) is not None:
            return socket
        lock = self._opening.setdefault(url, asyncio.Lock())
        try:
            async with lock:  # whoever waited may find a place on the one that was opened meanwhile
                if (socket := self._free(url)) is not None:
                    return socket
                socket = await self._connect(url)
                socket.in_use += 1
                return socket
        finally:
            if not lock.locked():
                self._opening.pop(url, None)

    def release(self, socket: VendorSocket) -> None:
        """A reply needs its place no more."""
        socket.in_use -= 1
        socket.used = True
        if socket.retired and socket.in_use <= 0:
            socket.close()

    def retire(self, socket: VendorSocket) -> None:
        """No reply gets a place on it any more."""
        socket.retired = True
        if socket.in_use <= 0:
            socket.close()

    def lost(self, socket: VendorSocket) -> None:
        """Called by a socket's ``on_lost``."""
        if socket in self._sockets:
            self._sockets.remove(socket)

    async def warm(self, url: str) -> None:
        """Connect ahead of the first reply. Raises as ``lease``."""
        self.release(await self.lease(url))

    def close(self) -> None:
        self._closed = True
        for socket in self.sockets:
            socket.close()

    def _free(self, url: str) -> VendorSocket | None:
        for socket in self._sockets:
            if socket.url == url and socket.is_open and not socket.retired and socket.in_use < self._places:
                socket.in_use += 1
                return socket
        return None

    def _make_room(self) -> None:
        if len(self._sockets) < self._most:
            return
        idle = next((socket for socket in self._sockets if not socket.in_use), None)
        if idle is None:
            raise ProviderUnavailable(self._provider, f"all {self._most} connections are in use (setting sockets)")
        self._sockets.remove(idle)
        idle.close()

    async def _connect(self, url: str) -> VendorSocket:
        if self._closed:
            raise ProviderUnavailable(self._provider, "the voice is closed")
        self._refusals.check()
        self._make_room()
        socket = self._make(url)
        if self._ssl is None and url.startswith("wss:"):
            self._ssl = ssl.create_default_context()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await ws_connect(
                    lambda: socket,
                    url,
                    ssl_context=self._ssl,
                    extra_headers=self._headers,
                    websocket_handshake_timeout=self._connect_timeout_s,
                    max_frame_size=MAX_MESSAGE_BYTES,
                    max_redirects=0,
                    logger_name=_OFF,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=_IDLE_PING_S,
                    auto_ping_reply_timeout=_PONG_S,
                    auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
                )
        except WSError as error:
            response = getattr(error, "response", None)
            if response is not None:
                raise self._refusals.refused(int(response.status), response.headers) from None
            raise ProviderUnavailable(self._provider, "the vendor's answer is not a WebSocket's") from None
        except TimeoutError:
            raise ProviderTimeout(
                self._provider, f"no connection within {self._connect_timeout_s:g} s (setting base_url)"
            ) from None
        except ssl.SSLError as error:
            raise ProviderUnavailable(
                self._provider, f"no secure connection ({error.reason or 'TLS'}; setting base_url)"
            ) from None
        except OSError as error:
            raise ProviderUnavailable(
                self._provider, f"cannot be reached ({error.strerror or type(error).__name__}; setting base_url)"
            ) from None
        if not socket.is_open:
            raise ProviderUnavailable(self._provider, "the vendor hung up instead of opening a connection")
        self._sockets.append(socket)
        return socket
