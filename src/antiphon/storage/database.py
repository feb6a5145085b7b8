"""One database for a process: opened, brought up to date, closed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from antiphon.calls.secrets import DocumentSecrets
from antiphon.errors import ConfigurationError, StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000
"""How long a writer waits for another one (SQLite has one at a time)."""
POOL = 8
"""Connections to PostgreSQL that are kept; as many again may be opened for a moment."""
SQLITE_POOL = 4
"""Connections to SQLite that are kept, each with a thread of its own. All are there from the start: a process at rest stays as it is."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # readers do not wait for the writer
    "PRAGMA synchronous=NORMAL",  # with WAL: a power cut may lose the last commits, never the database
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten, not only forgotten
    f"PRAGMA busy_timeout={BUSY_MS}",
)
_migrating = threading.Lock()
_LOOK_EVERY_S = 0.01
_LOCK_POSTGRESQL = "SELECT pg_advisory_xact_lock(7238947561)"
"""Any number that nobody else takes for something else."""

_NOTHING_KEPT = {"cached_statements": 0}
"""Python's sqlite3 keeps with each statement what it was last given: megabytes, for each statement and connection, where a call's record is
that long. To prepare one again takes some 30 µs."""

log = structlog.get_logger(__name__)


def written(document: Any) -> str:
    """A document as JSON. It is done on the event loop, and one may be megabytes long: the standard library takes ten times as long, and is
    asked for what orjson refuses alone (half a character from a model, a number of more than 64 bits)."""
    try:
        return orjson.dumps(document).decode()
    except TypeError:
        return json.dumps(document)


def read(text: str | bytes) -> Any:
    """As it was ``written``, by either."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


class Database:
    """``url`` is ``sqlite:///path`` or ``postgresql://user:password@host/name``; which driver is used is our business."""

    def __init__(self, url: str, secrets: DocumentSecrets | None = None) -> None:
        """``secrets`` seals what documents hold of them. Raises ConfigurationError. Nothing is opened yet."""
        self.secrets = secrets or DocumentSecrets()
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigurationError("database_url", "is not a URL like sqlite:///var/antiphon.db") from None
        driver = _DRIVERS.get(parsed.drivername)
        if driver is None:
            raise ConfigurationError("database_url", "must begin with sqlite:// or postgresql://")
        self.is_sqlite = driver.startswith("sqlite")
        options: dict[str, Any] = (
            {"pool_size": SQLITE_POOL, "connect_args": _NOTHING_KEPT}
            if self.is_sqlite
            else {"pool_size": POOL, "max_overflow": POOL, "pool_pre_ping": True}
        )
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(
            parsed.set(drivername=driver), json_serializer=written, json_deserializer=read, **options
        )
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _set_pragmas)

    async def open(self) -> None:
        """Bring its tables up to date, one process at a time. Raises ConfigurationError, StoreUnavailable."""
        # Alembic knows one migration at a time in a process, whatever thread or loop it runs in.
        while not _migrating.acquire(blocking=False):  # noqa: ASYNC110 (another loop's event tells this one nothing)
            await asyncio.sleep(_LOOK_EVERY_S)
        try:
            async with self.engine.begin() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE" if self.is_sqlite else _LOCK_POSTGRESQL)
                await connection.run_sync(_upgrade)
            if self.is_sqlite:
                await asyncio.gather(*(self._look() for _ in range(SQLITE_POOL)))
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the database cannot be opened ({_kind(error)})") from error
        finally:
            _migrating.release()

    async def _look(self) -> None:
        async with self.engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
            await asyncio.sleep(0)

    async def forget(self) -> None:
        """Something was erased: it shall not live on in SQLite's log of changes. Raises StoreUnavailable."""
        if self.is_sqlite:
            async with self.reading() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Safe to call twice."""
        await self.engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to ask. Raises StoreUnavailable."""
        try:
            async with self.engine.connect() as connection:
                yield connection
        except IntegrityError:
            raise  # the database works: what was written contradicts what is there
        except (TimeoutError, DBAPIError, InterfaceError, OSError) as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, which is kept if the block ends well. Raises StoreUnavailable, and SQLAlchemy's
        IntegrityError for what contradicts what is there."""
        try:
            async with self.engine.begin() as connection:
                if self.is_sqlite:
                    # At once, not with the first write: who has read cannot become the writer while another one is.
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except IntegrityError:
            raise  # the database works: what was written contradicts what is there
        except (TimeoutError, DBAPIError, InterfaceError, OSError) as error:
            raise _unavailable(error) from error


def _set_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _unavailable(error: Exception) -> StoreUnavailable:
    log.error("database_failed", problem=_kind(error))
    return StoreUnavailable(f"the database does not answer ({_kind(error)})")


def _kind(error: Exception) -> str:
    """What went wrong, without the statement: its parameters are people's data."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__
