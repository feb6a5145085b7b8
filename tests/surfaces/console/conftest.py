"""What most tests of the console begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.serving import running_server, settings_for
from tests.surfaces.console.test_door import Console


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """Signed in as an admin."""
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        opened = Console(antiphon, client)
        assert (await opened.set_up()).status_code == 204
        await opened.me()
        yield opened
