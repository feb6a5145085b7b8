"""One serving process: uvicorn with the media sockets' turn-off, and the application's life around it."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import structlog
import uvicorn
from uvicorn.server import ServerState

from antiphon.composition.process import Antiphon
from antiphon.config import Settings
from antiphon.errors import CapacityError, StoreUnavailable
from antiphon.session.manager import close_dead_calls
from antiphon.session.returning import collect_rarely, give_back_what_is_large
from antiphon.surfaces.http.errors import error_body
from antiphon.transports.binding import bound_socket
from antiphon.transports.connections import Connections, raise_handle_limit
from antiphon.transports.socket import MediaRoutes, http_protocol
from antiphon.transports.stopping import StoppableServer

if TYPE_CHECKING:
    from antiphon.workers.joining import Joined
    from antiphon.workers.place import WorkerPlace

_FROM_WORKERS = 4096
"""Connections of other workers, and handed over by them, at once."""
SWITCH_S = 0.001
"""After so long a thread that works (it reads the log of a call that is over, say) gives way to the event loop, which carries all
that live; the interpreter's own five milliseconds are a quarter of a beat."""

CLOSE_WITHIN_S = 60.0
"""From the end of the last call until the process is gone: engines, files, what is being delivered."""

log = structlog.get_logger(__name__)


def open_socket(settings: Settings) -> socket.socket:
    """The listening socket, bound before anything else so that a taken port is said at once. Raises OSError naming the address."""
    return bound_socket(settings.host, settings.port)


@asynccontextmanager
async def _answering_operators(antiphon: Antiphon) -> AsyncIterator[None]:
    """``metrics_port``, where one is set. Raises OSError where it is taken."""
    settings = antiphon.settings
    if not settings.http.metrics_port:
        yield
        return
    after = antiphon.joined.place.number - 1 if antiphon.joined is not None else 0  # each worker is asked on its own
    address = settings.model_copy(
        update={"host": settings.http.metrics_host, "port": settings.http.metrics_port + after}
    )
    with open_socket(address) as listener:
        config = uvicorn.Config(
            antiphon.operations_asgi,
            http=http_protocol(MediaRoutes(), Connections(losses=antiphon.losses), error_body),
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        config.load()
        state, factory = ServerState(), config.http_protocol_class
        server = await asyncio.get_running_loop().create_server(
            lambda: factory(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
            sock=listener,
        )
        try:
            yield
        finally:
            server.close()
            for connection in list(state.connections):
                connection.shutdown()


class _Server(StoppableServer):
    """Draining calls comes before closing connections: uvicorn would wait for media sockets that wait for their calls."""

    def __init__(self, antiphon: Antiphon, *, takes_signals: bool) -> None:
        super().__init__(
            uvicorn.Config(
                antiphon.asgi,
                http=http_protocol(antiphon.media_routes, antiphon.connections, error_body),
                ws="none",  # ours turn off before
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=10,
            )
        )
        self._antiphon = antiphon
        self._takes_signals = takes_signals
        self._hurry: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, this one does not raise the signal anew once it has served: SIGTERM would kill the process before its
        engines and files were closed, and with the wrong exit status."""
        signals = (signal.SIGINT, signal.SIGTERM) if self._takes_signals else ()
        loop = asyncio.get_running_loop()
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, the second one ends the calls that are left."""
        if self.should_exit and self._hurry is None:
            self._hurry = asyncio.get_running_loop().create_task(self._antiphon.manager.close(0), name="hurry")
        self.stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._antiphon.manager.close(self._antiphon.settings.drain_s)
        await super().shutdown(sockets)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Antiphon]:
    """A server that answers on ``settings.host:port`` while the block runs. Raises ConfigurationError, OSError, ProviderUnavailable."""
    with open_socket(settings) as listener:
        antiphon = Antiphon(_at_port_of(listener, settings))
        server = _Server(antiphon, takes_signals=False)
        async with antiphon.running(), _answering_operators(antiphon):
            task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
            try:
                while not server.started:
                    if task.done():
                        task.result()
                        raise RuntimeError("the server stopped before it had started")
                    await asyncio.sleep(0.01)
                yield antiphon
            finally:
                server.stop()
                await task


async def serve_forever(settings: Settings, worker: WorkerPlace | None = None) -> None:
    """Serve until a signal says stop (SIGINT, SIGTERM: drain, then end; a second one: end). ``worker``: as one of several on one port.
    Raises as ``serving``; a worker StoreUnavailable, too."""
    raise_handle_limit()
    give_back_what_is_large()  # before threads are there: an arena that has been made stays
    await _start_threads()
    with (
        ExitStack() as closing,
        open_socket(settings) if worker is None else socket.socket(fileno=worker.listener) as listener,
    ):
        settings = _at_port_of(listener, settings)
        antiphon = Antiphon(settings, worker=worker)
        async with _known(antiphon.joined), antiphon.running(), _answering_operators(antiphon):
            collect_rarely()
            sys.setswitchinterval(SWITCH_S)
            # Whoever reads the line below may connect at once: connections wait here until uvicorn takes them.
            listener.listen()
            first = worker is None or worker.number == 1
            log.info(
                "listening",
                address=settings.own_url,
                voice_webhook=f"{settings.base_url}/twilio/voice" if antiphon.twilio else "off",
                # What they are opened with is the first worker's to know.
                talk_page=(antiphon.talk_address if first else antiphon.talk_url) or "off",
                console=(antiphon.console_address if first else settings.base_url) if antiphon.door else "off",
                **({"worker": worker.number} if worker is not None else {}),
            )
            server = _Server(antiphon, takes_signals=True)
            async with _reached(antiphon, server):
                await server.serve(sockets=[listener])
                closing.enter_context(ended_within(CLOSE_WITHIN_S))


@contextmanager
def ended_within(seconds: float) -> Iterator[None]:
    """End this process by force where the block takes longer, and tell where it stands. Every part of closing is bounded by itself; one
    that is not must not leave a process that answers nobody and holds its memory for days."""

    def give_up() -> None:
        log.critical("close_hung", within_s=seconds)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


async def _start_threads() -> None:
    """The threads that work beside the loop (files, logs, names), as many as asyncio would start one by one: they are there before the
    first call, and a thread more is a leak."""
    count = min(32, (os.cpu_count() or 1) + 4)
    pool = ThreadPoolExecutor(count, thread_name_prefix="antiphon")
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pool)
    all_there = threading.Barrier(count)
    await asyncio.gather(*(loop.run_in_executor(pool, all_there.wait) for _ in range(count)))


@asynccontextmanager
async def _known(joined: Joined | None) -> AsyncIterator[None]:
    """A worker is known to the others, and takes no call yet. Raises StoreUnavailable."""
    if joined is None:
        yield
        return
    member = joined.member
    member.takes_calls = lambda: False
    try:
        await member.start()
        if joined.place.dead:
            await joined.forget(joined.place.dead)
        yield
    finally:
        await joined.close()


@asynccontextmanager
async def _reached(antiphon: Antiphon, server: _Server) -> AsyncIterator[None]:
    """A worker takes calls, and what the others pass on to it."""
    joined = antiphon.joined
    if joined is None:
        yield
        return
    from antiphon.workers.doors import WorkerDoors
    from antiphon.workers.line import SupervisorLine
    from antiphon.workers.trials import trial_of

    def table() -> Connections:
        bounds = replace(antiphon.connections.bounds, max_connections=_FROM_WORKERS)
        return Connections(bounds, losses=antiphon.losses, memory=antiphon.connections.memory)

    def admits() -> bool:
        try:
            antiphon.manager.require_admission()
        except CapacityError:
            return False
        return True

    ending: set[asyncio.Task[None]] = set()

    def on_dead(node: str) -> None:
        task = asyncio.create_task(_end_calls_of(node, antiphon, joined), name="calls of a dead worker")
        ending.add(task)
        task.add_done_callback(ending.discard)

    line = SupervisorLine(joined.place.line, on_dead, lambda: server.handle_exit(signal.SIGTERM, None))
    trials = trial_of(antiphon.client_secrets, antiphon.clock, antiphon.library.has)
    doors = WorkerDoors(antiphon.asgi, joined.member, antiphon.media_routes, table, trials)
    server.config.app = doors.asgi
    server.config.load()
    try:
        await doors.open(server.config, server.server_state)
        joined.member.takes_calls = admits
        await joined.member.tell()
        line.open()
        yield
    finally:
        line.close()
        await doors.close()
        await asyncio.gather(*ending, return_exceptions=True)


async def _end_calls_of(node: str, antiphon: Antiphon, joined: Joined) -> None:
    """A worker has died: its calls end at once, and the work after them begins. Its successor does the same, if this one dies, too."""
    with suppress(StoreUnavailable):  # told; the successor and the next look find them
        await joined.forget(node)
        dead: list[tuple[str, str]] = []
        if antiphon.calls_dir.exists():
            dead = await asyncio.to_thread(close_dead_calls, antiphon.calls_dir, antiphon.losses)
        for _ in dead:
            antiphon.metrics.recovered()
        if antiphon.api is not None:
            await antiphon.api.end_calls_of_the_dead([call_id for call_id, _ in dead])


def _at_port_of(listener: socket.socket, settings: Settings) -> Settings:
    """Port 0 lets the system choose: the settings with what it chose."""
    return settings if settings.port else settings.model_copy(update={"port": listener.getsockname()[1]})
