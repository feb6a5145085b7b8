"""``antiphon keys`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antiphon.cli import app
from antiphon.surfaces.keys import ApiKeys


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments], env={"COLUMNS": "200"})


def test_a_key_is_made_listed_and_revoked(data_dir: Path) -> None:
    made = keys("create", "my laptop")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert ApiKeys(data_dir / "keys.json").valid(secret), "standard output holds the key and nothing else"
    assert "shown this once" in made.stderr
    listed = keys("list")
    assert "my laptop" in listed.output
    assert secret not in listed.output
    [record] = ApiKeys(data_dir / "keys.json").records()
    assert keys("revoke", record.id).exit_code == 0
    assert not ApiKeys(data_dir / "keys.json").valid(secret)


def test_without_keys_the_list_is_empty(data_dir: Path) -> None:
    result = keys("list")
    assert result.exit_code == 0
    assert "key_" not in result.output


def test_revoking_what_is_not_there_exits_with_1(data_dir: Path) -> None:
    result = keys("revoke", "key_[unknown]")
    assert result.exit_code == 1
    assert "there is no key key_[unknown]" in result.stderr


@pytest.mark.parametrize("command", [["create"], ["list"], ["revoke", "key_1"]])
def test_a_key_file_that_cannot_be_read_is_named(data_dir: Path, command: list[str]) -> None:
    data_dir.mkdir()
    (data_dir / "keys.json").write_text("not json")
    result = keys(*command)
    assert result.exit_code == 2
    assert "keys.json: cannot be read" in result.stderr


def test_a_data_folder_that_cannot_be_made_is_named(data_dir: Path) -> None:
    data_dir.write_text("a file")
    result = keys("create")
    assert result.exit_code == 2
    assert "Not a directory" in result.stderr or "File exists" in result.stderr


def test_wrong_settings_are_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PORT", "many")
    result = keys("list")
    assert result.exit_code == 2
    assert "port:" in result.stderr


def test_a_public_key_and_one_that_signs_are_listed_as_such(data_dir: Path) -> None:
    page = keys("create", "page", "--public", "--origin", "https://shop.test", "--assistant", "a", "--org", "other-org")
    assert page.stdout.startswith("pk_antiphon_")
    assert keys("create", "signer", "--signs-tokens").stdout.startswith("sk_antiphon_")
    kept = ApiKeys(data_dir / "keys.json")
    public, signer = kept.records()
    assert (public.kind, public.origins, public.assistants, public.org_id) == (
        "public",
        ("https://shop.test",),
        ("a",),
        "other-org",
    )
    assert [record.id for record, _ in kept.signing(signer.org_id)] == [signer.id]
    listed = keys("list").stdout
    assert "private, signs tokens" in listed
    assert "other-org" in listed
    assert keys("create", "x", "--origin", "https://shop.test").exit_code == 2
    assert keys("create", "x", "--public", "--signs-tokens").exit_code == 2
    assert keys("create", "x", "--org", "no name").exit_code == 2
