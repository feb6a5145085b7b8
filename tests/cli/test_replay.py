"""``antiphon replay`` from the command line, on the log of a whole call."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.calls.rig import Call

from antiphon.cli import app


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    call = Call(
        greeting="Good day, this is the [b]marmalade[/b] shop.",
        hears=["wait what is the price"],
        answers=["Ten."],
        folder=folder,
    )

    async def talk(call: Call) -> None:
        await call.wait(1000)
        await call.sound(900)
        await call.until_replies(2)
        call.phone.hang_up()
        await call.wait(50)

    call.run(talk)
    return folder / "call-1.jsonl"


def replay(*arguments: object) -> tuple[Result, str]:
    """The result, and what was said on one line."""
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)], env={"COLUMNS": "200"})
    return result, " ".join(result.output.split())


def test_a_call_replays_identically(log: Path) -> None:
    result, said = replay(log)
    assert result.exit_code == 0, said
    assert "The call ended: customer-ended-call" in said
    assert "identical" in said


def test_an_altered_log_shows_the_first_difference_and_exits_with_1(log: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.jsonl"
    altered.write_bytes(log.read_bytes().replace(b'["TurnClosed",{"turn":1,', b'["TurnClosed",{"turn":7,'))
    result, said = replay(altered)
    assert result.exit_code == 1
    assert "different at input" in said
    assert "ms into the call" in said
    assert '"turn":7' in said
    assert '"turn":1' in said


def test_what_if_shows_the_turns_that_would_have_changed(log: Path) -> None:
    result, said = replay(log, "--set", "endpointing.silence_ms=900")
    assert result.exit_code == 0, said
    assert "1 of 1 turns would have gone differently" in said
    assert "“wait what is the price”" in said


def test_what_if_nothing_changes_says_so(log: Path) -> None:
    result, said = replay(log, "--set", "policy.silence.idle_after_ms=20000")
    assert result.exit_code == 0, said
    assert "0 of 1 turns would have gone differently" in said


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("endpointing.silence_ms", "write path=value"),
        ("endpointing.silence=1", "there is no such policy; did you mean endpointing.silence_ms?"),
        ("nothing.like.it=1", "there is no such policy; there are"),
        ("policy.endpointing.wait_ms=-5", "policy.endpointing.wait_ms: must be from 0 to 30000, and is -5"),
        ("silence.idle_after_ms=1e9", "must be from 0 to 3600000"),
        ("endpointing.silence_ms=NaN", "Error: endpointing.silence_ms:"),
        ("endpointing.silence_ms=1e400", "Error: endpointing.silence_ms:"),
        ("keypad.max_digits=0", "must be from 1 to 1000"),
        ("endpointing.silence_ms=soon", "Error: endpointing.silence_ms:"),
    ],
)
def test_a_setting_that_makes_no_sense_exits_with_2(log: Path, setting: str, problem: str) -> None:
    result, said = replay(log, "--set", setting)
    assert result.exit_code == 2
    assert problem in said


def test_a_log_of_a_dead_process_is_told(log: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead.jsonl"
    dead.write_bytes(b"\n".join(log.read_bytes().split(b"\n")[:10]) + b'\n[10500,["Dtm')
    result, said = replay(dead)
    assert result.exit_code == 0
    assert "its process died. Its last line is torn." in said


@pytest.mark.parametrize(("content", "problem"), [(b"", "empty"), (b"hello\n", "header")])
def test_what_is_no_log_exits_with_2(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "no.jsonl"
    path.write_bytes(content)
    result, said = replay(path)
    assert result.exit_code == 2
    assert problem in said


def test_a_log_that_is_not_there_exits_with_2(tmp_path: Path) -> None:
    result, said = replay(tmp_path / "nowhere.jsonl")
    assert result.exit_code == 2
    assert "No such file" in said
