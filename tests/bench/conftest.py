"""The command, and points made of call records."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antiphon.bench import measure
from antiphon.bench.fleet import Span
from antiphon.bench.machine import Cores
from antiphon.bench.point import Counters, Point, Sensed, make_point
from antiphon.bench.proc import MachineTime, Memory
from antiphon.caller.hearing import Utterance
from antiphon.caller.lateness import Lateness
from antiphon.caller.measure import Spoken
from antiphon.caller.record import CallRecord
from antiphon.cli import app


def bench(*arguments: str) -> tuple[Result, str]:
    """``antiphon bench`` and what it said, on one line."""
    result = CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "200"})
    return result, " ".join(result.output.split())


@pytest.fixture
def short_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little warm-up, a synthetic voice, and all cores: this process is pytest's, and the machine perhaps other people's."""
    command = importlib.import_module("antiphon.cli.bench")  # the package has the function by this name
    monkeypatch.setattr(command, "SPEECH", tmp_path / "nothing-recorded")
    monkeypatch.setattr(command, "divide_cores", lambda: Cores(None, None))
    monkeypatch.setattr(measure, "IDLE_S", 0.1)
    monkeypatch.setattr(measure, "WARM_UP_S", 4.5)
    monkeypatch.setattr(measure, "SETTLE_S", 0.5)


T0 = 1_700_000_000_000
SPAN = Span(T0, T0 + 10_000)


def record(**given: object) -> CallRecord:
    """A call from a second before the span to a second after: one answered turn, and one that interrupts the answer."""
    values: dict[str, object] = {
        "number": 1,
        "call_sid": "CA1",
        "started_wall_ms": T0 - 1000,
        "duration_ms": 12_000.0,
        "spoken": (
            Spoken("wav", "turn 0", 2000.0, 3000.0, True),
            Spoken("wav", "turn 1", 4400.0, 5400.0, True),
        ),
        "utterances": (Utterance(3400.0, 3400.0, 4450.0, cut=True), Utterance(5800.0, 5800.0, 9800.0)),
        "cuts_ms": (4450.0,),
    }
    lateness = Lateness()
    for _ in range(100):
        lateness.add(2.0)
    return CallRecord(**(values | {"playout_lateness": lateness} | given))  # type: ignore[arg-type]


def sensed() -> Sensed:
    return Sensed(
        before=Counters(1.0, 0.5, 2.0, MachineTime(100.0, 1.0)),
        after=Counters(1.3, 0.6, 2.2, MachineTime(101.0, 1.5)),
        idle_cpu_ms_per_s=4.0,
        base=Memory(200_000, 150_000, 70_000),
        steady=Memory(201_000, 150_300, 70_400),
        ended=Memory(201_000, 150_300, 70_100),
        live_calls=2,
        reference_ms=1000.0,
        beat_lateness_p99_ms=3.0,
        loadavg=(0.5, 0.5, 0.5),
    )


def point_of(*records: CallRecord, client_late_ms: float = 1.0, calls: int = 10) -> Point:
    ours = Lateness()
    for _ in range(100):
        ours.add(client_late_ms)
    return make_point(calls, SPAN, records, sensed(), ours, {"CA1": [T0 - 1000 + 4430.0]})
