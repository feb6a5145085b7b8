"""Processes that are started beside the server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from antiphon import processes
from antiphon.processes import output_of, start

SOURCES = Path(__file__).parent.parent / "src" / "antiphon"
MAY_FORK = {"supervisor.py", "bench", "cli"}
"""No call is held by these."""


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def read(told: Path) -> str:
    return told.read_text() if told.exists() else ""


def runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_is_given_something_and_writes_something() -> None:
    echo = python("import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)")
    assert await output_of(echo, given=b"a pot") == (3, b"A POT")


async def test_one_that_reads_nothing_is_no_fault() -> None:
    assert await output_of(python("print(1)"), given=b"x" * 1_000_000) == (0, b"1\n")


async def test_as_much_as_is_allowed_is_whole_and_more_is_cut_off() -> None:
    assert await output_of(python("print('x' * 99)"), most_bytes=100) == (0, b"x" * 99 + b"\n")
    endless = python("while True: print('x' * 1000)")
    assert await output_of(endless, most_bytes=5000) == (
        -signal.SIGKILL,
        (b"x" * 1000 + b"\n" * 1)[:1001] * 4 + b"x" * 996,
    )


async def test_who_does_not_wait_any_longer_ends_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    hanging = python(f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    asking = asyncio.create_task(output_of(hanging))
    async with asyncio.timeout(60):
        while not read(told):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while runs(read(told)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_that_runs_is_waited_for_by_many_and_killed() -> None:
    process = await start(python("import time; time.sleep(600)"), {})
    waiting = [asyncio.create_task(process.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting.pop().cancel()  # one that gives up takes nothing from the others
    assert process.returncode is None
    process.kill()
    async with asyncio.timeout(60):
        assert await waiting[0] == await process.wait() == process.returncode == -signal.SIGKILL
    process.kill()


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        await start(("/nowhere/at/all",), {})


async def test_nothing_of_ours_is_inherited_but_what_is_passed_on() -> None:
    kept, passed = os.pipe(), os.pipe()
    program = f"import os, sys; os.fstat({passed[1]}); os.fstat({kept[1]})"
    process = await start(python(program), {}, pass_fds=(passed[1],))
    assert await process.wait() == 1, "the second is not there"
    process = await start(python(program.rpartition(";")[0]), {}, pass_fds=(passed[1],))
    assert await process.wait() == 0
    for end in (*kept, *passed):
        os.close(end)


def test_what_holds_calls_starts_no_process_in_another_way() -> None:
    """asyncio's way forks the whole server: no call is heard meanwhile."""
    found = [
        path.relative_to(SOURCES)
        for path in SOURCES.rglob("*.py")
        if path.relative_to(SOURCES).parts[0] not in MAY_FORK
        and any(
            name in path.read_text(encoding="utf-8")
            for name in ("create_subprocess", "os.fork(", "import multiprocessing")
        )
    ]
    assert found == []


def test_one_that_nobody_waits_for_any_more_is_killed_though_the_loop_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_it, may_begin, begun = threading.Event(), threading.Event(), list[subprocess.Popen[bytes]]()
    made = subprocess.Popen

    def late(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        at_it.set()
        may_begin.wait(20)
        begun.append(made(*arguments, **options))
        return begun[0]

    async def give_up() -> None:
        starting = asyncio.create_task(start(python("import time; time.sleep(60)"), {}))
        await asyncio.to_thread(at_it.wait, 20)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)

    monkeypatch.setattr(subprocess, "Popen", late)
    asyncio.run(give_up())
    may_begin.set()
    processes._starter.submit(lambda: None).result(20)
    assert begun[0].wait(20) == -signal.SIGKILL


def test_a_process_that_does_not_end_is_ended_and_says_where_it_hung() -> None:
    hangs = "import threading\nfrom antiphon.server import ended_within\nwith ended_within(0.05): threading.Event().wait(60)"
    done = subprocess.run([sys.executable, "-c", hangs], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "close_hung" in done.stdout + done.stderr and "in wait" in done.stderr
    ends = "from antiphon.server import ended_within\nwith ended_within(60): pass"
    assert subprocess.run([sys.executable, "-c", ends], timeout=60, check=False).returncode == 0
