from __future__ import annotations

import datetime as dt
import os
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.tools.bookings import Bookings
from antiphon.vocabulary import CallContext, ToolCall

WEDNESDAY = dt.date(2026, 5, 13)


@pytest.fixture
def bookings(tmp_path: Path) -> Iterator[Bookings]:
    book = Bookings(tmp_path / "bookings.db")
    yield book
    book.close()
    book.close()


def book(
    bookings: Bookings, time: str, *, call: str = "c1", tool_call: str = "t1", name: str = "Ann", **fields: Any
) -> dict[str, Any]:
    hour = dt.time.fromisoformat(time)
    return bookings.book_appointment(
        WEDNESDAY, hour, name, CallContext(call), ToolCall(tool_call, "book_appointment"), **fields
    )


def test_a_free_time_is_booked(bookings: Bookings) -> None:
    assert book(bookings, "15:00") == {"booked": True, "reference": "1"}
    assert bookings.appointments() == [("2026-05-13", "15:00", "Ann")]


def test_a_taken_time_is_refused_and_the_nearest_free_ones_are_named(bookings: Bookings) -> None:
    book(bookings, "15:00")
    book(bookings, "15:30", tool_call="t2")
    assert book(bookings, "15:00", call="c2") == {"booked": False, "free": ["14:00", "14:30"]}


@pytest.mark.parametrize(
    ("time", "free"), [("08:00", ["09:00", "09:30"]), ("17:00", ["16:00", "16:30"]), ("10:10", ["10:00", "10:30"])]
)
def test_a_time_when_no_appointment_begins_is_refused(bookings: Bookings, time: str, free: list[str]) -> None:
    assert book(bookings, time) == {"booked": False, "free": free}


def test_a_full_day_has_nothing_to_offer(tmp_path: Path) -> None:
    bookings = Bookings(tmp_path / "b.db", opens=dt.time(9), closes=dt.time(10), minutes=60)
    book(bookings, "09:00")
    assert book(bookings, "09:00", call="c2") == {"booked": False, "free": []}
    bookings.close()


def test_the_same_call_books_once_even_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        bookings = Bookings(tmp_path / "b.db")
        assert book(bookings, "15:00") == {"booked": True, "reference": "1"}
        assert len(bookings.appointments()) == 1
        bookings.close()


def test_an_appointment_of_the_same_call_is_moved(bookings: Bookings) -> None:
    book(bookings, "15:00")
    assert book(bookings, "16:00", tool_call="t2", replaces="1")["booked"]
    assert bookings.appointments() == [("2026-05-13", "16:00", "Ann")]


def test_an_appointment_stays_when_it_can_not_be_moved(bookings: Bookings) -> None:
    book(bookings, "15:00")
    book(bookings, "16:00", call="c2")
    assert not book(bookings, "16:00", tool_call="t2", replaces="1")["booked"]
    assert ("2026-05-13", "15:00", "Ann") in bookings.appointments()


@pytest.mark.parametrize("reference", ["1", "99", "x", "' OR 1=1 --"])
def test_nobody_can_give_up_the_appointment_of_another_call(bookings: Bookings, reference: str) -> None:
    book(bookings, "15:00")
    book(bookings, "16:00", call="c2", replaces=reference)
    assert len(bookings.appointments()) == 2


def test_a_call_id_is_no_pattern(bookings: Bookings) -> None:
    book(bookings, "15:00", call="other")
    book(bookings, "16:00", call="%", replaces="1")
    assert len(bookings.appointments()) == 2


def test_of_many_at_once_one_gets_the_time(tmp_path: Path) -> None:
    books = [Bookings(tmp_path / "b.db") for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: book(books[n % 4], "15:00", call=f"c{n}"), range(16)))
    assert sum(answer["booked"] for answer in answers) == 1
    assert len(books[0].appointments()) == 1
    for one in books:
        one.close()


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"torn" * 200], ids=["no database", "a torn one"]
)
def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bookings.sqlite3").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"bookings\.sqlite3: cannot be used as the appointment book \("):
        Bookings(tmp_path / "bookings.sqlite3")
    assert (tmp_path / "bookings.sqlite3").read_bytes() == content


def test_a_table_of_another_kind_is_no_appointment_book(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "bookings.sqlite3")) as other:
        other.execute("CREATE TABLE appointments (whatever TEXT)")
    with pytest.raises(ConfigurationError, match="no such column"):
        Bookings(tmp_path / "bookings.sqlite3")


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "bookings.sqlite3").mkdir()
    with pytest.raises(ConfigurationError, match=r"bookings\.sqlite3"):
        Bookings(tmp_path / "bookings.sqlite3")


def test_names_are_for_the_owner_of_the_book_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        (tmp_path / "bookings.sqlite3").touch(mode=0o644)  # as an earlier version made it
        book_ = Bookings(tmp_path / "bookings.sqlite3")
        book(book_, "10:00")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        book_.close()
    finally:
        os.umask(before)
    assert modes["bookings.sqlite3"] == modes["bookings.sqlite3-wal"] == 0o600
