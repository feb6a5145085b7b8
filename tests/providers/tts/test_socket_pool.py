"""What the end of a connection says."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve

from antiphon.providers.tts.refusals import retry_after_s
from antiphon.providers.tts.socket_pool import PooledSocket, SocketPool


class Told(PooledSocket):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.problem: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_lost(self, problem: str) -> None:
        self.problem.set_result(problem)


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1008, "invalid api_key sk-123", "the vendor refused the setting api_key"),
        (1008, "A voice with id x does not exist", "the vendor does not know the voice of the setting voiceId"),
        (4001, "", "the vendor closed the connection with code 4001"),
        (1011, "what was said", "the vendor closed the connection with code 1011"),
    ],
)
async def test_a_close_is_told_in_our_words(code: int, reason: str, told: str) -> None:
    async def hang_up(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(code, reason)

    async with serve(hang_up, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        pool = SocketPool("vendor", Told, {}, places=1, most=1)
        async with asyncio.timeout(60):
            socket = await pool.lease(url)
            assert isinstance(socket, Told)
            socket.send(b"{}")
            assert await socket.problem == told


@pytest.mark.parametrize(("header", "seconds"), [("0.5", 0.5), ("-1", 0.0), ("900", 60.0), ("tomorrow", 5.0)])
def test_how_long_a_vendor_is_left_alone(header: str, seconds: float) -> None:
    assert retry_after_s({"Retry-After": header}) == seconds
    assert retry_after_s({}) == 5.0
