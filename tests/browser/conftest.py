"""A browser for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.browser.chromium import Page, browser_page


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """Headless Chromium with a beeping microphone that may be used."""
    async with browser_page() as opened:
        yield opened
