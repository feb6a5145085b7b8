"""One database for a process: opened, brought up to date, closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, NullPool, Table, create_engine, event, insert, inspect, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.ext.asyncio import create_async_engine

from antiphon.calls.secrets import DocumentSecrets
from antiphon.errors import ConfigurationError, StoreUnavailable, ValueRefused
from antiphon.json_values import read, written
from antiphon.storage.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000
"""How long a writer waits for another one (SQLite has one at a time)."""
POOL = 8
"""Connections to PostgreSQL that are kept; as many again may be opened for a moment."""
SQLITE_READERS = 3
"""Threads that read from SQLite, beside the one that writes."""
_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # readers do not wait for the writer
    "PRAGMA synchronous=NORMAL",  # with WAL: a power cut may lose the last commits, never the database
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten, not only forgotten
    f"PRAGMA busy_timeout={BUSY_MS}",
)
_NO_JSON = (TypeError, ValueError, RecursionError)
"""A document that JSON cannot say, or not so deep."""
_MISSING = frozenset(["23502", "SQLITE_CONSTRAINT_NOTNULL"])
"""As PostgreSQL and SQLite say that there must be a value and is none."""
_migrating = threading.Lock()
_LOOK_EVERY_S = 0.01
_OF_DATA = "22"
"""PostgreSQL's class of errors for values: too long, out of range, not to be encoded."""
_LOCK_POSTGRESQL = "SELECT pg_advisory_xact_lock(7238947561)"
"""Any number that nobody else takes for something else."""

_CONNECT = {"cached_statements": 0, "check_same_thread": False}
"""Python's sqlite3 keeps with each statement what it was last given: megabytes, for each statement and connection, where a call's record is
that long. To prepare one again takes some 30 µs. Connections are closed by another thread than theirs."""

_STATEMENTS: Mapping[str, Any] = {"json_serializer": written, "json_deserializer": read, "hide_parameters": True}
"""Errors are logged with their causes: none of them may quote what was to be written, which is what people said."""

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_P = ParamSpec("_P")
_S = TypeVar("_S", bound="Store")


class Database:
    """``url`` is ``sqlite:///path`` or ``postgresql://user:password@host/name``; which driver is used is our business.

    What is to be read or written is a plain function of a connection, and done as a whole: with SQLite in a thread, for each statement
    that is carried there and back by itself costs the event loop as much as the statement; with PostgreSQL as the network allows.
    """

    def __init__(self, url: str, secrets: DocumentSecrets | None = None) -> None:
        """``secrets`` seals what documents hold of them. Raises ConfigurationError. Nothing is opened yet."""
        self.secrets = secrets or DocumentSecrets()
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigurationError("database_url", "is not a URL like sqlite:///var/antiphon.db") from None
        dialect = _DIALECTS.get(parsed.drivername)
        if dialect is None:
            raise ConfigurationError("database_url", "must begin with sqlite:// or postgresql://")
        self.is_sqlite = dialect == "sqlite"
        self._runner: _Runner = _Threads(parsed) if self.is_sqlite else _Network(parsed)

    async def open(self) -> None:
        """Bring its tables up to date, one process at a time. Raises ConfigurationError, StoreUnavailable."""
        # Alembic knows one migration at a time in a process, whatever thread or loop it runs in.
        while not _migrating.acquire(blocking=False):  # noqa: ASYNC110 (another loop's event tells this one nothing)
            await asyncio.sleep(_LOOK_EVERY_S)
        try:
            await self._runner.write(_upgrade)
            await self._runner.warm()
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"database_url: the database cannot be opened ({_kind(error)})") from error
        finally:
            _migrating.release()

    async def forget(self) -> None:
        """Something was erased: it shall not live on in SQLite's log of changes. Raises StoreUnavailable."""
        if self.is_sqlite:
            await self.read(lambda connection: connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close())

    @property
    def engine(self) -> Engine:
        """What the statements go through: for listeners."""
        return self._runner.engine

    async def close(self) -> None:
        """Safe to call twice."""
        await self._runner.close()

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Ask. Raises StoreUnavailable, ValueRefused."""
        return await self._done(self._runner.read(work))

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """In a transaction, which is kept if ``work`` ends well, also where nobody waits for it any more. Raises StoreUnavailable,
        ValueRefused, and SQLAlchemy's IntegrityError for what contradicts what is there."""
        return await self._done(self._runner.write(work))

    async def add(self, table: Table, row: Mapping[str, Any]) -> bool:
        """False where it is there already. Raises StoreUnavailable."""
        try:
            await self.write(lambda connection: connection.execute(insert(table), row).close())
        except IntegrityError:
            return False
        return True

    async def _done(self, doing: Awaitable[_T]) -> _T:
        try:
            return await doing
        except IntegrityError as error:
            if not _is_missing(error):
                raise  # the database works: what was written contradicts what is there
            refused: Exception = error
        except OverflowError as error:  # SQLite's driver: an integer of more than 64 bits
            refused = error
        except (TimeoutError, DBAPIError, InterfaceError, OSError) as error:
            if not _is_of_data(error):
                raise _unavailable(error) from error
            refused = error
        except StatementError as error:
            if not isinstance(error.orig, _NO_JSON):
                raise
            refused = error
        raise _refused(refused) from None  # the driver's own error may quote the value


class _Runner(Protocol):
    @property
    def engine(self) -> Engine: ...

    async def read(self, work: Callable[[Connection], _T]) -> _T: ...

    async def write(self, work: Callable[[Connection], _T]) -> _T: ...

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


class _Threads:
    """SQLite. It has one writer at a time, so has the process: nobody waits for another by looking again and again. Each thread has its
    connection as long as it lives."""

    def __init__(self, url: URL) -> None:
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            url.set(drivername="sqlite+pysqlite"), poolclass=NullPool, connect_args=_CONNECT, **_STATEMENTS,
        )  # fmt: skip
        event.listen(self.engine, "connect", _set_pragmas)
        self._writer = ThreadPoolExecutor(1, "database-writer")
        self._readers = ThreadPoolExecutor(SQLITE_READERS, "database-reader")
        self._mine = threading.local()
        self._connections: list[Connection] = []
        self._closed = False

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        return await self._run(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        return await self._run(self._writer, self._write, work)

    async def warm(self) -> None:
        """All connections and threads are there from the start: a process at rest stays as it is."""
        together = threading.Barrier(SQLITE_READERS)
        await asyncio.gather(
            *(self.read(lambda connection: _look(connection, together)) for _ in range(SQLITE_READERS))
        )

    async def close(self) -> None:
        self._closed = True
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        while self._connections:
            self._connections.pop().close()
        self.engine.dispose()

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        do: Callable[[Callable[[Connection], _T]], _T],
        work: Callable[[Connection], _T],
    ) -> _T:
        if self._closed:
            raise StoreUnavailable("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(threads, do, work)

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        connection = self._connection()
        try:
            return work(connection)
        finally:
            connection.rollback()

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self.engine.connect()
            self._connections.append(connection)
        return connection

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        connection = self._connection()
        with connection.begin():
            # At once, not with the first write: who has read cannot become the writer while another process is.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return work(connection)


class _Network:
    """PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"), pool_size=POOL, max_overflow=POOL, pool_pre_ping=True, **_STATEMENTS,
        )  # fmt: skip
        self.engine = self._engine.sync_engine

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def warm(self) -> None:
        """It is opened as it is needed."""

    async def close(self) -> None:
        await self._engine.dispose()


class Store:
    """What keeps one kind of thing in a database: its methods are functions of a connection, made ``reading`` or ``writing``."""

    def __init__(self, database: Database) -> None:
        self._database = database


def reading(
    method: Callable[Concatenate[_S, Connection, _P], _T],
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]]:
    """Called without the connection, and awaited. Raises StoreUnavailable."""

    @wraps(method)
    async def run(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._database.read(lambda connection: method(self, connection, *args, **kwargs))

    return run


def writing(
    method: Callable[Concatenate[_S, Connection, _P], _T],
) -> Callable[Concatenate[_S, _P], Coroutine[Any, Any, _T]]:
    """Likewise, as one transaction. Raises StoreUnavailable, and what ``Database.write`` does."""

    @wraps(method)
    async def run(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._database.write(lambda connection: method(self, connection, *args, **kwargs))

    return run


def _look(connection: Connection, together: threading.Barrier) -> None:
    connection.exec_driver_sql("SELECT 1").close()
    together.wait(BUSY_MS / 1000)


def _set_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's transactions are alone in any case
        connection.exec_driver_sql(_LOCK_POSTGRESQL)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    there = inspect(connection)
    for table in metadata.sorted_tables:
        columns = there.get_columns(table.name) if there.has_table(table.name) else []
        known = {column["name"] for column in columns}
        if missing := [column.name for column in table.columns if column.name not in known]:
            # Before the first release tables change without a migration.
            raise ConfigurationError(
                "database_url",
                f"an older version made this database ({table.name} has no {missing[0]}): move it away, or name another",
            )


def _is_of_data(error: Exception) -> bool:
    """Whether it is a value that the database, or its driver, does not take: it works, and would refuse it again."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DataError) or state.startswith(_OF_DATA)


def _is_missing(error: IntegrityError) -> bool:
    """Whether a value is missing; else, one is there that may not be."""
    orig = error.orig
    return getattr(orig, "sqlstate", None) in _MISSING or getattr(orig, "sqlite_errorname", None) in _MISSING


def _refused(error: Exception) -> ValueRefused:
    log.error("database_value_refused", problem=_kind(error))
    return ValueRefused(f"the database cannot keep one of the values ({_kind(error)})")


def _unavailable(error: Exception) -> StoreUnavailable:
    log.error("database_failed", problem=_kind(error))
    return StoreUnavailable(f"the database does not answer ({_kind(error)})")


def _kind(error: Exception) -> str:
    """What went wrong, without the statement: its parameters are people's data."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__
