"""Where a worker takes what other workers pass on to it, and how it passes on what is theirs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from antiphon.cluster.forwarding import Forwarding, FromWorkers, Owner
from antiphon.cluster.member import Member
from antiphon.surfaces.http.errors import error_body
from antiphon.surfaces.realtime.http import PREFIX, PREFIXES
from antiphon.transports.connections import Connections
from antiphon.transports.hand_over import HandedOver
from antiphon.transports.handshake import fold_slashes
from antiphon.transports.socket import MediaRoutes, UpgradeRequest, http_protocol
from antiphon.workers.merging import merged
from antiphon.workers.paths import call_of, owner_of

_CALLS = f"{PREFIX}/calls/"


class WorkerDoors:
    """One per worker. Between ``open`` and ``close`` other workers reach it."""

    def __init__(
        self,
        app: ASGIApp,
        member: Member,
        media_routes: MediaRoutes,
        connections: Callable[[], Connections],
        trial_of: Callable[[Mapping[str, str]], str],
    ) -> None:
        """``connections`` makes a table of connections: those of other workers do not count among strangers'. ``trial_of``: what a session
        tries, by its request's headers (``trials``)."""
        self._member = member
        self._media_routes = media_routes
        self._connections = connections
        answering = _Announcing(app, member)
        self._trial_of = trial_of
        self.asgi = Forwarding(answering, member, self._owner_of, error_body, merged)
        """For what comes from outside."""
        self._for_workers = FromWorkers(answering)
        self._server: asyncio.Server | None = None
        self._asked = ServerState()
        self._handed_over: HandedOver | None = None

    async def open(self, config: uvicorn.Config, state: ServerState) -> None:
        """``config`` and ``state`` are those of the public port, whose shutdown waits for the sockets that were handed over too. Raises
        OSError."""
        me = self._member.me
        media = http_protocol(self._media_routes, self._connections(), error_body, handed_over=True)
        self._handed_over = HandedOver(Path(me.sockets), lambda: _protocol(media, config, state))
        self._handed_over.start()
        inner = uvicorn.Config(
            self._for_workers, http=http_protocol(MediaRoutes(), self._connections(), error_body), ws="none", log_config=None,
            access_log=False, lifespan="off", server_header=False, date_header=False,
        )  # fmt: skip
        inner.load()
        with suppress(FileNotFoundError):
            os.unlink(me.http)  # of the worker that was in this place before
        kind: Any = inner.http_protocol_class
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _protocol(kind, inner, self._asked), me.http
        )
        self._media_routes.elsewhere = self._elsewhere

    async def close(self) -> None:
        """Safe to call twice."""
        if self._handed_over is not None:
            self._handed_over.close()
        if self._server is not None:
            self._server.close()
            for connection in list(self._asked.connections):
                connection.shutdown()
        await self.asgi.close()

    def _owner_of(self, scope: Scope) -> Owner:
        owner = owner_of(scope)
        if owner.kind != "new" or not fold_slashes(scope["path"]).startswith(PREFIXES):
            return owner
        name = self._trial_of({key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]})
        return Owner("call", name) if name else owner

    def _elsewhere(self, request: UpgradeRequest) -> asyncio.Future[str] | None:
        name = call_of(request) or (self._trial_of(request.headers) if request.folded_path in PREFIXES else "")
        if not name or self._member.holds(name) or not self._member.others:
            return None
        return asyncio.ensure_future(self._path_of(name))

    async def _path_of(self, name: str) -> str:
        worker = await self._member.elsewhere(name)
        return worker.sockets if worker is not None else ""


def _protocol(kind: type[asyncio.Protocol], config: uvicorn.Config, state: ServerState) -> asyncio.Protocol:
    return kind(config=config, server_state=state, app_state={})  # type: ignore[call-arg]


class _Announcing:
    """A call over WebRTC is known to the other workers before its browser is told its id: the next request may reach any of them."""

    def __init__(self, app: ASGIApp, member: Member) -> None:
        self._app = app
        self._member = member

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 201:
                for name, value in message.get("headers", ()):
                    if name.lower() == b"location" and value.startswith(_CALLS.encode()):
                        await self._member.promise(value.decode("latin-1").removeprefix(_CALLS))
            await send(message)

        await self._app(scope, receive, announce)
