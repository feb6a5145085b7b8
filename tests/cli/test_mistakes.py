"""What a stranger gets wrong in the first hour: each mistake is told in one line that names what to change."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from tests.caller.test_summary import answered_call

from antiphon.caller.lateness import Lateness
from antiphon.caller.report import print_report
from antiphon.caller.summary import summarise
from antiphon.caller.timeline import fetch_timeline
from antiphon.cli import app
from antiphon.cli.serve import serve as serve_command
from antiphon.providers.model_catalogue import read_catalogue


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_PORT", "0")  # the usual one may be somebody's
    monkeypatch.setitem(serve_command.callback.__globals__, "configure_logging", lambda level, form: None)
    before = os.umask(0o022)
    yield
    os.umask(before)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "60"})


def told(result: Result) -> str:
    """The one line there is."""
    assert result.exit_code in (1, 2), result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert "[Errno" not in lines[0]
    return lines[0].removeprefix("Error: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["replay", "CALL_ID.jsonl"], "CALL_ID.jsonl: No such file or directory"),
        (["replay", "."], ".: Is a directory"),
        (["replay", "notes.md"], "notes.md: event_log: the header cannot be read"),
        (["call", "http://127.0.0.1:1/", "--wav", "no.wav"], "--wav: no.wav cannot be read (No such file or directory)"),
        (["call", "http://127.0.0.1:1/", "--script", "no.yaml"], "--script: no.yaml cannot be read (No such file or directory)"),
        (["call", "http://127.0.0.1:1/", "--script", "notes.md"], "--script: notes.md is not YAML (line 2: "),
        (["call", "http://127.0.0.1:1/", "--dtmf", "xyz"], "--dtmf: must be 1 to 64 of 0-9"),
        (["call", "http://127.0.0.1:1/", "--say", "x", "--loss", "3"], "--loss: must be between 0 and 1"),
        (["call", "http://127.0.0.1:1/", "--say", "x", "--record", "no/x.wav"], "--record: there is no folder no"),
        (["call", "http://127.0.0.1:1/", "--say", "x", "--stall", "x"], "--stall: must be AT:DURATION"),
        (["call", "http://127.0.0.1:1/"], "--say: nothing to do"),
        (["call", "127.0.0.1:1/", "--say", "x"], "URL: the URL must begin with http://"),
        (["call", "http://127.0.0.1:1/", "--say", "x", "--voice", "nobody"], "--voice: unknown voice 'nobody'; piper has joe"),
        (["keys", "create", "shop", "--public", "--origin", "shop.example.com"], "--origin: shop.example.com is no origin; write it as https://shop.example.com"),
        (["keys", "create", "shop", "--public", "--origin", "https://a.de/b"], "--origin: https://a.de/b is no origin; write it as https://a.de"),
        (["keys", "create", "shop", "--public", "--origin", "?"], "--origin: ? is no origin, such as https://shop.example.com"),
        (["serve", "--assistant", "nobody"], "assistant: there is no assistant nobody; there are front-desk"),
        (["providers", "check", "nobody"], "assistant: there is no assistant nobody; there are front-desk"),
        (["init", "--yes", "--name", "예약", "--stack", "local"], "--name: must be letters (a to z), digits, - and _, 40 at most"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(arguments: list[str], problem: str) -> None:
    Path("notes.md").write_text("VARIABLE := notes\n\tof: mine", encoding="utf-8")
    assert told(run(*arguments)).startswith(problem)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ANTIPHON_DATA_DIR", "/proc/of-mine", "data_dir: /proc/of-mine cannot be made (No such file or directory)"),
        ("ANTIPHON_DATABASE_URL", "postgresql://a:b@127.0.0.1:1/c", "database_url: the database cannot be opened (ConnectionRefusedError)"),
        ("ANTIPHON_REALTIME__VOICES", "{x", "ANTIPHON_REALTIME__VOICES: must be JSON"),
        ("ANTIPHON_REALTIME__CORS_ORIGINS", "https://a.example", "ANTIPHON_REALTIME__CORS_ORIGINS: must be JSON"),
        ("ANTIPHON_MODELS__TABLE_FILE", "no.toml", "models.table_file: no.toml cannot be read (no such file or directory)"),
        ("ANTIPHON_PROT", "1", "ANTIPHON_PROT: there is no such setting; did you mean ANTIPHON_PORT?"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    line = told(run("serve"))
    assert line.startswith(problem)
    assert len(line) < 120, "what is meant is not buried among all that there is"


def test_a_port_that_is_taken_is_told_without_numbers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        problem = f"cannot listen on 127.0.0.1, port {port}: {os.strerror(errno.EADDRINUSE)}"
        assert told(run("serve", "--port", str(port))) == problem


@pytest.mark.parametrize("line", ["nonsense line", "ANTIPHON_OPEN_API"])
def test_a_line_of_the_env_file_that_says_nothing_is_told(caplog: pytest.LogCaptureFixture, line: str) -> None:
    Path(".env").write_text(f"# mine\nTHEIRS\nexport ANTIPHON_MAX_CALLS=3\n{line}\n", encoding="utf-8")
    assert told(run("serve")) == ".env: line 4: must be NAME=value"
    assert not caplog.records, "it is told once"


@pytest.mark.parametrize("name", [".env", "antiphon.toml"])
def test_a_folder_in_the_place_of_a_file_is_told(name: str) -> None:
    Path(name).mkdir()
    assert told(run("serve")) == f"{name}: is a folder, not a file"


# ------------------------------------------------------------------------------------------------ calls that came to nothing


def test_a_call_that_was_not_taken_shows_no_empty_figures() -> None:
    result = run("call", "http://127.0.0.1:1/twilio/voice", "--say", "hello")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["✗ the webhook cannot be reached: All connection attempts failed"], "no table"


def test_what_is_so_of_all_calls_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    note = "the server keeps its timeline for those with a key (--api-key)"
    reports = [replace(answered_call(number), note=note) for number in (1, 2, 3)]
    print_report(Console(width=200), reports, summarise(reports, Lateness()))
    assert capsys.readouterr().out.count("--api-key") == 1


@pytest.mark.parametrize(("key", "note"), [("", "for those with a key (--api-key)"), ("wrong", "refuses the key")])
async def test_a_wrong_key_is_not_taken_for_none(key: str, note: str) -> None:
    refusing = httpx.MockTransport(lambda request: httpx.Response(401))
    async with httpx.AsyncClient(transport=refusing) as client:
        assert note in (await fetch_timeline(client, "http://server", "CA1", key)).note


# ------------------------------------------------------------------------------------------------ engines and setting up


def test_what_an_engine_lacks_is_told_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    monkeypatch.setenv("ANTIPHON_ASSISTANTS_DIR", ".")
    text = "transcriber: {provider: scripted}\nvoice: {provider: scripted}\nmodel: {provider: groq, model: m}\n"
    Path("mine.yaml").write_text(text, encoding="utf-8")
    result = run("providers", "check", "mine")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "GROQ_API_KEY" in line]
    assert line.startswith("✗ model.provider: groq needs a key: set ")


def test_init_asks_again_where_an_answer_makes_no_sense() -> None:
    answers = ["예약", "desk", "local", "not a code", "en", ""]
    result = CliRunner().invoke(app, ["init", "--no-check"], input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "must be letters (a to z)" in result.output and "must be a code like en or ko-KR" in result.output
    assert Path("assistants/desk.yaml").is_file()
    assert "[]" not in result.output
    assert result.output.count("openai, local") == 1, "what there is to choose from is listed once"


def test_init_says_what_is_there_and_how_to_go_on() -> None:
    assert run("init", "--yes", "--name", "desk", "--stack", "local", "--no-check").exit_code == 0
    line = told(run("init", "--yes", "--name", "desk", "--stack", "local", "--no-check"))
    assert line == "--force: antiphon.toml, .env, assistants/desk.yaml are there already: say --force to replace them"


def test_names_of_models_are_whole_where_they_are_listed() -> None:
    result = CliRunner().invoke(app, ["models", "list"], env={"COLUMNS": "80"})
    for name in read_catalogue():
        assert name in result.output


def test_engines_that_keep_the_server_from_starting_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_ASSISTANTS_DIR", ".")
    nowhere = "options: {path: nowhere}"
    text = f"transcriber: {{provider: vosk, {nowhere}}}\nvoice: {{provider: kokoro, {nowhere}}}\nmodel: {{provider: scripted}}\n"
    Path("mine.yaml").write_text(text, encoding="utf-8")
    result = run("serve", "--assistant", "mine")
    line = told(result)
    assert line.startswith("vosk: ") and "; kokoro: " in line
    assert "engine_start_failed" not in result.output
