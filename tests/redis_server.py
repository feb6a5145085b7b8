"""A real Redis of Debian's package, started once for a test process on a Unix socket."""

from __future__ import annotations

import atexit
import functools
import itertools
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.programs import missing

_numbers = itertools.count(1)
_PATIENCE_S = 60.0


class RedisServer:
    """``url`` is what a client is told."""

    def __init__(self) -> None:
        self._program = shutil.which("redis-server") or ""
        if not self._program:
            missing("Redis (the Debian package redis-server)")
        self.folder = tempfile.mkdtemp(prefix="antiphon-redis-")
        self.socket = Path(self.folder) / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it takes connections. What it held before is gone."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._program, *options], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        give_up = time.monotonic() + _PATIENCE_S
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < give_up, "Redis does not start"
            time.sleep(0.01)

    def _listens(self) -> bool:
        """The socket's file alone says little: it is there from ``bind`` on, and refuses until ``listen``."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def redis_url() -> str:
    """Of the test process's Redis."""
    return _server().url


def fresh_prefix() -> str:
    """Nobody has used it in this Redis."""
    return f"test{next(_numbers)}"


@functools.cache
def _server() -> RedisServer:
    server = RedisServer()
    server.start()
    atexit.register(server.remove)
    return server
