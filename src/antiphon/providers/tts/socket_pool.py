"""Connections to vendors of voices: pooled for each address, connected before they are needed, given up when they are lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from antiphon.errors import ProviderUnavailable
from antiphon.providers.tts.refusals import Refusals
from antiphon.providers.tts.vendor_words import closing
from antiphon.providers.vendor_settings import tls_context
from antiphon.providers.websocket import Connection, Refused, connect

CONNECT_TIMEOUT_S = 5.0
_IDLE_PING_S, _PONG_S = 20.0, 10.0


class PooledSocket(Connection):
    """One connection. A vendor's own overrides ``arrived`` and ``on_lost``."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.in_use = 0
        """Replies that hold a place on it."""
        self.retired = False
        """It takes no new reply, and is closed with the last."""
        self.used = False
        """Whether a reply has had it before: then it may have died unseen."""

    def on_lost(self, problem: str) -> None:
        """The connection has ended; called once."""

    def ended(self) -> None:
        self.on_lost(closing(self.close_code, self.close_reason))


Socket = TypeVar("Socket", bound=PooledSocket)


class SocketPool(Generic[Socket]):
    """Connections of one vendor and credential. A reply leases a place on one, and gives it back."""

    def __init__(
        self,
        provider: str,
        make: Callable[[str], Socket],
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
        self._sockets: list[Socket] = []
        self._opening: dict[str, asyncio.Lock] = {}
        self._tls: ssl.SSLContext | None = None
        self._refusals = Refusals(provider)
        self._closed = False

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """Those that are connected."""
        return tuple(self._sockets)

    async def lease(self, url: str) -> Socket:
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

    def release(self, socket: Socket) -> None:
        """A reply needs its place no more."""
        socket.in_use -= 1
        socket.used = True
        if socket.retired and socket.in_use <= 0:
            socket.hang_up()

    def retire(self, socket: Socket) -> None:
        """No reply gets a place on it any more."""
        socket.retired = True
        if socket.in_use <= 0:
            socket.hang_up()

    def lost(self, socket: Socket) -> None:
        """Called by a socket's ``on_lost``."""
        if socket in self._sockets:
            self._sockets.remove(socket)

    async def warm(self, url: str) -> None:
        """Connect ahead of the first reply. Raises as ``lease``."""
        self.release(await self.lease(url))

    def close(self) -> None:
        self._closed = True
        for socket in self.sockets:
            socket.hang_up()

    def _free(self, url: str) -> Socket | None:
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
        idle.hang_up()

    async def _connect(self, url: str) -> Socket:
        if self._closed:
            raise ProviderUnavailable(self._provider, "the voice is closed")
        self._refusals.check()
        self._make_room()
        socket = self._make(url)
        if self._tls is None and url.startswith("wss:"):
            self._tls = tls_context()
        try:
            await connect(
                socket, self._provider, url, self._headers, tls=self._tls, timeout_s=self._connect_timeout_s,
                ping_after_s=_IDLE_PING_S, pong_timeout_s=_PONG_S,
            )  # fmt: skip
        except Refused as refused:
            if refused.status:
                raise self._refusals.refused(refused.status, refused.headers) from None
            raise refused.failure.error from None
        if not socket.is_open:
            raise ProviderUnavailable(self._provider, closing(socket.close_code, socket.close_reason))
        self._sockets.append(socket)
        return socket
