"""What holds for every test."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

# Before numpy is loaded, as for a server: threads that wait for their share of so small a product spin. They made a test of the ears take
# eleven times the CPU, and on a busy machine many times that.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pytest
import structlog
from hypothesis import settings
from tests.databases import postgres_url, sqlite_url

from antiphon.bench.vendors.certificate import CERTIFICATE
from antiphon.storage.database import Database

# Tests share the machine with each other: that one example took long says nothing about the code.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

# No test talks to a stranger, and to read the machine's 150 authorities takes 20 ms for each client, of which there are thousands.
# Child processes inherit it; tests of TLS name an authority of their own.
os.environ["SSL_CERT_FILE"] = str(CERTIFICATE)

# As a server logs, without the values of all variables beside each traceback: to draw those holds the loop up for a second.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

_configure = structlog.configure


def _configure_again(*given: Any, **named: Any) -> None:
    _configure(*given, **{**named, "cache_logger_on_first_use": False})


structlog.configure = _configure_again


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that runs in this process configures logging for good. Loggers that kept what they found would be deaf to ``capture_logs``
    from then on, and write to a file that is closed, in whichever test comes next."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An open one of each kind that Antiphon runs on."""
    opened = Database(sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url())
    await opened.open()
    yield opened
    await opened.close()


def pytest_collection_finish() -> None:
    """What was made by collecting eleven thousand tests stays: no collection of garbage need look at it again, and each would take a
    second."""
    gc.freeze()
