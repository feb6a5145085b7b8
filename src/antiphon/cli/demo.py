"""``antiphon demo``: a real spoken phone call on this machine, with no account and no key.

The server runs in a process of its own, as in earnest; a simulated caller rings it up over the real Twilio protocol, cuts the agent
short once and coughs once, and what came of it is checked and shown.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import httpx
import uvloop
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.bench.vendors.process import stand_ins
from antiphon.caller.caller import CallPlan
from antiphon.caller.clips import LineNoise
from antiphon.caller.script import read_script
from antiphon.caller.tables import show_table
from antiphon.caller.voice import DEFAULT_VOICE
from antiphon.caller.webhook import Identity
from antiphon.cli.call import Job, run_job
from antiphon.cli.terminal import show_error
from antiphon.cli.values import PATH
from antiphon.conversation.events import ReplyDone, ToolFinished
from antiphon.errors import AntiphonError, ProviderUnavailable
from antiphon.session.event_log import EventLog, read_event_log
from antiphon.session.replay import replay

CONVERSATION = "conversation.wav"
_START_TIMEOUT_S = 120.0
_LINE_NOISE_DBFS = -55.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing the demo must show."""

    what: str
    shown: bool
    detail: str


@click.command(short_help="Hold a real spoken conversation on this machine.")
@click.option("--output", type=PATH, default="demo-output", help="Where the recording and the event log go")
@click.option("--serve", is_flag=True, help="Leave the server up afterwards")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the server, 0 for any")
@click.option(
    "--wired", is_flag=True, help="Through stand-ins for Deepgram, OpenAI and ElevenLabs, as slow as those are"
)
def demo(output: Path, serve: bool, port: int, wired: bool) -> None:
    """Hold a real spoken conversation on this machine and show what happened. Exit 0 when all of it worked."""
    console = Console()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if wired:
                worked = runner.run(_wired(console, output, port or _free_port(), stay=serve))
            else:
                worked = runner.run(_demo(console, output, port or _free_port(), stay=serve))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(0 if serve else 130) from None
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(1) from error
    if not worked:
        raise click.exceptions.Exit(1)


async def _demo(console: Console, output: Path, port: int, *, stay: bool) -> bool:
    output.mkdir(parents=True, exist_ok=True)
    data_dir = output / "server"
    before = set(data_dir.glob("calls/*.jsonl"))
    for book in data_dir.glob("bookings.sqlite3*"):  # of a demo before this one, whose appointment would be in the way
        book.unlink()
    token = secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}"
    async with _server(port, data_dir, token):
        console.print(f"The server answers at [bold]{url}[/]. A caller rings …\n")
        failed = await run_job(_call(f"{url}/twilio/voice", url, token, output / "heard-by-the-caller.wav"), console)
        log_path = await _new_log(data_dir, before)
        log = read_event_log(log_path)
        outcomes = [Outcome("every turn was answered", not failed, ""), *_outcomes(log)]
        _show(console, outcomes)
        console.print(
            f"\nWhat the caller heard: [bold]{escape(str(output / 'heard-by-the-caller.wav'))}[/] (caller left, agent right)"
        )
        console.print(f"The server's recording: [bold]{escape(str(log_path.with_suffix('.wav')))}[/]")
        console.print(
            f"The event log:          [bold]{escape(str(log_path))}[/]  ({escape(shlex.join(['antiphon', 'replay', str(log_path)]))})"
        )
        console.print(f"The whole conversation, to listen to: [bold]{escape(str(output / CONVERSATION))}[/]")
        if stay:
            ring = ["antiphon", "call", f"{url}/twilio/voice", "--auth-token", token, "--say", "hello"]
            console.print(f"\nThe server stays up: {escape(shlex.join(ring))}")
            await asyncio.Event().wait()
    return all(outcome.shown for outcome in outcomes)


async def _wired(console: Console, output: Path, port: int, *, stay: bool) -> bool:
    """A conversation over the vendors' wires. The stand-ins understand nothing: what is heard and answered is written in the script."""
    output.mkdir(parents=True, exist_ok=True)
    data_dir, assistants = output / "server", output / "assistants"
    assistants.mkdir(exist_ok=True)
    (assistants / "wired.yaml").write_text(
        _script("wired-assistant.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    before = set(data_dir.glob("calls/*.jsonl"))
    token, url = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    said = yaml.safe_load(_script("wired.yaml").read_text(encoding="utf-8"))
    heard = [line["say"] for line in said["lines"]]
    recording = output / "heard-by-the-caller.wav"
    async with stand_ins({"transcripts": heard, "answers": said["answers"]}) as vendors:
        settings = {**vendors, "ANTIPHON_ASSISTANT": "wired", "ANTIPHON_ASSISTANTS_DIR": str(assistants)}
        async with _server(port, data_dir, token, settings):
            console.print(
                f"The server answers at [bold]{url}[/], through stand-ins for Deepgram, OpenAI and ElevenLabs.\n"
            )
            job = _call(f"{url}/twilio/voice", url, token, recording)
            failed = await run_job(replace(job, lines=read_script(_script("wired.yaml"))), console)
            log_path = await _new_log(data_dir, before)
            log = read_event_log(log_path)
            answered = sum(isinstance(entry.event, ReplyDone) for entry in log.entries)
            difference = replay(log)
            outcomes = [
                Outcome("every turn was answered", not failed, ""),
                Outcome(
                    "by the vendors' stand-ins, over TLS", answered >= len(heard), f"{answered} answers of the model"
                ),
                Outcome(
                    "the event log replays", difference is None, "identical" if difference is None else "different"
                ),
            ]
            _show(console, outcomes)
            console.print(f"\nThe voice is a hum: [bold]{escape(str(recording))}[/] (caller left, agent right)")
            console.print("With keys of your own the same assistant speaks: [bold]antiphon init[/]")
            if stay:
                console.print("\nThe server stays up.")
                await asyncio.Event().wait()
    return all(outcome.shown for outcome in outcomes)


def _script(name: str) -> Path:
    return Path(str(files("antiphon.caller"))) / "scripts" / name


def _call(webhook: str, url: str, token: str, recording: Path) -> Job:
    return Job(
        plan=CallPlan(
            lines=(),
            webhook_url=webhook,
            identity=Identity(auth_token=token),
            noise=LineNoise(_LINE_NOISE_DBFS, 0),
            keep_audio=True,
        ),
        lines=read_script(_script("front-desk.yaml")),
        calls=1,
        stagger_ms=0,
        voice=DEFAULT_VOICE,
        transcribe=False,
        api_url=url,
        api_key="",
        recording=recording,
        mixed=recording.with_name(CONVERSATION),
        json=False,
    )


def _outcomes(log: EventLog) -> list[Outcome]:
    actions: list[tuple[str, dict[str, Any]]] = [
        (name, fields) for entry in log.entries for name, fields in entry.actions
    ]
    cut = [fields for name, fields in actions if name == "InterruptionConfirmed"]
    held = [fields for name, fields in actions if name == "InterruptionDismissed"]
    done = {
        entry.event.tool_call_id
        for entry in log.entries
        if isinstance(entry.event, ToolFinished) and '"booked": true' in entry.event.content
    }
    booked = [fields for name, fields in actions if name == "RunTool" and fields["call"]["id"] in done]
    difference = replay(log)
    return [
        Outcome(
            "the interruption took the floor",
            bool(cut),
            f"the greeting was cut after {cut[0]['heard_ms']} ms" if cut else "",
        ),
        Outcome("the cough did not", len(cut) == 1, _cough(held)),
        Outcome("the appointment was booked", bool(booked), _booking(booked)),
        Outcome("the call ended by itself", log.ended == "assistant-ended-call", log.ended or "it did not end"),
        Outcome("the event log replays", difference is None, "identical" if difference is None else "different"),
    ]


def _cough(held: list[dict[str, Any]]) -> str:
    return (
        f"the agent paused for {held[0]['held_ms']} ms, then went on" if held else "it was not even taken for a voice"
    )


def _booking(booked: list[dict[str, Any]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in booked[-1]["call"]["arguments"].items()) if booked else ""


def _show(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(show_header=False, title="What it showed", title_justify="left")
    for outcome in outcomes:
        mark = "[green]yes[/]" if outcome.shown else "[bold red]no[/]"
        table.add_row(outcome.what, mark, escape(outcome.detail))
    show_table(console, table)


async def _new_log(data_dir: Path, before: set[Path]) -> Path:
    """The call's event log, once it has its end. Raises ProviderUnavailable where there is none."""
    deadline = asyncio.get_running_loop().time() + 10
    while asyncio.get_running_loop().time() < deadline:
        for path in set(data_dir.glob("calls/*.jsonl")) - before:
            if b'{"ended"' in path.read_bytes()[-200:]:
                return path
        await asyncio.sleep(0.1)
    raise ProviderUnavailable("demo", "the call left no complete event log")


@asynccontextmanager
async def _server(
    port: int, data_dir: Path, token: str, further: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    settings = {
        "ANTIPHON_HOST": "127.0.0.1",
        "ANTIPHON_PORT": str(port),
        "ANTIPHON_ASSISTANT": "front-desk",
        "ANTIPHON_DATA_DIR": str(data_dir),
        "ANTIPHON_TWILIO__AUTH_TOKEN": token,
        "ANTIPHON_PUBLIC_URL": "",  # whatever this machine's own server is set to: the demo is for nobody else
        "ANTIPHON_OPEN_API": "true",
        "ANTIPHON_LOG_LEVEL": "warning",
        "ANTIPHON_DRAIN_S": "1",
        **(further or {}),
    }
    server = subprocess.Popen([sys.executable, "-m", "antiphon", "serve"], env={**os.environ, **settings})
    try:
        await _wait_ready(server, f"http://127.0.0.1:{port}/readyz")
        yield
    finally:
        server.terminate()
        try:
            await asyncio.to_thread(server.wait, 15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def _wait_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
    async with httpx.AsyncClient() as client:
        while asyncio.get_running_loop().time() < deadline:
            if server.poll() is not None:
                raise ProviderUnavailable("server", f"it stopped at once with exit status {server.returncode}")
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise ProviderUnavailable("server", "it was not ready in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
