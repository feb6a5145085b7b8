"""Handshakes where there is no socket, of a server that speaks uvicorn's protocols over real TCP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState

from antiphon.transports.no_socket import NoSocketHere
from antiphon.transports.socket import MediaRoutes, http_protocol

SOUND = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, ServerState]]:
    config = uvicorn.Config(
        Starlette(), http=http_protocol(MediaRoutes()), ws=NoSocketHere, lifespan="off", log_level="error"
    )
    config.load()
    state, factory = ServerState(), config.http_protocol_class
    listening = await asyncio.get_running_loop().create_server(
        lambda: factory(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
        "127.0.0.1",
        0,
    )
    yield listening.sockets[0].getsockname()[1], state
    async with asyncio.timeout(3):
        while state.connections:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0)
    listening.close()
    await listening.wait_closed()


async def ask(request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer, after which the server has hung up."""
    async with serving() as (port, _), asyncio.timeout(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def handshake(method: str = "GET", rest: bytes = b"", **changes: str | None) -> bytes:
    fields = SOUND | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{method} /nowhere?a=b HTTP/1.1"] + [
        f"{name}: {value}" for name, value in fields.items() if value is not None
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + rest


@pytest.mark.parametrize(
    "request_",
    [
        handshake(),
        handshake(Upgrade="WebSocket", Sec_WebSocket_Protocol="realtime, x", Origin="https://page.example"),
        handshake(Empty="", Sec_WebSocket_Extensions="permessage-deflate"),
        handshake(rest=b"\x81\x80\x00\x00\x00\x00"),
        handshake(Long="x" * 20_000),
    ],
    ids=["plain", "browser", "empty header", "early frame", "long header"],
)
async def test_a_handshake_is_forbidden(request_: bytes) -> None:
    status, headers, body = await ask(request_)
    assert (status, body) == (403, b"")
    assert (headers["connection"], headers["content-length"]) == ("close", "0")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", headers["date"])


@pytest.mark.parametrize(
    "request_",
    [
        handshake(Sec_WebSocket_Key=None),
        handshake(Sec_WebSocket_Key="too short"),
        handshake(Sec_WebSocket_Key="!" * 22 + "=="),
        handshake(Sec_WebSocket_Version=None),
        handshake(Sec_WebSocket_Version="8"),
        handshake("POST", rest=b"abc", Content_Length="3"),
    ],
    ids=["no key", "short key", "no base64", "no version", "old version", "method"],
)
async def test_what_is_no_handshake_is_a_bad_request(request_: bytes) -> None:
    status, headers, body = await ask(request_)
    assert (status, headers["content-length"]) == (400, str(len(body)))
    assert body.startswith(b"Failed to open a WebSocket connection: ")


async def test_its_connection_counts_until_it_is_closed() -> None:
    """uvicorn's shutdown calls and waits for what counts."""

    class Transport(asyncio.Transport):
        written, closed = b"", False

        def write(self, data: Any) -> None:
            self.written += data

        def close(self) -> None:
            self.closed = True

        def is_closing(self) -> bool:
            return self.closed

    state, transport = ServerState(), Transport()
    protocol = NoSocketHere(uvicorn.Config(Starlette()), state, {})
    protocol.connection_made(transport)
    protocol.data_received(handshake())
    answer = transport.written
    assert transport.closed
    assert state.connections == {protocol}
    protocol.data_received(b"more")
    protocol.shutdown()
    assert transport.written == answer
    protocol.connection_lost(None)
    assert not state.connections
