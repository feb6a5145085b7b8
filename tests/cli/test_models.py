"""``antiphon models``: what can be fetched, what is here, and what is said when it cannot be fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.providers.model_server import ModelServer

from antiphon.cli import app

CONTENT = b"weights" * 10_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.files = {"/model.bin": CONTENT, "/config.json": b"{}"}
        table = tmp_path / "models.toml"
        checksum = hashlib.sha256(CONTENT).hexdigest()
        table.write_text(
            f'[models."piper-mine"]\nengine = "piper"\nkind = "tts"\nlanguages = "English"\nlicence = "CC0-1.0"\nas_of = "2026-11-28"\n'
            f'base = "{server.url}"\nfiles = [{{ name = "model.bin", size = {len(CONTENT)}, sha256 = "{checksum}" }}, '
            '{ name = "config.json" }]\n'
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ANTIPHON_MODELS__TABLE_FILE", str(table))
        monkeypatch.setenv("ANTIPHON_MODELS__FOLDER", str(tmp_path / "kept"))
        yield server


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], env={"COLUMNS": "250"})


def test_the_list(server: ModelServer, tmp_path: Path) -> None:
    before = run("list")
    assert before.exit_code == 0, before.output
    assert "kokoro-v1.0-int8" in before.output and "121 MB" in before.output and str(tmp_path / "kept") in before.output
    assert "yes" not in before.output
    assert run("pull", "piper-mine").exit_code == 0
    assert "yes" in run("list").output


def test_a_pull_says_what_it_does(server: ModelServer, tmp_path: Path) -> None:
    result = run("pull", "piper-mine")
    assert result.exit_code == 0, result.output
    assert "CC0-1.0" in result.output
    assert "config.json: no checksum is published" in result.output
    assert hashlib.sha256(b"{}").hexdigest() in result.output
    assert (tmp_path / "kept" / "piper-mine" / "model.bin").read_bytes() == CONTENT
    assert "already, and whole" in run("pull", "piper-mine").output


def test_a_pull_that_fails(server: ModelServer) -> None:
    server.troubles.append("wrong")
    result = run("pull", "piper-mine")
    assert result.exit_code == 1
    assert "another checksum" in result.output


def test_a_model_that_there_is_not(server: ModelServer) -> None:
    result = run("pull", "nonesuch")
    assert result.exit_code == 2
    assert "piper-mine" in result.output
