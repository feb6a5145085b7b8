"""What was heard of the agent where the talk page plays it: told as the server tells it where it plays itself."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.programs import node

PAGE = Path(str(files("antiphon.surfaces.talk").joinpath("page")))


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    script = str(Path(__file__).with_name("playout.mjs"))
    found: dict[str, Any] = json.loads(subprocess.check_output([node(), script, str(PAGE)], timeout=60))
    return found


def test_an_answer_sounds_when_it_is_played_and_stops_when_all_of_it_was(cases: dict[str, Any]) -> None:
    whole = cases["whole"]
    assert whole["before"] == [], "it has come, and is not heard yet"
    assert whole["running"] == [["started", "r1"]], "more of it may come"
    assert whole["told"] == [["started", "r1"], ["stopped", "r1"], ["started", "r2"], ["stopped", "r2"]]


def test_what_is_cut_is_told_with_how_much_was_heard_and_the_rest_is_never_played(cases: dict[str, Any]) -> None:
    assert cases["cut"] == [
        ["started", "r1"], ["truncate", "a1", 150], ["truncate", "a2", 0], ["cleared", "r1"],
        ["started", "r2"], ["truncate", "a3", 50], ["cleared", "r2"],
    ]  # fmt: skip


def test_what_was_heard_to_its_end_is_not_cut(cases: dict[str, Any]) -> None:
    assert cases["late"] == [["started", "r1"], ["stopped", "r1"]]


def test_what_was_not_heard_at_all_is_cut_to_nothing(cases: dict[str, Any]) -> None:
    assert cases["unheard"] == [["truncate", "a1", 0]]
