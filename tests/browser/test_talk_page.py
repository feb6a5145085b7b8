"""The talk page in a real browser: what it shows of a call, what it sends, and what it says when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.chromium import browser_page
from tests.browser.fake_call import FAKE, TalkPage, served_to
from tests.serving import running_server, settings_for

from antiphon.surfaces.keys import ApiKeys

pytestmark = pytest.mark.asyncio(loop_scope="module")
GREETING = "Good day, this is the front desk."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TalkPage]:
    """One server and one browser for all: starting them takes longer than all they are asked."""
    async with browser_page() as page:
        await page.initially(FAKE.read_text(encoding="utf-8"))
        async with served_to(page, tmp_path_factory.mktemp("talk")) as talk:
            yield talk


@pytest_asyncio.fixture(loop_scope="module")
async def talk(browser: TalkPage) -> TalkPage:
    """The page, freshly opened."""
    await browser.open()
    await browser.phase("idle")
    return browser


async def notice(talk: TalkPage) -> str:
    """What the page complains about."""
    await talk.page.wait_for("#problem")
    return await talk.page.text("#problem-title")


async def test_a_spoken_conversation_shows_who_has_the_floor_and_what_was_said(talk: TalkPage) -> None:
    await talk.phase("idle")
    assert await talk.page.text("#floor") == "Ready when you are"
    await talk.talk()
    [offer] = await talk.page.evaluate("() => fake.offers")
    assert offer["body"] == "v=0 (an offer)"
    assert offer["headers"]["Content-Type"] == "application/sdp"
    assert offer["headers"]["Authorization"].startswith("Bearer ek_")
    assert await talk.page.evaluate("() => fake.peer.channel.label") == "oai-events"
    assert await talk.page.text("#floor") == "Listening"

    await talk.agent_begins("r1", "a1", GREETING)
    await talk.floor("agent")
    assert await talk.page.text("#floor") == "Scripted is speaking"
    await talk.agent_done("r1", "a1", GREETING)
    await talk.floor("agent")
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.floor("nobody")
    await talk.until_lines(f"Scripted: {GREETING}")

    await talk.user_speaks("u1")
    await talk.floor("you")
    await talk.until_lines(f"Scripted: {GREETING}", "You: …")
    await talk.user_stops("u1", "What is the price?", "a1")
    await talk.floor("thinking")
    await talk.until_lines(f"Scripted: {GREETING}", "You: What is the price?")

    await talk.page.click("#talk")
    await talk.phase("idle")
    assert (await talk.page.text("#floor")).startswith("Call ended after 0:0")
    assert await talk.page.evaluate(
        "() => fake.peer.closed && fake.peer.tracks.every((track) => track.readyState === 'ended')"
    )
    assert talk.problems == []


async def test_words_sound_one_after_the_other_and_an_interruption_cuts_them_to_what_was_heard(talk: TalkPage) -> None:
    await talk.talk()
    text = "We have apples and pears and plums and quinces and a great many other things besides."
    await talk.agent_begins("r1", "a1", text)
    await talk.until("document.querySelector('.said').textContent.length > 5")
    said, ahead = await talk.page.evaluate(
        "() => ['.said', '.ahead'].map((part) => document.querySelector(`.agent ${part}`).textContent)"
    )
    assert said + ahead == text
    assert ahead, "not all of it can have been spoken"

    await talk.user_speaks("u1")
    await talk.floor("you")
    await talk.agent_done("r1", "a1", text, "cancelled")
    await talk.say("output_audio_buffer.cleared", response_id="r1")
    assert await talk.page.visible(".cut")
    await talk.sent()
    await talk.agent_heard("a1", "We  have apples")
    assert await talk.sent() == [{"type": "conversation.item.retrieve", "item_id": "a1"}]
    assert await talk.page.text(".agent .said") == "We have apples "
    assert (
        await talk.page.text(".agent del") == "and pears and plums and quinces and a great many other things besides."
    )
    await talk.user_stops("u1", "Plums, please.", "a1")
    [cut, answer] = await talk.lines()
    assert cut.startswith("Scripted: We have apples — interrupted and pears")
    assert answer == "You: Plums, please."


async def test_where_the_time_of_a_turn_went_grows_as_it_goes(talk: TalkPage) -> None:
    await talk.talk()
    await talk.user_speaks("u1")
    assert not await talk.page.visible("#latency")
    await talk.user_stops("u1", "What is the price?")
    stages = "[...document.querySelectorAll('#latency span')].map((stage) => stage.className)"
    await talk.until(f"{stages}.join() === 'deciding growing'")
    await talk.say("response.created", response={"id": "r1", "status": "in_progress", "output": []})
    await talk.until(f"{stages}.join() === 'deciding,model growing'")
    await talk.agent_begins("r1", "a1", "Two crowns.", "u1")
    await talk.until(f"{stages}.join() === 'deciding,model,voice'")
    assert (await talk.page.text("#latency .deciding")).startswith("deciding ")


async def test_the_connection_is_checked_when_it_fails(talk: TalkPage) -> None:
    await talk.open(answer=None)
    await talk.phase("idle")
    await talk.page.click("#talk")
    assert await notice(talk) == "The server does not answer"
    await talk.page.click("#check")
    await talk.until("document.querySelectorAll('#checked li').length === 6")
    found = await talk.page.text("#checked")
    assert "✓ A microphone" in found
    assert "✓ The server answers" in found
    assert "✗ This browser sends over UDP. A policy" in found, "the stand-in for WebRTC sends nothing"


async def test_a_cough_leaves_no_trace(talk: TalkPage) -> None:
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.user_speaks("u1")
    await talk.floor("you")
    await talk.user_stops("u1", " ", "a1")
    await talk.floor("agent")
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.floor("nobody")
    await talk.until_lines(f"Scripted: {GREETING}")


async def test_typing_stops_the_agent_and_asks_for_an_answer_when_it_has_stopped(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.fill("#text", "  How much are pears?  ")
    await talk.page.press("Enter")
    [hello, item, create] = await talk.sent()
    assert hello == {"type": "session.update", "session": {"type": "realtime"}}, "the greeting need not wait"
    assert item["item"]["content"] == [{"type": "input_text", "text": "How much are pears?"}]
    assert create == {"type": "response.create"}
    await talk.floor("thinking")

    await talk.agent_begins("r1", "a1", "Two crowns.", item["item"]["id"])
    await talk.page.fill("#text", "And <b>plums</b>?")
    await talk.page.press("Enter")
    types = [event["type"] for event in await talk.sent()]
    assert types == ["response.cancel", "output_audio_buffer.clear", "conversation.item.create"]
    await talk.agent_done("r1", "a1", "Two crowns.", "cancelled")
    assert [event["type"] for event in await talk.sent()] == ["response.create"]
    await talk.say("output_audio_buffer.cleared", response_id="r1")
    await talk.agent_heard("a1", "")
    await talk.floor("thinking")
    assert [line.split(": ")[0] for line in await talk.lines()] == ["You", "Scripted", "You"]
    assert (await talk.lines())[-1] == "You: And <b>plums</b>?"
    await talk.page.press("Enter")
    assert [event for event in await talk.sent() if event["type"].startswith("response")] == []


async def test_who_types_first_gets_a_call_without_a_microphone(talk: TalkPage) -> None:
    await talk.open(microphone="NotFoundError")
    await talk.phase("idle")
    await talk.page.fill("#text", "Good morning")
    await talk.page.press("Enter")
    await talk.phase("live")
    types = [event["type"] for event in await talk.sent()]
    assert types == ["session.update", "conversation.item.create", "response.create"]
    await talk.until_lines("You: Good morning")
    assert await talk.page.evaluate("() => fake.peer.tracks.length") == 1, "the call on the wire is the same"
    assert await talk.page.evaluate("() => document.getElementById('log').ariaLive") == "polite"


async def test_an_answer_that_is_refused_because_one_is_under_way_is_asked_for_again(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.fill("#text", "Hello")
    await talk.page.press("Enter")
    await talk.sent()
    await talk.say("response.created", response={"id": "r1", "status": "in_progress", "output": []})
    code = "conversation_already_has_active_response"
    await talk.say("error", error={"type": "invalid_request_error", "code": code, "message": "…"})
    assert not await talk.page.visible("#problem")
    await talk.say("response.done", response={"id": "r1", "status": "completed", "output": []})
    assert await talk.sent() == [{"type": "response.create"}]
    await talk.say("error", error={"type": "invalid_request_error", "code": "other", "message": "Not like that."})
    assert await notice(talk) == "The server did not take that"
    assert await talk.page.text("#problem-text") == "Not like that."


async def test_mute_turns_the_microphone_off_and_says_so(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.click("#mute")
    assert await talk.page.evaluate("() => fake.peer.tracks[0].enabled") is False
    assert await talk.page.text("#floor") == "Listening, but you are muted"
    assert await talk.page.text("#said-aloud") == "Your microphone is off"
    assert await talk.page.evaluate("() => document.getElementById('mute').ariaPressed") == "true"
    await talk.page.click("#mute")
    assert await talk.page.evaluate("() => fake.peer.tracks[0].enabled") is True


async def test_both_voices_move_the_meters(talk: TalkPage) -> None:
    ink = """() => {
      const canvas = document.getElementById('levels');
      const side = (x) => canvas.getContext('2d').getImageData(x, 0, canvas.width / 2, canvas.height).data
        .filter((value, at) => at % 4 === 3 && value > 60).length;
      return [side(0), side(canvas.width / 2)];
    }"""
    await talk.open(microphone="beeps")
    await talk.phase("idle")
    silent = await talk.page.evaluate(ink)
    await talk.talk()
    await talk.page.evaluate("() => { fake.loudness.gain.value = 0.5 }")
    louder = f"(() => {{ const [you, agent] = ({ink})(); return you > {2 * silent[0]} && agent > {2 * silent[1]}; }})()"
    await talk.until(louder)
    await talk.page.click("#mute")
    await talk.page.evaluate("() => { fake.loudness.gain.value = 0 }")
    await talk.until(
        f"(() => {{ const [you, agent] = ({ink})(); return you < {2 * silent[0]} && agent < {2 * silent[1]}; }})()"
    )


# ------------------------------------------------------------------------------------------------ what goes wrong


FULL, DRAINING = ({"status": 503, "body": f'{{"error": {{"code": "server_{why}"}}}}'} for why in ("full", "draining"))


@pytest.mark.parametrize(
    ("wrong", "title", "typing"),
    [
        ({"microphone": "NotFoundError"}, "No microphone was found", True),
        ({"microphone": "NotAllowedError"}, "The microphone is not allowed", True),
        ({"microphone": "NotReadableError"}, "The microphone cannot be used", True),
        ({"secure": False}, "Browsers give no microphone to this address", True),
        ({"webrtc": False}, "This browser cannot make calls", False),
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


async def test_a_lost_connection_is_said_and_a_new_call_keeps_what_was_said(talk: TalkPage) -> None:
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.agent_done("r1", "a1", GREETING)
    await talk.page.evaluate("() => fake.state('disconnected')")
    assert await talk.page.text("#floor") == "Trying to reconnect"
    await talk.page.evaluate("() => fake.state('connected')")
    await talk.floor("agent")
    assert not await talk.page.visible("#problem"), "a hiccup is no loss"
    await talk.page.evaluate("() => fake.state('failed')")
    assert await notice(talk) == "The connection was lost"
    assert await talk.page.text("#retry") == "Reconnect"
    await talk.page.click("#retry")
    await talk.phase("live")
    assert not await talk.page.visible("#problem")
    await talk.agent_begins("r2", "a2", "Good day again.")
    await talk.say("output_audio_buffer.stopped", response_id="r2")
    await talk.until_lines(f"Scripted: {GREETING}", "Scripted: Good day again.")
    assert await talk.page.text(".rule") == "A new call"


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


# ------------------------------------------------------------------------------------------------ for everybody


async def test_it_can_be_used_by_keyboard_and_screen_reader(talk: TalkPage) -> None:
    await talk.phase("idle")
    reached = []
    for _ in range(5):
        await talk.page.press("Tab")
        reached.append(await talk.page.evaluate("() => document.activeElement.id"))
    assert reached == ["assistant", "talk", "paper", "text", "send"]
    await talk.page.evaluate("() => document.getElementById('talk').focus()")
    await talk.page.press("Enter")
    await talk.phase("live")
    assert await talk.page.text("#said-aloud") == "Connected to Scripted"
    await talk.agent_begins("r1", "a1", GREETING)
    busy = "() => document.querySelector('.line').ariaBusy"
    assert await talk.page.evaluate(busy) == "true"
    await talk.agent_done("r1", "a1", GREETING)
    assert await talk.page.evaluate(busy) == "false"
    unnamed = """() => [...document.querySelectorAll('button, input, select, [role]')].filter((element) =>
      !element.hidden && !element.ariaLabel && !element.textContent.trim() && !element.labels?.length
      && !['status', 'alert'].includes(element.role)).map((element) => element.outerHTML)"""
    assert await talk.page.evaluate(unnamed) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 568), (844, 390)])
async def test_it_fits_the_screen(talk: TalkPage, width: int, height: int) -> None:
    await talk.page.viewport(width, height)
    await talk.talk()
    await talk.agent_begins("r1", "a1", "word " * 300 + "x" * 200)
    await talk.page.evaluate("() => fake.state('failed')")
    await notice(talk)
    outside = """() => [...document.querySelectorAll('button, input, select, #floor, .words')]
      .filter((element) => element.checkVisibility() && !element.closest('#paper'))
      .map((element) => [element.id, element.getBoundingClientRect()])
      .filter(([, box]) => box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight)"""
    assert await talk.page.evaluate(outside) == []
    assert await talk.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    end = "() => { const paper = document.getElementById('paper'); return paper.scrollHeight - paper.scrollTop - paper.clientHeight; }"
    assert await talk.page.evaluate(end) < 80, "the newest words are in sight"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(talk: TalkPage, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    contrast = """() => {
      const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgb = (colour) => { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); return [...paint.getImageData(0, 0, 1, 1).data]; };
      const light = (colour) => rgb(colour).slice(0, 3).map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
      const ground = (element) => { for (; element; element = element.parentElement) {
        const { backgroundColor } = getComputedStyle(element); if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor; } };
      return [...document.querySelectorAll('.who, .words *, .side, .clock, .faint, button, h1, h2, #floor, #problem p, .choice span')]
        .filter((element) => element.checkVisibility() && element.textContent.trim() && !element.disabled)
        .map((element) => { const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
          return [element.className || element.id || element.tagName, (a + 0.05) / (b + 0.05)]; })
        .filter(([, ratio]) => ratio < 4.5);
    }"""
    await talk.page.media(colorScheme=scheme, reducedMotion="reduce")
    await talk.talk()
    await talk.agent_begins("r1", "a1", "One two three four five six seven eight nine ten.")
    await talk.agent_done("r1", "a1", "One two three four five six seven eight nine ten.", "cancelled")
    await talk.agent_heard("a1", "One two")
    await talk.user_speaks("u1")
    assert await talk.page.evaluate(contrast) == []
    await talk.user_stops("u1", "Stop.", "a1")
    await talk.agent_begins("r2", "a2", "Yes, and then some more words.")
    assert await talk.page.evaluate(contrast) == []
    await talk.page.evaluate("() => fake.state('failed')")
    await notice(talk)
    assert await talk.page.evaluate(contrast) == []


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
