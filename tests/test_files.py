"""Small files of state: whole or not at all, one writer at a time, for their owner alone."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon import files
from antiphon.errors import ConfigurationError
from antiphon.files import free_bytes, locked, private_file, read_or_make, reason, unused_name, write_atomically


@pytest.fixture(autouse=True)
def careless_umask() -> Iterator[None]:
    """What a service manager may hand over: nothing of ours may rely on it."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_the_folders_made_for_it_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.json"
    write_atomically(path, b"1")
    with locked(path):
        pass
    private_file(path.with_name("other"))
    assert [mode(each) for each in sorted((tmp_path / "a").rglob("*"))] == [0o700, 0o600, 0o600, 0o600]
    assert mode(tmp_path / "a") == 0o700


def test_what_lies_in_the_way_of_a_temporary_file_lends_it_no_rights(tmp_path: Path) -> None:
    for name in ("state.tmp", "state.json.tmp", "state.json"):
        (tmp_path / name).touch(mode=0o666)
    write_atomically(tmp_path / "state.json", b"1")
    assert mode(tmp_path / "state.json") == 0o600


def test_a_file_that_others_could_read_is_shut(tmp_path: Path) -> None:
    (tmp_path / "book").touch(mode=0o644)
    private_file(tmp_path / "book")
    assert mode(tmp_path / "book") == 0o600


def test_a_folder_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    write_atomically(tmp_path / "data" / "state", b"1")
    assert mode(tmp_path / "data") == 0o750


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    write_atomically(path, b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError) as caught:
        write_atomically(path, b"after")
    assert reason(caught.value) == "no space left"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert path.read_bytes() == b"before"


def _add_one(path: Path, times: int) -> None:
    for _ in range(times):
        with locked(path):
            write_atomically(path, str(int(path.read_bytes()) + 1).encode())


def test_changes_by_several_processes_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "count"
    write_atomically(path, b"0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_one, args=(path, 20)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_bytes() == b"80"


def test_a_lock_that_is_never_given_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LOCK_TIMEOUT_S", 0.05)
    with (
        locked(tmp_path / "state"),
        pytest.raises(ConfigurationError, match="state: another process"),
        locked(tmp_path / "state"),
    ):
        raise AssertionError("two are inside")


def _made(path: Path, number: int, results: multiprocessing.Queue[bytes]) -> None:
    results.put(read_or_make(path, lambda: f"made by {number}".encode()))


def test_of_several_who_find_nothing_one_makes_it_and_all_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch()  # what a crash between making and writing left
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_made, args=(path, number, results)) for number in range(4)]
    for worker in workers:
        worker.start()
    made = {results.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert made == {path.read_bytes()}
    assert read_or_make(path, lambda: b"another") in made


def test_files_of_a_name_that_is_used_get_a_number(tmp_path: Path) -> None:
    endings = (".wav", ".jsonl")
    assert unused_name(tmp_path, "call", endings) == "call"
    (tmp_path / "call.wav").touch()
    assert unused_name(tmp_path, "call", endings) == "call-2"
    (tmp_path / "call-2.jsonl").touch()
    assert unused_name(tmp_path, "call", endings) == "call-3"


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_disk(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    assert 0 < free_bytes(tmp_path / "a" / "b") <= disk.f_blocks * disk.f_frsize
