"""``antiphon providers check``: what works is timed, what does not is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antiphon.cli import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTIPHON_ASSISTANTS_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(folder: Path, model: str) -> Result:
    text = f"transcriber: {{ provider: scripted }}\nvoice: {{ provider: scripted }}\nmodel: {model}\n"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["providers", "check", "mine"], env={"COLUMNS": "300"})


def test_engines_that_work(folder: Path) -> None:
    result = check(folder, "{ provider: scripted, options: { replies: [Fine.] } }")
    assert result.exit_code == 0, result.output
    assert result.output.count("works") == 3
    assert " ms" in result.output


def test_a_missing_key_is_told_with_its_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    result = check(folder, "{ provider: groq, model: m }")
    assert result.exit_code == 1
    assert "GROQ_API_KEY" in result.output


def test_a_vendor_that_is_not_there_is_told(folder: Path) -> None:
    result = check(folder, "{ provider: custom-llm, model: m, url: 'http://127.0.0.1:1/v1', fallbackModels: [n] }")
    assert result.exit_code == 1
    assert result.output.count("cannot be reached") == 2
    assert "model.fallbackModels.0" in result.output


def test_an_assistant_that_is_not_there(folder: Path) -> None:
    assert CliRunner().invoke(app, ["providers", "check", "nobody"]).exit_code == 2
