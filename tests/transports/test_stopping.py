"""A server that is told to stop, over real sockets: it waits for what is under way, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from antiphon.transports.stopping import StoppableServer


class App:
    """Answers at once, or where ``held`` only when it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/held":
            self.asked.set()
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


class Stopping(StoppableServer):
    def capture_signals(self) -> Any:
        """The test's own are not touched."""
        from contextlib import nullcontext

        return nullcontext()


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[tuple[Stopping, asyncio.Task[None], int]]:
    server = Stopping(uvicorn.Config(app, port=0, lifespan="off", ws="none", log_level="critical"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)
    yield server, task, server.servers[0].sockets[0].getsockname()[1]
    server.stop()
    await task


async def ask(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    return reader, writer


async def test_nobody_is_waited_for_where_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(App()) as (server, task, port):
        reader, writer = await ask(port, "/now")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        assert server.server_state.connections, "it is kept for the next request"
        yields = asyncio.sleep

        async def no_sleep(delay: float, *_: Any) -> None:
            assert delay == 0, "it waits for time to pass"
            await yields(0)

        monkeypatch.setattr(asyncio, "sleep", no_sleep)
        server.stop()
        await task
        assert await reader.read() == b""
        writer.close()


async def test_an_answer_under_way_is_waited_for() -> None:
    app = App()
    async with serving(app) as (server, task, port):
        reader, writer = await ask(port, "/held")
        await app.asked.wait()
        server.stop()
        while server.servers[0].is_serving():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        assert not task.done()
        app.may_answer.set()
        assert (await reader.read()).endswith(b"done")
        await task
        writer.close()


async def test_one_that_was_told_before_it_has_started_ends() -> None:
    server = Stopping(uvicorn.Config(App(), port=0, lifespan="off", ws="none", log_level="critical"))
    server.stop()
    await server.serve()
    assert not server.server_state.connections
