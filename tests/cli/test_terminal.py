"""What a command says is shown on every terminal: whatever its encoding, however narrow."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table

from antiphon.caller.lateness import Lateness
from antiphon.caller.report import print_report
from antiphon.caller.summary import summarise
from antiphon.caller.tables import show_table


def antiphon(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "antiphon", *arguments], env={**inherited, **environment}, capture_output=True, check=False,
        encoding="latin-1",
    )  # fmt: skip


@pytest.fixture(scope="module")
def three_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a server whose keys have names in three scripts."""
    data = {"ANTIPHON_DATA_DIR": str(tmp_path_factory.mktemp("keys"))}
    for name in ("José", "김", "a – b"):
        made = antiphon("keys", "create", name, **data, PYTHONUTF8="1")
        assert made.returncode == 0, made.stderr
    return data


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX"},
    ],
    ids=str,
)
def test_names_in_any_script_are_listed_in_any_encoding(
    three_keys: dict[str, str], environment: dict[str, str]
) -> None:
    listed = antiphon("keys", "list", **three_keys, **environment)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.count("key_") == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "koi8-r"])
def test_a_report_is_shown_in_any_encoding(encoding: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from antiphon.cli.terminal import use_any_encoding; use_any_encoding(); print('a… – “b” → ✗ é 김')"],
        env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=True,
    )  # fmt: skip
    assert said.stdout.decode(encoding).startswith("a")
    if encoding == "ascii":
        assert said.stdout == b'a... - "b" -> x e \\uae40\n'


def shown(width: int, table: Table) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    show_table(console, table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_narrow_terminal_gets_rows_as_lines() -> None:
    table = Table("id", "name", "turn\nclosed", "", title="Keys", caption="two")
    table.add_row("key_0123456789ab", "laptop", "12", "a")
    table.add_row("key_ba9876543210", "", "13", "b")
    assert shown(30, table) == [
        "Keys", "key_0123456789ab", "  name: laptop", "  turn closed: 12", "  a", "key_ba9876543210", "  turn closed: 13", "  b", "two",
    ]  # fmt: skip
    assert any("key_0123456789ab" in line and "laptop" in line for line in shown(80, table))


def test_the_report_of_a_call_can_be_read_at_thirty_columns() -> None:
    console = Console(file=io.StringIO(), width=30)
    print_report(console, [], summarise([], Lateness()))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for heading in ("p50", "p95", "p99", "max"):
        assert f"  {heading}: " in text
    assert max(map(len, text.splitlines())) <= 30
