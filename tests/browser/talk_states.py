"""What the tests of the talk page bring it into, and read from it."""

from __future__ import annotations

from typing import Any

from tests.browser.fake_call import TalkPage

GREETING = "Good day, this is the front desk."


FAIL = "() => { fake.answer = { status: 400, body: '{}' }; fake.state('failed'); }"
"""The connection is lost, and the server will have no other."""


GOOD = {"status": 201, "body": "v=0 (an answer)"}


async def notice(talk: TalkPage) -> str:
    """What the page complains about."""
    await talk.page.wait_for("#problem")
    return await talk.page.text("#problem-title")


async def checked(talk: TalkPage, **wrong: Any) -> None:
    """A call that failed, and the connection looked at."""
    await talk.open(**({"answer": None} | wrong))
    await talk.phase("idle")
    await talk.page.click("#talk")
    await notice(talk)
    await talk.page.click("#check")
    await talk.until("!document.getElementById('checked').hidden && !document.getElementById('check').disabled")


async def findings(talk: TalkPage) -> dict[str, str]:
    """What was looked at, and what is to be done about it: empty where it is good."""
    rows = """() => [...document.querySelectorAll('#checked li')].map((row) => [row.childNodes[2].textContent,
      row.querySelector('.sign').textContent, row.querySelector('.why')?.textContent.trim() ?? ''])"""
    read = await talk.page.evaluate(rows)
    assert all((sign == "✓") is (why == "") for _, sign, why in read), read
    return {what: why for what, _, why in read}


def relay(state: str, public_url: str = "") -> dict[str, str]:
    return {"body": f'{{"relay": "{state}", "public_url": "{public_url}"}}'}
