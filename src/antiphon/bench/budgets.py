"""The budgets of DESIGN §7, and which of them a run keeps. Pure.

Each is for one number of calls, and judged at the point with that many; where a run has none, it is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from antiphon.bench.point import FRAME_LATE_MS, Point
from antiphon.bench.start import Start

CALLS = 200
"""Where the design states its cost and its latencies."""
CAPACITY = 400
READY_S = 1.5
PACKAGES, INSTALLED_MIB = 60, 400.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure against what the design asks of it. ``met`` is None where the run cannot tell."""

    figure: str
    must: str
    measured: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class _Budget:
    figure: str
    limit: float
    unit: str
    read: Callable[[Point], float | None]
    calls: int = CALLS


_POINT_BUDGETS = (
    _Budget("CPU per call-second", 2.2, "ms", lambda point: point.cpu_ms_per_call_s),
    _Budget("own memory per call", 128, "KiB", lambda point: point.own_kib_per_call),
    _Budget("response over floor, p50", 20, "ms", lambda point: point.speech.over_floor.p50_ms),
    _Budget("response over floor, p95", 45, "ms", lambda point: point.speech.over_floor.p95_ms),
    _Budget("barge-in, onset → silent, p50", 110, "ms", lambda point: point.speech.onset_to_silent.p50_ms),
    _Budget("barge-in, onset → silent, p95", 250, "ms", lambda point: point.speech.onset_to_silent.p95_ms),
    _Budget("barge-in, hold → clear, p50", 20, "ms", lambda point: point.speech.hold_to_clear.p50_ms),
    _Budget("barge-in, hold → clear, p95", 40, "ms", lambda point: point.speech.hold_to_clear.p95_ms),
    _Budget("frames late, p99", FRAME_LATE_MS, "ms", lambda point: point.frame_lateness.p99_ms, CAPACITY),
)


WIRED_CALLS = 100
_WIRED_BUDGETS = (
    _Budget("CPU per call-second", 4, "ms", lambda point: point.cpu_ms_per_call_s, WIRED_CALLS),
    _Budget("own memory per call", 250, "KiB", lambda point: point.own_kib_per_call, WIRED_CALLS),
    _Budget("response over floor, p50", 25, "ms", lambda point: point.speech.over_floor.p50_ms, WIRED_CALLS),
    _Budget("response over floor, p95", 60, "ms", lambda point: point.speech.over_floor.p95_ms, WIRED_CALLS),
    _Budget("barge-in, onset → silent, p50", 110, "ms", lambda point: point.speech.onset_to_silent.p50_ms, WIRED_CALLS),
    _Budget("barge-in, onset → silent, p95", 250, "ms", lambda point: point.speech.onset_to_silent.p95_ms, WIRED_CALLS),
)


def judge_wired(points: Sequence[Point]) -> list[Verdict]:
    """With the vendors' wires attached."""
    by_calls = {point.calls: point for point in points if point.valid}
    return [_judge(budget, by_calls.get(budget.calls)) for budget in _WIRED_BUDGETS]


def judge_points(points: Sequence[Point], held: int | None) -> list[Verdict]:
    """``held``: the largest number of calls held, where it was looked for."""
    by_calls = {point.calls: point for point in points if point.valid}
    verdicts = [_judge(budget, by_calls.get(budget.calls)) for budget in _POINT_BUDGETS]
    verdicts.append(_verdict("calls held on one core", f"≥ {CAPACITY}", held, "", lambda value: value >= CAPACITY))
    return verdicts


def judge_start(start: Start) -> list[Verdict]:
    """Start to ready, and what is installed."""
    packages = start.installed.packages if start.installed else None
    mib = start.installed.mib if start.installed else None
    return [
        _verdict("start to ready", f"≤ {READY_S:g} s", start.typical_s, " s", lambda value: value <= READY_S),
        _verdict("packages", f"≤ {PACKAGES}", packages, "", lambda value: value <= PACKAGES),
        _verdict("installed", f"≤ {INSTALLED_MIB:g} MiB", mib, " MiB", lambda value: value <= INSTALLED_MIB),
    ]


def misses(point: Point) -> int:
    """How many of the budgets for latency, frames and turns a point misses, whatever its number of calls: what a call feels of
    overload."""
    felt = [budget for budget in _POINT_BUDGETS if budget.unit == "ms" and budget.figure != "CPU per call-second"]
    late = sum((value := budget.read(point)) is not None and value > budget.limit for budget in felt)
    return late + bool(point.speech.unanswered) + bool(point.speech.missed)


def _judge(budget: _Budget, point: Point | None) -> Verdict:
    value = budget.read(point) if point is not None else None
    return _verdict(
        f"{budget.figure}, {budget.calls} calls",
        f"≤ {budget.limit:g} {budget.unit}",
        value,
        f" {budget.unit}",
        lambda measured: measured <= budget.limit,
    )


def _verdict(figure: str, must: str, value: float | None, unit: str, holds: Callable[[float], bool]) -> Verdict:
    if value is None:
        return Verdict(figure, must, "–", None)
    text = f"{value:.0f}" if abs(value) >= 100 or isinstance(value, int) else f"{value:.1f}"
    return Verdict(figure, must, f"{text}{unit}", holds(value))
