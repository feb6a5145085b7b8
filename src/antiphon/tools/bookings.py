"""The front desk's appointment book: one SQLite file, safe for several threads and processes."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from pathlib import Path
from typing import Any

from antiphon.errors import ConfigurationError
from antiphon.files import private_file, reason
from antiphon.vocabulary import CallContext, ToolCall

_SCHEMA = """
CREATE TABLE IF NOT EXISTS appointments (
    reference INTEGER PRIMARY KEY,
    date TEXT NOT NULL,
    time TEXT NOT NULL,
    name TEXT NOT NULL,
    call TEXT NOT NULL,
    tool_call TEXT NOT NULL,
    UNIQUE (date, time),
    UNIQUE (call, tool_call)
) STRICT
"""


class Bookings:
    """Appointments of one length, one at a time. Who comes first is decided by the database, not by us."""

    def __init__(
        self,
        path: Path | str,
        *,
        opens: dt.time = dt.time(9),
        closes: dt.time = dt.time(17),
        minutes: int = 30,
        alternatives: int = 2,
    ) -> None:
        """``path`` may be ``:memory:``. Raises ConfigurationError naming the file where it cannot be opened, or is no appointment book."""
        self._opens, self._closes, self._minutes, self._alternatives = opens, closes, minutes, alternatives
        self._lock = threading.Lock()
        self._database = _opened(path)

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            self._database.close()

    def book_appointment(
        self, date: dt.date, time: dt.time, name: str, context: CallContext, call: ToolCall, replaces: str = ""
    ) -> dict[str, Any]:
        """Book an appointment. Refuses a time that is taken and names others that are free on that day.

        Answers ``{"booked": true, "reference": "7"}``, or ``{"booked": false, "free": ["15:30", "16:00"]}``. The same tool call made
        twice, by whatever process, books once. ``replaces`` is the reference of an appointment of the same call to give up for this one.
        """
        key = (context.call_id, call.id)
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                answer = self._book(date, time.replace(second=0, microsecond=0, tzinfo=None), name, key, replaces)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            return answer

    def appointments(self) -> list[tuple[str, str, str]]:
        """All of them as (date, time, name), in order."""
        with self._lock:
            return self._database.execute("SELECT date, time, name FROM appointments ORDER BY date, time").fetchall()

    def _book(self, date: dt.date, time: dt.time, name: str, key: tuple[str, str], replaces: str) -> dict[str, Any]:
        """``key`` is (call, tool call)."""
        done = self._database.execute(
            "SELECT reference FROM appointments WHERE call = ? AND tool_call = ?", key
        ).fetchone()
        if done is not None:
            return {"booked": True, "reference": str(done[0])}
        times = self._times()
        # A reference comes from the model: it may give up an appointment made in this call, and no other.
        given_up = (replaces, key[0])
        taken = self._taken(date, except_for=given_up)
        if time not in times or time in taken:
            return {"booked": False, "free": self._nearest([free for free in times if free not in taken], time)}
        self._database.execute("DELETE FROM appointments WHERE reference = ? AND call = ?", given_up)
        cursor = self._database.execute(
            "INSERT INTO appointments (date, time, name, call, tool_call) VALUES (?, ?, ?, ?, ?)",
            (date.isoformat(), time.isoformat("minutes"), name, *key),
        )
        return {"booked": True, "reference": str(cursor.lastrowid)}

    def _times(self) -> list[dt.time]:
        """When an appointment may begin."""
        first = self._opens.hour * 60 + self._opens.minute
        last = self._closes.hour * 60 + self._closes.minute - self._minutes
        return [dt.time(minute // 60, minute % 60) for minute in range(first, last + 1, self._minutes)]

    def _taken(self, date: dt.date, *, except_for: tuple[str, str]) -> set[dt.time]:
        rows = self._database.execute(
            "SELECT time FROM appointments WHERE date = ? AND NOT (reference = ? AND call = ?)",
            (date.isoformat(), *except_for),
        )
        return {dt.time.fromisoformat(row[0]) for row in rows}

    def _nearest(self, free: list[dt.time], wanted: dt.time) -> list[str]:
        """The free times closest to the one wanted, in the order of the day."""
        closest = sorted(free, key=lambda time: abs(_minutes(time) - _minutes(wanted)))[: self._alternatives]
        return [time.isoformat("minutes") for time in sorted(closest)]


def _opened(path: Path | str) -> sqlite3.Connection:
    name = Path(path).name
    try:
        if path != ":memory:":
            private_file(Path(path))  # it holds names
        database = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise ConfigurationError(name, f"cannot be opened ({reason(error)})", file=name) from None
    except sqlite3.Error as error:
        raise ConfigurationError(name, f"cannot be opened ({error})", file=name) from None
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(_SCHEMA)
        database.execute("SELECT reference, date, time, name, call, tool_call FROM appointments LIMIT 1")
    except sqlite3.Error as error:
        database.close()
        raise ConfigurationError(name, f"cannot be used as the appointment book ({error})", file=name) from None
    return database


def _minutes(time: dt.time) -> int:
    return time.hour * 60 + time.minute
