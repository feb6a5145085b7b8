"""A worker's end of the line to its supervisor: it says that it serves, and hears who has died: another worker, or the supervisor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

import structlog

_MAX_BYTES = 64 * 1024
log = structlog.get_logger(__name__)


class SupervisorLine:
    """One per worker."""

    def __init__(self, handle: int, on_dead: Callable[[str], None], on_alone: Callable[[], None]) -> None:
        """``handle`` is the open socket's. ``on_dead`` is told the name of a worker that has died, ``on_alone`` that the supervisor has:
        nobody would start this worker again, or stop it."""
        self._handle = handle
        self._on_dead = on_dead
        self._on_alone = on_alone
        self._heard = b""

    def open(self) -> None:
        """This worker serves, from now on."""
        os.set_blocking(self._handle, False)
        with suppress(OSError):  # nobody is there, as the reader finds
            os.write(self._handle, b"1")
        asyncio.get_running_loop().add_reader(self._handle, self._read)

    def close(self) -> None:
        """Safe to call twice."""
        asyncio.get_running_loop().remove_reader(self._handle)

    def _read(self) -> None:
        try:
            came = os.read(self._handle, _MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            self.close()
            log.error("supervisor_died")
            self._on_alone()
            return
        *lines, self._heard = (self._heard + came).split(b"\n")
        for line in lines:
            self._on_dead(line.decode())
