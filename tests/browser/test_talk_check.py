"""The talk page's look at the connection, on a real one: a microphone is opened, and a connection made that carries no call."""

from __future__ import annotations

from pathlib import Path

from tests.browser.chromium import browser_page
from tests.browser.fake_call import TalkPage
from tests.serving import running_server, settings_for
from tests.transports.webrtc_peer import eventually

SHOWN = "() => { document.getElementById('check').hidden = document.getElementById('problem').hidden = false; }"
SIGNS = "() => [...document.querySelectorAll('#checked .sign')].map((sign) => sign.textContent).join('')"


async def test_all_is_well_and_nothing_is_left(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, _), browser_page() as page:
        talk = TalkPage(page, antiphon.settings.base_url)
        await page.goto(antiphon.talk_address)
        await talk.phase("idle")
        await page.evaluate(SHOWN)
        await page.click("#check")
        await talk.until("!document.getElementById('check').disabled")
        assert await page.evaluate(SIGNS) == "✓✓✓✓✓✓"
        assert antiphon.manager.live == len(antiphon.realtime) == 0, "no call was made for it"
        await eventually(lambda: antiphon.webrtc.legs == 0)
        assert talk.problems == []


async def test_a_connection_that_finds_no_way_is_named(tmp_path: Path) -> None:
    relayed = """const Real = RTCPeerConnection;
      window.RTCPeerConnection = class extends Real { constructor() { super({ iceTransportPolicy: 'relay' }); } };
      const wait = window.setTimeout;
      window.setTimeout = (act, ms, ...rest) => wait(act, ms === 8000 ? 500 : ms, ...rest);"""
    async with running_server(settings_for(tmp_path)) as (antiphon, _), browser_page() as page:
        talk = TalkPage(page, antiphon.settings.base_url)
        await page.initially(relayed)
        await page.goto(antiphon.talk_address)
        await talk.phase("idle")
        await page.evaluate(SHOWN)
        await page.click("#check")
        await talk.until("document.querySelectorAll('#checked li').length === 7")
        assert await page.evaluate(SIGNS) == "✓✓✓✓✗✗✗", (
            "the browser sends nothing, nothing arrives, and there is no relay"
        )
        assert "A policy, an extension or a VPN" in await page.text("#checked")
