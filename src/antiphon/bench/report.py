"""The report for people, the JSON for machines, and the comparison with a run that was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.bench import workload
from antiphon.bench.budgets import Verdict, judge_points, judge_start, misses
from antiphon.bench.machine import Machine
from antiphon.bench.measure import Waves
from antiphon.bench.point import Point
from antiphon.bench.soak import Soak
from antiphon.bench.start import Start
from antiphon.caller.summary import Spread
from antiphon.errors import ConfigurationError

VERSION = 1
REGRESSION = 2.5
"""So many times the kept cost is a regression; less is the machine's mood. Six runs of the same code with ten calls, beside other
people's load of 1.75 of 2 cores, cost 1.28 to 1.58 times what a run beside 0.77 cores did."""
COMPARABLE_CALLS = 10
"""With fewer calls the idle process and the hundredths of a second in which CPU is counted are most of the figure."""
_NONE = "–"


def points_table(label: str, points: Sequence[Point]) -> Table:
    """A column a point, so that many fit on eighty characters. A question mark says that the point does not count."""
    table = Table(title=label, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("calls at once")
    for point in points:
        table.add_column(str(point.calls) if point.valid else f"[yellow]{point.calls} ?[/]", justify="right")
    for name, tell in _ROWS:
        table.add_row(name, *(tell(point) for point in points))
    return table


def _spread_rows(name: str, of: Callable[[Point], Spread]) -> list[tuple[str, Callable[[Point], str]]]:
    return [
        (f"{name}, ms p50", lambda point: _ms(of(point).p50_ms)),
        ("  p95", lambda point: _ms(of(point).p95_ms)),
        ("  p99", lambda point: _ms(of(point).p99_ms)),
    ]


_ROWS: list[tuple[str, Callable[[Point], str]]] = [
    ("CPU, ms per call-second", lambda point: f"{point.cpu_ms_per_call_s:.2f}"),
    ("  of its children", lambda point: f"{point.children_cpu_ms_per_call_s:.2f}"),
    ("  cores", lambda point: f"{point.server_cores:.2f}"),
    ("  per reference, 1/1000", lambda point: f"{point.cpu_per_reference:.2f}"),
    ("own memory, KiB per call", lambda point: f"{point.own_kib_per_call:.0f}"),
    ("  without calls, MiB", lambda point: f"{point.base.own_kib / 1024:.1f}"),
    ("  after all calls, MiB", lambda point: f"{point.ended.own_kib / 1024:.1f}"),
    *_spread_rows("response over floor", lambda point: point.speech.over_floor),
    *_spread_rows("barge-in: onset → hold", lambda point: point.speech.onset_to_hold),
    *_spread_rows("hold → clear", lambda point: point.speech.hold_to_clear),
    *_spread_rows("onset → clear", lambda point: point.speech.onset_to_clear),
    *_spread_rows("onset → silent", lambda point: point.speech.onset_to_silent),
    ("frames late, ms p99", lambda point: _ms(point.frame_lateness.p99_ms)),
    ("frames uneven, ms p99", lambda point: _ms(point.frame_spacing.p99_ms)),
    ("server's beat late, ms p99", lambda point: _ms(point.beat_lateness_p99_ms)),
    ("turns unanswered", lambda point: _count(point.speech.unanswered, point.speech.turns)),
    ("barge-ins missed", lambda point: _count(point.speech.missed, point.speech.barge_ins)),
    ("calls live on average", lambda point: f"{point.live_calls:.0f}"),
    ("callers refused", lambda point: str(point.refused)),
    ("calls broken", lambda point: f"[red]{point.broken}[/]" if point.broken else "0"),
    ("latency and turn budgets missed", lambda point: f"{misses(point)}"),
    ("callers' own frames late, ms p99", lambda point: _ms(point.send_lateness.p99_ms)),
    ("callers' cores", lambda point: f"{point.callers_cores:.2f}"),
    ("others' cores", lambda point: f"{point.other_cores:.2f}"),
]


def print_remarks(console: Console, points: Sequence[Point]) -> None:
    """What a row does not say."""
    for point in points:
        for problem, count in point.problems.items():
            console.print(f"[red]✗[/] {point.calls} calls: {escape(problem)} ({count} times)")
        for doubt in point.doubts:
            console.print(f"[yellow]?[/] {point.calls} calls do not count: {escape(doubt)}")


def verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    """What the design asks for, what was measured, and whether that is enough."""
    table = Table(
        title="Budgets (DESIGN §7)", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False
    )
    table.add_column("figure")
    for heading in ("must be", "measured", "met"):
        table.add_column(heading, justify="right")
    for verdict in verdicts:
        met = "not known" if verdict.met is None else "yes" if verdict.met else "[red]no[/]"
        table.add_row(verdict.figure, verdict.must, verdict.measured, met)
    return table


def print_soak(console: Console, soak: Soak) -> None:
    """A line a wave, then what did not come back."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    headings = ("calls", "refused", "busy tasks", "tasks", "files", "threads", "RSS, MiB", "own, MiB")
    for heading in ("wave", *headings):
        table.add_column(heading, justify="right")
    rows = [("before", "", "", "", soak.base)]
    rows += [
        (str(number), str(wave.taken), str(wave.refusals), str(wave.busy.tasks), wave.rest)
        for number, wave in enumerate(soak.waves, start=1)
    ]
    for *text, held in rows:
        figures = (str(held.tasks), str(held.files), str(held.threads))
        table.add_row(*text, *figures, f"{held.rss_kib / 1024:.1f}", f"{held.own_kib / 1024:.1f}")
    console.print(table)
    console.print(f"Own memory after the last wave against the second: {soak.growth:+.1%}")
    for failure in soak.failures():
        console.print(f"[bold red]✗[/] {escape(failure)}")


def as_document(
    label: str,
    started: str,
    machine: Machine,
    points: Sequence[Point],
    runs: Sequence[Point],
    knee: int | None,
    waves: Waves | None,
    start: Start | None = None,
    floor_ms: int = workload.FLOOR_MS,
) -> dict[str, Any]:
    """What was measured as plain JSON values: every run, and the points chosen of them. ``knee``: the largest number of calls held, where
    it was looked for."""
    verdicts = judge_points(points, knee) + (judge_start(start) if start is not None else [])
    return {
        "version": VERSION,
        "label": label,
        "started": started,
        "machine": asdict(machine),
        "workload": {
            "floor_ms": floor_ms,
            "turns": workload.TURNS,
            "barge_in_turns": list(workload.BARGE_IN_TURNS),
            "barge_in_ms": workload.BARGE_IN_MS,
            "noise_dbfs": workload.NOISE_DBFS,
        },
        "points": [_plain(point) for point in points],
        "runs": [_plain(run) for run in runs],
        "knee": knee,
        "budgets": [asdict(verdict) for verdict in verdicts],
        "start": asdict(start) if start is not None else None,
        "waves": asdict(waves) if waves is not None else None,
    }


def _plain(point: Point) -> dict[str, Any]:
    return asdict(point) | {"valid": point.valid, "holds": point.holds}


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Raises OSError."""
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_kept(path: Path) -> dict[int, float]:
    """``cpu_per_reference`` by calls of a run that was kept. Raises ConfigurationError."""
    try:
        document = orjson.loads(path.read_bytes())
        return {int(point["calls"]): float(point["cpu_per_reference"]) for point in document["points"]}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError("reference", f"{path} is no report of this benchmark ({error})") from error


def regressions(points: Sequence[Point], kept: Mapping[int, float]) -> list[str]:
    """What has become much worse than it was, in words. Points that do not count are passed over."""
    found = []
    for point in points:
        was = kept.get(point.calls)
        if was is None or not point.valid or point.calls < COMPARABLE_CALLS:
            continue
        times = point.cpu_per_reference / was
        if times > REGRESSION:
            found.append(f"{point.calls} calls cost {times:.1f} times what they did, measured by the reference work")
    return found


def comparable(points: Sequence[Point], kept: Mapping[int, float]) -> int:
    """How many points can be compared at all."""
    return sum(point.valid and point.calls >= COMPARABLE_CALLS and point.calls in kept for point in points)


def _ms(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"


def _count(number: int, of: int) -> str:
    text = f"{number}/{of}"
    return f"[red]{text}[/]" if number else text
