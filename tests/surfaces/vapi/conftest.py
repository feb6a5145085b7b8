"""A desk on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.databases import postgres_url, sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of


@pytest.fixture(params=["sqlite", "postgresql"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    url = sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url()
    async with desk_of(tmp_path, url) as made:
        yield made


@pytest.fixture
async def quick_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """On SQLite, for what has nothing to do with the database."""
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as made:
        yield made
