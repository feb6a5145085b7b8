"""A TCP relay that makes a fast network slow: every piece of what passes is late by a delay with jitter, in order.

TCP hides loss and reordering; what remains of a bad network is delay, jitter and bursts, and those are made here, each way
independently and by a seeded generator. A reset of one side is passed on to the other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_PIECE_BYTES = 16 * 1024
_UNDER_WAY = 256
"""Pieces on their way in one direction; beyond, reading waits, as TCP's own window does."""


@dataclass(frozen=True, slots=True)
class Distance:
    """One way's delay: ``delay_ms`` ± up to ``jitter_ms``, evenly spread."""

    delay_ms: float
    jitter_ms: float


NEAR = Distance(30, 10)
FAR = Distance(100, 40)


class SlowNetwork:
    """Listens on a port of its own; connections go to ``target_port`` of this machine, which may be set later."""

    def __init__(self, distance: Distance, seed: int = 0) -> None:
        self.port = 0
        self.target_port = 0
        self._distance = distance
        self._random = random.Random(seed)
        self._relays: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side ends it."""
        relay = asyncio.get_running_loop().create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def close(self) -> None:
        """Cut every connection."""
        for relay in tuple(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            writers.append(far_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer))
        except* OSError:
            # A reset of one side ends both, late by nothing: what was under way is lost, as it is with TCP.
            for each in writers:
                each.transport.abort()
        finally:
            for each in writers:
                each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its end."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)

        async def read() -> None:
            last_due_s = 0.0
            data = b"the first"
            while data:
                data = await reader.read(_PIECE_BYTES)
                late_ms = self._distance.delay_ms + self._random.uniform(-1, 1) * self._distance.jitter_ms
                last_due_s = max(last_due_s, loop.time() + late_ms / 1000)
                await under_way.put((last_due_s, data))

        async def deliver() -> None:
            data = b"the first"
            while data:
                due_s, data = await under_way.get()
                await asyncio.sleep(due_s - loop.time())
                if data:
                    writer.write(data)
                    await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

        async with asyncio.TaskGroup() as ends:
            ends.create_task(read())
            ends.create_task(deliver())


@asynccontextmanager
async def slow_network(distance: Distance, seed: int = 0) -> AsyncIterator[SlowNetwork]:
    """A relay that listens while the block runs."""
    network = SlowNetwork(distance, seed)
    listening = await asyncio.start_server(network.connected, "127.0.0.1", 0)
    network.port = listening.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        listening.close()
        await asyncio.sleep(0)  # who has connected at the last moment gets a handler, which is cut like the others
        await network.close()
        await listening.wait_closed()
