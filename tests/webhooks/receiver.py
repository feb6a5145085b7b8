"""An application's server, really listening: it notes what came, and answers as its test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from antiphon.transports.stopping import StoppableServer


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Answer = Callable[[Received], Awaitable[Any]]


@dataclass
class Receiver:
    """``answer`` makes a Response, or JSON for a 200."""

    answer: Answer | None = None
    received: list[Received] = field(default_factory=list)
    url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        came = Received(request.method, path, dict(request.headers), body)
        async with self._news:
            self.received.append(came)
            self._news.notify_all()
        made = await self.answer(came) if self.answer is not None else {}
        return made if isinstance(made, Response) else JSONResponse(made)

    async def wait_for(self, count: int, within_s: float = 60.0) -> list[Received]:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def wait_for_types(self, *types: str, within_s: float = 60.0) -> list[dict[str, Any]]:
        """All messages, once there was one of each type."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: set(types) <= {message["type"] for message in self.messages})
        return self.messages

    async def until(self, true: Callable[[], bool], within_s: float = 60.0) -> None:
        """Until what came makes it so."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(true)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [came.json["message"] for came in self.received if came.body]


@asynccontextmanager
async def receiving(
    receiver: Receiver, *, port: int = 0, certificate: Callable[[ssl.SSLContext], None] | None = None
) -> AsyncIterator[Receiver]:
    """It listens; on the way out, what is under way ends first."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", receiver.handle, methods=methods)])
    async with served(app, port=port, certificate=certificate) as receiver.url:
        yield receiver


@asynccontextmanager
async def served(
    app: Any,
    *,
    port: int = 0,
    certificate: Callable[[ssl.SSLContext], None] | None = None,
    lifespan: bool = False,
    ends_within_s: int = 5,
) -> AsyncIterator[str]:
    """Any ASGI app, really listening; yields its address. Requests that go on at the end are cut after ``ends_within_s``."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=ends_within_s, ws="none",
    )  # fmt: skip
    config.load()
    if certificate is not None:
        config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate(config.ssl)
    server = StoppableServer(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
    listens_on = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{listens_on}"
    finally:
        server.stop()
        await asyncio.wait_for(task, 10)


def _no_signals() -> Any:
    from contextlib import nullcontext

    return nullcontext()
