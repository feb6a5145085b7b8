"""Real databases for tests: SQLite in a file, and a PostgreSQL of Debian's package, started once for a test process."""

from __future__ import annotations

import asyncio
import atexit
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.programs import missing

from antiphon.storage.database import Database

_WITHOUT_DURABILITY = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200"
_numbers = itertools.count(1)


def sqlite_url(folder: Path) -> str:
    """A database of its own in ``folder``, whose tables are there: to copy the file takes a tenth of what it takes to make them. Whoever
    tests how they are made writes the URL itself."""
    path = folder / "antiphon.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_sqlite_with_tables())
    return f"sqlite:///{path}"


@functools.cache
def _sqlite_with_tables() -> bytes:
    """A database file as a server makes it at its first start."""

    async def make(path: Path) -> None:
        database = Database(f"sqlite:///{path}")
        await database.open()
        await database.close()

    with tempfile.TemporaryDirectory(prefix="antiphon-sqlite-") as folder, ThreadPoolExecutor(1) as beside:
        path = Path(folder) / "made.db"
        beside.submit(asyncio.run, make(path)).result()  # in a loop of its own, whether the test has one or not
        return path.read_bytes()


def postgres_url() -> str:
    """A new, empty database of the test process's PostgreSQL."""
    folder = _postgres()
    name = f"test_{next(_numbers)}"
    subprocess.run(["psql", "-qXh", folder, "-U", "antiphon", "postgres", "-c", f"create database {name}"], check=True)
    return f"postgresql://antiphon@/{name}?host={folder}"


@functools.cache
def _postgres() -> str:
    """The folder of its socket."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    where = programs[0] if programs else Path(shutil.which("pg_ctl") or "")
    if not where.is_file():
        missing("PostgreSQL (the Debian package postgresql)")
    folder = tempfile.mkdtemp(prefix="antiphon-pg-")
    user: dict[str, str] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        user = {"user": "postgres"}
    data = f"{folder}/data"
    run = functools.partial(subprocess.run, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
    run([where.with_name("initdb"), "-D", data, "-U", "antiphon", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"])
    options = f"-c listen_addresses= -c unix_socket_directories={folder} {_WITHOUT_DURABILITY}"
    run([where, "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"])

    def stop() -> None:
        subprocess.run([where, "-D", data, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, check=False, **user)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return folder
