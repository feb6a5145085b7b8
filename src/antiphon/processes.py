"""Processes beside the server, started without stopping it.

The event loop's own way of starting one forks, which copies the page tables of all that the server holds: with 300 MiB nobody is heard or
answered for 60 ms. ``subprocess`` borrows them for the moment until the other program runs (``vfork``): 1 ms.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import IO, Any, TypeVar

_READ_BYTES = 65_536
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
_starter = ThreadPoolExecutor(1, "process-starter")
"""It lives as long as this process: to the kernel the thread that has started another one is its parent (``PR_SET_PDEATHSIG``)."""
_T = TypeVar("_T")


class Process:
    """One that runs."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._ended = _in_a_thread(popen.wait)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._popen.returncode

    async def wait(self) -> int:
        """Until it has ended: its status, negative for a signal. Any number may wait."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """At once. Nothing happens where it has ended."""
        self._popen.kill()


async def start(arguments: Sequence[str], env: Mapping[str, str], pass_fds: Sequence[int] = ()) -> Process:
    """Standard input, output and errors are the null device. Raises OSError."""
    return Process(await _popen(arguments, env, subprocess.DEVNULL, pass_fds))


async def output_of(
    arguments: Sequence[str], env: Mapping[str, str] | None = None, given: bytes = b"", most_bytes: int = 1 << 30
) -> tuple[int, bytes]:
    """What a program that is given this on its standard input writes on its output, and its status. One that writes more is killed, and
    what it wrote until then returned. Who does not wait any longer kills it. Raises OSError."""
    popen = await _popen(arguments, env, subprocess.PIPE, ())
    try:
        return await _in_a_thread(partial(_talk, popen, given, most_bytes))
    finally:
        popen.kill()


async def output_of_module(
    module: str, *arguments: str, given: bytes = b"", most_bytes: int = 1 << 30
) -> tuple[int, bytes]:
    """As ``output_of``, of a module of ours, which sees no setting and no secret of the server's."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return await output_of((sys.executable, "-m", module, *arguments), env, given, most_bytes)


async def _popen(
    arguments: Sequence[str], env: Mapping[str, str] | None, pipes: int, pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    def make() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(arguments), env=None if env is None else dict(env), stdin=pipes, stdout=pipes, stderr=subprocess.DEVNULL,
            pass_fds=tuple(pass_fds),
        )  # fmt: skip

    starting = _starter.submit(make)
    waiting = asyncio.wrap_future(starting)
    try:
        return await asyncio.shield(waiting)
    except BaseException:
        # Told in the starter's thread: the loop may be closed by the time that the process is there.
        waiting.cancel()
        starting.cancel()
        starting.add_done_callback(_unwanted)
        raise


def _unwanted(starting: Future[subprocess.Popen[bytes]]) -> None:
    if starting.cancelled() or starting.exception() is not None:
        return
    popen = starting.result()
    popen.kill()
    threading.Thread(target=popen.wait, daemon=True).start()


def _talk(popen: subprocess.Popen[bytes], given: bytes, most_bytes: int) -> tuple[int, bytes]:
    assert popen.stdin is not None and popen.stdout is not None
    writing = threading.Thread(target=_write, args=(popen.stdin, given), daemon=True)
    writing.start()
    parts, size = [], 0
    with popen.stdout:
        while size <= most_bytes and (part := popen.stdout.read1(_READ_BYTES)):  # type: ignore[attr-defined]
            parts.append(part)
            size += len(part)
    if size > most_bytes:
        popen.kill()
    status = popen.wait()
    writing.join()
    return status, b"".join(parts)[:most_bytes]


def _write(stdin: IO[Any], given: bytes) -> None:
    with suppress(OSError), stdin:  # it may end without having read all
        stdin.write(given)


def _in_a_thread(do: Callable[[], _T]) -> asyncio.Future[_T]:
    """One of its own: what waits for a process must not keep others from a pool's few threads."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(lambda: None if done.done() else outcome())

    def run() -> None:
        try:
            result = do()
        except Exception as failure:
            tell(partial(done.set_exception, failure))
        else:
            tell(partial(done.set_result, result))

    threading.Thread(target=run, name="process", daemon=True).start()
    return done
