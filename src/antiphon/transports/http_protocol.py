"""uvicorn's HTTP protocol with an end to everything: heads, bodies, what is sent ahead, waiting, and connections.

uvicorn bounds none of it: it joins a head of any size, keeps a connection for ever whose body no handler read, and closes on
whoever still sends, so that the answer may be lost. Here every refusal is answered where that can be done, then the peer is
given a moment to read it (RFC 9112 §9.6), and one timer at a time sees to it that no state lasts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from antiphon.transports.connections import Connections
from antiphon.transports.handshake import ErrorBody, Refusal, answer, fold_slashes

_STRIDE_BYTES = 16 * 1024
"""The parser is fed in such pieces, so that no bound is overrun by more, however much arrives at once."""
_OWN_DELAY_S = 1.0
"""Later than that a timer runs only because the loop was held up."""
_HOST = re.compile(rb"[A-Za-z0-9.\-_~%!$&'()*+,;=:\[\]]*")
_MESSAGES = {
    "bad_request": (400, "This is no HTTP request."),
    "bad_host": (400, "An HTTP/1.1 request has exactly one Host header (RFC 9112 §3.2)."),
    "bad_framing": (400, "The request's body is not framed as it should be."),
    "body_too_large": (413, "The request's body is too large."),
    "head_too_large": (431, "The request's headers are too large."),
    "too_many_headers": (431, "The request has too many headers."),
    "too_many_pipelined": (400, "Too many requests were sent ahead."),
    "url_too_long": (414, "The request's URL is too long."),
    "version": (505, "HTTP/1.1 is spoken here."),
    "too_busy": (503, "The server is busy. Try again in a moment."),
}


class _Refused(Exception):
    """Thrown out of a callback of the parser's, so that it stops."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. What it may cost is ``connections_open.bounds``."""

    connections_open: Connections
    error_body: ErrorBody

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self.url = b""
        self.bounds = self.connections_open.bounds
        self._timer: asyncio.TimerHandle | None = None
        self._heads = 0
        """Requests that began to arrive."""
        self._unanswered = 0
        self._in_head = False
        self._is_whole = True
        """Whether the request that came last has arrived to its end."""
        self._head_bytes = 0
        self._header_count = 0
        self._body_bytes = 0
        self._framing_bytes = 0
        self._discarded_bytes = 0
        self._is_ending = False
        """It is being closed: what still comes is not looked at."""
        self._is_gone = False
        """It is closed, or has become a media socket."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self._within(self.bounds.head_timeout_s, self.cut)
        self.connections_open.enter(self, transport.get_extra_info("socket").fileno())

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), _STRIDE_BYTES):
            if self._is_ending:
                self._discard(len(data) - at)
                return
            self._feed(data if len(data) <= _STRIDE_BYTES else data[at : at + _STRIDE_BYTES])
            if self._is_gone:
                return

    def cut(self) -> None:
        """End it at once (``connections.Cuttable``)."""
        self._is_ending = True
        self.transport.abort()

    def path(self) -> str:
        """What is asked for, as sent but for doubled slashes."""
        return fold_slashes(self.url.decode("latin-1").partition("?")[0])

    def peer(self) -> str:
        """Who is there, for the log."""
        return self.client[0] if self.client else "unknown"

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._unanswered >= self.bounds.max_pipelined:
            raise self._refused("too_many_pipelined")
        super().on_message_begin()
        self._heads += 1
        self._in_head, self._is_whole = True, False
        self._head_bytes = self._header_count = self._body_bytes = self._framing_bytes = 0
        if not self._unanswered:
            self._within(self.bounds.head_timeout_s, self.cut)

    def on_url(self, url: bytes) -> None:
        if len(self.url) + len(url) > self.bounds.max_url_bytes:
            raise self._refused("url_too_long")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._header_count > self.bounds.max_headers:
            raise self._refused("too_many_headers")
        if self._head_bytes > self.bounds.max_head_bytes:
            raise self._refused("head_too_large")
        if self._in_head:  # what follows a chunked body would else pass for headers that nobody has checked
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_head()
        self._framing_bytes = 0
        if self.parser.should_upgrade() and self._should_upgrade():
            super().on_headers_complete()
            return
        if not self.connections_open.admit(self, self.path()):
            raise self._refused("too_busy")
        self._within(self.bounds.request_timeout_s, self.cut)
        super().on_headers_complete()
        self._in_head = False
        self._unanswered += 1
        # Closing at once would make the kernel throw away the answer where more of the request comes in.
        self.cycle.transport = cast("asyncio.Transport", _LingeringTransport(self))

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        # Few bodies are large: only those ask which path it is.
        if self._body_bytes > self.bounds.max_body_bytes and self._body_bytes > self.bounds.max_body_of(self.path()):
            raise self._refused("body_too_large")
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()
        if self._unanswered:
            self.connections_open.whole(self)
        elif not self._is_ending:
            self._wait_for_next()

    def on_response_complete(self) -> None:
        """As uvicorn's, but that a request which has not come to its end is waited for, and not for ever."""
        self.server_state.total_requests += 1
        self._unanswered -= 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._is_ending:
            self.close_gently()
        elif self._is_whole:
            self._wait_for_next()
        else:
            self.connections_open.wait(self)
            if self._in_head:
                self._within(self.bounds.head_timeout_s, self.cut)
            else:
                self._within(self.bounds.discard_timeout_s, self.close_gently)

    # How it is done.

    def close_gently(self) -> None:
        """Nothing more is answered. Whoever still sends is listened to for a moment, so that our last answer reaches them."""
        if self.transport.is_closing():
            return
        self._is_ending = True
        if self._is_whole or not self.transport.can_write_eof():
            self.transport.close()
            self._within(self.bounds.close_timeout_s, self.transport.abort)
        else:
            self._is_whole = True
            self.transport.write_eof()
            self._within(self.bounds.discard_timeout_s, self.close_gently)

    def refuse(self, refusal: Refusal) -> None:
        """Answer the request that is arriving, and close."""
        in_body, self._is_ending = not self._in_head and not self._is_whole, True
        self._is_whole = False
        if self._unanswered > int(in_body):
            return  # those before it are answered first, and the connection closes with them
        if not in_body:
            self.transport.write(answer(refusal))
        elif self._unanswered and not self.cycle.response_started:
            self.transport.write(answer(refusal))
            self.cycle.disconnected = True  # its handler is told, and what it says is not sent
            self.cycle.message_event.set()
        elif self._unanswered:
            self.cut()
        self.close_gently()

    def _feed(self, piece: bytes) -> None:
        heads, body_bytes = self._heads, self._body_bytes
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._on_upgrade()
            return
        except httptools.HttpParserError as error:
            reason = str(error.__context__) if isinstance(error.__context__, _Refused) else "bad_request"
            self._refuse_because(reason)
            return
        if self._unanswered == 0 and not self._in_head and not self._is_whole:
            self._discard(len(piece))
        if self._heads != heads or self._is_whole:
            return
        if self._in_head:
            self._framing_bytes += len(piece)
            if self._framing_bytes > self.bounds.max_head_bytes:
                self._refuse_because("head_too_large")
        else:
            self._framing_bytes += len(piece) - (self._body_bytes - body_bytes)
            if self._framing_bytes > self.bounds.max_framing_bytes:
                self._refuse_because("bad_framing")

    def _on_upgrade(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        else:
            # To another protocol: it is answered as if it had not asked, and what follows is in neither language.
            self._is_ending = True
            self.cycle.keep_alive = False

    def _check_head(self) -> None:
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise self._refused("version")
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and version == "1.1") or not all(_HOST.fullmatch(host) for host in hosts):
            raise self._refused("bad_host")
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self.bounds.max_body_of(self.path()):
                raise self._refused("body_too_large")

    def _refused(self, reason: str) -> _Refused:
        return _Refused(reason)

    def _refuse_because(self, reason: str) -> None:
        self.connections_open.refused(reason, self.peer())
        status, message = _MESSAGES[reason]
        headers = {"retry-after": "1"} if status == 503 else {}
        self.refuse(Refusal(status, reason, self.error_body(self.path(), status, message), headers))

    def _wait_for_next(self) -> None:
        self.connections_open.wait(self)
        self._discarded_bytes = 0
        self._within(self.bounds.idle_timeout_s, self.close_gently)

    def _discard(self, count: int) -> None:
        self._discarded_bytes += count
        if self._discarded_bytes > self.bounds.max_discarded_bytes:
            self.cut()

    def _should_upgrade_to_ws(self) -> bool:
        return True  # uvicorn would ask for a library, and we need none

    def _within(self, seconds: float, act: Callable[[], None]) -> None:
        """Unless something else is waited for by then, ``act``."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._act_in_time, self.loop.time() + seconds, seconds, act)

    def _act_in_time(self, due_s: float, seconds: float, act: Callable[[], None]) -> None:
        """Where the loop itself was held up, what came meanwhile has not been looked at: the time runs anew."""
        if self.loop.time() - due_s > _OWN_DELAY_S:
            self._within(seconds, act)
        else:
            act()

    def _leave(self) -> None:
        """It is gone, or no HTTP connection any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.connections_open.leave(self)

    def _let_go(self) -> None:
        """Breaks the reference cycle with the parser and what is written to, which only the garbage collector would free."""
        self._is_gone = True
        self.parser = None  # type: ignore[assignment]  # as in the base
        if self.cycle is not None:
            self.cycle.transport = self.transport


class _LingeringTransport:
    """What a response is written to: closing it is left to the connection."""

    def __init__(self, connection: BoundedHttpProtocol) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def close(self) -> None:
        self._connection.close_gently()

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()
