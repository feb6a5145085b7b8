"""API keys: kept as hashes, shown once, good and worthless at once."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import orjson
import pytest

from antiphon.errors import ConfigurationError
from antiphon.surfaces.keys import ApiKeys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def test_a_key_is_valid_and_nothing_like_it_is(path: Path) -> None:
    keys = ApiKeys(path)
    _, secret = keys.create("laptop", 1_700_000_000_000)
    assert keys.valid(secret)
    for other in ("", secret[:-1], secret + "x", secret.upper(), "sk_antiphon_", "ünïcode"):
        assert not keys.valid(other)


def test_the_file_holds_no_key_and_is_its_owners_alone(path: Path) -> None:
    record, secret = ApiKeys(path).create("laptop", 1_700_000_000_000)
    assert secret.removeprefix("sk_antiphon_") not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [kept] = orjson.loads(path.read_bytes())
    assert (kept["id"], kept["name"], kept["created_wall_ms"]) == (record.id, "laptop", 1_700_000_000_000)


def test_one_process_sees_at_once_what_another_has_made_or_revoked(path: Path) -> None:
    server, command = ApiKeys(path), ApiKeys(path)
    assert server.records() == []
    first, first_secret = command.create("first", 1)
    assert server.valid(first_secret)
    _, second_secret = command.create("second", 2)
    assert server.valid(second_secret)
    assert command.revoke(first.id)
    assert not server.valid(first_secret)
    assert server.valid(second_secret)
    assert [record.name for record in server.records()] == ["second"]


def test_revoking_what_is_not_there_says_so(path: Path) -> None:
    keys = ApiKeys(path)
    keys.create("laptop", 1)
    before = path.read_bytes()
    assert not keys.revoke("key_unknown")
    assert path.read_bytes() == before


def test_keys_differ_and_so_do_their_ids(path: Path) -> None:
    keys = ApiKeys(path)
    made = [keys.create("same name", 1) for _ in range(5)]
    assert len({secret for _, secret in made}) == len({record.id for record, _ in made}) == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"7",
        b'[{"id": "x"}]',
        b'["x"]',
        b'{"id": "x"}',
        b"{}",
        b'[{"id":"x","name":"y","sha256":7,"created_wall_ms":1}]',
    ],
)
def test_a_file_that_cannot_be_understood_is_named(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"keys\.json"):
        ApiKeys(path).valid("anything")


def test_a_file_that_cannot_be_understood_is_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"{")
    with pytest.raises(ConfigurationError, match=r"keys\.json"):
        ApiKeys(path).create("laptop", 1)
    assert path.read_bytes() == b"{"


@pytest.mark.parametrize("name", ["", "two\nlines", "half a character \udce9", "\x1b[31m", "x" * 101])
def test_a_name_is_one_line_of_text(path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="name: must be one line of text"):
        ApiKeys(path).create(name, 1)


def _create(path: Path, first: int, count: int) -> None:
    for number in range(first, first + count):
        ApiKeys(path).create(f"key {number}", 0)


def _revoke(path: Path, ids: list[str]) -> None:
    for key_id in ids:
        ApiKeys(path).revoke(key_id)


def test_keys_made_and_revoked_by_several_commands_at_once_are_all_made_and_revoked(path: Path) -> None:
    stolen = [ApiKeys(path).create(f"stolen {number}", 0) for number in range(20)]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_create, args=(path, first, 20)) for first in (0, 20, 40)]
    workers.append(context.Process(target=_revoke, args=(path, [record.id for record, _ in stolen])))
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    keys = ApiKeys(path)
    assert {record.name for record in keys.records()} == {f"key {number}" for number in range(60)}
    assert not any(keys.valid(secret) for _, secret in stolen)


def test_a_key_is_found_with_its_record(path: Path) -> None:
    keys = ApiKeys(path)
    made = [keys.create(name, 0) for name in ("a", "b", "c")]
    for record, secret in made:
        assert keys.find(secret) == record
    assert keys.find("sk_antiphon_") is None
    keys.revoke(made[1][0].id)
    assert [keys.find(secret) is not None for _, secret in made] == [True, False, True]
