"""Client secrets: short-lived, many sessions each, kept as hashes in a file that workers share."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.errors import CapacityError
from antiphon.surfaces.realtime.secrets import PREFIX, ClientSecrets

NOW_MS = 1_700_000_000_000
SESSION = {"type": "realtime", "model": "gpt-realtime", "instructions": "Speak of marmalade only."}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "client-secrets.sqlite3"


@pytest.fixture
def secrets(path: Path) -> Iterator[ClientSecrets]:
    store = ClientSecrets(path)
    yield store
    store.close()


def test_a_secret_is_found_again_and_again_until_it_expires(secrets: ClientSecrets) -> None:
    made, key = secrets.create(SESSION, 10, NOW_MS)
    assert made.expires_wall_ms == NOW_MS + 10_000
    for at_ms in (NOW_MS, NOW_MS + 1, NOW_MS + 9_999):
        found = secrets.find(key, at_ms)
        assert found == made
        assert found is not None
        assert found.session == SESSION
    assert secrets.find(key, NOW_MS + 10_000) is None


def test_keys_look_like_openai_s_and_fit_where_keys_travel(secrets: ClientSecrets) -> None:
    large = {**SESSION, "instructions": "x" * 200_000}
    keys = [secrets.create(large, 600, NOW_MS)[1] for _ in range(3)]
    assert len(set(keys)) == 3
    for key in keys:
        assert key.startswith(PREFIX)
        assert len(key) < 64, "as a subprotocol of a handshake it shares one header line"
        assert secrets.find(key, NOW_MS).session == large  # type: ignore[union-attr]


def test_nothing_like_a_key_is_one(secrets: ClientSecrets) -> None:
    _, key = secrets.create(SESSION, 600, NOW_MS)
    for other in ("", PREFIX, key[:-1], key + "x", key.upper(), "ek_ünïcode", "\udcff", "' OR 1=1 --"):
        assert secrets.find(other, NOW_MS) is None


def test_the_file_holds_no_key_and_is_its_owners_alone(path: Path, secrets: ClientSecrets) -> None:
    _, key = secrets.create(SESSION, 600, NOW_MS)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        assert key.encode() not in file.read_bytes()
        assert key.removeprefix(PREFIX).encode() not in file.read_bytes()


def test_another_worker_and_the_next_start_know_it(path: Path) -> None:
    first, second = ClientSecrets(path), ClientSecrets(path)
    _, key = first.create(SESSION, 600, NOW_MS)
    assert second.find(key, NOW_MS) == first.find(key, NOW_MS) is not None
    _, other = second.create(SESSION, 600, NOW_MS)
    assert first.find(other, NOW_MS) is not None
    first.close()
    second.close()
    again = ClientSecrets(path)
    assert again.find(key, NOW_MS) is not None
    again.close()


def test_the_number_of_live_secrets_is_bounded_and_expired_ones_make_room(path: Path) -> None:
    store = ClientSecrets(path, capacity=3)
    keys = [store.create(SESSION, 10 + at, NOW_MS)[1] for at in range(3)]
    with pytest.raises(CapacityError):
        store.create(SESSION, 600, NOW_MS + 9_999)
    store.create(SESSION, 600, NOW_MS + 10_000)
    with pytest.raises(CapacityError):
        store.create(SESSION, 600, NOW_MS + 10_000)
    assert [store.find(key, NOW_MS + 10_000) is not None for key in keys] == [False, True, True]
    store.close()


@pytest.mark.parametrize("ttl_s", [0, 9, 7201])
def test_a_life_out_of_bounds_is_refused(secrets: ClientSecrets, ttl_s: int) -> None:
    with pytest.raises(ValueError, match="10 to 7200"):
        secrets.create(SESSION, ttl_s, NOW_MS)


@pytest.mark.parametrize("open_end", ["model", "type"])
def test_what_is_not_granted_is_not_stored(path: Path, secrets: ClientSecrets, open_end: str) -> None:
    for session in ({**SESSION, open_end: ""}, {name: value for name, value in SESSION.items() if name != open_end}):
        with pytest.raises(ValueError, match="one model and one type"):
            secrets.create(session, 600, NOW_MS)
    assert not path.exists()


def test_secrets_go_with_the_key_that_asked_for_them(secrets: ClientSecrets) -> None:
    _, first = secrets.create(SESSION, 600, NOW_MS, key_id="key_a", max_sessions=7)
    _, second = secrets.create(SESSION, 600, NOW_MS, key_id="key_a")
    _, other = secrets.create(SESSION, 600, NOW_MS, key_id="key_b")
    _, page = secrets.create(SESSION, 600, NOW_MS)
    found = secrets.find(first, NOW_MS)
    assert found is not None
    assert (found.key_id, found.max_sessions) == ("key_a", 7)
    assert secrets.drop_of("key_a") == 2
    assert secrets.drop_of("key_a") == secrets.drop_of("") == 0
    assert [secrets.find(key, NOW_MS) is not None for key in (first, second, other, page)] == [False, False, True, True]


def test_dropping_makes_no_file(path: Path, secrets: ClientSecrets) -> None:
    assert secrets.drop_of("key_a") == 0
    assert not path.exists()


def test_a_file_of_an_earlier_release_is_taken_over_without_its_secrets(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE client_secrets (sha256 BLOB PRIMARY KEY, id TEXT, expires_wall_ms INTEGER, session TEXT)"
        )
        database.execute(
            "INSERT INTO client_secrets VALUES (x'00', 'secret_old', 9999999999999, '{\"authorization\": \"hunter2\"}')"
        )
    database.close()
    store = ClientSecrets(path)
    _, key = store.create(SESSION, 600, NOW_MS)
    assert store.find(key, NOW_MS) is not None
    store.close()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'client_secrets'").fetchone() == (0,)
    database.close()


def test_asking_makes_no_file(path: Path, secrets: ClientSecrets) -> None:
    assert secrets.find("ek_never_made", NOW_MS) is None
    assert not path.exists()


def test_a_file_that_is_no_database_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, and long enough to be taken for one" * 20)
    store = ClientSecrets(path)
    with pytest.raises(sqlite3.DatabaseError):
        store.find("ek_anything", NOW_MS)
    with pytest.raises(sqlite3.DatabaseError):
        store.create(SESSION, 600, NOW_MS)
    store.close()
