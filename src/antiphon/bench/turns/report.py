"""The figures of a run: by group, with n and 95 % intervals; as JSON, as a table, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import mean, median
from typing import Any

from antiphon.bench.turns.outcome import Outcome, wilson

PUBLISHED: Mapping[str, tuple[tuple[float, float], ...]] = {
    "LiveKit Turn Detector v1": ((300, 9.9), (543, 5.0), (600, 4.5)),
    "Deepgram Flux": ((300, 12.9), (548, 10.0), (600, 9.9), (1151, 5.0)),
    "Smart Turn v3.2": ((300, 35.2), (600, 14.8), (739, 10.0), (1051, 5.0)),
    "silence alone": ((300, 55.6), (600, 21.7), (1000, 10.0), (1600, 5.0)),
}
"""Pauses cut (%) against delay (ms), as LiveKit's eot-bench publishes them for English."""
_WIDTH, _HEIGHT, _MARGIN = 640, 400, 50
_MOST_MS, _MOST_PERCENT = 1800.0, 60.0
_COLOURS = ("#2b59c3", "#c1440e", "#7b5ea7", "#888888", "#0b6e4f", "#b8860b", "#d6336c")


def figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """By group, and ``all``."""
    groups: dict[str, list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault(each.group, []).append(each)
    if len(groups) > 1:
        groups["all"] = list(outcomes)
    return {name: _figures(of) for name, of in sorted(groups.items())}


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    whole = [each for each in outcomes if not each.problem]
    delays = sorted(each.delay_ms for each in whole if each.delay_ms is not None)
    stops = sorted(each.stopped_ms for each in whole if each.stopped_ms is not None)
    holes = sorted(each.hole_ms for each in whole if each.hole_ms is not None)
    cuts = sum(each.cut_ms is not None for each in whole)
    return {
        "calls": len(outcomes),
        "broken": len(outcomes) - len(whole),
        "turns_cut": _share(cuts, len(whole)),
        "pauses_cut": _share(cuts, max(sum(each.pauses for each in whole), cuts)),
        "missed": _share(sum(each.missed for each in whole), len(whole)),
        "delay_ms": _spread(delays),
        "ended": _share(sum(each.ended for each in whole), len(whole)),
        "stopped_ms": _spread(stops),
        "holes": _share(len(holes), len(whole)),
        "hole_ms": _spread(holes),
    }


def _share(hits: int, of: int) -> dict[str, Any]:
    low, high = wilson(hits, of)
    return {
        "n": of, "hits": hits, "percent": round(100 * hits / of, 1) if of else None,
        "low": round(100 * low, 1), "high": round(100 * high, 1),
    }  # fmt: skip


def _spread(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"n": 0, "mean": None, "p50": None, "p95": None}
    p95 = values[min(len(values) - 1, int(0.95 * len(values)))]
    return {"n": len(values), "mean": round(mean(values)), "p50": round(median(values)), "p95": round(p95)}


def table(found: Mapping[str, Mapping[str, Any]], *, over: bool) -> str:
    """Markdown."""
    columns = (
        ("ended", "stopped_ms", "holes", "hole_ms") if over else ("turns_cut", "pauses_cut", "missed", "delay_ms")
    )  # fmt: skip
    titles = {
        "ended": "ended the reply %", "stopped_ms": "onset → silent mean / p50 / p95 ms",
        "holes": "made a hole in it %", "hole_ms": "hole mean / p50 / p95 ms",
        "turns_cut": "turns cut %", "pauses_cut": "pauses cut %", "missed": "not answered %", "delay_ms": "delay mean / p50 / p95 ms",
    }  # fmt: skip
    rows = [f"| | {' | '.join(titles[column] for column in columns)} |", f"|---{'|---' * len(columns)}|"]
    rows += [f"| {name} | {' | '.join(_cell(of[column]) for column in columns)} |" for name, of in found.items()]
    return "\n".join(rows)


def _cell(value: Mapping[str, Any]) -> str:
    if not value["n"]:
        return "–"
    if "percent" in value:
        return f"{value['percent']} ({value['low']}–{value['high']}), n = {value['n']}"
    return f"{value['mean']} / {value['p50']} / {value['p95']}"


def point_of(label: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[tuple[float, float], ...]]:
    """What a run adds to the picture: its spontaneous turns where it has any, else all of them."""
    of = found.get("spontaneous") or found.get("all") or next(iter(found.values()))
    delay, cut = of["delay_ms"]["mean"], of["pauses_cut"]["percent"]
    return {label: ((float(delay), float(cut)),)} if delay is not None and cut is not None else {}


def plot(measured: Mapping[str, tuple[tuple[float, float], ...]]) -> str:
    """An SVG of pauses cut (%) against mean delay (ms): what was measured, beside what is published."""
    curves = {**PUBLISHED, **measured}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">delay, ms</text>',
        f'<text x="12" y="{_HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 12 {_HEIGHT / 2})">pauses cut, %</text>',
    ]
    for delay in range(0, int(_MOST_MS) + 1, 300):
        x = _x(delay)
        parts.append(f'<path d="M{x:.1f} {_y(0):.1f}V{_y(_MOST_PERCENT):.1f}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{_y(0) + 14:.1f}" text-anchor="middle">{delay}</text>')
    for percent in range(0, int(_MOST_PERCENT) + 1, 10):
        y = _y(percent)
        parts.append(f'<path d="M{_x(0):.1f} {y:.1f}H{_x(_MOST_MS):.1f}" stroke="#eee"/>')
        parts.append(f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    for at, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        line = " ".join(f"{_x(delay):.1f},{_y(percent):.1f}" for delay, percent in sorted(points))
        dashes = "" if name in measured else ' stroke-dasharray="4 3"'
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [f'<circle cx="{_x(d):.1f}" cy="{_y(p):.1f}" r="3.5" fill="{colour}"/>' for d, p in points]
        parts.append(f'<text x="{_WIDTH - 190}" y="{_MARGIN + 16 * at}" fill="{colour}">{escape(name)}</text>')
    return "\n".join((*parts, "</svg>\n"))


def _x(delay_ms: float) -> float:
    return _MARGIN + min(delay_ms, _MOST_MS) / _MOST_MS * (_WIDTH - 2 * _MARGIN)


def _y(percent: float) -> float:
    return _HEIGHT - _MARGIN - min(percent, _MOST_PERCENT) / _MOST_PERCENT * (_HEIGHT - 2 * _MARGIN)
