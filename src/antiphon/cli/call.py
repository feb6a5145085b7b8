"""``antiphon call``: a simulated caller over the real Twilio protocol, against any server that speaks it.

Exit status: 0 when every turn was answered, 1 when one was not or a call failed, 2 for a mistake on the command line.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlunsplit

import httpx
import orjson
import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import CallPlan
from antiphon.caller.clips import LineNoise
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.impairment import Impairment, Stall
from antiphon.caller.report import print_report
from antiphon.caller.script import Line, lines_of, read_script
from antiphon.caller.summary import CallReport, as_json, report_on, summarise
from antiphon.caller.switchboard import MAX_CALLS, place_calls
from antiphon.caller.timeline import fetch_timeline, with_stages
from antiphon.caller.transcript import AgentWords, RecognisedWords, ServerWords, Transcript
from antiphon.caller.voice import DEFAULT_VOICE, Voice, prepare
from antiphon.caller.webhook import CallFailed, Identity, split_url
from antiphon.errors import AntiphonError, ConfigurationError, ProviderTimeout
from antiphon.providers import registry
from antiphon.providers.base import Lifecycle, SpeechToText, TextToSpeech

STT_ENGINE = "pocketsphinx"
TTS_ENGINE = "espeak"
ENGINE_START_S = 30.0

_NOBODY = Identity()

EXIT_FAILED = 1
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asks for, checked, its sounds not yet made."""

    plan: CallPlan
    """Without its lines."""
    lines: tuple[Line, ...]
    calls: int
    stagger_ms: float
    voice: str
    transcribe: bool
    api_url: str
    """Where the server's timelines are; empty: nowhere."""
    api_key: str
    recording: Path | None
    json: bool


def call(
    url: Annotated[
        str, typer.Argument(help="The server's voice webhook, e.g. http://127.0.0.1:8000/twilio/voice")
    ] = "",
    media_url: Annotated[str, typer.Option(help="Skip the webhook: open this ws:// or wss:// URL")] = "",
    say: Annotated[list[str] | None, typer.Option(help="A line to speak (repeat; spoken before --wav)")] = None,
    wav: Annotated[list[Path] | None, typer.Option(help="A recording to play as a line (repeat)")] = None,
    dtmf: Annotated[str, typer.Option(help="Keys to press at the end; w pauses half a second")] = "",
    script: Annotated[Path | None, typer.Option(help="A YAML script instead of --say, --wav, --dtmf")] = None,
    barge_in_at: Annotated[
        int | None, typer.Option(help="Every line but the first interrupts the answer after so many ms")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for start.customParameters, with --media-url")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="The caller's number")] = _NOBODY.caller,
    to: Annotated[str, typer.Option(help="The number called")] = _NOBODY.called,
    account_sid: Annotated[str, typer.Option(envvar="TWILIO_ACCOUNT_SID")] = _NOBODY.account_sid,
    auth_token: Annotated[
        str, typer.Option(envvar="TWILIO_AUTH_TOKEN", help="Signs as Twilio would; none: unsigned")
    ] = "",
    calls: Annotated[int, typer.Option(min=1, max=MAX_CALLS, help="So many calls at once")] = 1,
    stagger_ms: Annotated[float, typer.Option(min=0, help="Between the beginnings of two calls")] = 40,
    noise_dbfs: Annotated[float | None, typer.Option(help="Line noise, e.g. -55; none: silence")] = None,
    jitter_ms: Annotated[float, typer.Option(help="Each message is late by up to this")] = 0,
    loss: Annotated[float, typer.Option(help="Share of audio messages lost, 0-1")] = 0,
    reorder: Annotated[float, typer.Option(help="Share of audio messages swapped, 0-1")] = 0,
    stall: Annotated[list[str] | None, typer.Option(help="AT:DURATION in ms: nothing gets through (repeat)")] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness")] = 0,
    voice: Annotated[str, typer.Option(help="The caller's voice")] = DEFAULT_VOICE,
    agent_done_ms: Annotated[int, typer.Option(help="Silence that means the agent has finished")] = 700,
    greeting_ms: Annotated[int, typer.Option(help="Wait so long for a greeting")] = 3000,
    reply_timeout_ms: Annotated[int, typer.Option(help="Later than this, a turn is unanswered")] = 8000,
    limit_s: Annotated[int, typer.Option(min=1, help="No call lasts longer")] = 300,
    record: Annotated[Path | None, typer.Option(help="Stereo WAV of the call: caller left, agent right")] = None,
    transcribe: Annotated[bool, typer.Option(help="Show the agent's words by a speech recogniser")] = False,
    api_url: Annotated[str, typer.Option(help="Where the server's timelines are (default: the URL's host)")] = "",
    api_key: Annotated[str, typer.Option(envvar="ANTIPHON_API_KEY", help="Bearer key for them")] = "",
    json: Annotated[bool, typer.Option(help="The report as JSON on standard output")] = False,
) -> None:
    """Place a simulated phone call (or hundreds) and measure how the agent did."""
    errors = Console(stderr=True)
    try:
        job = Job(
            plan=CallPlan(
                lines=(),
                webhook_url=url,
                media_url=media_url,
                parameters=_parameters(param or []),
                identity=Identity(from_, to, account_sid, auth_token),
                patience=Patience(agent_done_ms, greeting_ms, reply_timeout_ms),
                noise=LineNoise(noise_dbfs, seed),
                impairment=Impairment(jitter_ms, loss, reorder, _stalls(stall or []), seed),
                limit_ms=limit_s * 1000,
                keep_audio=record is not None or transcribe,
            ),
            lines=read_script(script) if script else lines_of(tuple(say or ()), tuple(wav or ()), dtmf, barge_in_at),
            calls=calls,
            stagger_ms=stagger_ms,
            voice=voice,
            transcribe=transcribe,
            api_url=api_url or _origin(url, media_url),
            api_key=api_key,
            recording=record,
            json=json,
        )
        _check(job, mixed=script is not None and bool(say or wav or dtmf or barge_in_at))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            failed = runner.run(run_job(job, Console()))
    except ConfigurationError as error:
        errors.print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(EXIT_USAGE) from error
    except (AntiphonError, OSError) as error:
        errors.print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(EXIT_FAILED) from error
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _check(job: Job, *, mixed: bool) -> None:
    plan = job.plan
    if bool(plan.webhook_url) == bool(plan.media_url):
        raise ConfigurationError("url", "give either the webhook's URL or --media-url")
    if plan.webhook_url and plan.parameters:
        raise ConfigurationError("param", "only with --media-url: a webhook gives its own parameters")
    if mixed:
        raise ConfigurationError("script", "cannot be combined with --say, --wav, --dtmf or --barge-in-at")
    if not job.lines:
        raise ConfigurationError("say", "nothing to do: give --say, --wav, --dtmf or --script")
    if job.calls > 1 and (job.recording or job.transcribe):
        raise ConfigurationError("calls", "--record and --transcribe are for one call")


def _parameters(given: list[str]) -> dict[str, str]:
    parameters = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not name or not separator:
            raise ConfigurationError("param", "must be NAME=VALUE")
        parameters[name] = value
    return parameters


def _stalls(given: list[str]) -> tuple[Stall, ...]:
    stalls = []
    for each in given:
        at, _, duration = each.partition(":")
        try:
            stalls.append(Stall(float(at), float(duration)))
        except ValueError:
            raise ConfigurationError("stall", "must be AT:DURATION in milliseconds, e.g. 5000:800") from None
    return tuple(stalls)


def _origin(url: str, media_url: str) -> str:
    """Scheme and host where a server's other pages are, if its URLs make sense; with neither, nothing."""
    for field, given, schemes in (("url", url, ("http", "https")), ("media_url", media_url, ("ws", "wss"))):
        if given:
            try:
                parts = split_url(given, *schemes)
            except CallFailed as error:
                raise ConfigurationError(field, str(error)) from error
            return urlunsplit((parts.scheme.replace("ws", "http"), parts.netloc, "", "", ""))
    return ""


async def run_job(job: Job, console: Console) -> bool:
    """Place the calls and report on ``console`` (or as JSON). Returns whether any failed. Raises AntiphonError, OSError."""
    async with AsyncExitStack() as stack:
        plan = replace(job.plan, lines=await _prepare(job))
        limits = httpx.Limits(max_connections=64)
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=None))
        transcript, words = None, None
        if job.calls == 1 and not job.json:
            words = await _agent_words(job, console, client, stack)
            transcript = Transcript(_show(console), words)
        beat = CallerBeat()
        records = await place_calls(plan, beat, client, calls=job.calls, stagger_ms=job.stagger_ms, observer=transcript)
        if words is not None:
            await words.close()
        reports = await asyncio.gather(*(_with_server_times(job, client, report_on(each)) for each in records))
    if job.recording is not None and records[0].recording is not None:
        records[0].recording.write(job.recording)
    summary = summarise(reports, beat.lateness)
    if job.json:
        sys.stdout.buffer.write(orjson.dumps(as_json(reports, summary), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_report(console, reports, summary)
    return any(report.failed for report in reports)


async def _prepare(job: Job) -> tuple[Cued, ...]:
    if not any(line.kind == "say" for line in job.lines):
        return await prepare(job.lines, job.plan.noise, None)
    engine: TextToSpeech = registry.create("tts", TTS_ENGINE, {})
    try:
        await _start(engine, TTS_ENGINE)
        return await prepare(job.lines, job.plan.noise, Voice(engine, job.voice))
    finally:
        await engine.close()


async def _start(engine: Lifecycle, name: str) -> None:
    try:
        async with asyncio.timeout(ENGINE_START_S):
            await engine.start()
    except TimeoutError as error:
        raise ProviderTimeout(name, f"it did not start within {ENGINE_START_S:g} s") from error


async def _agent_words(job: Job, console: Console, client: httpx.AsyncClient, stack: AsyncExitStack) -> AgentWords:
    if not job.transcribe:
        return ServerWords(_show(console), client, job.api_url, job.api_key)
    engine: SpeechToText = registry.create("stt", STT_ENGINE, {})
    stack.push_async_callback(engine.close)
    await _start(engine, STT_ENGINE)
    return RecognisedWords(_show(console), engine)


def _show(console: Console) -> Callable[[str, str], None]:
    colours = {"caller": "cyan", "agent": "green"}

    def show(who: str, words: str) -> None:
        console.print(f"[bold {colours[who]}]{who:>6}[/]  {escape(words)}")

    return show


async def _with_server_times(job: Job, client: httpx.AsyncClient, report: CallReport) -> CallReport:
    if not report.record.duration_ms:
        return report
    timeline = await fetch_timeline(client, job.api_url, report.record.call_sid, job.api_key)
    turns = with_stages(report.turns, timeline.rows, report.record.started_wall_ms)
    return replace(report, turns=turns, note=timeline.note)
