"""``antiphon bench`` as a whole: mistakes on the command line, a server that is none, and one tiny real run."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest
from tests.bench.conftest import bench

from antiphon.bench.report import COMPARABLE_CALLS, REGRESSION, read_kept

REFERENCE = Path(__file__).parents[2] / "bench" / "reference.json"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--calls", "many"], "calls: must be numbers separated by commas"),
        (["--calls", "0"], "calls: must each be between 1 and 1000"),
        (["--url", "http://127.0.0.1:1/voice"], "--url and --pid belong together"),
        (["--pid", "1"], "--url and --pid belong together"),
        (["--url", "ftp://127.0.0.1", "--pid", "1"], "url: must begin with"),
        (["--url", "ws://127.0.0.1", "--pid", "1", "--serve", "x"], "serve: give either"),
        (["--vendors", "--quick"], "vendors: cannot be combined"),
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
def test_a_server_by_command_is_told_where_the_stand_ins_are() -> None:
    program = "import os; raise SystemExit(os.environ['ANTIPHON_VENDORS__DEEPGRAM__BASE_URL'])"
    result, said = bench("--vendors", "--calls", "1", "--serve", f'{sys.executable} -c "{program}"')
    assert result.exit_code == 1, said
    assert "before it was ready wss://localhost:" in said


@pytest.mark.speech
@pytest.mark.timed
@pytest.mark.usefixtures("short_run")
def test_a_real_run_costs_what_it_did(tmp_path: Path) -> None:
    """Ten calls for six seconds. A gross regression of CPU, measured by the fixed work of the same run, fails."""
    path = tmp_path / "run.json"
    result, said = bench("--calls", str(COMPARABLE_CALLS), "--seconds", "6", "--no-knee", "--json", str(path))
    assert result.exit_code == 0, said
    document = orjson.loads(path.read_bytes())
    assert document["machine"]["cores"] >= 1
    (point,) = document["points"]
    assert point["speech"]["turns"] >= 5
    assert point["speech"]["unanswered"] == 0
    assert point["broken"] == 0
    assert 30 < point["call_seconds"] < 66
    assert point["cpu_ms_per_call_s"] > 0
    assert point["beat_lateness_p99_ms"] is not None
    assert point["steady"]["own_kib"] > 10_000
    assert "turns unanswered" in said
    kept = read_kept(REFERENCE)[COMPARABLE_CALLS]
    assert point["cpu_per_reference"] < kept * REGRESSION


@pytest.mark.speech
@pytest.mark.usefixtures("short_run")
def test_a_run_through_the_vendors_stand_ins(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    result, said = bench("--vendors", "--calls", "2", "--seconds", "6", "--no-knee", "--json", str(path))
    assert result.exit_code == 0, said
    (point,) = orjson.loads(path.read_bytes())["points"]
    assert point["speech"]["turns"] >= 1
    assert point["speech"]["unanswered"] == 0
    assert point["broken"] == 0
