"""Connections that belong to another process of this machine: handed to it as they are, with what was read of them.

The system passes the open socket over a Unix socket (``SCM_RIGHTS``): afterwards the connection is the other's, and nothing of it goes
through us. It was asked for a WebSocket and has had no answer yet; the other reads the request anew and answers it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

MAX_HEAD_BYTES = 64 * 1024
_BUSY_S = 0.005
_PATIENCE_S = 3.0
"""The other process has so long to take what was handed to it before."""
log = structlog.get_logger(__name__)


async def hand_over(path: str, handle: int, head: bytes) -> bool:
    """Give the connection on the file handle ``handle`` to the process that listens at ``path``. False where it is not there or does not
    take it; then the connection is still ours."""
    deadline_s = asyncio.get_running_loop().time() + _PATIENCE_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        while True:
            try:
                sender.connect(path)
                socket.send_fds(sender, [head], [handle])
                return True
            except BlockingIOError:
                if asyncio.get_running_loop().time() >= deadline_s:
                    return False
                await asyncio.sleep(_BUSY_S)
            except OSError:
                return False


class HandedOver:
    """Takes what other processes hand over. One per process."""

    def __init__(self, path: Path, protocol: Callable[[], asyncio.Protocol]) -> None:
        """``protocol`` makes one for each connection. ``path`` must be in a folder that only this user can open. Raises OSError."""
        self._protocol = protocol
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._take)

    def close(self) -> None:
        """What comes later stays with whoever had it. Safe to call twice."""
        if self._socket.fileno() >= 0:
            with suppress(RuntimeError):  # its loop is gone
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        for task in tuple(self._tasks):
            task.cancel()

    def _take(self) -> None:
        while True:
            try:
                head, handles, _, _ = socket.recv_fds(self._socket, MAX_HEAD_BYTES, 1)
            except BlockingIOError:
                return
            except OSError as error:
                log.error("connection_not_taken", problem=type(error).__name__)
                return
            for handle in handles:
                task = asyncio.get_running_loop().create_task(self._begin(socket.socket(fileno=handle), head))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _begin(self, connection: socket.socket, head: bytes) -> None:
        connection.setblocking(False)
        try:
            _, protocol = await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError as error:  # its peer has gone
            connection.close()
            log.info("connection_not_begun", problem=type(error).__name__)
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        protocol.data_received(head)
