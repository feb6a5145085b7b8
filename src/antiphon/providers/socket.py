"""A WebSocket to a vendor that stays up: it connects, notices every way of dying, waits and connects again.

What it keeps true, for recognisers and voices alike:

- connecting, and the vendor's first message where it sends one, have deadlines; a peer that vanishes is found by pings;
- what waits to be written is bounded: a vendor that stops reading is a connection that is lost;
- a connection that dies soon after its handshake counts as a failure, like one that never came up. Failures wait longer each time
  (with chance in it, so that a thousand calls do not knock together) and are numbered: after ``max_failures`` it gives up for
  ``rest_s``, then the next ``wake`` tries again. A key, a model or an account that is refused is not tried again at all;
- a (re)connection is told to the owner (``ready``), who says again what the vendor has to know, and sends again what it lost;
- nothing of a vendor's reason reaches an error unless it is short, printable and without the key.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Protocol

import structlog
from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout, ProviderUnavailable

log = structlog.get_logger(__name__)
_picows_log = logging.getLogger("antiphon.providers.picows")
_picows_log.setLevel(logging.WARNING)  # it reports each connection at INFO, with its address

_REASON_CHARS = 160
_COPIED_BYTES = 8 * 1024
"""Above this, ``send`` of picows hands the event loop a view of a header that it overwrites with the next."""
_HEADROOM = 14
"""What picows wants free before a payload, for the frame's header."""
_PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 410, 422})
_KEY = "the key was refused: check the option api_key"
_ACCOUNT = "the account's quota or balance is used up: check the account of the option api_key"
_REFUSALS: Mapping[int, str] = {
    400: "the request was refused: check the options model and language",
    401: _KEY,
    402: _ACCOUNT,
    403: _KEY + ", and that it may use this model",
    404: "there is no such service or model: check the options base_url and model",
    405: "no WebSocket is offered there: check the option base_url",
    410: "there is no such service or model any more: check the options base_url and model",
    422: "the request was refused: check the options model and language",
    429: "the account's rate or concurrency limit is reached: check the account of the option api_key",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a connection did not come up, or ended. ``permanent``: another try would end the same."""

    error: ProviderError
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Deadlines and bounds of one connection to a vendor."""

    connect_timeout_s: float = 5.0
    first_message_timeout_s: float = 5.0
    """From the handshake to ``VendorSocket.greeted``, for vendors that greet."""
    ping_after_s: float = 10.0
    """A connection on which nothing came for so long is asked by a ping …"""
    pong_timeout_s: float = 10.0
    """… and lost without an answer in this time."""
    max_waiting_bytes: int = 256 * 1024
    """Bytes not yet taken by the network: half a minute of telephone audio, far more than a vendor in health leaves."""
    max_message_bytes: int = 4 * 1024 * 1024
    steady_s: float = 5.0
    """A connection that dies before this was a failure, whatever its handshake said."""
    max_failures: int = 5
    first_wait_s: float = 0.1
    max_wait_s: float = 5.0
    rest_s: float = 30.0
    """After giving up, nothing is tried for so long."""
    close_timeout_s: float = 2.0

    def wait_s(self, failures: int, chance: float) -> float:
        """Before the next try, after so many failures in a row; ``chance`` 0…1 takes up to half of it off. Nothing after none: a
        connection that was steady is replaced at once."""
        if failures == 0:
            return 0.0
        return min(self.first_wait_s * 2.0 ** min(failures - 1, 30), self.max_wait_s) * (1 - chance / 2)


SocketEvent = Literal["connected", "refused", "lost", "gave_up"]


@dataclass(slots=True)
class SocketCounts:
    """What became of the connections to one vendor: one of these for each engine, shared by its calls."""

    counts: dict[SocketEvent, int] = field(
        default_factory=lambda: {"connected": 0, "refused": 0, "lost": 0, "gave_up": 0}
    )

    def count(self, event: SocketEvent) -> None:
        self.counts[event] += 1


class SocketOwner(Protocol):
    """Whom a ``VendorSocket`` tells. Called on the event loop; must not raise, nor block."""

    def opened(self) -> None:
        """The handshake is done: say what the vendor has to be told first. Where it greets, nothing else may be sent until then."""
        ...

    def ready(self) -> None:
        """The connection takes everything now."""
        ...

    def message(self, payload: bytes, *, text: bool) -> None: ...

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        """What a close code of this vendor's means; None where it means nothing special."""
        ...

    def interrupted(self, failure: Failure) -> None:
        """A connection that was ready is no more, or none came up; another one is being tried."""
        ...

    def gave_up(self, failure: Failure) -> None:
        """Nothing more is tried until ``wake``, and never again where it is permanent."""
        ...


def refusal(provider: str, status: int, reason: str = "", *, secret: str = "") -> Failure:
    """An HTTP status (of a handshake, or in a vendor's error message) as an error of ours that names the setting to look at."""
    problem = _REFUSALS.get(status) or ("the vendor fails" if status >= 500 else "the request was refused")
    said = presentable(reason, secret)
    text = f"{problem} (HTTP {status}{f': {said}' if said else ''})"
    kind = ProviderUnavailable if status >= 500 or status == 429 else ProviderError
    return Failure(kind(provider, text), permanent=status in _PERMANENT)


def presentable(reason: str, secret: str = "") -> str:
    """A vendor's own words, fit for an error: one short printable line without the key."""
    if secret:
        reason = reason.replace(secret, "…")
    line = " ".join("".join(char if char.isprintable() else " " for char in reason[: 4 * _REASON_CHARS]).split())
    return line if len(line) <= _REASON_CHARS else line[: _REASON_CHARS - 1] + "…"


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """What vendors' certificates are checked by: the machine's authorities, or those in ``ca_file``. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("ca_file", f"cannot be read as certificates ({type(error).__name__})") from None


class VendorSocket:
    """One lasting connection. All methods are called on the event loop."""

    def __init__(
        self,
        provider: str,
        url: Callable[[], str],
        headers: Callable[[], Mapping[str, str]],
        owner: SocketOwner,
        *,
        greets: bool = False,
        tls: ssl.SSLContext | None = None,
        secret: str = "",
        limits: SocketLimits | None = None,
        counts: SocketCounts | None = None,
    ) -> None:
        """``url`` and ``headers`` are asked before every try. ``greets``: the connection is not ready before the owner calls
        ``greeted``. ``secret`` is taken out of what the vendor says."""
        self._provider, self._url, self._headers, self._owner = provider, url, headers, owner
        self._greets, self._tls, self._secret = greets, tls, secret
        self.limits = limits or SocketLimits()
        self._counts = counts or SocketCounts()
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._given_up: Failure | None = None
        self._rests_until_s = 0.0
        self._closed = False

    @property
    def is_ready(self) -> bool:
        """Whether ``send`` reaches the vendor."""
        return self._link is not None and self._link.ready

    @property
    def problem(self) -> Failure | None:
        """Why it has given up; None while it has not."""
        return self._given_up

    def wake(self) -> None:
        """Connect, unless that is being done, was given up for good, or a moment ago."""
        if self._closed or self._task is not None:
            return
        loop = asyncio.get_running_loop()
        if self._given_up is not None:
            if self._given_up.permanent or loop.time() < self._rests_until_s:
                return
            self._given_up, self._failures = None, 0
        self._task = loop.create_task(self._keep_up(), name=f"{self._provider}-socket")

    def send(self, message: bytes, *, text: bool) -> bool:
        """False where there is no connection that takes it: nothing is kept."""
        link = self._link
        if link is None or not link.open:
            return False
        return link.send(message, WSMsgType.TEXT if text else WSMsgType.BINARY)

    def greeted(self) -> None:
        """The vendor has said that it is ready (only where it greets)."""
        if self._link is not None and not self._link.ready:
            self._become_ready(self._link)

    def fail(self, failure: Failure) -> None:
        """The owner has found this connection useless: a mute vendor, an error message that ends it."""
        if self._link is not None:
            self._link.fail(failure)

    def close(self, goodbye: bytes | None = None) -> None:
        """Say ``goodbye`` (a text message), begin the closing handshake, and call the owner never again."""
        if self._closed:
            return
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.leave(goodbye, self.limits.close_timeout_s)
        if self._task is not None:
            self._task.cancel()

    # ---------------------------------------------------------------------------------------------- the loop

    async def _keep_up(self) -> None:
        try:
            while not self._closed:
                failure = await self._one_connection()
                if failure.permanent or self._failures >= self.limits.max_failures:
                    self._give_up(failure)
                    return
                self._owner.interrupted(failure)
                await asyncio.sleep(self.limits.wait_s(self._failures, random.random()))
        except Exception as bug:
            log.exception("vendor_socket_failed", provider=self._provider, error_type=type(bug).__name__)
            self._give_up(Failure(ProviderError(self._provider, "the connection's own code failed"), permanent=True))
        finally:
            self._task = None

    def _give_up(self, failure: Failure) -> None:
        self._given_up = failure
        self._rests_until_s = asyncio.get_running_loop().time() + self.limits.rest_s
        self._counts.count("gave_up")
        self._owner.gave_up(failure)

    async def _one_connection(self) -> Failure:
        """Until it is no more; answers why."""
        loop = asyncio.get_running_loop()
        link = _Link(self._opened, self._arrived, self.limits.max_waiting_bytes, self.limits.max_message_bytes)
        try:
            await self._connect(link)
        except _Refused as refused:
            self._link = None
            self._failures += 1
            self._counts.count("refused")
            link.drop()
            return refused.failure
        except asyncio.CancelledError:
            link.drop()
            raise
        began_s = loop.time()
        try:
            try:
                async with asyncio.timeout(None if link.ready else self.limits.first_message_timeout_s):
                    await link.ready_or_gone.wait()
            except TimeoutError:
                link.fail(self._timed_out("the vendor accepted the connection and did not say that it is ready"))
            await link.gone.wait()
        finally:
            self._link = None
            if not link.left:
                link.drop()
        was_steady = link.ready and loop.time() - began_s >= self.limits.steady_s
        self._failures = 0 if was_steady else self._failures + 1
        self._counts.count("lost")
        return self._reason(link)

    async def _connect(self, link: _Link) -> None:
        limits = self.limits
        url = self._url()
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                await ws_connect(
                    lambda: link,
                    url,
                    ssl_context=self._tls if url.startswith("wss:") else None,
                    extra_headers=dict(self._headers()),
                    websocket_handshake_timeout=limits.connect_timeout_s,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=limits.ping_after_s,
                    auto_ping_reply_timeout=limits.pong_timeout_s,
                    max_frame_size=limits.max_message_bytes,
                    max_redirects=0,
                    logger_name=_picows_log,
                )
        except WSHandshakeError as error:
            raise _Refused(self._handshake_refused(error)) from None
        except TimeoutError:
            raise _Refused(self._timed_out("no connection could be made")) from None
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate is not trusted ({presentable(error.verify_message)}): check the options base_url and ca_file"
            raise _Refused(Failure(ProviderUnavailable(self._provider, problem), permanent=True)) from None
        except (WSError, OSError) as error:
            problem = presentable(getattr(error, "strerror", None) or type(error).__name__)
            raise _Refused(
                Failure(
                    ProviderUnavailable(self._provider, f"cannot be reached ({problem}): check the option base_url")
                )
            ) from None
        if self._link is not link:  # picows returns without a word when the peer closes instead of answering
            raise _Refused(Failure(ProviderUnavailable(self._provider, "the vendor hung up during the handshake")))

    def _handshake_refused(self, error: WSHandshakeError) -> Failure:
        if error.response is None:
            problem = "the answer is not a WebSocket's: check the option base_url"
            return Failure(ProviderUnavailable(self._provider, problem))
        reason = (error.raw_body or error.response.body or b"")[: 8 * _REASON_CHARS].decode("utf-8", "replace")
        return refusal(self._provider, int(HTTPStatus(error.response.status)), reason, secret=self._secret)

    def _timed_out(self, problem: str) -> Failure:
        return Failure(ProviderTimeout(self._provider, problem))

    def _opened(self, link: _Link) -> None:
        """Told within the handshake's last read: a vendor's greeting may stand in the same bytes."""
        if self._closed:
            return
        self._link = link
        self._owner.opened()
        if not self._greets:
            self._become_ready(link)

    def _become_ready(self, link: _Link) -> None:
        link.ready = True
        link.ready_or_gone.set()
        self._counts.count("connected")
        self._owner.ready()

    def _arrived(self, link: _Link, payload: bytes, text: bool) -> None:
        if link is self._link:
            self._owner.message(payload, text=text)

    def _reason(self, link: _Link) -> Failure:
        if link.failure is not None:
            return link.failure
        if link.close_code is None:
            return Failure(ProviderUnavailable(self._provider, "the connection was lost"))
        special = self._owner.closed_by_vendor(link.close_code, link.close_reason)
        if special is not None:
            return special
        said = presentable(link.close_reason, self._secret)
        text = f"the vendor closed the connection ({link.close_code}{f': {said}' if said else ''})"
        return Failure(ProviderUnavailable(self._provider, text))


class _Refused(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.error))
        self.failure = failure


class _Link(WSListener):
    """One connection, from its handshake to its end."""

    def __init__(
        self,
        opened: Callable[[_Link], None],
        arrived: Callable[[_Link, bytes, bool], None],
        max_waiting: int,
        max_message: int,
    ) -> None:
        super().__init__()
        self._opened = opened
        self._arrived = arrived
        self._max_waiting_bytes, self._max_message_bytes = max_waiting, max_message
        self._transport: WSTransport | None = None
        self._parts = bytearray()
        self._parts_are_text = False
        self.left = False
        self.open = False
        self.ready = False
        self.ready_or_gone = asyncio.Event()
        self.gone = asyncio.Event()
        self.failure: Failure | None = None
        self.close_code: int | None = None
        self.close_reason = ""

    def send(self, message: bytes, kind: WSMsgType) -> bool:
        transport = self._transport
        if transport is None:
            return False
        if transport.underlying_transport.get_write_buffer_size() > self._max_waiting_bytes:
            self.drop()
            return False
        if len(message) <= _COPIED_BYTES:
            transport.send(kind, message)
        else:
            transport.send_reuse_external_bytearray(kind, bytearray(_HEADROOM) + message, _HEADROOM)
        return True

    def fail(self, failure: Failure) -> None:
        self.failure = self.failure or failure
        self.drop()

    def drop(self) -> None:
        """Without any closing handshake."""
        self.open = False
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
        self.ready_or_gone.set()
        self.gone.set()

    def leave(self, goodbye: bytes | None, timeout_s: float) -> None:
        """Close as the protocol has it; the vendor has ``timeout_s`` for its part."""
        self.left = True
        if self._transport is None:
            return
        if goodbye is not None:
            self._transport.send(WSMsgType.TEXT, goodbye)
        self._transport.send_close(WSCloseCode.OK)
        asyncio.get_running_loop().call_later(timeout_s, self.drop)

    # ------------------------------------------------------------------------------------------ picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport, self.open = transport, True
        self._opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.CLOSE:
            code = frame.get_close_code()
            self.close_code = int(code.value) if isinstance(code, WSCloseCode) else int(code)
            self.close_reason = frame.get_close_message().decode("utf-8", "replace") if frame.payload_size > 2 else ""
            transport.disconnect()
        elif self.left:
            return
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY) and frame.fin:
            self._arrived(self, frame.get_payload_as_bytes(), kind is WSMsgType.TEXT)
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._join(frame, kind)

    def _join(self, frame: WSFrame, kind: WSMsgType) -> None:
        if kind is not WSMsgType.CONTINUATION:
            self._parts_are_text = kind is WSMsgType.TEXT
        if len(self._parts) + frame.payload_size > self._max_message_bytes:
            self.drop()
            return
        self._parts += frame.get_payload_as_bytes()
        if frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self._arrived(self, whole, self._parts_are_text)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport, self.open = None, False
        self.ready_or_gone.set()
        self.gone.set()
