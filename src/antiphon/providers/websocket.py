"""One WebSocket to a vendor, from its handshake to its end: a deadline to connect, bounds on what waits and what comes, and errors that
name the setting to look at.

What is kept up over it is its users' business: ``socket.py`` mends one connection for a call (recognisers, models that hear and speak),
``tts/socket_pool.py`` lends connections to the replies of many calls.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable, RequestFailed
from antiphon.providers.tls import TLS_BUFFERS

_picows_log = logging.getLogger("antiphon.providers.picows")
_picows_log.setLevel(logging.WARNING)  # it reports each connection at INFO, with its address

MAX_WAITING_BYTES = 256 * 1024
"""Bytes not yet taken by the network: half a minute of telephone audio, far more than a vendor in health leaves."""
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A minute of 24 kHz speech in base64 in one message: vendors send less than a second."""
_REASON_CHARS = 160
MOST_ADDRESSES = 4
Addresses = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name (and port) that may be called. Raises RequestFailed: ``refused`` where none of them may."""
_READ_BUFFER_BYTES = 4 * 1024
"""To begin with: a message of words is no longer, and one of sound makes it grow."""
_COPIED_BYTES = 8 * 1024
"""Above this, ``send`` of picows hands the event loop a view of a header that it overwrites with the next."""
_HEADROOM = 14
"""What picows wants free before a payload, for the frame's header."""
_PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 410, 422})
_KEY = "the key was refused: check the option api_key"
_ACCOUNT = "the account's quota or balance is used up: check the account of the option api_key"
_REFUSALS: Mapping[int, str] = {
    400: "the request was refused: check the options model and language (of a voice: voiceId)",
    401: _KEY,
    402: _ACCOUNT,
    403: _KEY + ", and that it may use this model or voice",
    404: "there is no such service or model: check the options base_url and model (of a voice: voiceId)",
    405: "no WebSocket is offered there: check the option base_url",
    410: "there is no such service or model any more: check the options base_url and model",
    422: "the request was refused: check the options model and language (of a voice: voiceId)",
    429: "the account's rate or concurrency limit is reached: check the account of the option api_key",
}

_OWN = {"custom-transcriber": "transcriber.server", "custom-voice": "voice.server"}
"""Servers of an application's own, and where an assistant names them."""
_OWN_REFUSALS = {
    401: "the application's server does not know us: check {0}.secret and {0}.headers",
    403: "the application's server does not let us in: check {0}.secret and {0}.headers",
    404: "the application's server has nothing there: check {0}.url",
    410: "the application's server has nothing there any more: check {0}.url",
    429: "the application's server says that its limit is reached",
}


# ---------------------------------------------------------------------------------------------- what goes wrong


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a connection did not come up, or ended. ``permanent``: another try would end the same."""

    error: ProviderError
    permanent: bool = False


class Refused(Exception):
    """No connection came up. Where the vendor said so itself, ``status`` and ``headers`` are what it answered."""

    def __init__(self, failure: Failure, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(failure.error))
        self.failure = failure
        self.status = status
        self.headers = headers or {}


def refusal(provider: str, status: int, reason: str = "", *, secret: str = "") -> Failure:
    """An HTTP status (of a handshake, or in a vendor's error message) as an error of ours that names the setting to look at."""
    if provider in _OWN:
        fails = "fails" if status >= 500 else "refused"
        problem = _OWN_REFUSALS.get(status, f"the application's server {fails}: check {{0}}.url").format(_OWN[provider])
    else:
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


# ---------------------------------------------------------------------------------------------- the connection


class Connection(WSListener):
    """Whole messages out and in. A user's own overrides ``opened``, ``arrived`` and ``ended``, which are called on the event loop."""

    def __init__(
        self, *, max_waiting_bytes: int = MAX_WAITING_BYTES, max_message_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        """A vendor that leaves more waiting is lost; one that sends longer messages, too."""
        super().__init__()
        self._max_waiting_bytes, self._max_message_bytes = max_waiting_bytes, max_message_bytes
        self._transport: WSTransport | None = None
        self._parts = bytearray()
        self._parts_are_text = False
        self.began = False
        """Whether it ever was open."""
        self.left = False
        """Whether we have said that we go: nothing that comes counts any more."""
        self.close_code: int | None = None
        """The vendor's; None where it said none."""
        self.close_reason = ""

    def opened(self) -> None:
        """The handshake is done. Told within its last read: a vendor's first message may stand in the same bytes."""

    def arrived(self, payload: bytes, text: bool) -> None:
        """A whole message."""

    def ended(self) -> None:
        """There is no connection any more; ``close_code`` and ``close_reason`` are what the vendor said of it."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def send(self, message: bytes, *, text: bool = True) -> bool:
        """False where there is no connection that takes it: nothing is kept."""
        transport = self._transport
        if transport is None:
            return False
        if transport.underlying_transport.get_write_buffer_size() > self._max_waiting_bytes:
            self.drop()
            return False
        kind = WSMsgType.TEXT if text else WSMsgType.BINARY
        if len(message) <= _COPIED_BYTES:
            transport.send(kind, message)
        else:
            transport.send_reuse_external_bytearray(kind, bytearray(_HEADROOM) + message, _HEADROOM)
        return True

    def drop(self) -> None:
        """Without any closing handshake."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def hang_up(self) -> None:
        """Tell the vendor, and wait for nothing."""
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect(graceful=False)

    def leave(self, goodbye: bytes | None, timeout_s: float) -> None:
        """Say ``goodbye`` (a text message) and close as the protocol has it; the vendor has ``timeout_s`` for its part."""
        self.left = True
        if self._transport is None:
            return
        if goodbye is not None:
            self._transport.send(WSMsgType.TEXT, goodbye)
        self._transport.send_close(WSCloseCode.OK)
        asyncio.get_running_loop().call_later(timeout_s, self.drop)

    # ------------------------------------------------------------------------------------------ picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport, self.began = transport, True
        self.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.CLOSE:
            code = frame.get_close_code()  # one of the vendor's own (4000 …) is no member
            self.close_code = int(code.value) if isinstance(code, WSCloseCode) else int(code)
            self.close_reason = frame.get_close_message().decode("utf-8", "replace") if frame.payload_size > 2 else ""
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif self.left:
            return
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY) and frame.fin:
            self.arrived(frame.get_payload_as_bytes(), kind is WSMsgType.TEXT)
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
            self.arrived(whole, self._parts_are_text)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        self.ended()


async def connect(
    connection: Connection,
    provider: str,
    url: str,
    headers: Mapping[str, str],
    *,
    tls: ssl.SSLContext | None,
    timeout_s: float,
    ping_after_s: float,
    pong_timeout_s: float,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    secret: str = "",
    addresses: Addresses | None = None,
) -> None:
    """Raises Refused. A peer that says nothing for ``ping_after_s`` is asked by a ping, and lost without an answer in ``pong_timeout_s``.
    ``secret`` is taken out of what the vendor says. ``addresses``: who says where the connection may lead; None: anywhere."""
    secure = url.startswith("wss:")
    try:
        async with asyncio.timeout(timeout_s):
            await ws_connect(
                lambda: connection,
                url,
                ssl_context=tls if secure else None,
                extra_headers=dict(headers),
                websocket_handshake_timeout=timeout_s,
                enable_auto_ping=True,
                auto_ping_idle_timeout=ping_after_s,
                auto_ping_reply_timeout=pong_timeout_s,
                max_frame_size=max_message_bytes,
                read_buffer_init_size=_READ_BUFFER_BYTES,
                max_redirects=0,
                logger_name=_picows_log,
                socket_factory=None
                if addresses is None
                else lambda to: _connected(addresses, str(to.host), int(to.port)),
                **(TLS_BUFFERS if secure else {}),
            )
    except RequestFailed as error:
        raise Refused(Failure(ProviderError(provider, f"is not called: {error}"), error.reason == "refused")) from None
    except WSHandshakeError as error:
        raise _refused_by(error, provider, secret) from None
    except TimeoutError:
        problem = f"no connection could be made within {timeout_s:g} s: check the option base_url"
        raise Refused(Failure(ProviderTimeout(provider, problem))) from None
    except ssl.SSLCertVerificationError as error:
        problem = f"the certificate is not trusted ({presentable(error.verify_message)}): check the options base_url and ca_file"
        raise Refused(Failure(ProviderUnavailable(provider, problem), permanent=True)) from None
    except (WSError, OSError) as error:
        problem = presentable(getattr(error, "strerror", None) or type(error).__name__)
        text = f"cannot be reached ({problem}): check the option base_url"
        raise Refused(Failure(ProviderUnavailable(provider, text))) from None
    if not connection.began:  # picows returns without a word when the peer closes instead of answering
        raise Refused(Failure(ProviderUnavailable(provider, "the vendor hung up during the handshake")))


async def _connected(addresses: Addresses, host: str, port: int) -> socket.socket:
    """A connection to an address that was checked: a name that stands for another one the next time gains nothing."""
    failure: OSError = ConnectionError("no address")
    for address in (await addresses(host, port))[:MOST_ADDRESSES]:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure


def _refused_by(error: WSHandshakeError, provider: str, secret: str) -> Refused:
    if error.response is None:
        problem = "the answer is not a WebSocket's: check the option base_url"
        return Refused(Failure(ProviderUnavailable(provider, problem)))
    reason = (error.raw_body or error.response.body or b"")[: 8 * _REASON_CHARS].decode("utf-8", "replace")
    status = int(HTTPStatus(error.response.status))
    return Refused(refusal(provider, status, reason, secret=secret), status, error.response.headers)
