"""Calls that are over stay over, for all processes of a data folder and across restarts; a table that cannot be had stops nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from antiphon.carriers.twilio import ended
from antiphon.carriers.twilio.ended import LONGEST_CALL_MS, EndedCalls

NOW = 1_700_000_000_000
DAY_MS = 86_400_000


def test_a_call_whose_stream_has_ended_may_come_back_only_while_it_lives(tmp_path: Path) -> None:
    calls = EndedCalls(tmp_path / "ended.sqlite3", 30)
    assert calls.may_come("CA1", "ringing", NOW)
    calls.note("CA1", NOW, over=False)
    assert not calls.is_over("CA1", NOW)
    assert calls.may_come("CA1", "in-progress", NOW + LONGEST_CALL_MS)
    assert not calls.may_come("CA1", "in-progress", NOW + LONGEST_CALL_MS + 1)
    for status in ("ringing", "queued", "", "completed"):
        assert not calls.may_come("CA1", status, NOW)
    calls.note("CA1", NOW, over=True)
    calls.note("CA1", NOW + 1, over=False)
    assert calls.is_over("CA1", NOW + 1)
    assert not calls.may_come("CA1", "in-progress", NOW + 1)
    assert calls.may_come("CA2", "ringing", NOW)
    calls.close()


def test_what_one_process_knows_all_know_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "data" / "ended.sqlite3"
    one, other = EndedCalls(path, 30), EndedCalls(path, 30)
    one.note("CA1", NOW, over=False)
    assert not other.may_come("CA1", "ringing", NOW)
    other.note("CA1", NOW + 5, over=True)
    assert one.is_over("CA1", NOW + 5)
    one.close()
    other.close()
    assert EndedCalls(path, 30).is_over("CA1", NOW + 29 * DAY_MS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_they_are_forgotten_when_their_time_is_over(tmp_path: Path) -> None:
    calls = EndedCalls(tmp_path / "ended.sqlite3", 1)
    calls.note("CA1", NOW, over=True)
    assert calls.is_over("CA1", NOW + DAY_MS)
    assert not calls.is_over("CA1", NOW + DAY_MS + 1)
    calls.note("CA2", NOW + DAY_MS + 1, over=True)
    assert calls._database is not None
    assert calls._database.execute("SELECT call_sid FROM ended_calls").fetchall() == [("CA2",)]
    calls.close()


@pytest.mark.parametrize("content", [b"no database" * 500, None])
def test_a_table_that_cannot_be_had_is_told_and_memory_does(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ended.sqlite3"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    told: list[str] = []
    calls = EndedCalls(path, 30, told.append)
    calls.note("CA1", NOW, over=True)
    assert calls.is_over("CA1", NOW)
    assert calls.may_come("CA2", "ringing", NOW)
    assert told
    assert all(told)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "_REMEMBERED", 10)
    calls = EndedCalls(None, 30)
    for number in range(50):
        calls.note(f"CA{number}", NOW, over=True)
    assert [number for number in range(50) if calls.is_over(f"CA{number}", NOW)] == list(range(40, 50))
