"""A real server with scripted engines, in this process or one of its own, and a caller that really rings it up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tests.databases import sqlite_url

from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.clips import LineNoise, make_clip
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.script import BargeIn, Line
from antiphon.caller.summary import CallReport, report_on
from antiphon.caller.webhook import Identity
from antiphon.composition.process import Antiphon
from antiphon.config import Settings, Twilio
from antiphon.providers.scripted_hum import hum
from antiphon.server import serving
from antiphon.vocabulary import AudioFormat, Encoding

TOKEN = "the-account-s-token"
CALLER, CALLED = "+15557771234", "+15557775678"

ASSISTANT = """
name: Scripted
firstMessage: {greeting}
transcriber: {{ provider: scripted, options: {{ transcripts: [what is the price of marmalade] }} }}
model: {{ provider: scripted, options: {{ replies: [It costs eleven crowns.], first_token_ms: 40 }} }}
voice: {{ provider: scripted, options: {{ ms_per_character: {ms_per_character}, first_chunk_ms: 20 }} }}
startSpeakingPlan: {{ waitSeconds: 0.3, transcriptionEndpointingPlan: {{ onNoPunctuationSeconds: 0.3 }} }}
"""
GREETING = "Good day."


def write_assistant(folder: Path, greeting: str = GREETING, ms_per_character: int = 30) -> Path:
    """The folder with the assistant ``scripted`` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ASSISTANT.format(greeting=greeting, ms_per_character=ms_per_character)
    (folder / "scripted.yaml").write_text(text, encoding="utf-8")
    return folder


def settings_for(folder: Path, **given: Any) -> Settings:
    """A server with the assistant ``scripted`` and all its data under ``folder``, on a port of the system's choice."""
    assistants = folder / "assistants"
    if not assistants.is_dir():
        write_assistant(assistants)
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "assistant": "scripted",
        "assistants_dir": assistants,
        "data_dir": folder / "data",
        "database_url": sqlite_url(folder / "data"),
        "twilio": Twilio(auth_token=TOKEN),  # type: ignore[arg-type]
        "drain_s": 0.0,
    }
    return Settings(**(values | given))


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[tuple[Antiphon, httpx.AsyncClient]]:
    """The server in this process, and a client at its address."""
    async with (
        serving(settings) as antiphon,
        httpx.AsyncClient(base_url=antiphon.settings.base_url, timeout=60) as client,
    ):
        yield antiphon, client


def line(duration_ms: int = 700, *, barge_in_ms: int | None = None, reply: bool = True) -> Cued:
    """Something the voice-activity model takes for speech."""
    pcm = np.frombuffer(hum(AudioFormat(Encoding.PCM16, 8000)), dtype=np.int16)
    spoken = pcm[2000 : 2000 + duration_ms * 8]  # from where the model is sure of it
    cue = {} if barge_in_ms is None else {"cue": BargeIn(barge_in_ms)}
    return Cued(Line("say", "hum", expects_reply=reply, **cue), make_clip(spoken, LineNoise(-55.0)))


async def place_call(
    base_url: str,
    *lines: Cued,
    agent_done_ms: int = 300,
    greeting_ms: int = 1000,
    reply_ms: int = 15_000,
    webhook_url: str = "",
    caller: str = CALLER,
) -> CallReport:
    """Ring up the server as Twilio would, and speak. ``webhook_url``: where it is told to ask; empty for the usual one."""
    patience = Patience(agent_done_ms=agent_done_ms, greeting_ms=greeting_ms, reply_ms=reply_ms)
    plan = CallPlan(
        lines=lines,
        webhook_url=webhook_url or f"{base_url}/twilio/voice",
        identity=Identity(caller, CALLED, auth_token=TOKEN),
        noise=LineNoise(-55.0),
        patience=patience,
    )
    async with httpx.AsyncClient(timeout=60) as client:
        return report_on(await Caller(plan, CallerBeat()).call(client))


class ServerProcess:
    """``python -m antiphon serve``, as a supervisor would run it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within_s: float) -> tuple[int, str]:
        """Exit status and what it logged."""
        _, errors = await asyncio.wait_for(self.process.communicate(), within_s)
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def server_process(folder: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[ServerProcess]:
    """A server process that is ready; killed at the end if it still lives."""
    port = free_port()
    process = await start_serve(folder, {"ANTIPHON_PORT": str(port), **(environment or {})})
    server = ServerProcess(process, f"http://127.0.0.1:{port}")
    try:
        await _until_ready(server)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def start_serve(folder: Path, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start the command; it may well refuse to."""
    values = {
        "ANTIPHON_ASSISTANT": "scripted",
        "ANTIPHON_ASSISTANTS_DIR": str(write_assistant(folder / "assistants") if not (folder / "assistants").is_dir()
                                       else folder / "assistants"),
        "ANTIPHON_DATA_DIR": str(folder / "data"),
        "ANTIPHON_TWILIO__AUTH_TOKEN": TOKEN,
        "ANTIPHON_LOG_FORMAT": "json",
    }  # fmt: skip
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "antiphon", "serve", cwd=folder, env={**inherited, **values, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _until_ready(server: ServerProcess, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s), httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        while True:
            if server.process.returncode is not None:
                raise AssertionError((await server.ended(1))[1])
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
