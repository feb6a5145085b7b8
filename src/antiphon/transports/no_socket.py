"""Handshakes for paths where there is no WebSocket: answered, and hung up on.

Every WebSocket of ours turns off before (``socket.py``): none goes through ASGI, and no library is needed for it. uvicorn must be given
something all the same, as with ``ws="none"`` it does not look for upgrades.
"""

from __future__ import annotations

import asyncio
import re
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes
_NOT_SOUND = b"Failed to open a WebSocket connection: this is no handshake of RFC 6455.\n"


class NoSocketHere(asyncio.Protocol):
    """What to give uvicorn as ``ws=``. 403 for a handshake, 400 for what is none though it asks for an upgrade."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._connections: set[Any] = server_state.connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's protocols
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """The request's head, as uvicorn puts it together again: whole, names in lower case."""
        if self._transport is None or self._transport.is_closing():
            return
        status, body = (HTTPStatus.FORBIDDEN, b"") if _is_sound(data) else (HTTPStatus.BAD_REQUEST, _NOT_SOUND)
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ndate: {formatdate(usegmt=True)}\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\ncontent-type: text/plain; charset=utf-8\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops. The connection is being closed already."""


def _is_sound(head: bytes) -> bool:
    request, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines if line)
    key = headers.get(b"sec-websocket-key", b"")
    return (
        request.startswith(b"GET ")
        and headers.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(key) is not None
    )
