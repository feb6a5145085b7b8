"""What all commands have in common: how they are found, and how they end."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from antiphon import cli
from antiphon.cli import app


def test_without_a_command_the_help_is_shown_and_the_status_is_2() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    listed = [line.split()[0] for line in result.output.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == ["init", "serve", "demo", "call", "replay", "bench", "keys", "webhooks", "providers", "models"]


@pytest.mark.parametrize("group", [[], ["bench"], ["keys"], ["webhooks"], ["providers"], ["models"]])
def test_what_commands_do_is_listed_in_whole_sentences(group: list[str]) -> None:
    listed = CliRunner().invoke(app, [*group, "--help"]).output.partition("Commands:")[2]
    assert listed and "..." not in listed


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS), ["keys", "create"], ["keys", "revoke"]])
def test_every_command_has_its_help(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["sevre"], "No such command 'sevre'"),
        (["serve", "--prot", "1"], "No such option"),
        (["serve", "--port", "many"], "Invalid value for '--port': 'many' is not a valid integer"),
        (["bench", "--seconds", "0.5"], "Invalid value for '--seconds': 0.5 is not in the range 1<=x<=3600"),
        (["bench", "--seconds", "nan"], "Invalid value for '--seconds': nan is not in the range 1<=x<=3600"),
        (["bench", "--most", "1001"], "Invalid value for '--most': 1001 is not in the range 1<=x<=1000"),
        (["keys", "revoke"], "Missing argument 'KEY_ID'"),
        (["replay"], "Missing argument 'LOG'"),
        (["demo", "--output"], "Option '--output' requires an argument"),
    ],
)
def test_a_mistake_on_the_command_line_is_named_and_exits_with_2(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_command_waits_for_nothing_that_only_others_need() -> None:
    script = (
        "import sys; from antiphon.cli import app; app(['keys', '--help'], standalone_mode=False); print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    loaded = set(said.splitlines()[-1].split())
    assert "antiphon.cli.keys" in loaded
    assert not loaded & {"antiphon.cli.bench", "antiphon.cli.serve", "numpy", "sqlalchemy"}


def test_an_interrupt_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(app.commands, "call", click.Command("call", callback=interrupted))
    result = CliRunner().invoke(app, ["call"])
    assert (result.exit_code, result.output) == (cli.EXIT_INTERRUPTED, "")
