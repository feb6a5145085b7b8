"""Measures ours, Pipecat and LiveKit with the same vendors' wires attached, in one run: each peer with its own services for Deepgram,
OpenAI and ElevenLabs, all against the same stand-ins.

    python bench/peers/wired.py [--times 3] [--seconds 20] [--wait-quiet 30] [--page docs/benchmarks.md --json docs/benchmarks/wired.json]

Before: bench/peers/pipecat/setup.sh and bench/peers/livekit/setup.sh. First every server is listened to: the stand-ins spell what they say,
and a turn counts as heard where its whole answer came through. Then each is measured with ten callers, one after the other, and again, so
that a slow minute of the machine is everybody's; at last, once each: the peers' stock settings, LiveKit's transport alone (which is
contained in its figures) and ours with a hundred callers.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from antiphon.bench.machine import divide_cores, pin, this_machine
from antiphon.bench.measure import Bench, http_client, measure_point
from antiphon.bench.point import Point, typical_of
from antiphon.bench.report import write_document
from antiphon.bench.server import WIRED_ASSISTANT, BenchFailed, Target
from antiphon.bench.speech import recorded_turns
from antiphon.bench.vendors.delays import DELAYS, FLOOR_MS
from antiphon.bench.vendors.elevenlabs import DOCUMENTED
from antiphon.bench.vendors.letters import MS, read, spelled
from antiphon.bench.vendors.process import stand_ins
from antiphon.bench.vendors.serving import Script, StandIns, environment
from antiphon.bench.workload import PATIENCE, Workload
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import CallPlan
from antiphon.caller.dialogue import Cued
from antiphon.caller.measure import measure_turns
from antiphon.caller.script import Line
from antiphon.caller.switchboard import place_calls
from antiphon.caller.webhook import Identity

PEERS = Path(__file__).parent
PIPECAT = f"{PEERS}/pipecat/.venv-pipecat/bin/python -W ignore {PEERS}/pipecat/bot_wired.py --port {{port}} --mode"
LIVEKIT = f"{PEERS}/livekit/.venv-livekit/bin/python -W ignore {PEERS}/livekit/bot_wired.py --port {{port}} --mode"
OURS = "antiphon"
LEAN, TUNED = "Pipecat 1.14.0, leanest", "LiveKit Agents 1.8.9, tuned"
TRANSPORT = "LiveKit's transport alone, echoing"
COMMANDS = {
    OURS: "",
    LEAN: f"{PIPECAT} lean",
    TUNED: f"{LIVEKIT} tuned",
    "Pipecat 1.14.0, stock": f"{PIPECAT} stock",
    "LiveKit Agents 1.8.9, stock": f"{LIVEKIT} stock",
    TRANSPORT: f"{LIVEKIT} echo",
}
CALLS, MANY = 10, 100
BUDGETS = ((LEAN, 10), (TUNED, 4))
"""How many times our CPU a peer's must be with ``CALLS`` callers each."""
LISTENED_CALLS, STAGGER_MS = 3, 400.0
ANSWERS = (
    "we have bread today. it is warm and fresh.",
    "one loaf costs nine crowns. cash is best here.",
    "our shop closes at six. come before then.",
)
"""A turn each, in every call that is listened to. No letter comes twice in a row: they would sound like one."""


def target(label: str, where: Mapping[str, str]) -> Target:
    """A server that talks to the vendors that ``where`` leads to."""
    return Target(label, COMMANDS[label], "/ws", settings=where, assistant=WIRED_ASSISTANT, floor_ms=FLOOR_MS)


async def listen(label: str, workload: Workload, scratch: Path) -> str:
    """How many turns were answered, and how many of the answers were heard from the first letter to the last, in words."""
    script = Script(("what do you have",), ANSWERS, spelled, MS, (DOCUMENTED,))
    async with (
        StandIns(script, DELAYS) as vendors,
        target(label, environment(vendors.ports)).running(divide_cores().server, scratch) as server,
        http_client() as client,
    ):
        lines = tuple(Cued(Line("wav", f"turn {turn}"), workload.clips[turn]) for turn in range(len(ANSWERS)))
        plan = CallPlan(
            lines=lines,
            webhook_url=server.line.webhook_url,
            media_url=server.line.media_url,
            identity=Identity(auth_token=server.line.auth_token),
            patience=replace(PATIENCE, agent_done_ms=1500),
            noise=workload.noise,
            keep_audio=True,
        )
        records = await place_calls(plan, CallerBeat(), client, calls=LISTENED_CALLS, stagger_ms=STAGGER_MS)
    turns = [turn for each in records for turn in measure_turns(each.spoken, each.utterances, each.cuts_ms)]
    answered = sum(not turn.unanswered for turn in turns)
    heard = [letters(read(each.recording.heard)) for each in records if each.recording is not None]
    whole = sum(letters(answer) in words for words in heard for answer in ANSWERS)
    if whole < LISTENED_CALLS * len(ANSWERS):
        print(f"{label}: heard {heard}")
    return f"{answered} of {LISTENED_CALLS * len(ANSWERS)} answered, {whole} heard whole"


def letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text)


async def measure(bench: Bench, wanted: Sequence[tuple[str, int]], where: Mapping[str, str]) -> list[tuple[str, Point]]:
    """A point each of server and number of callers, in order. Raises BenchFailed where one cannot be measured twice."""
    found = []
    for label, calls in wanted:
        there = replace(bench, target=target(label, where))
        try:
            point = await measure_point(there, calls)
        except BenchFailed as failure:
            # Twelve minutes are not thrown away because a server once did not start in time.
            print(f"{label}, {calls} calls: once more, because {failure}", flush=True)
            point = await measure_point(there, calls)
        found.append((label, point))
        speech = point.speech
        print(
            f"{label}, {calls} calls: {point.cpu_ms_per_call_s:.2f} ms of CPU per call-second, {speech.unanswered} of {speech.turns} turns "
            f"unanswered, others' cores {point.other_cores:.2f}{'' if point.valid else '; does not count: ' + '; '.join(point.doubts)}",
            flush=True,
        )
    return found


def typical(runs: Sequence[tuple[str, Point]], label: str, calls: int) -> Point | None:
    points = [point for each, point in runs if each == label and point.calls == calls]
    return typical_of(points) if points else None


HEADINGS = (
    "server", "calls", "CPU ms / call-s", "of all runs", "in times of ours", "KiB / call", "response over floor p50 / p95",
    "barge-in: onset → silent p50 / p95", "unanswered", "missed", "frames late p99", "others' cores",
)  # fmt: skip


def table(runs: Sequence[tuple[str, Point]], heard: Mapping[str, str]) -> list[str]:
    """Markdown: the figures, the budgets, and what was heard."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|---|{'--:|' * (len(HEADINGS) - 1)}"]
    ours = typical(runs, OURS, CALLS)
    for label, calls in dict.fromkeys((label, point.calls) for label, point in runs):
        point = typical(runs, label, calls)
        if point is None or ours is None:
            continue
        costs = sorted(each.cpu_ms_per_call_s for name, each in runs if (name, each.calls) == (label, calls))
        speech = point.speech
        # What an echo answers is no conversation.
        talk = ("–",) * 5 if label == TRANSPORT else (
            both(speech.over_floor.p50_ms, speech.over_floor.p95_ms),
            both(speech.onset_to_silent.p50_ms, speech.onset_to_silent.p95_ms),
            f"{speech.unanswered} of {speech.turns}",
            f"{speech.missed} of {speech.barge_ins}",
            f"{point.frame_lateness.p99_ms or 0.0:.1f}",
        )  # fmt: skip
        cells = (
            label,
            f"{calls}" if point.valid else f"{calls} (does not count)",
            f"{point.cpu_ms_per_call_s:.2f}",
            " / ".join(f"{cost:.2f}" for cost in costs) if len(costs) > 1 else "one run",
            f"{point.cpu_ms_per_call_s / ours.cpu_ms_per_call_s:.1f}×",
            f"{point.own_kib_per_call:.0f}",
            *talk,
            f"{point.other_cores:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| budget | must be | measured | met |", "|---|--:|--:|--:|"]
    for label, least in BUDGETS:
        theirs = typical(runs, label, CALLS)
        if ours is not None and theirs is not None:
            times = theirs.cpu_ms_per_call_s / ours.cpu_ms_per_call_s
            met = "yes" if times >= least else "**no**"
            lines.append(
                f"| CPU of {label}, in times of ours, {CALLS} calls each | ≥ {least}× | {times:.1f}× | {met} |"
            )
    lines += [
        "",
        beside(runs),
        "",
        "Listened to: " + "; ".join(f"{label} {told}" for label, told in heard.items()) + ".",
    ]
    return lines


def beside(runs: Sequence[tuple[str, Point]]) -> str:
    """Ours costs less apiece the more calls there are: the same ratios against ours with many, in words."""
    many = typical(runs, OURS, MANY)
    theirs = [(label, typical(runs, label, CALLS)) for label, _ in BUDGETS]
    told = [
        f"{label} {point.cpu_ms_per_call_s / many.cpu_ms_per_call_s:.1f}×"
        for label, point in theirs
        if point is not None and many is not None
    ]
    return f"In times of ours with {MANY} calls: {', '.join(told)}."


def both(p50_ms: float | None, p95_ms: float | None) -> str:
    return " / ".join("–" if value is None else f"{value:.0f}" for value in (p50_ms, p95_ms))


def put_into(page: Path, lines: Sequence[str]) -> None:
    """Between ``<!-- wired -->`` and ``<!-- /wired -->``. Raises ValueError where they are missing."""
    head, mark, rest = page.read_text().partition("<!-- wired -->\n")
    _, end, tail = rest.partition("<!-- /wired -->\n")
    if not mark or not end:
        raise ValueError(f"{page} has no place for the table")
    page.write_text(f"{head}{mark}{chr(10).join(lines)}\n{end}{tail}")


async def run(arguments: argparse.Namespace) -> None:
    cores = divide_cores()
    pin(0, cores.callers)
    workload = Workload(recorded_turns(arguments.speech))
    started, machine = datetime.now(UTC).isoformat(timespec="seconds"), this_machine()
    with TemporaryDirectory(prefix="antiphon-wired-") as folder:
        scratch = Path(folder)
        heard = {}
        for label in (OURS, LEAN, TUNED):
            heard[label] = await listen(label, workload, scratch)
            print(f"{label}: {heard[label]}", flush=True)
        bench = Bench(Target(OURS), workload, cores, scratch, arguments.seconds, quiet_within_s=arguments.wait_quiet)
        async with stand_ins({"spellings": [DOCUMENTED]}, cores.callers) as where:
            compared = [(label, CALLS) for _ in range(arguments.times) for label in (OURS, LEAN, TUNED)]
            once = [(label, CALLS) for label in COMMANDS if label not in (OURS, LEAN, TUNED)]
            runs = await measure(bench, [*compared, *once, (OURS, MANY)], where)
    when = f"Taken from {started} on: {machine.cores} cores ({machine.model}), Python {machine.python}."
    lines = [when, "", *table(runs, heard)]
    print("\n".join(lines))
    if arguments.json is not None:
        points: list[dict[str, Any]] = [
            {"label": label, **asdict(point), "valid": point.valid} for label, point in runs
        ]
        document = {
            "started": started,
            "machine": asdict(machine),
            "floor_ms": FLOOR_MS,
            "heard": heard,
            "runs": points,
        }
        write_document(arguments.json, document)
    if arguments.page is not None:
        put_into(arguments.page, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="how often each is measured with ten callers")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--wait-quiet", type=float, default=30.0, help="so many seconds at most, before each point")
    parser.add_argument("--speech", type=Path, default=Path("tests/data/speech"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path, help="the page whose table is replaced")
    arguments = parser.parse_args()
    if not all(Path(COMMANDS[label].split()[0]).exists() for label in (LEAN, TUNED)):
        sys.exit("bench/peers/pipecat/setup.sh and bench/peers/livekit/setup.sh come first")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments))


if __name__ == "__main__":
    main()
