"""The pool of worker processes, with real processes."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from antiphon.errors import ProviderUnavailable
from antiphon.providers.worker import MAX_UNSENT_BYTES, WorkerPool, WorkerStream
from antiphon.providers.worker_connection import MAX_EARLY_BYTES
from antiphon.providers.worker_frames import Frame
from antiphon.providers.worker_queue import MAX_STREAM_BYTES

PATIENCE_S = 60.0
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
        """One frame, and the next that comes back."""
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


async def answering(pool: WorkerPool) -> Caller:
    """A caller that has had an answer: the pool's process is up."""
    caller = Caller(pool)
    await caller.process()
    return caller


async def reopened(pool: WorkerPool) -> Caller:
    """A caller on the process that was started after one was lost."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return Caller(pool)
            except ProviderUnavailable:
                await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds; fails the test where it never does."""
    for _ in range(round(PATIENCE_S / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


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


@pytest.mark.parametrize("how", ["hang", "loop", "stop"])
async def test_a_process_that_hangs_is_killed_and_replaced_and_its_streams_are_told(how: str) -> None:
    pool = WorkerPool("obedient", OBEDIENT, hung_after_s=1.0, close_within_s=30.0)
    await pool.start()
    caller, innocent = Caller(pool), Caller(pool)
    first = await innocent.process()
    if how == "stop":
        os.kill(first, signal.SIGSTOP)
    else:
        assert caller.stream.send(how)
    await caller.loss()
    await innocent.loss()
    await asyncio.to_thread(wait_until_gone, first)
    assert await (await reopened(pool)).process() != first
    assert pool.health.restarts == 1
    await pool.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "stop"])
async def test_a_signal_to_all_processes_leaves_the_engines_to_the_server(
    pool: WorkerPool, number: signal.Signals
) -> None:
    """A terminal's Ctrl-C, systemd's stop and ``timeout`` reach engines as well, while the server lets its calls end."""
    caller = Caller(pool)
    process = await caller.process()
    os.kill(process, number)
    assert await caller.process() == process
    assert caller.lost.empty()


async def test_a_process_that_works_through_much_is_not_taken_for_one_that_hangs() -> None:
    pool = WorkerPool("obedient", OBEDIENT, ping_every_s=0.05, hung_after_s=2.0)
    await pool.start()
    caller = Caller(pool)
    first = await caller.process()
    for _ in range(40):
        assert caller.stream.send("work", {"seconds": 0.1})
    assert await caller.process() == first
    await pool.close()


async def test_who_comes_while_a_process_starts_waits_for_it() -> None:
    pool = WorkerPool("obedient", OBEDIENT)
    starting = asyncio.create_task(pool.start())
    caller = Caller(pool)
    assert (await caller.ask("echo", b"early")).payload == b"early"
    await starting
    await pool.close()


async def test_who_waits_for_a_process_that_cannot_run_is_told_why() -> None:
    pool = WorkerPool("obedient", OBEDIENT, {"broken": True})
    starting = asyncio.create_task(pool.start())
    caller = Caller(pool)
    assert caller.stream.send("echo")
    assert "RuntimeError" in await caller.loss() or not pool.health.up
    with pytest.raises(ProviderUnavailable):
        await starting
    with pytest.raises(ProviderUnavailable, match="RuntimeError"):
        Caller(pool)


async def test_what_is_sent_before_there_is_a_process_is_bounded() -> None:
    pool = WorkerPool("obedient", OBEDIENT)
    caller = Caller(pool)
    piece = bytes(64 * 1024)
    sent = 0
    while caller.stream.send("echo", payload=piece):
        sent += len(piece)
        assert sent <= MAX_EARLY_BYTES
    await pool.close()
    assert "not running" in await caller.loss()


async def test_one_that_dies_at_each_start_is_tried_less_and_less_often_and_nobody_waits_for_it(tmp_path: Path) -> None:
    pool = WorkerPool("obedient", "engines_for_tests:Mortal", {"mark": str(tmp_path / "once")})
    await pool.start()
    caller = Caller(pool)
    assert caller.stream.send("crash")
    await caller.loss()
    await until(lambda: pool.health.restarts >= 5)
    with pytest.raises(ProviderUnavailable):
        Caller(pool)
    assert pool.health.up == 0
    (tmp_path / "once").unlink()
    await until(lambda: pool.health.up > 0)
    await pool.close()


async def test_one_that_was_of_use_before_it_died_is_started_again_at_once(pool: WorkerPool) -> None:
    for _ in range(6):
        caller = await answering(pool)
        assert caller.stream.send("crash")
        await caller.loss()
    # With a delay that doubles, nobody would be taken any more.
    await answering(pool)
    assert pool.health.restarts == 6


async def test_what_is_queued_takes_turns_and_live_speech_comes_first(pool: WorkerPool) -> None:
    hog, other, live = await answering(pool), await answering(pool), await answering(pool)
    for _ in range(500):
        assert hog.stream.queue("note")
    for _ in range(10):
        assert other.stream.queue("note")
    assert live.stream.send("note")
    assert (await live.ask("echo", b"live")).payload == b"live"
    assert hog.stream.behind, "the hog's own work is far from done"
    notes = (await live.ask("notes")).fields["streams"]
    assert len(notes) < 100
    assert other.stream.send("notes"), "stands behind what it has queued"
    notes = (await other.next()).fields["streams"]
    mine = [stream for stream in notes if stream == other.stream._number]
    assert len(mine) == 10
    assert len(notes) < 100


async def test_a_queue_is_bounded_for_each_stream_and_forgotten_with_it(pool: WorkerPool) -> None:
    hog, other = await answering(pool), await answering(pool)
    assert hog.stream.send("work", {"seconds": 0.5})
    piece = bytes(128 * 1024)
    queued = 0
    while hog.stream.queue("note", payload=piece):
        queued += len(piece)
        assert queued <= MAX_STREAM_BYTES
    assert other.stream.queue("note", payload=piece), "the pot is not one for all"
    hog.stream.close()
    assert (await other.ask("echo", b"next")).payload == b"next"
    assert len((await other.ask("notes")).fields["streams"]) <= 3


async def test_whoever_queues_is_told_when_it_is_its_turn(pool: WorkerPool) -> None:
    caller = await answering(pool)
    sent = asyncio.Event()
    assert caller.stream.queue("note")
    assert caller.stream.queue("note", on_sent=sent.set)
    assert not sent.is_set()
    async with asyncio.timeout(PATIENCE_S):
        await sent.wait()


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


# ------------------------------------------------------------------------------------------------ what a process has of ours


SERVER = """
import asyncio, socket, sys
from antiphon.providers.worker import WorkerPool

async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    pool = WorkerPool("obedient", "engines_for_tests:Obedient", processes=2)
    await pool.start()
    streams = []
    for _ in range(2):
        told = asyncio.get_running_loop().create_future()
        stream = pool.open(told.set_result, print)
        stream.send("echo")
        streams.append((stream, (await told).fields["process"]))
    for stream, _ in streams:
        if sys.argv[2] != "idle":
            stream.send(sys.argv[2])
    print(listener.getsockname()[1], *(process for _, process in streams), flush=True)
    await asyncio.sleep(60)

if sys.argv[1] == "uvloop":
    import uvloop
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
else:
    asyncio.run(main())
"""
SECRETS = {
    "ANTIPHON_TWILIO__AUTH_TOKEN": "the-token",
    "ANTIPHON_TOKEN_SECRET": "the-secret",
    "OPENAI_API_KEY": "the-key",
    "HOME": "/home/somebody",
}


@contextmanager
def server(loop: str, engines_do: str = "idle") -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """A process with two engines: itself, the port it listens on, and the engines' processes."""
    arguments = (sys.executable, "-c", SERVER, loop, engines_do)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, **SECRETS})
    assert process.stdout is not None
    with process.stdout:
        port, *engines = map(int, process.stdout.readline().split())
        try:
            yield process, port, engines
        finally:
            process.kill()
            process.wait(PATIENCE_S)


LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@LOOPS
def test_an_engine_has_no_descriptor_but_its_own(loop: str) -> None:
    with server(loop) as (_, _, engines):
        for engine in engines:
            there = [os.readlink(f"/proc/{engine}/fd/{number}") for number in os.listdir(f"/proc/{engine}/fd")]
            assert sorted(name.partition(":")[0] for name in there) == ["/dev/null", "/dev/null", "/dev/null", "socket"]


@LOOPS
def test_an_engine_is_told_no_setting_and_no_secret(loop: str) -> None:
    with server(loop) as (_, _, engines):
        for engine in engines:
            variables = Path(f"/proc/{engine}/environ").read_bytes().split(b"\0")
            names = {variable.partition(b"=")[0].decode() for variable in variables if variable}
            assert "PYTHONPATH" in names
            assert not names & set(SECRETS)
            assert not [name for name in names if not re.match(ALLOWED, name)]


ALLOWED = r"(PATH|LANG|LANGUAGE|TMPDIR|TZ|LD_LIBRARY_PATH|LC_.*|PYTHON.*|OPENBLAS.*|OMP_.*|MKL_.*|MALLOC_.*)$"


@LOOPS
@pytest.mark.parametrize("doing", ["idle", "hang", "loop", "stopped"])
def test_engines_end_with_a_server_that_was_killed_and_its_port_is_free(loop: str, doing: str) -> None:
    with server(loop, "idle" if doing == "stopped" else doing) as (process, port, engines):
        if doing == "stopped":
            for engine in engines:
                os.kill(engine, signal.SIGSTOP)
        process.kill()
        process.wait(PATIENCE_S)
        with socket.create_server(("127.0.0.1", port)):
            pass
        for engine in engines:
            wait_until_gone(engine)
