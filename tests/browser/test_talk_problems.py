"""What the talk page says when something is wrong: of a call that cannot begin, of a look at the connection, and at its door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser.fake_call import TalkPage, served_to
from tests.browser.talk_states import GOOD, checked, findings, notice, relay
from tests.serving import running_server, settings_for

from antiphon.surfaces.keys import ApiKeys

pytestmark = pytest.mark.asyncio(loop_scope="module")


FULL, DRAINING = ({"status": 503, "body": f'{{"error": {{"code": "server_{why}"}}}}'} for why in ("full", "draining"))


async def test_the_connection_is_checked_when_it_fails(talk: TalkPage) -> None:
    await checked(talk, probe=GOOD)
    assert await findings(talk) == dict.fromkeys(
        ["A page that may use a microphone", "The server answers", "A microphone that can be heard", "WebRTC",
         "This browser sends over UDP", "UDP reaches the server"], "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "what", "why"),
    [
        ({"secure": False}, "A page that may use a microphone", "This page came over plain http."),
        ({"secure": False}, "A microphone that can be heard", "Browsers give none to this address."),
        ({"microphone": "NotFoundError"}, "A microphone that can be heard", "None is connected."),
        ({"microphone": "NotAllowedError"}, "A microphone that can be heard", "It is not allowed"),
        ({"microphone": "NotReadableError"}, "A microphone that can be heard", "It is there, and cannot be opened"),
        ({"webrtc": False, "worklet": False}, "WebRTC", "This browser has none"),
        ({"udp": False, "reaches": False, "probe": GOOD}, "This browser sends over UDP", "A policy, an extension or a VPN"),
        ({"reaches": False, "probe": GOOD}, "UDP reaches the server", "A firewall is in the way."),
        ({"probe": {"status": 503, "body": "{}"}}, "UDP reaches the server", "It could not be tried"),
        ({"probe": {"status": 503, "body": "{}"}}, "The server's TURN server", "None is set"),
        ({"connection": relay("refused"), "probe": GOOD}, "The server's TURN server", "It refuses the server's credentials"),
        ({"connection": relay("unreachable"), "probe": GOOD}, "The server's TURN server", "It does not answer the server"),
        ({"connection": {"status": 401, "body": "{}"}}, "The server answers", "It does, and asks for a key first."),
        ({"connection": {"status": 500, "body": "{}"}}, "The server answers", "Check your connection"),
    ],
)  # fmt: skip
async def test_a_look_at_the_connection_names_what_is_wrong(
    talk: TalkPage, wrong: dict[str, Any], what: str, why: str
) -> None:
    await checked(talk, **wrong)
    found = await findings(talk)
    assert found[what].startswith(why)
    await talk.speak_language("ko")
    korean = await findings(talk)
    assert [bool(why) for why in korean.values()] == [bool(why) for why in found.values()]
    assert all("가" <= max(why) <= "힣" for why in korean.values() if why), "all of it is said in Korean"


async def test_mixed_content_is_named(talk: TalkPage) -> None:
    mixed = "async (pair) => (await import('./talk/check.js')).isMixed(...pair)"
    assert await talk.page.evaluate(mixed, ["https://a.example/talk", "http://a.example"]) is True
    for good in (["https://a.example/talk", "https://a.example"], ["http://a.example/talk", "http://a.example"],
                 ["https://a.example/talk", ""]):  # fmt: skip
        assert await talk.page.evaluate(mixed, good) is False


@pytest.mark.parametrize(
    ("wrong", "title", "typing"),
    [
        ({"microphone": "NotFoundError"}, "No microphone was found", True),
        ({"microphone": "NotAllowedError"}, "The microphone is not allowed", True),
        ({"microphone": "NotReadableError"}, "The microphone cannot be used", True),
        ({"secure": False}, "Browsers give no microphone to this address", True),
        ({"webrtc": False, "worklet": False}, "This browser cannot make calls", False),
        ({"answer": None}, "The server does not answer", False),
        ({"answer": FULL}, "The server is full", False),
        ({"answer": DRAINING}, "The server is about to restart", False),
        ({"answer": {"status": 502, "body": "<html>"}}, "The server refused the call", False),
    ],
    ids=["no microphone", "denied", "busy", "insecure", "no WebRTC", "unreachable", "full", "draining", "bad gateway"],
)
async def test_what_keeps_a_call_from_beginning_is_explained(
    talk: TalkPage, wrong: dict[str, Any], title: str, typing: bool
) -> None:
    await talk.open(**wrong)
    await talk.phase("idle")
    await talk.page.click("#talk")
    assert await notice(talk) == title
    await talk.phase("idle")
    assert await talk.page.text("#problem-text")
    assert await talk.page.visible("#type-only") is typing
    if typing:
        await talk.page.click("#type-only")
        await talk.phase("live")
        assert not await talk.page.visible("#problem")


async def test_the_server_s_own_words_follow_those_of_a_page_in_korean(talk: TalkPage) -> None:
    await talk.open(answer={"status": 400, "body": '{"error": {"code": "odd", "message": "The moon is full."}}'})
    await talk.phase("idle")
    await talk.page.click("#talk")
    assert await notice(talk) == "The server refused the call"
    assert await talk.page.text("#problem-text") == "The moon is full."
    await talk.speak_language("ko")
    await talk.page.click("#talk")
    await talk.until("document.querySelector('#problem-text').textContent.endsWith(' (The moon is full.)')")
    assert "로그" in await talk.page.text("#problem-text")
    await talk.speak_language("en")


async def test_when_the_other_side_ends_the_call_that_is_no_problem(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.evaluate("() => fake.hangUp()")
    await talk.phase("idle")
    assert (await talk.page.text("#floor")).startswith("Call ended after")
    assert not await talk.page.visible("#problem")
    await talk.talk()
    await talk.say("error", error={"type": "invalid_request_error", "code": "session_expired", "message": "…"})
    await talk.page.evaluate("() => fake.hangUp()")
    assert await notice(talk) == "The call reached its longest time"


async def test_a_call_can_be_cancelled_before_it_is_one(talk: TalkPage) -> None:
    await talk.open(microphone="asks")
    await talk.phase("idle")
    await talk.page.click("#talk")
    await talk.phase("connecting")
    assert await talk.page.text("#talk") == "Cancel"
    await talk.page.click("#talk")
    await talk.phase("idle")
    await talk.page.evaluate("() => fake.allow()")
    await talk.until("fake.microphone?.getTracks().every((track) => track.readyState === 'ended')")
    assert await talk.page.evaluate("() => fake.offers.length") == 0
    assert talk.problems == []


async def test_where_a_key_is_needed_it_is_asked_for_and_not_kept(browser: TalkPage, tmp_path: Path) -> None:
    async with served_to(browser.page, tmp_path, talk_page="key") as talk:
        await talk.open()
        await talk.phase("locked")
        await talk.page.fill("#key", "sk_antiphon_wrong")
        await talk.page.press("Enter")
        assert await notice(talk) == "This key is not known here"
        _, secret = ApiKeys(tmp_path / "data" / "keys.json").create("test", 0)
        await talk.page.fill("#key", secret)
        await talk.page.press("Enter")
        await talk.phase("idle")
        await talk.talk()
        kept = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.body.outerHTML])"
        assert secret not in await talk.page.evaluate(kept)
        [offer] = await talk.page.evaluate("() => fake.offers")
        assert offer["headers"]["Authorization"].startswith("Bearer ek_"), "the private key stays at the door"


async def test_without_the_printed_address_the_page_says_what_opens_it(browser: TalkPage, tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        talk = TalkPage(browser.page, antiphon.settings.base_url)
        await talk.open()
        await talk.phase("locked")
        assert await notice(talk) == "This page opens with the address that the server printed"
        await talk.page.goto(antiphon.talk_address.replace("localhost", "127.0.0.1"))
        await talk.phase("idle")
        assert "token" not in await talk.page.evaluate("() => location.href")
        await talk.page.goto(f"{antiphon.settings.base_url}/talk")
        await talk.phase("idle")


async def test_an_assistant_that_is_not_there_is_said_and_others_are_offered(talk: TalkPage) -> None:
    await talk.page.goto(f"{talk.url}?assistant=nobody")
    assert await notice(talk) == "There is no such assistant"
    await talk.phase("idle")
    assert await talk.page.evaluate("() => document.getElementById('assistant').options.length") > 1
    talk.page.program.told.clear()  # the browser notes the 404
