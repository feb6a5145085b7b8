"""The database itself: what it keeps of what went through it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from antiphon.bench import proc
from antiphon.errors import ConfigurationError, StoreUnavailable
from antiphon.session.returning import give_back_what_is_large
from antiphon.storage.database import Database

MIB = 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_sqlite_keeps_nothing_of_what_it_was_given(tmp_path: Path) -> None:
    """Python's sqlite3 keeps the last parameters of every statement that it has in its cache."""
    give_back_what_is_large()  # as the server does: else what malloc keeps is measured
    database = Database(f"sqlite:///{tmp_path}/antiphon.db")
    await database.open()
    try:
        await database.write(run("CREATE TABLE long (number INTEGER, text TEXT)"))
        before = own_kib()
        for number in range(6):
            await database.write(run(f"INSERT INTO long VALUES ({number}, ?)", "x" * 16 * 1024 * 1024))
        assert own_kib() - before < 40 * MIB
    finally:
        await database.close()


def run(statement: str, *values: str) -> Callable[[Connection], None]:
    return lambda connection: connection.exec_driver_sql(statement, values).close()


def own_kib() -> int:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return proc.memory(os.getpid()).own_kib


async def test_a_database_of_an_older_version_is_named_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    older = Database(url)
    await older.open()
    await older.write(run("ALTER TABLE users DROP COLUMN role"))
    await older.close()
    newer = Database(url)
    with pytest.raises(ConfigurationError, match="users has no role"):
        await newer.open()
    await newer.close()


async def test_after_its_end_a_database_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/antiphon.db")
    await database.open()
    await database.close()
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.read(lambda connection: None)
