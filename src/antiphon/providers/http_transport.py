"""What carries httpx's requests to vendors: HTTP/1.1 over asyncio, read by llhttp.

An answer that is written while it is spoken comes in fifty pieces a second. httpx's own transport, whose parser is Python, takes 0.22 ms of
CPU for each; this one 0.06 (``docs/dependencies.md``). httpx stays what callers see: its requests, answers, timeouts and errors. There are
no redirects, no proxies (``transport_for`` knows when one is wanted) and no HTTP/2 here.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import aiofastnet
import httptools
import httpx

from antiphon.providers.stalls import StallTimer
from antiphon.providers.tls import TLS_BUFFERS

_MOST_HEAD_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 256 * 1024
"""Of an answer that nobody reads: then the socket is not read either."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")

BODY = "antiphon.body"
"""Extension of a response: its ``Body``. Between that and ``aiter_bytes`` httpx has four generators, each of which costs with every
piece of an answer that is written while it is spoken."""
Origin = tuple[str, str, int]
"""Scheme, host, port."""


def transport_for(tls: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncBaseTransport | None:
    """None where the environment names a proxy: httpx's own transport knows those."""
    if any(os.environ.get(name) or os.environ.get(name.lower()) for name in _PROXIES):
        return None
    return LeanTransport(tls, limits)


class LeanTransport(httpx.AsyncBaseTransport):
    """Connections of one client, kept for the next request as ``httpx.Limits`` say."""

    def __init__(self, tls: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._tls = tls
        self._most_idle = limits.max_keepalive_connections or 0
        self._idle_s = limits.keepalive_expiry or 0.0
        self._places = asyncio.Semaphore(limits.max_connections or 1_000)
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._all: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
        content = await request.aread()
        head = _head(request)
        try:
            async with asyncio.timeout(timeouts.get("pool")):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection is free") from None
        try:
            connection = await self._connection(request.url, timeouts.get("connect"))
            connection.begin(head_only=request.method == "HEAD")
            await connection.send(head + content, timeouts.get("write"))
            status, headers = await connection.answer(timeouts.get("read"))
        except BaseException:
            self._places.release()
            raise
        body = Body(self, connection, timeouts.get("read"))
        return httpx.Response(
            status, headers=headers, stream=body, extensions={"http_version": b"HTTP/1.1", BODY: body}
        )

    async def aclose(self) -> None:
        for connection in list(self._all):
            connection.abort()

    async def _connection(self, url: httpx.URL, timeout_s: float | None) -> _Connection:
        origin = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        if (waiting := self._idle.get(origin)) is not None:
            while waiting:
                connection = waiting.pop()  # the one used last is the likeliest to live
                if connection.rest_over():
                    return connection
        secure = origin[0] == "https"
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await aiofastnet.create_connection(
                    asyncio.get_running_loop(),
                    lambda: _Connection(origin, self._gone),
                    origin[1],
                    origin[2],
                    ssl=self._tls if secure else None,
                    server_hostname=origin[1] if secure else None,
                    **(TLS_BUFFERS if secure else {}),
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from None
        self._all.add(connection)
        return connection

    def give_back(self, connection: _Connection) -> None:
        """Its answer is over, or nobody wants the rest of it."""
        self._places.release()
        waiting = self._idle.setdefault(connection.origin, deque())
        if connection.reusable and sum(map(len, self._idle.values())) < self._most_idle:
            waiting.append(connection)
            connection.rest(self._idle_s)
        else:
            connection.abort()

    def _gone(self, connection: _Connection) -> None:
        self._all.discard(connection)
        waiting = self._idle.get(connection.origin)
        if waiting is not None and connection in waiting:
            waiting.remove(connection)


class Body(httpx.AsyncByteStream):
    """The rest of an answer, as it comes."""

    def __init__(self, pool: LeanTransport, connection: _Connection, timeout_s: float | None) -> None:
        self._pool = pool
        self._connection = connection
        self._timeout_s = timeout_s
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.piece():
            yield piece

    async def piece(self) -> bytes:
        """What has come since the last time; empty at the end. Raises httpx.TransportError."""
        return await self._connection.piece(self._timeout_s)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._pool.give_back(self._connection)


class _Connection(asyncio.Protocol):
    """One socket; one request at a time. Also what llhttp tells of an answer."""

    def __init__(self, origin: Origin, on_gone: Any) -> None:
        self.origin = origin
        self._on_gone = on_gone
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._busy = self._head_only = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._status = 0
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = self._over = self._keep_alive = False
        self._problem: httpx.TransportError | None = None
        self._news: asyncio.Future[None] | None = None
        self._patience = StallTimer(self._waited_too_long)
        """One for all waits of an answer."""
        self._writable: asyncio.Future[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------------------------- a request

    def begin(self, *, head_only: bool) -> None:
        """The next answer is another one; ``head_only``: it has no body, whatever its head promises."""
        self._parser = httptools.HttpResponseParser(self)
        self._busy, self._head_only = True, head_only
        self._headers, self._head_bytes, self._status = [], 0, 0
        self._pieces.clear()
        self._waiting_bytes = 0
        self._over = self._keep_alive = False

    async def send(self, message: bytes, timeout_s: float | None) -> None:
        if self._transport is None:
            raise self._problem or httpx.WriteError("the connection was closed")
        self._transport.write(message)
        if self._writable is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                self.abort()
                raise httpx.WriteTimeout("the request was not taken in time") from None

    async def answer(self, timeout_s: float | None) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers."""
        try:
            while not self._status:
                await self._wait(timeout_s)
        except BaseException:
            self.abort()
            raise
        return self._status, self._headers

    async def piece(self, timeout_s: float | None) -> bytes:
        """What has come of the body since the last time; empty at its end."""
        while not self._pieces:
            if self._over:
                return b""
            await self._wait(timeout_s)
        piece = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    async def _wait(self, timeout_s: float | None) -> None:
        if self._problem is not None:
            raise self._problem
        news = self._news = asyncio.get_running_loop().create_future()
        if timeout_s is not None:
            self._patience.alive()
            self._patience.watch(timeout_s)
        try:
            await news
        finally:
            self._news = None

    def _waited_too_long(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_exception(httpx.ReadTimeout("nothing came in time"))

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # ---------------------------------------------------------------------------------- between requests

    @property
    def reusable(self) -> bool:
        """Whether the answer was read to its end and another request may follow."""
        return self._over and self._keep_alive and not self._pieces and self._transport is not None

    def rest(self, most_s: float) -> None:
        """It waits for the next request."""
        self._busy = False
        self._patience.stop()
        self._expiry = asyncio.get_running_loop().call_later(most_s, self.abort)

    def rest_over(self) -> bool:
        """Whether it can be used; called before it is."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's have this face, and another base class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy or self._over:
            self._fail(httpx.RemoteProtocolError("more came than was asked for"))
            return
        try:
            if not self._status:
                self._head_bytes += len(data)
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the answer is another protocol's"))
        except httptools.HttpParserError:
            self._fail(httpx.RemoteProtocolError("the answer is no HTTP"))
        if not self._status and self._head_bytes > _MOST_HEAD_BYTES:
            self._fail(httpx.RemoteProtocolError("the head of the answer is too long"))
        self._tell()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._patience.stop()
        if self._busy and not self._over:
            if self._status and self._ends_with_connection():
                self._over = True
            elif self._problem is None:
                self._problem = httpx.RemoteProtocolError("the connection ended amid an answer")
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._news is not None and not self._news.done():
            if self._problem is not None and not self._over and not self._pieces:
                self._news.set_exception(self._problem)
            else:
                self._news.set_result(None)
        self._on_gone(self)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _fail(self, problem: httpx.TransportError) -> None:
        self._problem = self._problem or problem
        self.abort()

    def _ends_with_connection(self) -> bool:
        """An answer with neither length nor chunks is as long as its connection (RFC 9112 §6.3)."""
        names = {name.lower() for name, _ in self._headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    # ---------------------------------------------------------------------------------- what llhttp tells

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._over:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._over:  # a second answer to one question: whatever it is, this connection is not to be trusted
            self._keep_alive = False
            return
        status = self._parser.get_status_code()
        if status < 200:  # there will be another (RFC 9110 §15.2)
            self._headers = []
            return
        self._status = status
        self._keep_alive = self._parser.should_keep_alive()
        if self._head_only:
            self._over = True

    def on_body(self, body: bytes) -> None:
        if self._over:
            return
        self._pieces.append(body)
        self._waiting_bytes += len(body)
        if self._waiting_bytes > _MOST_WAITING_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._status:
            self._over = True


def _head(request: httpx.Request) -> bytes:
    """The request's first line and headers. Raises httpx.LocalProtocolError for what would be two requests."""
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise httpx.LocalProtocolError("a header holds a line break")
    return b"\r\n".join(lines) + b"\r\n\r\n"
