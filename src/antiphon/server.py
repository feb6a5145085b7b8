"""One serving process: uvicorn with the media sockets' turn-off, and the application's life around it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import structlog
import uvicorn
from uvicorn.server import ServerState

from antiphon.composition.process import Antiphon
from antiphon.config import Settings
from antiphon.session.returning import collect_rarely
from antiphon.surfaces.http.errors import error_body
from antiphon.transports.connections import Connections, raise_handle_limit
from antiphon.transports.socket import MediaRoutes, http_protocol

SWITCH_S = 0.001
"""After so long a thread that works (it reads the log of a call that is over, say) gives way to the event loop, which carries all
that live; the interpreter's own five milliseconds are a quarter of a beat."""

log = structlog.get_logger(__name__)


def open_socket(settings: Settings) -> socket.socket:
    """The listening socket, bound before anything else so that a taken port is said at once. Raises OSError naming the address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        problem = error.strerror or type(error).__name__
        raise OSError(error.errno, f"cannot listen on {settings.host}, port {settings.port}: {problem}") from None
    return listener


@asynccontextmanager
async def _answering_operators(antiphon: Antiphon) -> AsyncIterator[None]:
    """``metrics_port``, where one is set. Raises OSError where it is taken."""
    settings = antiphon.settings
    if not settings.http.metrics_port:
        yield
        return
    address = settings.model_copy(update={"host": settings.http.metrics_host, "port": settings.http.metrics_port})
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


class _Server(uvicorn.Server):
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
        self.should_exit = True

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
                server.should_exit = True
                await task


async def serve_forever(settings: Settings) -> None:
    """Serve until a signal says stop (SIGINT, SIGTERM: drain, then end; a second one: end). Raises as ``serving``."""
    raise_handle_limit()
    with open_socket(settings) as listener:
        settings = _at_port_of(listener, settings)
        antiphon = Antiphon(settings)
        async with antiphon.running(), _answering_operators(antiphon):
            collect_rarely()
            sys.setswitchinterval(SWITCH_S)
            # Whoever reads the line below may connect at once: connections wait here until uvicorn takes them.
            listener.listen()
            log.info(
                "listening",
                address=settings.own_url,
                voice_webhook=f"{settings.base_url}/twilio/voice" if antiphon.twilio else "off",
                talk_page=antiphon.talk_address or "off",
                console=antiphon.console_address or "off",
            )
            await _Server(antiphon, takes_signals=True).serve(sockets=[listener])


def _at_port_of(listener: socket.socket, settings: Settings) -> Settings:
    """Port 0 lets the system choose: the settings with what it chose."""
    return settings if settings.port else settings.model_copy(update={"port": listener.getsockname()[1]})
