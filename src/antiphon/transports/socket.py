"""Media WebSockets past ASGI: uvicorn's HTTP protocol with one turn-off.

A handshake for a registered path is handed to a picows protocol on the same TCP connection; everything else goes the
usual way, to ASGI. It is done in uvicorn's ``http=`` protocol class and not in its ``ws=`` hook because there the
connection is handed over once (``ws=`` gets its transport back under its own name after the handshake), the request is
parsed once, and connections have an end, which uvicorn does not see to (``http_protocol.py``).

On a media socket: frames above its limit close it (1009), compression is not offered, Nagle is off, the kernel's send
buffer is small and data unacknowledged for some seconds ends the connection, so that a peer that vanished or stopped
reading is noticed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import structlog
from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stub leaves the class out
from uvicorn.server import ServerState

from antiphon.losses import Losses
from antiphon.transports.connections import Connections
from antiphon.transports.hand_over import hand_over
from antiphon.transports.handshake import VERSION, ErrorBody, Refusal, find_fault, fold_slashes, plain_error
from antiphon.transports.http_protocol import BoundedHttpProtocol
from antiphon.transports.listener import MediaSocket
from antiphon.transports.message_memory import MessageMemory

_NOT_LET_IN = (401, 403)
SEND_BUFFER_BYTES = 32 * 1024
_READ_BUFFER_BYTES = 4 * 1024
_UNACCOUNTED_BYTES = 256 * 1024  # of each socket: a telephone never has more
_HANDSHAKE_TIMEOUT_S = 5.0  # picows has all of it from the start
_OWNER_S = 5.0
"""A handshake waits so long for it to be known which process it is for."""
log = structlog.get_logger(__name__)


class _PicowsLogger(logging.LoggerAdapter):  # type: ignore[type-arg]  # generic in the stubs only
    """picows makes a logger for every connection out of a Logger, and none out of an adapter. It reports each connection at INFO, which
    we do ourselves, and a peer's broken frame at ERROR, which it is not: ``MediaSocket`` counts and tells it. What is left are
    exceptions."""

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.debug(msg, *args, **kwargs)


_picows_logger = _PicowsLogger(logging.getLogger("antiphon.transports.picows"), {})
_picows_logger.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A WebSocket handshake, before it is answered."""

    path: str
    """As sent, percent-escapes and doubled slashes untouched: carriers sign it."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    peer: str = ""
    """The address it came from."""

    @property
    def folded_path(self) -> str:
        """With one slash where several follow each other: what routes are found by."""
        return fold_slashes(self.path)


OnUpgrade = Callable[[UpgradeRequest], MediaSocket | Refusal]
Elsewhere = Callable[[UpgradeRequest], Awaitable[str] | None]
"""Which other process a handshake is for: the path at which it takes connections (``hand_over``), empty for this process after all. None:
it is for this process, and nobody need be asked."""


class MediaRoutes:
    """Which paths are media sockets. Filled by the composition root before serving."""

    def __init__(self, losses: Losses | None = None) -> None:
        """``losses`` is told of handshakes that are refused."""
        self._routes: dict[str, OnUpgrade] = {}
        self.losses = losses or Losses()
        self.elsewhere: Elsewhere = lambda request: None
        """Set by the composition root where there are other processes."""

    def add(self, prefix: str, on_upgrade: OnUpgrade) -> None:
        """Handshakes for ``prefix`` itself and for ``prefix/…`` are asked of ``on_upgrade``. Raises ValueError where the
        prefix is taken or not of the form ``/a/b``."""
        if not prefix.startswith("/") or prefix.endswith("/") or prefix in self._routes:
            raise ValueError(f"not a free media path: {prefix}")
        self._routes[prefix] = on_upgrade

    def find(self, path: str) -> OnUpgrade | None:
        """The longest prefix that fits."""
        candidate = fold_slashes(path)
        while candidate:
            if candidate in self._routes:
                return self._routes[candidate]
            candidate = candidate.rpartition("/")[0]
        return None


def http_protocol(
    routes: MediaRoutes,
    connections: Connections | None = None,
    error_body: ErrorBody = plain_error,
    *,
    handed_over: bool = False,
) -> type[asyncio.Protocol]:
    """What to give uvicorn as ``http=``. ``ws=`` may be ``"none"``: no WebSocket goes through ASGI. ``handed_over``: for connections
    that another process has given to this one, and that go to no other from here."""
    table = connections if connections is not None else Connections()
    shape = error_body

    class MediaAwareProtocol(_MediaAwareProtocol):
        media_routes = routes
        connections_open = table
        error_body = staticmethod(shape)
        was_handed_over = handed_over

    return MediaAwareProtocol


class _MediaAwareProtocol(BoundedHttpProtocol):
    media_routes: MediaRoutes
    was_handed_over: bool
    _asking: asyncio.Task[None] | None = None
    """Whose this connection is."""

    def handle_websocket_upgrade(self) -> None:
        path, _, query = self.url.decode("latin-1").partition("?")
        on_upgrade = self.media_routes.find(path)
        if on_upgrade is None:
            self._refuse_upgrade(404, "There is no WebSocket at this path.", "no_such_socket")
            return
        fault = find_fault(self.scope["method"], self.headers)
        if fault is not None:
            self._refuse_upgrade(*fault, "no_handshake")
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        request = UpgradeRequest(path, query, headers, self.peer())
        elsewhere = None if self.was_handed_over or self._unanswered else self.media_routes.elsewhere(request)
        if elsewhere is None:
            self._answer_upgrade(on_upgrade, request)
        else:
            self._wait_for_owner(elsewhere, on_upgrade, request)

    def _wait_for_owner(self, elsewhere: Awaitable[str], on_upgrade: OnUpgrade, request: UpgradeRequest) -> None:
        """Until it is known whose connection this is. Nothing more of it is read."""
        self._is_ending = True
        self.transport.pause_reading()
        self._within(_OWNER_S, self.cut)
        self._asking = self.loop.create_task(self._give(elsewhere, on_upgrade, request), name="hand-over")

    async def _give(self, elsewhere: Awaitable[str], on_upgrade: OnUpgrade, request: UpgradeRequest) -> None:
        """To the process whose it is; where there is none, it is answered here."""
        given = False
        try:
            path = await elsewhere
            handle = self.transport.get_extra_info("socket").fileno()
            given = bool(path) and not self._is_gone and await hand_over(path, handle, self._head())
        except Exception as error:
            log.exception("hand_over_failed", error_type=type(error).__name__)
        if self._is_gone or self.transport.is_closing():
            return
        if given:
            self.transport.abort()  # our handle of it; the other process has its own
            return
        self._is_ending = False
        self.transport.resume_reading()
        self._answer_upgrade(on_upgrade, request)

    def _head(self) -> bytes:
        """The request as it came, but for the case of its headers' names."""
        lines = [b"GET " + self.url + b" HTTP/1.1", *(name + b": " + value for name, value in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._asking = None

    def _answer_upgrade(self, on_upgrade: OnUpgrade, request: UpgradeRequest) -> None:
        try:
            answer = on_upgrade(request)
        except Exception as error:
            log.exception("media_upgrade_failed", error_type=type(error).__name__)
            answer = Refusal(500, "internal_error")
        if isinstance(answer, Refusal):
            self._refuse_because_of(answer)
        elif self._unanswered:  # asked before on this connection, and not answered: no client does that
            self.cut()
        else:
            self._hand_over(answer, request.headers)

    def _refuse_upgrade(self, status: int, message: str, reason: str) -> None:
        body = self.error_body(self.path(), status, message)
        extra = {426: {"sec-websocket-version": VERSION, "upgrade": "websocket"}, 405: {"allow": "GET"}}.get(status, {})
        self._refuse_because_of(Refusal(status, reason, body, extra))

    def _refuse_because_of(self, refusal: Refusal) -> None:
        losses, path, peer = self.media_routes.losses, self.path()[:128], self._named_peer()
        if refusal.status in _NOT_LET_IN:
            surface = "twilio" if path.startswith("/twilio/") else "realtime"
            losses.count("auth_failures", surface=surface, status=str(refusal.status))
        losses.tell(
            "media_upgrade_refused", f"{refusal.reason} {peer}", status=refusal.status, reason=refusal.reason, path=path, peer=peer
        )  # fmt: skip
        self.refuse(refusal)

    def _named_peer(self) -> str:
        """Who asks, for the log; behind a proxy on this machine, whom the proxy names: of a list the last, which it has added itself."""
        peer = self.client[0] if self.client else "unknown"
        forwarded = next((value for name, value in self.headers if name == b"x-forwarded-for"), b"")
        named = forwarded.decode("latin-1").rpartition(",")[2].strip()
        try:
            return str(ip_address(named)) if ip_address(peer).is_loopback else peer
        except ValueError:
            return peer

    def _hand_over(self, listener: MediaSocket, headers: Mapping[str, str]) -> None:
        """The connection now belongs to picows, which reads the handshake once more and answers it."""
        self._leave()
        self.connections.discard(self)
        _tune(self.transport.get_extra_info("socket"), listener.limits.user_timeout_ms)
        protocol = _MediaProtocol(listener, self.server_state, self.connections_open.memory)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.receive_head(_handshake(headers))
        self._let_go()


_receive = WSProtocol.buffer_updated


class _MediaProtocol(WSProtocol):  # type: ignore[misc]  # untyped, see the import
    """A server-side picows protocol that uvicorn counts among its connections, so that its shutdown waits for calls."""

    def __init__(self, listener: MediaSocket, server_state: ServerState, memory: MessageMemory) -> None:
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
            _HANDSHAKE_TIMEOUT_S,
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
        self._frames = 0
        self._memory = memory
        self._taken_bytes = 0
        self._connections: set[Any] = server_state.connections
        self._connections.add(self)

    def receive_head(self, head: bytes) -> None:
        """Bytes that were read from the socket before it was ours."""
        view = self.get_buffer(len(head))
        view[: len(head)] = head
        super().buffer_updated(len(head))

    def buffer_updated(self, nbytes: int) -> None:
        _receive(self, nbytes)  # ``super()`` would be a third of what is ours here, fifty times a second for every call
        listener = self._own_listener
        if listener.frames == self._frames:
            listener.grew(nbytes)
            self._account()
        else:
            self._frames = listener.frames
            if listener.partial_frame_bytes or listener.fragment_bytes:
                listener.shrank()
                self._account()
        if self.transport.is_close_frame_sent and not listener.closing:
            # picows found a broken or oversized frame. It hangs up in 10 ms, and until then would store all that comes.
            self.transport.underlying_transport.set_protocol(_Discarding(self))

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._memory.give_back(self._taken_bytes)
        self._taken_bytes = 0
        super().connection_lost(exc)

    def _account(self) -> None:
        """Part of a message is kept."""
        listener = self._own_listener
        more_bytes = listener.kept_bytes() - self._taken_bytes
        if more_bytes > _UNACCOUNTED_BYTES:
            if self._memory.take(more_bytes):
                self._taken_bytes += more_bytes
            else:
                listener.violate(1013, "too many large messages at once")
        if listener.closing and more_bytes > _UNACCOUNTED_BYTES:
            self.transport.underlying_transport.set_protocol(_Discarding(self))

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
    ``Connection: keep-alive, Upgrade`` is refused by it; it was read already)."""
    key = headers["sec-websocket-key"].strip()
    return (
        "GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-version: {VERSION}\r\nsec-websocket-key: {key}\r\n\r\n"
    ).encode()


def _tune(tcp: socket.socket, user_timeout_ms: int) -> None:
    if tcp.family not in (socket.AF_INET, socket.AF_INET6):
        return
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
