"""uvicorn's server, stopped at once: its own looks every tenth of a second whether it shall stop, and then waits another one, whoever is
there or not. A process that stops is one that others wait for: an operator, a deployment, a test."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import uvicorn

_TICK_S = 1.0
"""How often the date in the heads of answers is renewed."""
_ROUNDS = 8
"""Of the event loop, in which connections on which nothing is under way close."""


class StoppableServer(uvicorn.Server):
    """``stop`` ends ``serve``, which waits for what is under way as long as uvicorn would."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Safe to call twice, and before it has started. Called on the event loop."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        tenths = 0
        while not await self.on_tick(tenths):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._stopping.wait()
            tenths += 10

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
        for listener in sockets or []:
            listener.close()
