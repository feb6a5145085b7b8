"""The talk page through the death of its server, over WebRTC: the line is lost without a word, and the conversation goes on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.browser.chromium import browser_page
from tests.browser.fake_call import FLOORS, TalkPage
from tests.serving import GREETING, server_process, start_serve

ANSWER = "It costs eleven crowns."


async def test_a_server_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    environment = {"ANTIPHON_REALTIME__TALK_PAGE": "open"}
    async with server_process(tmp_path, environment) as server, browser_page() as page:
        talk = TalkPage(page, server.url)
        await page.initially(FLOORS)
        await page.goto(talk.url)
        await talk.phase("idle")
        await page.fill("#text", "How much is marmalade?")
        await page.press("Enter")
        await talk.until(
            f"[...document.querySelectorAll('.agent .words')].some((line) => line.textContent === '{ANSWER}')"
        )
        await talk.floor("nobody")
        said = await talk.lines()
        server.signal(signal.SIGKILL)
        await server.ended(10)
        again = await start_serve(tmp_path, environment | {"ANTIPHON_PORT": server.url.rpartition(":")[2]})
        try:
            await page.wait_for(".mark.back", within_s=60)
            assert await talk.lines() == said
            await page.fill("#text", "And of plums?")
            await page.press("Enter")
            await talk.floor_was("agent")
            await talk.floor("nobody")
            assert await talk.lines() == [*said, "You: And of plums?", f"Scripted: {ANSWER}"]
            assert not any(GREETING in line for line in (await talk.lines())[len(said) :]), "nobody is greeted twice"
            await page.click("#talk")
            await talk.phase("idle")
        finally:
            again.send_signal(signal.SIGTERM)
            await asyncio.wait_for(again.communicate(), 30)
