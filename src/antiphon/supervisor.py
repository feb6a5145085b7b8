"""Several worker processes on one port: started, watched, replaced where one dies, and drained together.

The supervisor binds the port once and gives the listening socket to its workers; it answers nothing itself. A connection waits in that one
socket until a worker takes it, so that none is lost with a worker that dies before.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import structlog

from antiphon.config import Settings
from antiphon.errors import ConfigurationError
from antiphon.losses import Losses
from antiphon.transports.binding import bound_socket
from antiphon.workers.place import WorkerPlace, new_node, require_redis

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
_HEALTHY_S = 30.0
"""A worker that has lived so long is replaced at once; one that dies sooner after a growing delay."""
_WRONG_START = 2
"""The exit status of a worker whose settings are wrong."""
log = structlog.get_logger(__name__)


async def supervise(settings: Settings, options: Sequence[str]) -> int:
    """Serve by ``settings.workers`` processes until a signal says stop (as ``serve_forever``). ``options``: those of ``antiphon serve``
    that they are started with. Returns the exit status. Raises ConfigurationError, OSError."""
    if find_spec("redis") is None:
        raise ConfigurationError("workers", "more than one needs the package redis: pip install 'antiphon[cluster]'")
    require_redis(settings)
    await _reach_redis(settings)
    folder = Path(tempfile.mkdtemp(prefix="antiphon-"))  # for this user alone
    try:
        with bound_socket(settings.host, settings.port) as listener:
            listener.listen(1024)
            return await _Supervisor(settings, options, listener, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _reach_redis(settings: Settings) -> None:
    """Told here once, instead of by every worker. Raises ConfigurationError."""
    from antiphon.cluster.link import RedisLink

    link = RedisLink(settings.redis_url.get_secret_value(), settings.redis_prefix, Losses())
    try:
        await link.reach()
    finally:
        await link.close()


class _Supervisor:
    def __init__(self, settings: Settings, options: Sequence[str], listener: socket.socket, folder: Path) -> None:
        self._settings = settings
        self._options = options
        self._listener = listener
        self._folder = folder
        self._processes: dict[int, Process] = {}
        self._serving: dict[int, socket.socket] = {}
        """Our ends of the lines to those that serve."""
        self._stopping = asyncio.Event()
        self._served = False
        """Whether a worker has come so far as to serve."""
        self._status = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            await asyncio.gather(*(self._keep(number) for number in range(1, self._settings.workers + 1)))
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        return self._status

    def _stop(self) -> None:
        """The first time the workers drain, the second time they end the calls that are left."""
        self._stopping.set()
        self._listener.close()  # theirs are open until they have drained
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        """One worker after the other in this place."""
        loop = asyncio.get_running_loop()
        dead, delay_s = "", 0.0
        while not self._stopping.is_set():
            node, began_s = new_node(self._settings, number), loop.time()
            status = await self._one(number, node, dead)
            if self._stopping.is_set():
                if status != -signal.SIGTERM:  # one that had not come so far as to drain
                    self._status = self._status or abs(status)
                return
            if status == _WRONG_START and not self._served:  # it has said what is wrong
                self._status = status
                self._stop()
                return
            dead = node if status else ""
            if dead:
                log.error("worker_died", worker=number, status=status)
                self._tell(node)
            lived = loop.time() - began_s >= _HEALTHY_S
            delay_s = FIRST_DELAY_S if lived or not delay_s else min(delay_s * 2, LONGEST_DELAY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()

    def _tell(self, dead: str) -> None:
        """One of those that live ends the calls of the dead."""
        for _, line in sorted(self._serving.items()):
            with suppress(OSError):
                line.send(f"{dead}\n".encode())
                return

    async def _one(self, number: int, node: str, dead: str) -> int:
        """Its exit status; negative: the signal that killed it."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                place = WorkerPlace(number, node, self._folder, self._listener.fileno(), theirs.fileno(), dead)
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "antiphon", "serve", "--worker", place.text(), *self._options,
                    pass_fds=(place.listener, place.line), start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
                )  # fmt: skip
            self._processes[number] = process
            if self._stopping.is_set():
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
            ours.setblocking(False)
            waiting = asyncio.create_task(self._until_serving(number, ours))
            try:
                return await process.wait()
            finally:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                del self._processes[number]
                self._serving.pop(number, None)

    async def _until_serving(self, number: int, line: socket.socket) -> None:
        with suppress(OSError):
            if await asyncio.get_running_loop().sock_recv(line, 1):
                self._served = True
                self._serving[number] = line
