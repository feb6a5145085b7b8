"""Calls whose vendors are killed, stalled, silent, throttled and garbled: nobody hears silence, and nobody hears a word twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.bench.chaos import ANSWERS, run_chaos
from antiphon.bench.vendors.letters import LETTERS, read, spelled


def test_what_is_spelled_is_read() -> None:
    for text in (*ANSWERS, LETTERS):
        assert read(spelled(text, 0)) == text
    assert read(spelled("a", 0) + b"\xff" * 4000 + spelled("b.", 1)) == "ab."


@pytest.mark.timed
async def test_no_turn_is_silent_and_no_word_said_twice(tmp_path: Path) -> None:
    found = await run_chaos(tmp_path, calls=12, turns=2)
    assert not found.lost
    assert found.turns == 24
    assert len({vendor for vendor, _ in found.made}) == 3 and len(found.made) >= 8
    assert found.silent == 0
    assert not found.twice
    assert not found.left
    assert found.well, (found.made, found.failures)
    assert (
        found.failures["openai"] and found.untold.get("openai", 0) <= 12
    )  # asked again at once, or the caller went on
