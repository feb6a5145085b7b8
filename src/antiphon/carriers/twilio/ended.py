"""Calls that are over, so that they cannot be had again: Twilio signs no time, so what it once signed for a call stays signed.

Whoever finds a webhook and a handshake in a proxy's log could play them again and be that caller. Two things are known of a CallSid:
that its stream has *ended*, after which the call may still come back (its TwiML is replaced, or a transfer returns), and then Twilio says
``in-progress``, which no webhook of a call that rings does; and that it is *over*, after which nothing can come.
Kept in one small table that all processes of a data folder share.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from antiphon.files import private_file, reason

_DAY_MS = 86_400_000
LONGEST_CALL_MS = 4 * 3_600_000
"""Twilio ends every call after four hours, unless told otherwise: so long after a stream the call may come back."""
_REMEMBERED = 10_000
"""Calls kept in memory too: asked first, and all there is where the table cannot be had."""
_BUSY_S = 0.25
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ended_calls (
    call_sid TEXT PRIMARY KEY,
    ended_wall_ms INTEGER NOT NULL,
    is_over INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_BY_TIME = "CREATE INDEX IF NOT EXISTS ended_calls_by_time ON ended_calls (ended_wall_ms)"
_NOTE = """
INSERT INTO ended_calls VALUES (?, ?, ?)
ON CONFLICT (call_sid) DO UPDATE SET ended_wall_ms = excluded.ended_wall_ms, is_over = max(is_over, excluded.is_over)
"""


class EndedCalls:
    """Calls take well under a millisecond, so they are made from the event loop. A table that cannot be had is told to ``on_failure`` and
    done without: calls go on."""

    def __init__(self, path: Path | None, keep_days: float, on_failure: Callable[[str], None] = lambda problem: None):
        """``path`` None: in memory only. The file is made by ``start``, or when the first call ends."""
        self._path = path
        self._keep_ms = round(keep_days * _DAY_MS)
        self._on_failure = on_failure
        self._database: sqlite3.Connection | None = None
        self._known: OrderedDict[str, tuple[int, bool]] = OrderedDict()

    def start(self) -> None:
        """Open the table now, not within the first call."""
        try:
            self._opened()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)

    def note(self, call_sid: str, wall_ms: int, *, over: bool) -> None:
        """The call's stream has ended; ``over``: and so has the call."""
        over = over or self._known.get(call_sid, (0, False))[1]
        self._known[call_sid] = (wall_ms, over)
        self._known.move_to_end(call_sid)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        try:
            database = self._opened()
            if database is not None:
                database.execute("DELETE FROM ended_calls WHERE ended_wall_ms < ?", (wall_ms - self._keep_ms,))
                database.execute(_NOTE, (call_sid, wall_ms, over))
        except (sqlite3.Error, OSError) as error:
            self._fail(error)

    def is_over(self, call_sid: str, wall_ms: int) -> bool:
        """Whether nothing can come of this call any more."""
        found = self._find(call_sid, wall_ms)
        return found is not None and found[1]

    def may_come(self, call_sid: str, call_status: str, wall_ms: int) -> bool:
        """Whether a webhook of this call, in which Twilio says that it is in ``call_status``, can be one that Twilio sends now."""
        found = self._find(call_sid, wall_ms)
        if found is None:
            return True
        ended_wall_ms, over = found
        return not over and call_status == "in-progress" and wall_ms - ended_wall_ms <= LONGEST_CALL_MS

    def close(self) -> None:
        """Safe to call twice."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _find(self, call_sid: str, wall_ms: int) -> tuple[int, bool] | None:
        found = self._known.get(call_sid)
        if found is None or not found[1]:  # another process may know more
            found = self._find_in_table(call_sid) or found
        if found is None or found[0] < wall_ms - self._keep_ms:
            return None
        return found

    def _find_in_table(self, call_sid: str) -> tuple[int, bool] | None:
        if self._path is None or (self._database is None and not self._path.exists()):
            return None
        try:
            database = self._opened()
            assert database is not None, "there is a path"
            rows = database.execute("SELECT ended_wall_ms, is_over FROM ended_calls WHERE call_sid = ?", (call_sid,))
            row = rows.fetchone()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return None
        return (row[0], bool(row[1])) if row else None

    def _opened(self) -> sqlite3.Connection | None:
        if self._path is None or self._database is not None:
            return self._database
        private_file(self._path)
        database = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            # What a power cut takes is the last moment's: waiting for the disk would hold up the beat.
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute(_SCHEMA)
            database.execute(_BY_TIME)
        except sqlite3.Error:
            database.close()
            raise
        self._database = database
        return database

    def _fail(self, error: Exception) -> None:
        self.close()
        self._on_failure(reason(error) if isinstance(error, OSError) else str(error))
