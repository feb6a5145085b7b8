"""What a soak concludes from what it saw, and one small one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.bench.conftest import bench

from antiphon.bench.soak import GROWTH, Holdings, Soak, Wave

BASE = Holdings(rss_kib=100_000, own_kib=70_000, threads=2, files=19, tasks=2, calls=0)


def wave(**rest: int) -> Wave:
    busy = replace(BASE, files=300, tasks=80, calls=95)
    return Wave(100, 3, {}, 100, 98, busy, replace(BASE, **rest))


def soak(*waves: Wave) -> Soak:
    return Soak(100, BASE, waves)


def test_what_comes_back_is_no_failure() -> None:
    assert soak(wave(own_kib=75_000), wave(own_kib=80_000), wave(own_kib=80_500)).failures() == []


@pytest.mark.parametrize("name", ["threads", "files", "tasks", "calls"])
def test_one_more_than_before_is_one_too_many(name: str) -> None:
    left = wave(**{name: getattr(BASE, name) + 1})
    (failure,) = soak(wave(), left).failures()
    assert failure.endswith(f"{getattr(BASE, name)} before, {getattr(BASE, name) + 1} after")
    assert soak(left, wave()).failures() == [], "only what is left at the end counts"


def test_memory_may_settle_but_not_grow() -> None:
    grown = round(80_000 * (1 + GROWTH)) + 1
    assert soak(wave(own_kib=70_000), wave(own_kib=80_000)).growth == 0.0, "two waves say nothing"
    (failure,) = soak(wave(own_kib=70_000), wave(own_kib=80_000), wave(own_kib=grown)).failures()
    assert failure.startswith("memory grew by 5.0%")


def test_calls_that_break_and_an_agent_never_heard_are_failures() -> None:
    broken = replace(wave(), problems={"the media socket did not open within 5 s": 2}, answered=0)
    assert soak(broken).failures() == [
        "wave 1: the media socket did not open within 5 s (2 times)",
        "wave 1: the agent was never heard",
    ]


@pytest.mark.speech
@pytest.mark.usefixtures("short_run")
def test_a_small_soak(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    result, said = bench("--soak", "6", "--json", str(path))
    document = orjson.loads(path.read_bytes())
    assert result.exit_code == 0, (said, document)
    (wave,) = document["waves"]
    assert wave["taken"] == 6
    assert wave["answered"]
    assert wave["busy"]["calls"]
    assert "Own memory after the last wave" in said
