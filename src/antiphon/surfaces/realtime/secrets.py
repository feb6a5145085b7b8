"""Client secrets: short-lived keys (``ek_…``) that a server hands to its users' browsers, each with a session's configuration.

A signed token that carries the configuration would need no store. It was not chosen, because a browser would then hold the
instructions and whatever credentials the tools bring in readable form, and because a configuration of some kilobytes does not
fit where keys travel (one header line, 8 KiB at most proxies). So a key is 256 random bits, as short as OpenAI's, and what
belongs to it lies in one SQLite file of the data folder under the key's hash: all workers of a machine see it, a restart
keeps it, nobody can read a key from it. With it lies the id of the private key that asked for it: it is worth no more than that.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from antiphon.errors import CapacityError
from antiphon.files import private_file
from antiphon.ids import new_id

PREFIX = "ek_"
"""Browser SDKs refuse keys that begin otherwise."""
TTL_DEFAULT_S, TTL_MIN_S, TTL_MAX_S = 600, 10, 7200
_SCHEMA = (
    # Of the first releases: without what a secret may do. They lived two hours at most.
    "DROP TABLE IF EXISTS client_secrets",
    """
CREATE TABLE IF NOT EXISTS secrets (
    sha256 BLOB PRIMARY KEY,
    id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    expires_wall_ms INTEGER NOT NULL,
    max_sessions INTEGER NOT NULL,
    session TEXT NOT NULL
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX IF NOT EXISTS secrets_by_expiry ON secrets (expires_wall_ms)",
)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What is known of a live key; never the key itself."""

    id: str
    """A name for logs."""
    expires_wall_ms: int
    session: Mapping[str, Any]
    """The configuration its sessions begin with, in the wire's shape and checked when it was stored. Its ``model`` and ``type`` are
    always there: what was not granted is not filled in later."""
    key_id: str = ""
    """Of the private key that asked for it. Empty: the talk page did, which has none."""
    max_sessions: int = 0
    """How many of its sessions may be live at once; 0: as many as the settings say."""


class ClientSecrets:
    """The live keys of this installation. Calls take well under a millisecond, so they are made from the event loop."""

    def __init__(self, path: Path, capacity: int = 10_000) -> None:
        """The file is made when the first key is."""
        self._path = path
        self._capacity = capacity
        self._database: sqlite3.Connection | None = None

    def create(
        self,
        session: Mapping[str, Any],
        ttl_s: int,
        wall_ms: int,
        *,
        key_id: str = "",
        max_sessions: int = 0,
        kind: str = "secret",
    ) -> tuple[ClientSecret, str]:
        """A new secret and its key, which is returned once and never again. ``session`` names its ``model`` and ``type``. ``kind`` is how
        its id begins: logs show by it who made it.

        Raises CapacityError where too many are live, sqlite3.Error, OSError; ValueError for a life out of bounds, or a session
        that leaves open what it is.
        """
        if not TTL_MIN_S <= ttl_s <= TTL_MAX_S:
            raise ValueError(f"a client secret lives {TTL_MIN_S} to {TTL_MAX_S} s")
        if not (session.get("model") and session.get("type")):
            raise ValueError("a client secret is for one model and one type of session")
        key = PREFIX + secrets.token_urlsafe(32)
        secret = ClientSecret(new_id(kind), wall_ms + ttl_s * 1000, session, key_id, max_sessions)
        kept = orjson.dumps(session).decode()
        row = (_digest(key), secret.id, key_id, secret.expires_wall_ms, max_sessions, kept)
        with self._opened() as database:
            database.execute("DELETE FROM secrets WHERE expires_wall_ms <= ?", (wall_ms,))
            [(live,)] = database.execute("SELECT count(*) FROM secrets")
            if live >= self._capacity:
                raise CapacityError("full")
            database.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?)", row)
        return secret, key

    def find(self, key: str, wall_ms: int) -> ClientSecret | None:
        """The live secret of this key, as often as it is asked for. Raises sqlite3.Error, OSError."""
        if self._database is None and not self._path.exists():
            return None
        # Found by its hash: how long the search takes tells nothing about a key.
        found = self._opened().execute(
            "SELECT id, expires_wall_ms, session, key_id, max_sessions FROM secrets WHERE sha256 = ? AND expires_wall_ms > ?",
            (_digest(key), wall_ms),
        )
        row = found.fetchone()
        return ClientSecret(row[0], row[1], orjson.loads(row[2]), row[3], row[4]) if row else None

    def drop_of(self, key_id: str) -> int:
        """A private key was revoked: its secrets go. Returns how many there were. Raises sqlite3.Error, OSError."""
        if not key_id or (self._database is None and not self._path.exists()):
            return 0
        with self._opened() as database:
            return database.execute("DELETE FROM secrets WHERE key_id = ?", (key_id,)).rowcount

    def close(self) -> None:
        """Safe to call twice; the next call opens the file anew."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            private_file(self._path)
            database = sqlite3.connect(self._path, timeout=0.25)
            try:
                database.execute("PRAGMA journal_mode=WAL")
                # A key lost in a power cut is asked for again; waiting for the disk would hold up the beat.
                database.execute("PRAGMA synchronous=NORMAL")
                for statement in _SCHEMA:
                    database.execute(statement)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
