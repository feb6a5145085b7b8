"""Draws docs/benchmarks/*.svg from the reports in docs/benchmarks/*.json, and puts their tables into docs/benchmarks.md.

Needs matplotlib (dependency group ``bench``), and antiphon itself.

    python bench/plots.py [FOLDER PAGE]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from antiphon.bench.point import median_run

REPORTS = (
    ("antiphon", "#0b6e4f", "o"),
    ("pipecat-lean", "#c1440e", "s"),
    ("pipecat-stock", "#e39b74", "s"),
    ("livekit-tuned", "#2b59c3", "^"),
    ("livekit-stock", "#9db4e8", "^"),
)
RATIOS = (("pipecat-lean", 10, 18, (1, 2)), ("livekit-tuned", 10, 7, (2, 3)), ("livekit-tuned", 25, 7, (2, 3)))
"""How many times our CPU a peer's must be: whose report, at how many calls, at least, and which of our runs (``beside-N.json``) were
before and after it. A slow host slows both, if they run one after the other."""
Read = Callable[[dict[str, Any]], float | None]


def report_of(folder: Path, stem: str) -> dict[str, Any] | None:
    """What was measured under this name, if it was."""
    path = folder / f"{stem}.json"
    return json.loads(path.read_text()) if path.exists() else None


def typical_points(report: dict[str, Any]) -> list[dict[str, Any]]:
    """One point for each number of calls. A report by ``antiphon bench`` has no more; LiveKit's lists its runs."""
    runs: dict[int, list[dict[str, Any]]] = {}
    for point in report["points"]:
        runs.setdefault(point["calls"], []).append(point)
    return [
        median_run(runs[calls], lambda run: float(run["cpu_ms_per_call_s"]), lambda run: bool(run["valid"]))
        for calls in sorted(runs)
    ]


def series(report: dict[str, Any], read: Read) -> tuple[list[int], list[float]]:
    pairs = [(point["calls"], read(point)) for point in typical_points(report) if point["valid"]]
    known = sorted((calls, value) for calls, value in pairs if value is not None)
    return [calls for calls, _ in known], [value for _, value in known]


def draw(folder: Path, name: str, title: str, curves: list[tuple[str, str, Read]], *, low: float | None = None) -> None:
    """One picture: calls across, each report a colour, each of ``curves`` (suffix, line style, reader) a line."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="calls at once", title=title, xscale="log")
    if low is None:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=100)
    for stem, colour, marker in REPORTS:
        report = report_of(folder, stem)
        if report is None:
            continue
        for suffix, style, read in curves:
            calls, values = series(report, read)
            label = f"{report['label']}{suffix}"
            axes.plot(calls, values, style, color=colour, marker=marker, markersize=4, linewidth=1.3, label=label)
    ticks = [1, 10, 25, 50, 100, 200, 400]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(visible=True, linewidth=0.4, alpha=0.6)
    axes.legend(fontsize=7)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


HEADINGS = (
    "server", "calls", "live", "CPU ms / call-s", "of all runs", "KiB / call", "response over floor p50 / p95 / p99",
    "barge-in: onset → silent p50 / p95 / p99", "unanswered", "missed", "refused", "frames late p99", "others' cores",
)  # fmt: skip


def points_table(folder: Path) -> list[str]:
    """Markdown, a row a point."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|---|{'--:|' * (len(HEADINGS) - 1)}"]
    for stem, _, _ in REPORTS:
        report = report_of(folder, stem)
        if report is not None:
            lines += [f"| {' | '.join(cells(report, point))} |" for point in typical_points(report)]
    return lines


def cells(report: dict[str, Any], point: dict[str, Any]) -> tuple[str, ...]:
    costs = [run["cpu_ms_per_call_s"] for run in report.get("runs", report["points"]) if run["calls"] == point["calls"]]
    speech, frames = point["speech"], point["frame_lateness"]
    return (
        report["label"],
        f"{point['calls']}" if point["valid"] else f"{point['calls']} (does not count)",
        f"{point.get('live_calls', point['calls']):.0f}",
        f"{point['cpu_ms_per_call_s']:.2f}",
        " / ".join(f"{cost:.2f}" for cost in sorted(costs)) if len(costs) > 1 else "one run",
        f"{point['own_kib_per_call']:.0f}",
        percentiles(speech["over_floor"]),
        percentiles(speech["onset_to_silent"]),
        f"{speech['unanswered']} of {speech['turns']}",
        f"{speech['missed']} of {speech['barge_ins']}",
        f"{point['refused']}" if "refused" in point else "–",
        f"{frames['p99_ms']:.1f}" if frames else "–",
        f"{point['other_cores']:.2f}",
    )


MET = {True: "yes", False: "**no**", None: "not known"}


def budgets_table(folder: Path) -> list[str]:
    """What the design asks for, and what the run measured."""
    report = json.loads((folder / "antiphon.json").read_text())
    rows = (f"| {row['figure']} | {row['must']} | {row['measured']} | {MET[row['met']]} |" for row in report["budgets"])
    return ["| figure | must be | measured | met |", "|---|--:|--:|--:|", *rows, *ratio_rows(folder)]


def ratio_rows(folder: Path) -> list[str]:
    """The peers' CPU in times of ours, where the run has both."""
    rows = []
    for stem, calls, least, neighbours in RATIOS:
        report = report_of(folder, stem)
        theirs = points_of(report, calls)
        ours = [point for number in neighbours for point in points_of(report_of(folder, f"beside-{number}"))]
        if report and theirs and len(ours) == len(neighbours):
            ratio = theirs[0]["cpu_ms_per_call_s"] / mean(point["cpu_ms_per_call_s"] for point in ours)
            figure = f"CPU of {report['label']}, {calls} calls, in times of ours with {ours[0]['calls']} beside it"
            rows.append(f"| {figure} | ≥ {least}× | {ratio:.1f}× | {MET[ratio >= least]} |")
    return rows


def points_of(report: dict[str, Any] | None, calls: int | None = None) -> list[dict[str, Any]]:
    """The points that count, of so many calls or of all; none without a report."""
    points = typical_points(report) if report is not None else []
    return [point for point in points if point["valid"] and calls in (None, point["calls"])]


def soak_table(folder: Path) -> list[str]:
    """What is held before, and after each wave."""
    report = json.loads((folder / "soak.json").read_text())
    lines = ["| after | live tasks, busy | tasks | open files | threads | RSS, MiB | own, MiB |", f"|---|{'--:|' * 6}"]
    rows = [("no call", "", report["base"])]
    rows += [
        (f"wave {number} ({wave['taken']} calls)", f"{wave['busy']['tasks']}", wave["rest"])
        for number, wave in enumerate(report["waves"], start=1)
    ]
    for name, busy, held in rows:
        memory = (f"{held[kind] / 1024:.1f}" for kind in ("rss_kib", "own_kib"))
        figures = (name, busy, held["tasks"], held["files"], held["threads"], *memory)
        lines.append(f"| {' | '.join(str(each) for each in figures)} |")
    return lines


def machine_line(folder: Path) -> list[str]:
    """When and where."""
    report = json.loads((folder / "antiphon.json").read_text())
    machine = report["machine"]
    held = "" if report["knee"] is None else f" Held: **{report['knee']} calls**."
    return [
        f"Taken from {report['started']} on: {machine['cores']} cores ({machine['model']}), {machine['memory_mib'] / 1024:.0f} GB, "
        f"Linux {machine['kernel']}, Python {machine['python']}.{held}"
    ]


def write_page(folder: Path, page: Path) -> None:
    """Put each table between its markers, ``<!-- name -->`` and ``<!-- /name -->``. Raises ValueError where one is missing."""
    text = page.read_text()
    makers = {"machine": machine_line, "points": points_table, "budgets": budgets_table, "soak": soak_table}
    for name, make in makers.items():
        head, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- /{name} -->\n")
        if not mark or not end:
            raise ValueError(f"{page} has no place for {name}")
        text = f"{head}{mark}{chr(10).join(make(folder))}\n{end}{tail}"
    page.write_text(text)


def percentiles(spread: dict[str, Any]) -> str:
    known = [spread["p50_ms"], spread["p95_ms"], spread["p99_ms"]]
    return " / ".join("–" if value is None else f"{value:.0f}" for value in known)


def main(folder: Path, page: Path) -> None:
    write_page(folder, page)
    mpl.rcParams["svg.hashsalt"] = "antiphon"  # the same figures give the same file
    draw(folder, "cpu", "CPU, ms per call-second (one core)", [("", "-", lambda point: point["cpu_ms_per_call_s"])])
    draw(
        folder,
        "latency",
        "Response above the floor of 410 ms, ms (solid p50, dotted p95)",
        [
            ("", "-", lambda point: point["speech"]["over_floor"]["p50_ms"]),
            (", p95", ":", lambda point: point["speech"]["over_floor"]["p95_ms"]),
        ],
        low=-200.0,
    )
    draw(
        folder,
        "barge-in",
        "Barge-in: acoustic onset to silence, ms (solid p50, dotted p95)",
        [
            ("", "-", lambda point: point["speech"]["onset_to_silent"]["p50_ms"]),
            (", p95", ":", lambda point: point["speech"]["onset_to_silent"]["p95_ms"]),
        ],
    )


if __name__ == "__main__":
    docs = Path(__file__).parent.parent / "docs"
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given or [docs / "benchmarks", docs / "benchmarks.md"]))
