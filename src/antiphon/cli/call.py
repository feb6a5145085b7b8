"""``antiphon call``: a simulated caller over the real Twilio protocol, against any server that speaks it.

Exit status: 0 when every turn was answered, 1 when one was not or a call failed, 2 for a mistake on the command line.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlunsplit

import click
import httpx
import orjson
import uvloop
from rich.console import Console
from rich.markup import escape

from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import CallPlan
from antiphon.caller.clips import LineNoise
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.hearing import AUDIBLE_DBFS
from antiphon.caller.impairment import Impairment, Stall
from antiphon.caller.report import print_report
from antiphon.caller.script import Line, lines_of, read_script
from antiphon.caller.summary import CallReport, as_json, report_on, summarise
from antiphon.caller.switchboard import MAX_CALLS, place_calls
from antiphon.caller.timeline import fetch_timeline, with_stages
from antiphon.caller.transcript import AgentWords, RecognisedWords, ServerWords, Transcript
from antiphon.caller.voice import DEFAULT_VOICE, Voice, prepare
from antiphon.caller.webhook import CallFailed, Identity, split_url
from antiphon.cli.terminal import show_error
from antiphon.cli.values import PATH, FloatRange, auth_token
from antiphon.errors import AntiphonError, ConfigurationError, ProviderTimeout
from antiphon.providers import registry
from antiphon.providers.base import Lifecycle, SpeechToText, TextToSpeech
from antiphon.providers.tts.spoken_voice import SpokenVoice

STT_ENGINE = "moonshine"
TTS_ENGINE = "piper"
ENGINE_START_S = 30.0
MAX_MS = 3_600_000
"""No wait within a call makes sense that is longer than an hour."""

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
    mixed: Path | None
    """Where both sides go on one track; needs a recording."""
    json: bool


@click.command(short_help="Place simulated phone calls, and measure the agent.")
@click.argument("url", default="")
@click.option("--media-url", default="", show_default=False, help="Skip the webhook: open this ws:// or wss:// URL")
@click.option("--say", multiple=True, help="A line to speak (repeat; spoken before --wav)")
@click.option("--wav", type=PATH, multiple=True, help="A recording to play as a line (repeat)")
@click.option("--dtmf", default="", show_default=False, help="Keys to press at the end; w pauses half a second")
@click.option("--script", type=PATH, help="A YAML script instead of --say, --wav, --dtmf")
@click.option(
    "--barge-in-at",
    type=click.IntRange(0, MAX_MS),
    help="Every line but the first interrupts the answer after so many ms",
)
@click.option("--param", multiple=True, help="NAME=VALUE for start.customParameters, with --media-url")
@click.option("--from", "from_", default=_NOBODY.caller, help="The caller's number")
@click.option("--to", default=_NOBODY.called, help="The number called")
@click.option("--account-sid", default=_NOBODY.account_sid, envvar="TWILIO_ACCOUNT_SID", show_envvar=True)
@auth_token("Signs as Twilio would; none: unsigned")
@click.option("--calls", type=click.IntRange(1, MAX_CALLS), default=1, help="So many calls at once")
@click.option("--stagger-ms", type=FloatRange(0, MAX_MS), default=40.0, help="Between the beginnings of two calls")
@click.option("--noise-dbfs", type=float, help="Line noise, e.g. -55; none: silence")
@click.option(
    "--audible-dbfs",
    type=FloatRange(-60, -12),
    default=AUDIBLE_DBFS,
    help="What is softer is not the agent's voice: e.g. -30 for one with a background sound",
)
@click.option("--jitter-ms", default=0.0, help="Each message is late by up to this")
@click.option("--loss", default=0.0, help="Share of audio messages lost, 0-1")
@click.option("--reorder", default=0.0, help="Share of audio messages swapped, 0-1")
@click.option("--stall", multiple=True, help="AT:DURATION in ms: nothing gets through (repeat)")
@click.option("--seed", default=0, help="Of all randomness")
@click.option("--voice", default=DEFAULT_VOICE, help="The caller's voice")
@click.option(
    "--agent-done-ms", type=click.IntRange(20, MAX_MS), default=700, help="Silence that means the agent has finished"
)
@click.option("--greeting-ms", type=click.IntRange(0, MAX_MS), default=3000, help="Wait so long for a greeting")
@click.option(
    "--reply-timeout-ms", type=click.IntRange(1, MAX_MS), default=8000, help="Later than this, a turn is unanswered"
)
@click.option("--limit-s", type=click.IntRange(1, 86_400), default=300, help="No call lasts longer")
@click.option("--record", type=PATH, help="Stereo WAV of the call: caller left, agent right")
@click.option("--transcribe/--no-transcribe", help="Show the agent's words by a speech recogniser")
@click.option(
    "--api-url", default="", show_default=False, help="Where the server's timelines are (default: the URL's host)"
)
@click.option(
    "--api-key",
    default="",
    show_default=False,
    envvar="ANTIPHON_API_KEY",
    show_envvar=True,
    help="Bearer key for them",
)
@click.option("--json/--no-json", help="The report as JSON on standard output")
def call(
    url: str,
    media_url: str,
    say: tuple[str, ...],
    wav: tuple[Path, ...],
    dtmf: str,
    script: Path | None,
    barge_in_at: int | None,
    param: tuple[str, ...],
    from_: str,
    to: str,
    account_sid: str,
    auth_token: str,
    calls: int,
    stagger_ms: float,
    noise_dbfs: float | None,
    audible_dbfs: float,
    jitter_ms: float,
    loss: float,
    reorder: float,
    stall: tuple[str, ...],
    seed: int,
    voice: str,
    agent_done_ms: int,
    greeting_ms: int,
    reply_timeout_ms: int,
    limit_s: int,
    record: Path | None,
    transcribe: bool,
    api_url: str,
    api_key: str,
    json: bool,
) -> None:
    """Place a simulated phone call (or hundreds) and measure how the agent did.

    URL is the server's voice webhook, e.g. http://127.0.0.1:8080/twilio/voice
    """
    try:
        job = Job(
            plan=CallPlan(
                lines=(),
                webhook_url=url,
                media_url=media_url,
                parameters=_parameters(param),
                identity=Identity(from_, to, account_sid, auth_token),
                patience=Patience(agent_done_ms, greeting_ms, reply_timeout_ms),
                noise=LineNoise(noise_dbfs, seed),
                impairment=Impairment(jitter_ms, loss, reorder, _stalls(stall), seed),
                limit_ms=limit_s * 1000,
                keep_audio=record is not None or transcribe,
                audible_dbfs=audible_dbfs,
            ),
            lines=read_script(script) if script else lines_of(say, wav, dtmf, barge_in_at),
            calls=calls,
            stagger_ms=stagger_ms,
            voice=voice,
            transcribe=transcribe,
            api_url=api_url or _origin(url, media_url),
            api_key=api_key,
            recording=record,
            mixed=None,
            json=json,
        )
        _check(job, mixed=script is not None and bool(say or wav or dtmf or barge_in_at))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            failed = runner.run(run_job(job, Console()))
    except ConfigurationError as error:
        show_error(ConfigurationError(_option(error.field, script), error.problem))
        raise click.exceptions.Exit(EXIT_USAGE) from error
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _option(field: str, script: Path | None) -> str:
    """What of the command line a field is, whoever found fault with it."""
    name = field.partition(".")[0]
    if script is not None and name not in {parameter.name for parameter in call.params}:
        return f"--script: {field}"
    return "URL" if name == "url" else f"--{name.replace('_', '-')}"


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
    if job.recording is not None:
        _check_recording(job.recording)


def _check_recording(path: Path) -> None:
    """A path that cannot be written shall be known before the call, not after it."""
    if path.is_dir():
        raise ConfigurationError("record", f"{path} is a folder")
    if not path.parent.is_dir():
        raise ConfigurationError("record", f"there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigurationError("record", f"{path} cannot be written (permission denied)")


def _parameters(given: Iterable[str]) -> dict[str, str]:
    parameters = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not name or not separator:
            raise ConfigurationError("param", "must be NAME=VALUE")
        parameters[name] = value
    return parameters


def _stalls(given: Iterable[str]) -> tuple[Stall, ...]:
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
        if job.mixed is not None:
            records[0].recording.write_mixed(job.mixed)
    summary = summarise(reports, beat.lateness)
    if job.json:
        sys.stdout.buffer.write(orjson.dumps(as_json(reports, summary), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_report(console, reports, summary)
    return any(report.failed for report in reports)


async def _prepare(job: Job) -> tuple[Cued, ...]:
    if not any(line.kind == "say" for line in job.lines):
        return await prepare(job.lines, job.plan.noise, None)
    voice = registry.create("tts", TTS_ENGINE, {})
    voice.check_voice(job.voice, "voice")
    engine: TextToSpeech = SpokenVoice(voice)
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
