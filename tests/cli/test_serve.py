"""``antiphon serve`` from the command line: which settings win, and mistakes.

How it serves and stops: ``tests/composition/test_process.py``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

import antiphon
from antiphon import server
from antiphon.cli import app
from antiphon.cli.serve import serve as command
from antiphon.config import Settings
from antiphon.observability import configure_logging


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ANTIPHON_PORT", "0")  # the usual one may be somebody's
    monkeypatch.setenv("ANTIPHON_TWILIO__AUTH_TOKEN", "the-account-s-token")
    # Logging is the process's, and this process is pytest's. (The package's attribute ``serve`` is the command.)
    monkeypatch.setitem(command.callback.__globals__, "configure_logging", lambda level, form: None)
    before = os.umask(0o022)
    yield
    os.umask(before)


def serve(*arguments: str) -> tuple[Result, str]:
    result = CliRunner().invoke(app, ["serve", *arguments], env={"COLUMNS": "200"})
    return result, " ".join(result.output.split())


def test_options_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []

    async def keep(settings: Settings) -> None:
        served.append(settings)

    monkeypatch.setattr(server, "serve_forever", keep)
    monkeypatch.setenv("ANTIPHON_HOST", "10.0.0.1")
    monkeypatch.setenv("ANTIPHON_PORT", "1001")
    result, said = serve("--port", "1002", "--assistant", "somebody")
    assert result.exit_code == 0, said
    assert (served[0].host, served[0].port, served[0].assistant) == ("10.0.0.1", 1002, "somebody")


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("ANTIPHON_PORT", "many", "Error: port:"),
        ("ANTIPHON_PROT", "80", "Error: ANTIPHON_PROT: there is no such setting"),
        ("ANTIPHON_TWILIO__AUTH_TOKEN", "", "Error: twilio.auth_token: is needed to verify signatures"),
    ],
)
def test_a_mistake_is_one_line_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv("ANTIPHON_TWILIO__ACCOUNT_SID", "AC0")
    monkeypatch.setenv(variable, value)
    result, said = serve()
    assert result.exit_code == 2
    assert problem in said
    assert "Traceback" not in said


def test_what_a_server_writes_is_for_its_owner_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def write(settings: Settings) -> None:
        (tmp_path / "written").touch()

    monkeypatch.setattr(server, "serve_forever", write)
    serve()
    assert (tmp_path / "written").stat().st_mode & 0o077 == 0


def test_a_taken_port_exits_with_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result, said = serve("--port", str(port))
    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in said


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == f"antiphon {antiphon.__version__}"


@pytest.mark.parametrize("form", ["console", "json"])
def test_logs_go_to_standard_error_from_their_level_up(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        configure_logging("warning", form)  # type: ignore[arg-type]
        log = structlog.get_logger("test")
        log.info("not_shown")
        log.warning("shown", call_id="a")
    finally:
        structlog.configure(**before)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "not_shown" not in captured.err
    assert "shown" in captured.err
    assert ('"call_id": "a"' if form == "json" else "call_id=a") in captured.err


def test_an_address_in_the_log_can_be_copied_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        configure_logging("info", "console")
        structlog.get_logger("test").info("listening", talk_page="http://localhost:8080/talk?token=a-b", problem="a b")
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert said.split("talk_page=")[1].split()[0] == "http://localhost:8080/talk?token=a-b"
    assert "problem='a b'" in said


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://127.0.0.1:1/0", "Error: redis_url: Redis does not answer (ConnectionError)"),
        ("http://127.0.0.1", "Error: redis_url: is not a URL like redis://127.0.0.1:6379/0"),
    ],
)
def test_a_redis_that_is_not_there_is_told_once_before_any_worker_starts(
    monkeypatch: pytest.MonkeyPatch, url: str, problem: str
) -> None:
    monkeypatch.setenv("ANTIPHON_REDIS_URL", url)
    result, _ = serve("--workers", "2")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [problem]


def test_several_workers_without_a_redis_are_refused_by_the_name_of_the_setting() -> None:
    result, said = serve("--workers", "2")
    assert result.exit_code == 2
    assert "redis_url: is needed for workers = 2" in said
