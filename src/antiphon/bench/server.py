"""The server on the bench: ours in a process of its own, any other started by a command, or one that runs already."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from antiphon.bench import machine, workload
from antiphon.bench.fleet import Line
from antiphon.errors import AntiphonError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
_LOG_TAIL = 2000

_POLICY = {
    "endpointing": {"mode": "fixed", "silence_ms": workload.ENDPOINTING_MS, "speculative_reply": False},
    "barge_in": {"backoff_ms": 0},
}
ASSISTANT: Mapping[str, Any] = {
    "name": "Bench",
    "model": {
        "provider": "scripted",
        "options": {
            "first_token_ms": workload.FIRST_TOKEN_MS,
            "token_interval_ms": workload.TOKEN_INTERVAL_MS,
            "replies": [workload.ANSWER],
        },
    },
    "voice": {
        "provider": "scripted",
        "options": {
            "first_chunk_ms": workload.FIRST_CHUNK_MS,
            "chunk_interval_ms": 20,
            "ms_per_character": workload.MS_PER_CHARACTER,
        },
    },
    "transcriber": {"provider": "scripted", "options": {"transcripts": [workload.TRANSCRIPT] * 50}},
    "policy": _POLICY,
}
"""JSON is YAML, so this is an assistant's file."""
WIRED_ASSISTANT: Mapping[str, Any] = {
    "name": "Bench",
    "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en"},
    "model": {
        "provider": "openai",
        "model": "gpt-5.4-mini",
        "messages": [{"role": "system", "content": "Answer briefly."}],
    },
    "voice": {"provider": "elevenlabs"},
    "policy": _POLICY,
}
"""The same conversation through vendors (``bench.vendors``)."""


class BenchFailed(AntiphonError):
    """The benchmark cannot go on. The text is for the person who runs it."""

    code = "bench_failed"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready to be rung."""

    line: Line
    pid: int
    metrics_url: str = ""
    """Where it tells its own beat's lateness; empty: nowhere."""
    health_url: str = ""
    """Where it tells its live calls and tasks, if it does."""
    event_logs: Path | None = None
    """Where it writes what it decided and when, if it does."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which server is measured."""

    label: str
    command: str = ""
    """Starts it, ``{port}`` being the port to listen on. Empty: ours."""
    media_path: str = ""
    """Of a server by ``command``: the path of its media WebSocket."""
    server: Server | None = None
    """A server that runs already."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables for the server, over those the benchmark sets for ours."""
    assistant: Mapping[str, Any] = field(default_factory=lambda: ASSISTANT)
    """Who answers at ours."""
    floor_ms: int = workload.FLOOR_MS
    """See there."""

    @asynccontextmanager
    async def running(self, cores: frozenset[int] | None, scratch: Path) -> AsyncIterator[Server]:
        """The server, on ``cores``, with nothing left over from a measurement before; its files are within ``scratch``. Raises
        BenchFailed."""
        if self.server is not None:
            yield self.server
        elif self.command:
            async with _by_command(self, cores) as server:
                yield server
        else:
            async with _ours(cores, self, scratch) as server:
                yield server


@asynccontextmanager
async def _ours(cores: frozenset[int] | None, target: Target, scratch: Path) -> AsyncIterator[Server]:
    with _home(scratch) as home:
        (home / "assistants").mkdir()
        (home / "assistants" / "bench.json").write_bytes(orjson.dumps(target.assistant))
        port, token = free_port(), secrets.token_hex(16)
        environment = {
            "ANTIPHON_PORT": str(port),
            "ANTIPHON_ASSISTANT": "bench",
            "ANTIPHON_ASSISTANTS_DIR": str(home / "assistants"),
            "ANTIPHON_DATA_DIR": str(home / "data"),
            "ANTIPHON_TWILIO__AUTH_TOKEN": token,
            "ANTIPHON_MAX_CALLS": "10000",  # what it can hold is what we want to know
            "ANTIPHON_DRAIN_S": "0",
            "ANTIPHON_LOG_LEVEL": "warning",
            **target.settings,
        }
        base_url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "antiphon", "serve"]
        async with _process(command, home, environment, cores, f"{base_url}/readyz") as pid:
            line = Line(webhook_url=f"{base_url}/twilio/voice", auth_token=token)
            yield Server(line, pid, f"{base_url}/metrics", f"{base_url}/healthz", home / "data" / "calls")


@contextmanager
def _home(scratch: Path) -> Iterator[Path]:
    """A folder for one server's files. They are emptied after it, and deleted with ``scratch``: for some minutes ext4 steps over the inodes
    of deleted files, and the next server, which makes new ones, would pay for the thousands of this one (3 % of its time, seen)."""
    home = Path(tempfile.mkdtemp(prefix="server-", dir=scratch))
    try:
        yield home
    finally:
        for path in home.rglob("*"):
            if path.is_file():
                os.truncate(path, 0)


@asynccontextmanager
async def _by_command(target: Target, cores: frozenset[int] | None) -> AsyncIterator[Server]:
    port = free_port()
    arguments = shlex.split(target.command.replace("{port}", str(port)))
    async with _process(arguments, Path.cwd(), target.settings, cores, f"http://127.0.0.1:{port}/") as pid:
        yield Server(Line(media_url=f"ws://127.0.0.1:{port}{target.media_path}"), pid)


@asynccontextmanager
async def _process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], cores: frozenset[int] | None, ready_url: str
) -> AsyncIterator[int]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    with tempfile.TemporaryFile(prefix="antiphon-bench-log-") as log:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, env={**inherited, **environment}, stdout=log, stderr=log
            )
        except OSError as error:
            raise BenchFailed(f"{command[0]} cannot be started: {error.strerror or error}") from error
        try:
            # Before it has any threads: they inherit it.
            machine.pin(process.pid, cores)
            await _until_ready(process, ready_url)
            yield process.pid
        except BenchFailed as failure:
            tail = _tail_of(log.fileno())
            raise BenchFailed(f"{failure}\n{tail}" if tail else str(failure)) from failure
        finally:
            await _stop(process)


async def _until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    """Any answer but 503 means ready: a server by command need not have a page there."""
    try:
        async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient() as client:
            while True:
                if process.returncode is not None:
                    raise BenchFailed(f"the server ended with status {process.returncode} before it was ready")
                try:
                    if (await client.get(url)).status_code != 503:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise BenchFailed(f"the server was not ready within {READY_WITHIN_S:g} s") from error


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _tail_of(log: int) -> str:
    size = os.fstat(log).st_size
    return os.pread(log, _LOG_TAIL, max(0, size - _LOG_TAIL)).decode(errors="replace").strip()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
