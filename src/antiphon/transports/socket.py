"""Media WebSockets past ASGI: uvicorn's HTTP protocol with one turn-off.

A handshake for a registered path is handed to a picows protocol on the same TCP connection; everything else goes the
usual way, to ASGI. It is done in uvicorn's ``http=`` protocol class and not in its ``ws=`` hook because there the
connection is handed over once (``ws=`` gets its transport back under its own name after the handshake), the request is
parsed once, and a request head that does not come to its end can be timed out, which uvicorn does not do.

On a media socket: frames above its limit close it (1009), compression is not offered, Nagle is off, the kernel's send
buffer is small and data unacknowledged for some seconds ends the connection, so that a peer that vanished or stopped
reading is noticed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import structlog
from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stub leaves the class out
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from antiphon.losses import Losses
from antiphon.transports.listener import MediaListener

HEAD_TIMEOUT_S = 5.0
"""How long a request's head may take to arrive."""
_NOT_LET_IN = (401, 403)
SEND_BUFFER_BYTES = 32 * 1024
_READ_BUFFER_BYTES = 4 * 1024
_LONGEST_HANDSHAKE_VALUE = 64  # a key has 24 characters; an absurd one is left out, and picows answers 400
_logger = structlog.get_logger(__name__)

# picows makes a logger for every connection out of a Logger, and none out of an adapter. It reports each connection
# at INFO, which we do ourselves.
_picows_logger = logging.LoggerAdapter(logging.getLogger("antiphon.transports.picows"), {})
_picows_logger.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A WebSocket handshake, before it is answered."""

    path: str
    """As sent, percent-escapes untouched."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The handshake is answered with this HTTP status instead of 101."""

    status: int
    reason: str
    """A short stable label, logged, and sent where there is no body."""
    body: bytes = b""
    """JSON, where the peer's protocol has a shape for errors."""


OnUpgrade = Callable[[UpgradeRequest], MediaListener | Refusal]


class MediaRoutes:
    """Which paths are media sockets. Filled by the composition root before serving."""

    def __init__(self, losses: Losses | None = None) -> None:
        """``losses`` is told of handshakes that are refused."""
        self._routes: dict[str, OnUpgrade] = {}
        self.losses = losses or Losses()

    def add(self, prefix: str, on_upgrade: OnUpgrade) -> None:
        """Handshakes for ``prefix`` itself and for ``prefix/…`` are asked of ``on_upgrade``. Raises ValueError where the
        prefix is taken or not of the form ``/a/b``."""
        if not prefix.startswith("/") or prefix.endswith("/") or prefix in self._routes:
            raise ValueError(f"not a free media path: {prefix}")
        self._routes[prefix] = on_upgrade

    def find(self, path: str) -> OnUpgrade | None:
        """The longest prefix that fits."""
        candidate = path
        while candidate:
            if candidate in self._routes:
                return self._routes[candidate]
            candidate = candidate.rpartition("/")[0]
        return None


def http_protocol(routes: MediaRoutes) -> type[asyncio.Protocol]:
    """What to give uvicorn as ``http=``; ``no_socket.NoSocketHere`` as ``ws=``."""

    class MediaAwareProtocol(_MediaAwareProtocol):
        media_routes = routes

    return MediaAwareProtocol


class _MediaAwareProtocol(HttpToolsProtocol):
    media_routes: MediaRoutes

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)
        self._let_go()

    def _let_go(self) -> None:
        """The parser knows us: in a circle only the garbage collector would free both, and the connection with them."""
        del self.parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        path, _, query = self.url.decode("latin-1").partition("?")
        on_upgrade = self.media_routes.find(path) if self.scope["method"] == "GET" else None
        if on_upgrade is None:
            super().handle_websocket_upgrade()
            self._let_go()
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        try:
            answer = on_upgrade(UpgradeRequest(path, query, headers))
        except Exception as error:
            _logger.exception("media_upgrade_failed", error_type=type(error).__name__)
            answer = Refusal(500, "internal_error")
        if isinstance(answer, Refusal):
            self._tell_refused(answer, path, _peer(self.client, headers))
            self._refuse(answer)
        else:
            self._hand_over(answer, headers)

    def _hand_over(self, listener: MediaListener, headers: Mapping[str, str]) -> None:
        """The connection now belongs to picows, which reads the handshake once more and answers it."""
        self.connections.discard(self)
        _tune(self.transport.get_extra_info("socket"), listener.limits.user_timeout_ms)
        protocol = _MediaProtocol(listener, self.server_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.receive_head(_handshake(headers))
        self._let_go()

    def _tell_refused(self, refusal: Refusal, path: str, peer: str) -> None:
        losses = self.media_routes.losses
        if refusal.status in _NOT_LET_IN:
            surface = "twilio" if path.startswith("/twilio/") else "realtime"
            losses.count("auth_failures", surface=surface, status=str(refusal.status))
        losses.tell(
            "media_upgrade_refused", f"{refusal.reason} {peer}", status=refusal.status, reason=refusal.reason, peer=peer
        )

    def _refuse(self, refusal: Refusal) -> None:
        body = refusal.body or refusal.reason.encode()
        kind = "application/json" if refusal.body else "text/plain; charset=utf-8"
        head = (
            f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
            f"content-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_timed_out)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_timed_out(self) -> None:
        self._head_timer = None
        self.transport.abort()


def _peer(client: tuple[str, int] | None, headers: Mapping[str, str]) -> str:
    """Who asks, for the log; behind a proxy on this machine, whom the proxy names: of a list the last, which it has added itself."""
    peer = client[0] if client else "unknown"
    forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(forwarded)) if ip_address(peer).is_loopback else peer
    except ValueError:
        return peer


_receive = WSProtocol.buffer_updated


class _MediaProtocol(WSProtocol):  # type: ignore[misc]  # untyped, see the import
    """A server-side picows protocol that uvicorn counts among its connections, so that its shutdown waits for calls."""

    def __init__(self, listener: MediaListener, server_state: ServerState) -> None:
        def always_this(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
            chosen = {"Sec-WebSocket-Protocol": listener.subprotocol} if listener.subprotocol else None
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(chosen), listener)

        super().__init__(
            None,  # host and port: client side only
            None,  # path: client side only
            False,  # is_client_side
            always_this,
            _picows_logger,
            True,  # disconnect_on_exception
            HEAD_TIMEOUT_S,
            False,  # enable_auto_ping: liveness is judged by what arrives
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: the listener answers, within bounds
            listener.limits.max_message_bytes,
            None,  # extra_headers: client side only
            _READ_BUFFER_BYTES,
        )
        self._own_listener = listener
        self._connections: set[Any] = server_state.connections
        self._connections.add(self)

    def receive_head(self, head: bytes) -> None:
        """Bytes that were read from the socket before it was ours."""
        view = self.get_buffer(len(head))
        view[: len(head)] = head
        super().buffer_updated(len(head))

    def buffer_updated(self, nbytes: int) -> None:
        _receive(self, nbytes)  # ``super()`` would be a third of what is ours here, fifty times a second for every call
        if self.transport.is_close_frame_sent and not self._own_listener.closing:
            # picows found a broken or oversized frame. It hangs up in 10 ms, and until then would store all that comes.
            self.transport.underlying_transport.set_protocol(_Discarding(self))

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops. Calls go on until they end; the composition root sees to that."""


class _Discarding(asyncio.Protocol):
    """Reads for a connection that is being closed, and keeps nothing."""

    def __init__(self, closed: _MediaProtocol) -> None:
        self._closed = closed

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.connection_lost(exc)


def _handshake(headers: Mapping[str, str]) -> bytes:
    """The handshake as picows shall see it: what it needs, in the one spelling it takes (a browser's
    ``Connection: keep-alive, Upgrade`` is refused by it; uvicorn has read that already)."""
    lines = ["GET / HTTP/1.1", "upgrade: websocket", "connection: upgrade"]
    for name in ("sec-websocket-key", "sec-websocket-version"):
        if len(headers.get(name, "")) in range(1, _LONGEST_HANDSHAKE_VALUE):
            lines.append(f"{name}: {headers[name]}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _tune(tcp: socket.socket, user_timeout_ms: int) -> None:
    if tcp.family not in (socket.AF_INET, socket.AF_INET6):
        return
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
