"""``antiphon bench``: what a server costs and how it feels while many people talk to it.

Exit status: 0 when it was measured, 1 for a regression (``--quick``), for something that did not come back (``--soak``) or when it
could not be measured, 2 for a mistake on the command line.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import click
import uvloop
from rich.console import Console

from antiphon.bench import report
from antiphon.bench.budgets import judge_points, judge_start, judge_wired
from antiphon.bench.fleet import Line
from antiphon.bench.knee import held
from antiphon.bench.machine import divide_cores, pin, this_machine
from antiphon.bench.measure import Bench, Waves, find_knee, measure_points, measure_waves, typical_points
from antiphon.bench.point import Point
from antiphon.bench.server import WIRED_ASSISTANT, Server, Target
from antiphon.bench.soak import Soak, measure_soak
from antiphon.bench.speech import recorded_turns
from antiphon.bench.start import Start, installed, measure_start
from antiphon.bench.vendors.delays import FLOOR_MS as WIRED_FLOOR_MS
from antiphon.bench.vendors.elevenlabs import DOCUMENTED
from antiphon.bench.vendors.process import stand_ins
from antiphon.bench.workload import FLOOR_MS, Workload
from antiphon.caller.clips import Pcm
from antiphon.caller.voice import Voice
from antiphon.cli.bench_turns import turns
from antiphon.cli.terminal import show_error
from antiphon.cli.values import PATH, FloatRange, auth_token
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers import registry
from antiphon.providers.base import TextToSpeech

EXIT_FAILED = 1
EXIT_USAGE = 2

QUICK_CALLS = "1,10,50"
QUICK_SECONDS = 15.0
KEPT = Path("bench/reference.json")
LOCK = Path("requirements.lock")
"""What an installation without extras is."""
SPEECH = Path("tests/data/speech")
"""Where recordings are if nobody says; without any, a synthetic voice speaks."""
SPOKEN = (
    "I would like to know more",
    "please tell me about it",
    "no wait a moment",
    "what about the other one",
    "thank you",
)
MOST_CALLS = 1000
WAVE_CALLS = 10


@click.group(invoke_without_command=True, short_help="Measure CPU, memory, latency and barge-in under load.")
@click.pass_context
@click.option("--calls", default="1,10,50,200,400", help="Numbers of calls at once, e.g. 1,10,50")
@click.option("--seconds", type=FloatRange(1, 3600), default=30.0, help="Measured for so long, after the ramp")
@click.option("--times", type=click.IntRange(1, 99), default=1, help="Measured so many times; the median run is told")
@click.option(
    "--url", default="", show_default=False, help="A server that runs: http://…/voice (webhook) or ws://… (media)"
)
@click.option("--pid", default=0, help="The process id of that server")
@auth_token("Signs as Twilio would")
@click.option("--serve", default="", show_default=False, help="Start this as the server, {port} in it being its port")
@click.option("--media-path", default="/ws", help="With --serve: the path of its media WebSocket")
@click.option("--label", default="", show_default=False, help="The server's name in the report")
@click.option("--speech", type=PATH, help="A folder of WAV files with what callers say")
@click.option("--seed", default=0, help="Of all randomness")
@click.option("--json", type=PATH, help="Write the figures to this file")
@click.option("--knee/--no-knee", default=True, help="Go on until it is known how many calls the server holds")
@click.option(
    "--most", type=click.IntRange(1, MOST_CALLS), default=MOST_CALLS, help="… but with no more calls than this"
)
@click.option("--waves", type=click.IntRange(0, 100), default=0, help="So many waves of 10 calls, for memory")
@click.option(
    "--wait-quiet", type=FloatRange(0), default=0.0, help="Before each point, wait up to so many s for a quiet machine"
)
@click.option("--twice/--no-twice", help="Then measure twice as many calls as it holds")
@click.option("--start/--no-start", help="Also: start to ready, packages and their size")
@click.option("--soak", type=click.IntRange(0, 1_000_000), default=0, help="Nothing but so many short calls, in waves")
@click.option("--at-once", type=click.IntRange(1, MOST_CALLS), default=100, help="With --soak: calls in a wave")
@click.option("--vendors", is_flag=True, help="Through stand-ins for Deepgram, OpenAI and ElevenLabs, over TLS")
@click.option("--quick/--no-quick", help="Two minutes: 1, 10 and 50 calls, compared with bench/reference.json")
@click.option("--reference", type=PATH, default=KEPT, help="With --quick: the run to compare with")
def bench(
    ctx: click.Context,
    calls: str,
    seconds: float,
    times: int,
    url: str,
    pid: int,
    auth_token: str,
    serve: str,
    media_path: str,
    label: str,
    speech: Path | None,
    seed: int,
    json: Path | None,
    knee: bool,
    most: int,
    waves: int,
    wait_quiet: float,
    twice: bool,
    start: bool,
    soak: int,
    at_once: int,
    vendors: bool,
    quick: bool,
    reference: Path,
) -> None:
    """Measure CPU, memory, latency and barge-in against the number of calls."""
    if ctx.invoked_subcommand is not None:
        return
    console = Console()
    try:
        knee = knee and not quick
        numbers = _numbers(QUICK_CALLS if quick else calls)
        kept = report.read_kept(reference) if quick else {}
        target = _target(url, pid, auth_token, serve, media_path, label)
        if vendors and (url or soak or quick):
            raise ConfigurationError("vendors", "cannot be combined with --url, --soak or --quick")
        cores = divide_cores()
        with (
            TemporaryDirectory(prefix="antiphon-bench-") as scratch,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            workload = Workload(runner.run(_turns(speech)), seed)
            pin(0, cores.callers)
            seconds = QUICK_SECONDS if quick else seconds
            measuring = Bench(target, workload, cores, Path(scratch), seconds, times, wait_quiet)
            started = datetime.now(UTC).isoformat(timespec="seconds")
            if soak:
                soaked = runner.run(measure_soak(replace(measuring, target=_unlimited(target)), soak, at_once))
                _conclude_soak(console, soaked, started, json)
                return
            wanted = _Wanted(numbers, most if knee else 0, twice, waves, start)
            measure = _measure_wired if vendors else _measure
            run = runner.run(measure(measuring, wanted, console))
        if json is not None:
            document = report.as_document(
                target.label,
                started,
                this_machine(),
                run.points,
                run.runs,
                run.held,
                run.waves,
                run.start,
                WIRED_FLOOR_MS if vendors else FLOOR_MS,
            )
            report.write_document(json, document)
        _conclude(console, target.label, run, wired=vendors)
    except ConfigurationError as error:
        show_error(error)
        raise click.exceptions.Exit(EXIT_USAGE) from error
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    if quick and not _as_good_as(run.points, kept, console):
        raise click.exceptions.Exit(EXIT_FAILED)


bench.add_command(turns)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be measured. ``most`` is 0 where the knee is not looked for."""

    numbers: list[int]
    most: int
    twice: bool
    waves: int
    start: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """What was measured: each run, and of each number of calls the typical one. ``held`` is None where the knee was not looked for."""

    runs: list[Point]
    points: list[Point]
    held: int | None
    waves: Waves | None
    start: Start | None


async def _measure(bench: Bench, wanted: _Wanted, console: Console) -> _Run:
    def tell(point: Point) -> None:
        late_ms = point.frame_lateness.p99_ms or 0.0
        console.print(
            f"{point.calls} calls: {point.cpu_ms_per_call_s:.2f} ms of CPU per call-second, "
            f"{point.speech.unanswered} of {point.speech.turns} turns unanswered, frames {late_ms:.1f} ms late (p99)"
            + (f", {point.refused} callers refused, {point.live_calls:.0f} live" if point.refused else "")
        )

    start = await measure_start(bench, installed(LOCK)) if wanted.start else None
    runs = await measure_points(bench, wanted.numbers, tell)
    found: int | None = None
    if wanted.most:
        runs += await find_knee(bench, runs, wanted.most, tell)
        found = held([(point.calls, point.holds) for point in typical_points(runs)])
        twice = min(2 * found, MOST_CALLS)
        if wanted.twice and twice not in {0, *(run.calls for run in runs)}:
            runs += await measure_points(bench, [twice], tell)
    memory = await measure_waves(bench, WAVE_CALLS, wanted.waves) if wanted.waves else None
    return _Run(runs, typical_points(runs), found, memory, start)


async def _measure_wired(bench: Bench, wanted: _Wanted, console: Console) -> _Run:
    """As ``_measure``, with the vendors' wires attached. A server by command is told where they are as ours is."""
    async with stand_ins({"spellings": [DOCUMENTED]}, bench.cores.callers) as where:
        wired = replace(bench.target, settings=where, assistant=WIRED_ASSISTANT, floor_ms=WIRED_FLOOR_MS)
        return await _measure(replace(bench, target=wired), wanted, console)


def _unlimited(target: Target) -> Target:
    """A soak asks what is left of calls, not how many are let in: on a busy machine they would be refused, and the waves differ."""
    return replace(target, settings={"ANTIPHON_OVERLOAD__BUSY_SHARE": "1.0", "ANTIPHON_OVERLOAD__LATE_MS": "1000"})


def _conclude(console: Console, label: str, run: _Run, *, wired: bool) -> None:
    console.print(report.points_table(label, run.points))
    report.print_remarks(console, run.points)
    judged = judge_wired(run.points) if wired else judge_points(run.points, run.held)
    verdicts = judged + (judge_start(run.start) if run.start is not None else [])
    if any(verdict.met is not None for verdict in verdicts):
        console.print(report.verdicts_table(verdicts))
    if run.held is not None:
        console.print(
            f"Held: {run.held} calls (every turn answered, no call lost or refused, frames less than 20 ms late at p99)"
        )
    if run.waves is not None:
        after = ", ".join(f"{kib / 1024:.1f}" for kib in run.waves.after_kib)
        before = f"{run.waves.before_kib / 1024:.1f}"
        console.print(f"Own memory, MiB: {before}; after waves of {run.waves.calls} calls: {after}")


def _conclude_soak(console: Console, soaked: Soak, started: str, json: Path | None) -> None:
    report.print_soak(console, soaked)
    if json is not None:
        machine = asdict(this_machine())
        report.write_document(
            json, {"version": report.VERSION, "started": started, "machine": machine, **soaked.as_document()}
        )
    if soaked.failures():
        raise click.exceptions.Exit(EXIT_FAILED)


def _as_good_as(points: list[Point], kept: dict[int, float], console: Console) -> bool:
    found = report.regressions(points, kept)
    for regression in found:
        console.print(f"[bold red]Regression:[/] {regression}")
    if not report.comparable(points, kept):
        console.print("[bold red]Nothing could be compared:[/] no point counts, or none is in the reference")
        return False
    return not found


def _numbers(given: str) -> list[int]:
    try:
        numbers = [int(each) for each in given.split(",")]
    except ValueError:
        raise ConfigurationError("calls", "must be numbers separated by commas, e.g. 1,10,50") from None
    if not all(1 <= number <= MOST_CALLS for number in numbers):
        raise ConfigurationError("calls", f"must each be between 1 and {MOST_CALLS}")
    return numbers


def _target(url: str, pid: int, auth_token: str, command: str, media_path: str, label: str) -> Target:
    if bool(url) != bool(pid):
        raise ConfigurationError("url", "--url and --pid belong together: what is rung, and whose CPU is read")
    if url and command:
        raise ConfigurationError("serve", "give either --serve or --url")
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss"):
            raise ConfigurationError("url", "must begin with http://, https://, ws:// or wss://")
        media = parts.scheme in ("ws", "wss")
        line = Line("" if media else url, url if media else "", auth_token)
        return Target(label or url, server=Server(line, pid))
    if command:
        return Target(label or command.split()[0], command, media_path)
    return Target(label or "antiphon")


async def _turns(folder: Path | None) -> list[Pcm]:
    if folder is not None or SPEECH.is_dir():
        return recorded_turns(folder or SPEECH)
    engine: TextToSpeech = registry.create("tts", "piper", {})
    await engine.start()
    try:
        voice = Voice(engine)
        return [await voice.say(text) for text in SPOKEN]
    finally:
        await engine.close()
