"""What the hostile soak concludes from what it saw. (The soak itself takes minutes and both cores: ``bench/hostile_soak.py``.)"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / "bench" / "hostile_soak.py"


@pytest.fixture(scope="module")
def hostile_soak() -> Any:
    spec = importlib.util.spec_from_file_location("hostile_soak", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hostile_soak"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def unharmed(hostile_soak: Any) -> Any:
    return hostile_soak.Soaked(
        calls=20, seconds=600.0, call_seconds=11_900.0, turns=2000, unanswered=0, broken={}, refused=0, frames=90_000,
        late_frames_p99_ms=0.5, latest_frame_ms=12.0, gaps=0, gap_ms=0.0, beats=30_000, skipped_beats=10,
        failed_beats=0, own_mib_before=70.0, own_mib_busiest=180.0, own_mib_after=95.0, send_late_p99_ms=2.0,
        engine_kills=100, counted={}, attacks={"stranger: heads": {"acts": 10, "refused": 10}},
    )  # fmt: skip


def test_calls_that_lost_nothing_break_no_budget(unharmed: Any) -> None:
    assert unharmed.broken_budgets() == []
    assert unharmed.doubts() == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({"failed_beats": 1}, "1 beats failed"),
        ({"skipped_beats": 31}, "31 of 30000 beats were skipped"),
        ({"late_frames_p99_ms": 20.0}, "frames were 20.0 ms late (p99) at the caller"),
        ({"unanswered": 1}, "1 of 2000 turns were not answered"),
        ({"turns": 0}, "no turn was taken"),
        ({"broken": {"the media socket did not open": 1}}, "calls broke: {'the media socket did not open': 1}"),
        ({"refused": 1}, "1 calls were refused"),
        ({"own_mib_after": 135.0}, "memory grew from 70 to 135 MiB"),
    ],
)
def test_each_harm_is_told(unharmed: Any, harm: dict[str, Any], words: str) -> None:
    assert replace(unharmed, **harm).broken_budgets() == [words]


def test_a_run_that_says_nothing_says_so(unharmed: Any) -> None:
    idle = replace(unharmed, send_late_p99_ms=16.0, attacks={"visitor: pictures": {"acts": 0, "refused": 3}})
    assert idle.broken_budgets() == []
    assert idle.doubts() == ["visitor: pictures never acted", "our own frames left 16 ms late (p99)"]
