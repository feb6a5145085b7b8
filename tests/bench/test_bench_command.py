"""``antiphon bench`` as a whole: mistakes on the command line, a server that is none, and one tiny real run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from antiphon.bench import measure, workload
from antiphon.bench.machine import Cores
from antiphon.cli import app


def bench(*arguments: str) -> tuple[Result, str]:
    result = CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "200"})
    return result, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--calls", "many"], "calls: must be numbers separated by commas"),
        (["--calls", "0"], "calls: must each be between 1 and 1000"),
        (["--url", "http://127.0.0.1:1/voice"], "--url and --pid belong together"),
        (["--pid", "1"], "--url and --pid belong together"),
        (["--url", "ftp://127.0.0.1", "--pid", "1"], "url: must begin with"),
        (["--url", "ws://127.0.0.1", "--pid", "1", "--serve", "x"], "serve: give either"),
        (["--speech", "nowhere"], "speech: nowhere has no WAV file"),
        (["--quick", "--reference", "nowhere.json"], "reference: nowhere.json is no report"),
    ],
)
def test_a_mistake_is_one_line_and_exits_with_2(arguments: list[str], problem: str) -> None:
    result, said = bench(*arguments)
    assert result.exit_code == 2, said
    assert problem in said


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("no-such-program", "no-such-program cannot be started"),
        (
            f"{sys.executable} -c 'raise SystemExit(\"no licence\")'",
            "ended with status 1 before it was ready no licence",
        ),
    ],
)
def test_a_server_that_does_not_start_is_told_with_its_last_words(program: str, problem: str) -> None:
    result, said = bench("--calls", "1", "--serve", program)
    assert result.exit_code == 1, said
    assert problem in said


@pytest.mark.speech
def test_a_tiny_real_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = importlib.import_module("antiphon.cli.bench")  # the package has the function by this name
    monkeypatch.setattr(command, "SPEECH", tmp_path / "nothing-recorded")
    # This process is pytest's, and the machine perhaps other people's: it stays on all its cores.
    monkeypatch.setattr(command, "divide_cores", lambda: Cores(None, None))
    # What is waited for is what real figures need; that there are figures is seen sooner.
    monkeypatch.setattr(measure, "WARM_UP_S", 5.0)
    monkeypatch.setattr(measure, "IDLE_S", 0.1)
    monkeypatch.setattr(measure, "SETTLE_S", 0.2)
    monkeypatch.setattr(workload, "_SHORTEST_RAMP_S", 0.5)
    path = tmp_path / "run.json"
    result, said = bench("--calls", "1", "--seconds", "6", "--no-knee", "--json", str(path))
    assert result.exit_code == 0, said
    document = orjson.loads(path.read_bytes())
    assert document["machine"]["cores"] >= 1
    (point,) = document["points"]
    assert point["speech"]["turns"] >= 1
    assert point["speech"]["unanswered"] == 0
    assert point["broken"] == 0
    assert point["call_seconds"] == pytest.approx(6.0, abs=1.0)
    assert point["cpu_ms_per_call_s"] > 0
    assert point["beat_lateness_p99_ms"] is not None
    assert point["steady"]["own_kib"] > 10_000
    assert "turns unanswered" in said
