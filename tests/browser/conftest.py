"""A browser for each test that asks for one, and the talk page in one for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.browser.axe import AXE
from tests.browser.chromium import Page, browser_page
from tests.browser.fake_call import FAKE, FLOORS, TalkPage, served_to


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """Headless Chromium with a beeping microphone that may be used."""
    async with browser_page() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TalkPage]:
    """One server and one browser for all: starting them takes longer than all they are asked."""
    async with browser_page() as page:
        await page.initially(FAKE.read_text(encoding="utf-8") + FLOORS)
        await page.initially(AXE)
        async with served_to(page, tmp_path_factory.mktemp("talk")) as talk:
            yield talk


@pytest_asyncio.fixture(loop_scope="module")
async def talk(browser: TalkPage) -> TalkPage:
    """The page, freshly opened."""
    await browser.open()
    await browser.phase("idle")
    return browser
