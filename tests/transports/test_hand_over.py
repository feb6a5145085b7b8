"""An open connection that one listener gives to another: here both are of one process, the system makes no difference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from antiphon.clock import ManualClock
from antiphon.transports.hand_over import HandedOver, hand_over
from antiphon.transports.listener import LostReason, MediaSocket
from antiphon.transports.socket import MediaRoutes, UpgradeRequest, http_protocol
from antiphon.transports.watch import SocketWatch


class Named(MediaSocket):
    """Answers everything with the name of its worker."""

    def __init__(self, worker: Listening) -> None:
        super().__init__(worker.watch)
        self._worker = worker

    def opened(self) -> None:
        self._worker.opened += 1

    def text(self, payload: bytes) -> None:
        self.send_text(self._worker.name + b" " + payload)

    def binary(self, payload: bytes) -> None:
        self.send_binary(payload)

    def lost(self, reason: LostReason) -> None:
        self._worker.lost.set()


class Listening:
    """A worker: a port, and where it takes what others give it."""

    def __init__(self, name: bytes, path: Path) -> None:
        self.name = name
        self.watch = SocketWatch(ManualClock())
        self.routes = MediaRoutes()
        self.routes.add("/media", self._on_upgrade)
        self.path = path
        self.port = 0
        self.opened = 0
        self.requests: list[UpgradeRequest] = []
        self.lost = asyncio.Event()
        self.state = ServerState()

    def _on_upgrade(self, request: UpgradeRequest) -> Named:
        self.requests.append(request)
        return Named(self)

    def send_to(self, path: str) -> None:
        async def there() -> str:
            return path

        self.routes.elsewhere = lambda request: there()


@asynccontextmanager
async def listening(name: bytes, path: Path) -> AsyncIterator[Listening]:
    worker = Listening(name, path)
    kinds = []
    for handed_over in (False, True):
        config = uvicorn.Config(
            Starlette(),
            http=http_protocol(worker.routes, handed_over=handed_over),
            ws="none",
            lifespan="off",
            log_config=None,
        )
        config.load()
        kinds.append((config, config.http_protocol_class))

    def made(number: int) -> asyncio.Protocol:
        config, kind = kinds[number]
        return kind(config=config, server_state=worker.state, app_state={})  # type: ignore[call-arg, return-value]

    server = await asyncio.get_running_loop().create_server(lambda: made(0), "127.0.0.1", 0)
    taking = HandedOver(path, lambda: made(1))
    taking.start()
    worker.port = server.sockets[0].getsockname()[1]
    try:
        yield worker
    finally:
        taking.close()
        server.close()


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Listening, Listening]]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(listening(b"first", tmp_path / "1"))
        yield first, await stack.enter_async_context(listening(b"second", tmp_path / "2"))


async def test_a_socket_is_answered_by_whose_it_is(two: tuple[Listening, Listening]) -> None:
    first, second = two
    first.send_to(str(second.path))
    async with connect(f"ws://127.0.0.1:{first.port}/media?x=1", additional_headers={"X-Said": "a"}) as client:
        await client.send("hello")
        assert await client.recv() == "second hello"
        await client.send(b"\0" * 50_000)
        assert len(await client.recv()) == 50_000
        assert not first.requests and second.requests[0].headers["x-said"] == "a"
        assert (second.requests[0].query, second.requests[0].peer) == ("x=1", "127.0.0.1")
    await asyncio.wait_for(second.lost.wait(), 5)


async def test_what_was_handed_over_goes_no_further(two: tuple[Listening, Listening]) -> None:
    first, second = two
    first.send_to(str(second.path))
    second.send_to(str(first.path))
    async with connect(f"ws://127.0.0.1:{first.port}/media") as client:
        await client.send("hello")
        assert await client.recv() == "second hello"


@pytest.mark.parametrize("path", ["", "nobody"])
async def test_without_another_it_is_answered_here(two: tuple[Listening, Listening], tmp_path: Path, path: str) -> None:
    first, _ = two
    first.send_to(str(tmp_path / path) if path else "")
    async with connect(f"ws://127.0.0.1:{first.port}/media") as client:
        await client.send("hello")
        assert await client.recv() == "first hello"


async def test_where_it_cannot_be_known_it_is_answered_here(two: tuple[Listening, Listening]) -> None:
    first, _ = two

    async def fails() -> str:
        raise RuntimeError("our bug")

    first.routes.elsewhere = lambda request: fails()
    async with connect(f"ws://127.0.0.1:{first.port}/media") as client:
        await client.send("hello")
        assert await client.recv() == "first hello"


async def test_a_refusal_comes_from_whose_it_is(two: tuple[Listening, Listening]) -> None:
    first, second = two
    first.routes.add("/other", lambda request: Named(first))
    first.send_to(str(second.path))
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{first.port}/other"):
            pass
    assert refused.value.response.status_code == 404


async def test_nobody_takes_what_nobody_listens_for(tmp_path: Path) -> None:
    assert not await hand_over(str(tmp_path / "nobody"), 0, b"GET / HTTP/1.1\r\n\r\n")
