"""The pool of worker processes, with real processes."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon.errors import ProviderUnavailable
from antiphon.providers.worker import MAX_UNSENT_BYTES, WorkerPool, WorkerStream
from antiphon.providers.worker_frames import Frame

PATIENCE_S = 20.0
HERE = str(Path(__file__).parent)
OBEDIENT = "engines_for_tests:Obedient"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker processes find ``engines_for_tests``."""
    monkeypatch.setenv("PYTHONPATH", HERE)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool("obedient", OBEDIENT, close_within_s=0.2)
    await pool.start()
    yield pool
    await pool.close()


class Caller:
    """One stream and what came over it."""

    def __init__(self, pool: WorkerPool) -> None:
        self.received: asyncio.Queue[Frame] = asyncio.Queue()
        self.lost: asyncio.Queue[str] = asyncio.Queue()
        self.stream: WorkerStream = pool.open(self.received.put_nowait, self.lost.put_nowait)

    async def ask(self, kind: str, payload: bytes = b"") -> Frame:
        assert self.stream.send(kind, payload=payload)
        return await self.next()

    async def next(self) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            return await self.received.get()

    async def loss(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            return await self.lost.get()

    async def process(self) -> int:
        return int((await self.ask("echo")).fields["process"])


async def reopened(pool: WorkerPool) -> Caller:
    """A caller on the process that was started after one was lost."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return Caller(pool)
            except ProviderUnavailable:
                await asyncio.sleep(0.01)


def wait_until_gone(process: int) -> None:
    """Returns when the process has ended (it need not be a child of ours); fails the test otherwise."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([handle], [], [], PATIENCE_S)
    finally:
        os.close(handle)
    assert readable, "the worker process is still there"


async def test_bytes_come_back(pool: WorkerPool) -> None:
    caller = Caller(pool)
    payload = bytes(range(256)) * 3000
    assert (await caller.ask("echo", payload)).payload == payload


async def test_streams_do_not_hear_each_other(pool: WorkerPool) -> None:
    one, two = Caller(pool), Caller(pool)
    assert (await one.ask("echo", b"one")).payload == b"one"
    assert (await two.ask("echo", b"two")).payload == b"two"
    assert one.received.empty()


async def test_streams_are_spread_over_processes() -> None:
    pool = WorkerPool("obedient", OBEDIENT, processes=2)
    await pool.start()
    processes = {await Caller(pool).process() for _ in range(4)}
    await pool.close()
    assert len(processes) == 2


async def test_an_engine_that_raises_fails_one_stream_and_tells_no_secret(pool: WorkerPool) -> None:
    caller, other = Caller(pool), Caller(pool)
    failure = await caller.ask("raise")
    assert (failure.kind, failure.fields) == ("error", {"problem": "the engine raised ValueError"})
    assert (await caller.ask("refuse")).fields == {"problem": "no"}
    assert (await other.ask("echo", b"well")).payload == b"well"


@pytest.mark.parametrize("death", ["crash", "garbage"])
async def test_every_stream_of_a_lost_process_is_told_and_the_next_one_works(pool: WorkerPool, death: str) -> None:
    guilty, innocent = Caller(pool), Caller(pool)
    first = await innocent.process()
    assert guilty.stream.send(death)
    assert "ended" in await guilty.loss()
    assert "ended" in await innocent.loss()
    assert not innocent.stream.send("echo")
    assert innocent.lost.empty()
    assert await (await reopened(pool)).process() != first


async def test_a_process_that_hangs_is_replaced() -> None:
    pool = WorkerPool("obedient", OBEDIENT, ping_every_s=0.05, hung_after_s=0.2, close_within_s=0.2)
    await pool.start()
    caller = Caller(pool)
    first = await caller.process()
    assert caller.stream.send("hang")
    await caller.loss()
    assert await (await reopened(pool)).process() != first
    await pool.close()


async def test_long_work_stops_when_its_stream_is_closed(pool: WorkerPool) -> None:
    caller, other = Caller(pool), Caller(pool)
    assert (await caller.ask("long")).fields == {"number": 1}
    caller.stream.close()
    caller.stream.close()
    assert (await other.ask("echo", b"free again")).payload == b"free again"


async def test_a_process_that_does_not_read_refuses_instead_of_growing(pool: WorkerPool) -> None:
    caller = Caller(pool)
    assert caller.stream.send("hang")
    piece = bytes(64 * 1024)
    sent = 0
    while caller.stream.send("echo", payload=piece):
        sent += len(piece)
        assert sent < 4 * MAX_UNSENT_BYTES
    assert sent >= MAX_UNSENT_BYTES


async def test_closing_kills_what_does_not_end_by_itself(pool: WorkerPool) -> None:
    caller = Caller(pool)
    process = await caller.process()
    assert caller.stream.send("hang")
    await pool.close()
    await pool.close()
    wait_until_gone(process)
    assert await caller.loss()
    with pytest.raises(ProviderUnavailable):
        Caller(pool)


@pytest.mark.parametrize(
    ("engine", "options", "problem"),
    [
        ("no_such_module:Engine", {}, "No module named 'no_such_module'"),
        (OBEDIENT, {"broken": True}, "the engine raised RuntimeError"),
        ("engines_for_tests:Nobody", {}, "the engine raised AttributeError"),
    ],
)
async def test_an_engine_that_cannot_run_says_why(engine: str, options: dict[str, object], problem: str) -> None:
    pool = WorkerPool("obedient", engine, options, processes=2)
    with pytest.raises(ProviderUnavailable, match=problem):
        await pool.start()
    await pool.close()


SERVER = """
import asyncio, sys
from antiphon.providers.worker import WorkerPool

async def main():
    pool = WorkerPool("obedient", "engines_for_tests:Obedient")
    await pool.start()
    told = asyncio.Event()
    stream = pool.open(lambda frame: (print(frame.fields["process"], flush=True), told.set()), print)
    stream.send("echo")
    await told.wait()
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_workers_end_with_a_server_that_was_killed() -> None:
    server = subprocess.Popen((sys.executable, "-c", SERVER), stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server.stdout:
        process = int(server.stdout.readline())
        server.send_signal(signal.SIGKILL)
        server.wait(PATIENCE_S)
    wait_until_gone(process)
