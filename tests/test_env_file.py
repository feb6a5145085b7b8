"""``.env``: what the environment does not say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antiphon.config import read_settings
from antiphon.env_file import environment, is_plain, merged
from antiphon.errors import ConfigurationError


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ANTIPHON_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def test_it_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    write('\ufeff# ours\nexport ANTIPHON_PORT=1001\nANTIPHON_ASSISTANT="a b"\nFOREIGN=$HOME\n')
    monkeypatch.setenv("ANTIPHON_PORT", "1002")
    settings = read_settings()
    assert (settings.port, settings.assistant) == (1002, "a b")
    assert environment()["FOREIGN"] == "$HOME"
    assert "FOREIGN" not in os.environ


def test_it_wins_over_the_settings_file() -> None:
    write("ANTIPHON_PORT=1001\n")
    Path("antiphon.toml").write_text("port = 1000\nmax_calls = 7\n", encoding="utf-8")
    assert (read_settings().port, read_settings().max_calls) == (1001, 7)


def test_a_misspelt_setting_in_it_is_refused() -> None:
    write("ANTIPHON_PROT=1001\n")
    with pytest.raises(ConfigurationError) as error:
        read_settings()
    assert error.value.field == "ANTIPHON_PROT"


def test_one_that_is_no_text_is_told() -> None:
    Path(".env").write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(ConfigurationError) as error:
        read_settings()
    assert error.value.field == ".env"


def test_values_take_the_place_of_their_like_and_nothing_else() -> None:
    before = "# mine\nexport A=1\nB=2\n"
    assert merged(before, {"A": "x", "C": "y"}) == "# mine\nB=2\nA=x\nC=y\n"
    assert merged("", {"A": "x"}) == "A=x\n"
    assert is_plain("sk-proj_1.2:3=")
    assert not any(is_plain(value) for value in ("", "a b", "a'b", "$HOME", "`id`", "a\nb", "#x", "ключ"))
