"""The server under test: whole, on a real port, in this process or in a child of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import SecretStr
from tests.conformance.twilio.phone import AUTH_TOKEN, IDENTITY, LINE_NOISE, Marks, Phone, eventually
from tests.databases import sqlite_url

from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.summary import CallReport, report_on
from antiphon.composition.process import Antiphon
from antiphon.config import Overload, Settings, Twilio
from antiphon.server import serving
from antiphon.session.event_log import EventLog, read_event_log

START_S = 60.0
"""What a start may take on a machine where everything else starts, too."""
TOKEN_SECRET = "the-secret-of-stream-tokens"

HELD_AT_ONCE = {"barge_in": {"max_softened_ms": 0}}
"""A policy whose every ``clear`` is a hold: a voice that is softened is taken back as well, and sent again."""


def open_files(pid: int | str = "self") -> int:
    """Of a process, without the database's: it keeps a few connections for whoever comes next."""
    count = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile, or the listing's own
            count += "antiphon.db" not in os.readlink(f"/proc/{pid}/fd/{number}")
    return count


def scripted(
    *,
    greeting: str = "",
    hears: Sequence[str] = (),
    answers: Sequence[str] = (),
    ms_per_character: int = 40,
    first_token_ms: int = 0,
    first_chunk_ms: int = 0,
    transcriber: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    voice: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An assistant in Vapi's shape whose engines follow a script, unless others are given."""
    return {
        "firstMessage": greeting,
        "transcriber": transcriber
        or {"provider": "scripted", "options": {"transcripts": list(hears), "final_delay_ms": 40}},
        "model": model
        or {"provider": "scripted", "options": {"replies": list(answers), "first_token_ms": first_token_ms}},
        "voice": voice
        or {
            "provider": "scripted",
            "options": {"ms_per_character": ms_per_character, "first_chunk_ms": first_chunk_ms},
        },
        "startSpeakingPlan": {"waitSeconds": 0.3},
        "stopSpeakingPlan": {"backoffSeconds": 0},
        **more,
    }


@dataclass
class Server:
    """A running server and what calls it."""

    url: str
    folder: Path
    http: httpx.AsyncClient
    beat: CallerBeat
    antiphon: Antiphon | None = None
    """None for a child process."""
    phones: list[Phone] = field(default_factory=list)

    @property
    def app(self) -> Antiphon:
        assert self.antiphon is not None, "a child process cannot be looked into"
        return self.antiphon

    @property
    def calls_dir(self) -> Path:
        return self.folder / "data" / "calls"

    def assistant(self, name: str, **plan: Any) -> str:
        """Write an assistant (see ``scripted``); it answers at the URL returned."""
        (self.folder / "assistants").mkdir(exist_ok=True)
        (self.folder / "assistants" / f"{name}.yaml").write_text(yaml.safe_dump(scripted(**plan)))
        return f"{self.url}/twilio/voice/{name}"

    async def rings(self, url: str, *, marks: Marks = "prompt", receive_buffer: int = 0) -> Phone:
        """A telephone with its media socket open and nothing said on it. Hung up when the server goes."""
        phone = Phone(self.beat, marks=marks)
        await phone.ring(self.http, url)
        await phone.connect(receive_buffer=receive_buffer)
        self.phones.append(phone)
        return phone

    async def call(self, url: str, *, marks: Marks = "prompt", receive_buffer: int = 0) -> Phone:
        """A live call."""
        phone = await self.rings(url, marks=marks, receive_buffer=receive_buffer)
        phone.begin()
        return phone

    async def bystander(self) -> Phone:
        """A call on which the agent talks and talks, and which nothing that happens to other calls may disturb."""
        phone = await self.call(self.assistant("bystander", greeting="and so on " * 200))
        await phone.until_hears(100)
        return phone

    async def converse(self, url: str, *lines: Cued, number: int = 1, **changes: Any) -> CallReport:
        """A whole call by script."""
        # On a machine that others use as well a greeting comes late, and has holes: it is not over, and must not be spoken over.
        patience = Patience(agent_done_ms=1000, greeting_ms=20_000, reply_ms=20_000, noise_ms=1200)
        call = CallPlan(
            lines,
            webhook_url=url,
            identity=IDENTITY,
            patience=patience,
            noise=LINE_NOISE,
            limit_ms=120_000,
            keep_audio=True,
        )
        return report_on(await Caller(replace(call, **changes), self.beat, number=number).call(self.http))

    async def hang_up_all(self) -> None:
        """End every call."""
        await asyncio.gather(*(phone.hang_up() for phone in self.phones))
        self.phones.clear()
        if self.antiphon is not None:
            await eventually(lambda: self.app.manager.live == 0 and not len(self.app.watch))

    def log_path(self, call_sid: str) -> Path | None:
        """The event log of a call, by the carrier's id."""
        for path in self.calls_dir.glob("*.jsonl"):
            with path.open("rb") as file:
                if call_sid.encode() in file.readline():
                    return path
        return None

    async def log(self, call_sid: str, within_s: float = 60.0) -> EventLog:
        """The event log, once the call is over for the server too."""

        def ended() -> bool:
            path = self.log_path(call_sid)
            return path is not None and b'{"ended"' in path.read_bytes()[-200:]

        await eventually(ended, within_s)
        path = self.log_path(call_sid)
        assert path is not None
        return read_event_log(path)

    async def status(self) -> dict[str, Any]:
        """What ``/healthz`` says."""
        answer = await self.http.get(f"{self.url}/healthz")
        return dict(answer.json())

    async def idle(self, within_s: float = 60.0) -> None:
        """Until no call is left."""
        deadline_s = asyncio.get_running_loop().time() + within_s
        while (await self.status())["calls"]:
            assert asyncio.get_running_loop().time() < deadline_s, "calls are left"
            await asyncio.sleep(0.01)


def undisturbed(phone: Phone) -> None:
    """Nothing of the agent's long speech on this call was cut, is missing or came late enough to be noticed."""
    assert not phone.closed.is_set(), phone.close_reason
    assert not phone.clears_ms
    # The telephones share a thread with the server: what they do to it all at once shows here, too.
    tolerated_ms = 20 + 2 * phone.machine_late_ms
    assert phone.playout.underrun_ms <= tolerated_ms
    began_ms = [*phone.playout.stretches, phone.playout.playing][0]
    assert began_ms is not None
    assert phone.heard_ms > phone.now_ms - began_ms.start_ms - tolerated_ms


def actions(log: EventLog, kind: str) -> list[dict[str, Any]]:
    """All actions of one name in a call's log."""
    return [fields for entry in log.entries for name, fields in entry.actions if name == kind]


@asynccontextmanager
async def serve_here(folder: Path, *, default: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Server]:
    """A server on this event loop; ``default`` is its assistant (see ``scripted``). Every telephone is hung up at the end."""
    (folder / "assistants").mkdir(exist_ok=True)
    twilio = settings.pop("twilio", None) or Twilio(auth_token=SecretStr(AUTH_TOKEN))
    given: dict[str, Any] = {
        "port": 0,
        "assistant": "default",
        "assistants_dir": folder / "assistants",
        "data_dir": folder / "data",
        "database_url": sqlite_url(folder / "data"),
        "drain_s": 0,
        "twilio": twilio,
        "token_secret": SecretStr(TOKEN_SECRET),
        "open_api": "public_url" not in settings,
        # The telephones share its thread: when that is late, it is not for too many calls.
        "overload": Overload(busy_share=1, late_ms=1000),
    }
    async with httpx.AsyncClient(timeout=5) as http:
        server = Server("", folder, http, CallerBeat())
        server.assistant("default", **(default or {"greeting": "Hello."}))
        async with serving(Settings(**{**given, **settings})) as antiphon:
            server.antiphon = antiphon
            server.url = f"http://127.0.0.1:{antiphon.settings.port}"
            try:
                yield server
            finally:
                await server.hang_up_all()


class Child:
    """A server process and its log lines (JSON)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self.process.pid

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event]

    def rss_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the process is gone")

    def open_files(self) -> int:
        return open_files(self.pid)

    async def end(self, within_s: float = 60.0) -> int:
        """Wait for the process to end by itself (or by the signal it got); kill it where it does not."""
        try:
            code = await asyncio.wait_for(self.process.wait(), within_s)
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            await self._reader
        return code

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except json.JSONDecodeError:
                self.lines.append({"event": line.decode(errors="replace")})


@asynccontextmanager
async def serve_in_child(folder: Path, **environment: str) -> AsyncIterator[tuple[Server, Child]]:
    """``antiphon serve`` as it runs in production. Ends by SIGTERM."""
    async with httpx.AsyncClient(timeout=5) as http:
        server = Server("", folder, http, CallerBeat())
        server.assistant("default", greeting="Hello.")
        settings = {
            "ASSISTANT": "default",
            "ASSISTANTS_DIR": str(folder / "assistants"),
            "DATA_DIR": str(folder / "data"),
            "DRAIN_S": "0",
            "TWILIO__AUTH_TOKEN": AUTH_TOKEN,
            "TOKEN_SECRET": TOKEN_SECRET,
            "OPEN_API": "true",
            "LOG_FORMAT": "json",
            "PORT": "0",
            # Whoever else computes on this machine makes the beat late; what a server does then has tests of its own (test_admission).
            "OVERLOAD__LATE_MS": "1000",
            "OVERLOAD__BUSY_SHARE": "1",
            **environment,
        }
        own = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "antiphon",
            "serve",
            cwd=folder,
            env={**own, **{f"ANTIPHON_{name}": value for name, value in settings.items()}},
            stderr=asyncio.subprocess.PIPE,
        )
        child = Child(process)
        try:
            await eventually(lambda: child.logged("listening") or process.returncode is not None, START_S)
            assert process.returncode is None, child.lines
            server.url = child.logged("listening")[0]["address"]
            yield server, child
        finally:
            await server.hang_up_all()
            if process.returncode is None:
                process.terminate()
            await child.end()
