"""The talk page in a real browser: what it shows of a call, what it sends, and what it says when something is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.chromium import browser_page
from tests.browser.fake_call import FAKE, TalkPage, served_to
from tests.browser.test_console import AXE, SHOTS, axe
from tests.serving import running_server, settings_for

from antiphon.surfaces.keys import ApiKeys

pytestmark = pytest.mark.asyncio(loop_scope="module")
GREETING = "Good day, this is the front desk."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TalkPage]:
    """One server and one browser for all: starting them takes longer than all they are asked."""
    async with browser_page() as page:
        await page.initially(FAKE.read_text(encoding="utf-8"))
        await page.initially(AXE)
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
    stages = "[...document.querySelectorAll('#latency span')].map((stage) => stage.className)"
    await talk.turn(3300, 3000)
    await talk.until(f"{stages}.join() === 'deciding growing'")
    told = "Number(document.querySelector('#latency .deciding').textContent.match(/[0-9]+/)[0])"
    await talk.until(f"{told} > 330")
    await talk.turn(3400, 3000, 3400)
    await talk.user_stops("u1", "What is the price?")
    await talk.until(f"{stages}.join() === 'deciding,model growing'")
    assert await talk.page.text("#latency .deciding") == "deciding 400 ms"
    await talk.turn(3520, 3000, 3400, 3520)
    await talk.agent_begins("r1", "a1", "Two crowns.", "u1")
    await talk.until(f"{stages}.join() === 'deciding,model,voice growing'")
    await talk.turn(3600, 3000, 3400, 3520, 3600)
    await talk.until(f"{stages}.join() === 'deciding,model,voice'")
    assert await talk.marks() == ["Answered after 600 ms: deciding 400 ms, model 120 ms, voice 80 ms"]
    order = "[...document.querySelectorAll('#lines > li')].map((row) => row.classList[0]).join()"
    assert await talk.page.evaluate(f"() => {order}") == "line,mark,line", (
        "between what was asked and what was answered"
    )
    await talk.turn(5000)
    await talk.until("document.getElementById('latency').hidden")
    assert len(await talk.marks()) == 1, "every turn's stays"


async def test_an_answer_that_was_begun_early_has_no_time_with_the_model(talk: TalkPage) -> None:
    await talk.talk()
    await talk.say("talk.turn", at_ms=3350, stopped_ms=3000, closed_ms=None, token_ms=3200, heard_ms=None)
    await talk.until("document.querySelectorAll('#latency span').length === 1")
    await talk.turn(3450, 3000, 3400, 3200, 3450)
    assert await talk.marks() == ["Answered after 450 ms: deciding 400 ms, model 0 ms, voice 50 ms"]


async def test_what_the_visitor_says_is_read_while_it_is_said(talk: TalkPage) -> None:
    await talk.talk()
    await talk.user_speaks("u1")
    await talk.say("talk.partial", utterance=1, text="what is")
    await talk.until_lines("You: what is …")
    await talk.say("talk.partial", utterance=1, text="what is the")
    await talk.say("talk.partial", utterance=2, text="price")
    await talk.until_lines("You: what is the price …")
    await talk.user_stops("u1", "What is the price?")
    await talk.until_lines("You: What is the price?")
    await talk.say("talk.partial", utterance=2, text="late")
    await talk.until_lines("You: What is the price?")
    await talk.user_speaks("u2")
    await talk.say("talk.partial", utterance=3, text="and")
    await talk.until_lines("You: What is the price?", "You: and …")


async def test_the_agent_held_and_going_on_and_interrupted_is_marked(talk: TalkPage) -> None:
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.floor("agent")
    await talk.say("talk.held", reply=1, at_ms=900)
    await talk.floor("held")
    assert await talk.page.text("#floor") == "Scripted pauses to listen"
    assert await talk.marks() == ["The agent pauses to listen"]
    said = "() => document.querySelector('.agent .said').textContent"
    before = await talk.page.evaluate(said)
    await talk.until("document.getElementById('clock').textContent === '0:01'")
    assert await talk.page.evaluate(said) == before, "nothing of it sounds meanwhile"
    await talk.say("talk.resumed", reply=1, at_ms=1320, held_ms=420)
    await talk.floor("agent")
    assert await talk.marks() == ["The agent paused for 420 ms and went on"]
    await talk.say("talk.held", reply=1, at_ms=2000)
    await talk.say("talk.interrupted", reply=1, at_ms=2100, heard_ms=1640)
    await talk.say("talk.interrupted", reply=2, at_ms=4100, heard_ms=300)
    assert (await talk.marks())[1:] == [
        "Interrupted after 1.6 s of the answer",
        "Interrupted after 0.3 s of the answer",
    ]


async def test_tools_are_shown_while_they_run(talk: TalkPage) -> None:
    await talk.talk()
    await talk.say("talk.tool", id="t1", at_ms=10, name="look_up", arguments='{"what":"<b>plums</b>"}')
    await talk.say("talk.tool", id="t2", at_ms=10, name="order")
    assert await talk.marks() == ['Tool look_up {"what":"<b>plums</b>"} running', "Tool order running"]
    await talk.say("talk.tool_done", id="t2", at_ms=20, lasted_ms=10, outcome="failed")
    await talk.say("talk.tool_done", id="t1", at_ms=350, lasted_ms=340, outcome="answered")
    await talk.say("talk.tool_done", id="unknown", at_ms=350, lasted_ms=340, outcome="answered")
    assert await talk.marks() == ['Tool look_up {"what":"<b>plums</b>"} 340 ms', "Tool order failed after 10 ms"]


async def test_the_connection_is_checked_when_it_fails(talk: TalkPage) -> None:
    await checked(talk, probe=GOOD)
    assert await findings(talk) == dict.fromkeys(
        ["A page that may use a microphone", "The server answers", "A microphone that can be heard", "WebRTC",
         "This browser sends over UDP", "UDP reaches the server"], "",
    )  # fmt: skip


GOOD = {"status": 201, "body": "v=0 (an answer)"}


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


FAIL = "() => { fake.answer = { status: 400, body: '{}' }; fake.state('failed'); }"
"""The connection is lost, and the server will have no other."""
FULL, DRAINING = ({"status": 503, "body": f'{{"error": {{"code": "server_{why}"}}}}'} for why in ("full", "draining"))


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


async def test_a_lost_connection_comes_back_and_the_conversation_goes_on(talk: TalkPage) -> None:
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.user_speaks("u1")
    await talk.user_stops("u1", "What is the price?", "a1")
    answer = "We have apples and pears and plums and quinces and a great many other things besides."
    await talk.agent_begins("r2", "a2", answer, "u1")
    await talk.until("document.querySelectorAll('.agent .said')[1].textContent.length > 5")
    await talk.user_speaks("u2")
    await talk.say("talk.partial", utterance=2, text="and what about")
    await talk.page.evaluate("() => { fake.sent.length = 0; fake.state('failed'); }")
    await talk.page.wait_for(".mark.back")
    await talk.phase("live")
    await talk.floor("nobody")
    assert [asked.rpartition("/talk/")[2] for asked in await talk.page.evaluate("() => fake.asked") if "/key/" in asked] == [
        "key/scripted", "key/scripted?resumed",
    ]  # fmt: skip
    update, *items = await talk.sent()
    assert update["type"] == "session.update"
    assert {item["type"] for item in items} == {"conversation.item.create"}, "nothing is answered twice"
    told = [(item["item"]["role"], item["item"]["content"][0]["text"]) for item in items]
    heard = await talk.page.evaluate("() => document.querySelectorAll('.agent .said')[1].textContent.trim()")
    assert told == [("assistant", GREETING), ("user", "What is the price?"), ("assistant", heard)]
    assert answer.startswith(heard) and heard != answer, (
        "of what was lost on the way, the model knows no more than was heard"
    )
    lines = await talk.lines()
    for item in items:  # as the server repeats them
        added = item["item"] | {"object": "realtime.item", "status": "completed"}
        await talk.say("conversation.item.added", previous_item_id=None, item=added)
        await talk.say("conversation.item.done", previous_item_id=None, item=added)
    assert await talk.lines() == lines, "what was said stays as it was"
    assert "The conversation goes on" in (await talk.marks())[-1]
    assert await talk.page.text("#said-aloud") == "Connected again"
    await talk.agent_begins("r3", "a3", "Plums, then.")
    await talk.floor("agent")
    assert (await talk.lines())[-1] == "Scripted: Plums, then."


async def test_what_was_asked_when_the_connection_was_lost_is_answered(talk: TalkPage) -> None:
    await talk.open(hurry=4)
    await talk.phase("idle")
    await talk.talk()
    await talk.user_speaks("u1")
    await talk.user_stops("u1", "What is the price?")
    await talk.page.evaluate("() => { fake.sent.length = 0; fake.answer = null; fake.state('failed'); }")
    await talk.until("/^Trying to reconnect .[2-6] of 6.$/.test(document.getElementById('floor').textContent)")
    await talk.page.fill("#text", "And of plums?")
    await talk.page.press("Enter")
    assert await talk.page.evaluate("() => fake.sent.length") == 0
    await talk.page.evaluate("() => { fake.answer = { status: 201, body: 'v=0 (an answer)' }; }")
    await talk.page.wait_for(".mark.back")
    types = [event["type"] for event in await talk.sent()]
    assert types == ["session.update", *["conversation.item.create"] * 2, "response.create"]
    await talk.floor("thinking")
    assert talk.problems == []


async def test_a_muted_microphone_stays_muted_on_another_connection(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.click("#mute")
    await talk.page.evaluate("() => { fake.first = fake.peer; fake.state('failed'); }")
    await talk.page.wait_for(".mark.back")
    assert (
        await talk.page.evaluate("() => fake.peer !== fake.first && fake.first.closed && fake.peer.tracks[0].enabled")
        is False
    )
    await talk.page.click("#talk")
    await talk.until("fake.peer.tracks[0].readyState === 'ended'")


async def test_trying_to_reconnect_can_be_given_up(talk: TalkPage) -> None:
    await talk.talk()
    await talk.page.evaluate("() => { fake.answer = null; fake.state('failed'); }")
    await talk.floor("away")
    await talk.page.click("#talk")
    await talk.phase("idle")
    assert (await talk.page.text("#floor")).startswith("Call ended after")
    assert not await talk.page.visible("#problem")


async def test_a_server_that_will_have_none_of_it_is_not_asked_again(talk: TalkPage) -> None:
    await talk.talk()
    refused = '{"error": {"code": "invalid_offer", "message": "Not like that."}}'
    await talk.page.evaluate("(body) => { fake.answer = { status: 400, body }; fake.state('failed'); }", refused)
    assert await notice(talk) == "The server refused the call"
    assert await talk.page.evaluate("() => fake.offers.length") == 2


async def test_a_hiccup_of_the_connection_is_no_loss(talk: TalkPage) -> None:
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.page.evaluate("() => fake.state('disconnected')")
    assert await talk.page.text("#floor") == "Trying to reconnect"
    await talk.page.evaluate("() => fake.state('connected')")
    await talk.floor("agent")
    assert await talk.page.evaluate("() => fake.offers.length") == 1


async def test_a_connection_that_does_not_come_back_is_said_and_a_new_call_keeps_what_was_said(talk: TalkPage) -> None:
    await talk.open(hurry=100)
    await talk.phase("idle")
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.page.evaluate("() => { fake.answer = null; fake.state('failed'); }")
    assert await notice(talk) == "The connection was lost"
    assert await talk.page.evaluate("() => fake.offers.length") == 7, "and that was all"
    assert await talk.page.text("#retry") == "Reconnect"
    await talk.page.evaluate("() => { fake.answer = { status: 201, body: 'v=0 (an answer)' }; }")
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
    for _ in range(6):
        await talk.page.press("Tab")
        reached.append(await talk.page.evaluate("() => document.activeElement.id"))
    assert reached == ["assistant", "language", "talk", "paper", "text", "send"]
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
    await talk.page.evaluate(FAIL)
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
    await talk.page.evaluate(FAIL)
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


# ------------------------------------------------------------------------------------------------ over the WebSocket


async def test_where_webrtc_finds_no_way_the_conversation_goes_over_the_websocket(talk: TalkPage) -> None:
    """To the real server: with its greeting played here, what is typed answered, and what is cut struck out."""
    await talk.open(reaches=False)
    await talk.phase("idle")
    await talk.talk()
    assert "it goes over the WebSocket" in (await talk.marks())[0]
    await talk.floor("agent")
    await talk.until_lines("Scripted: Good day.")
    await talk.floor("nobody")
    await talk.page.fill("#text", "How much is marmalade?")
    await talk.page.press("Enter")
    await talk.floor("agent")
    await talk.until("document.querySelectorAll('.agent .said')[1].textContent.length > 5")
    await talk.page.fill("#text", "And of plums?")
    await talk.page.press("Enter")
    await talk.page.wait_for(".agent.cut del")
    said, unsaid = await talk.page.evaluate(
        "() => ['.said', 'del'].map((part) => document.querySelector(`.cut ${part}`).textContent)"
    )
    assert f"{said}{unsaid}" == "It costs eleven crowns."
    await talk.until("document.querySelectorAll('.line.agent').length === 3")
    await talk.until("document.querySelectorAll('.mark.times').length === 2")
    assert await talk.page.evaluate("() => document.getElementById('voice').srcObject.getAudioTracks().length") == 1
    await talk.page.click("#talk")
    await talk.phase("idle")
    assert await talk.page.evaluate("() => fake.offers.length") == 1
    await talk.talk()
    assert await talk.page.evaluate("() => fake.offers.length") == 1, (
        "UDP is not tried again before the page is opened anew"
    )
    assert not await talk.page.visible("#problem")
    assert talk.problems == []


async def test_a_lost_websocket_comes_back_too(talk: TalkPage) -> None:
    sockets = """() => { const Real = WebSocket; window.WebSocket = class extends Real {
      constructor(...given) { super(...given); (window.sockets ??= []).push(this); } }; }"""
    await talk.open(webrtc=False)
    await talk.phase("idle")
    await talk.page.evaluate(sockets)
    await talk.talk()
    await talk.until_lines("Scripted: Good day.")
    await talk.floor("nobody")
    await talk.page.evaluate("() => window.sockets[0].onclose({ code: 1006 })")
    await talk.page.wait_for(".mark.back")
    await talk.page.fill("#text", "How much is marmalade?")
    await talk.page.press("Enter")
    await talk.floor("agent")
    await talk.floor("nobody")
    await talk.until_lines("Scripted: Good day.", "You: How much is marmalade?", "Scripted: It costs eleven crowns.")
    assert await talk.page.evaluate("() => [window.sockets.length, window.sockets[0].readyState > 1]") == [2, True]


# ------------------------------------------------------------------------------------------------ in other languages


async def test_every_word_is_there_in_every_language(talk: TalkPage) -> None:
    words = "async () => (await import('./talk/words.js')).WORDS"
    languages = await talk.page.evaluate(words)
    names = "{(.+?)}"
    assert set(languages["ko"]) == set(languages["en"])
    for key, text in languages["ko"].items():
        assert sorted(re.findall(names, text)) == sorted(re.findall(names, languages["en"][key])), key


async def test_the_page_speaks_korean_to_whose_browser_does_and_to_who_chooses_it(browser: TalkPage) -> None:
    await browser.open()
    await browser.phase("idle")
    await browser.talk()
    await browser.agent_begins("r1", "a1", GREETING)
    await browser.say("talk.held", reply=1, at_ms=900)
    await browser.user_speaks("u1")
    await browser.floor("you")
    await browser.speak_language("ko")
    assert await browser.page.evaluate("() => [document.documentElement.lang, document.title]") == [
        "ko",
        "대화하기 · Antiphon",
    ]
    assert await browser.page.text("#floor") == "말씀하시는 중"
    assert await browser.page.text("#talk") == "끊기"
    assert await browser.marks() == ["에이전트가 멈추고 듣습니다"]
    assert await browser.lines() == [f"Scripted: {GREETING}", "나: …"], "what was said stays as it was said"
    await browser.page.evaluate(FAIL)
    assert await notice(browser) == "서버가 통화를 거절했습니다"
    left = """() => [...document.querySelectorAll('body *')]
      .filter((element) => element.checkVisibility() && !element.closest('#lines, select, h1'))
      .flatMap((element) => [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ textContent }) => textContent)
        .concat(element.placeholder ?? '', element.ariaLabel ?? ''))
      .filter((text) => /[A-Za-z]{3}/.test(text.replace(/Antiphon|Scripted/g, '')))"""
    assert await browser.page.evaluate(left) == []
    await browser.page.goto(browser.url)
    await browser.phase("idle")
    assert await browser.page.text("#floor") == "준비되었습니다", "it is remembered"
    await browser.page.evaluate("() => localStorage.clear()")
    await browser.page.evaluate("() => sessionStorage.setItem('fake', JSON.stringify({ language: 'ko-KR' }))")
    await browser.page.goto(browser.url)
    await browser.phase("idle")
    assert await browser.page.text("#talk") == "대화하기"
    assert browser.problems == []


async def test_an_assistant_that_is_not_there_is_said_and_others_are_offered(talk: TalkPage) -> None:
    await talk.page.goto(f"{talk.url}?assistant=nobody")
    assert await notice(talk) == "There is no such assistant"
    await talk.phase("idle")
    assert await talk.page.evaluate("() => document.getElementById('assistant').options.length") > 1
    talk.page.program.told.clear()  # the browser notes the 404


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_page_is_readable_in_all_its_states_and_light(talk: TalkPage, language: str) -> None:
    await talk.speak_language(language)
    await look(talk, f"talk-idle-{language}")
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("talk.held", reply=1, at_ms=900)
    await talk.say("talk.resumed", reply=1, at_ms=1320, held_ms=420)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.user_speaks("u1")
    await talk.user_stops("u1", "What is the price of plums, and have you any?", "a1")
    await talk.say("talk.tool", id="t1", at_ms=10, name="look_up", arguments='{"what":"plums"}')
    await talk.say("talk.tool_done", id="t1", at_ms=350, lasted_ms=340, outcome="answered")
    await talk.agent_begins("r2", "a2", "We have apples and pears and plums and quinces.", "u1")
    await talk.turn(4100, 3000, 3400, 3950, 4100)
    await talk.say("talk.held", reply=2, at_ms=5000)
    await look(talk, f"talk-held-{language}")
    await talk.say("talk.interrupted", reply=2, at_ms=5100, heard_ms=1200)
    await talk.user_speaks("u2")
    await talk.agent_done("r2", "a2", "We have apples and pears and plums and quinces.", "cancelled")
    await talk.say("output_audio_buffer.cleared", response_id="r2")
    await talk.agent_heard("a2", "We have apples")
    await talk.say("talk.partial", utterance=2, text="plums will do")
    await talk.turn(5900, 5700)
    await look(talk, f"talk-live-{language}")
    await talk.page.evaluate("() => fake.state('failed')")
    await talk.page.wait_for(".mark.back")
    await look(talk, f"talk-back-{language}")
    await talk.page.evaluate(FAIL)
    await notice(talk)
    await look(talk, f"talk-refused-{language}")
    transferred = "() => performance.getEntries().reduce((sum, { transferSize = 0 }) => sum + transferSize, 0)"
    assert await talk.page.evaluate(transferred) < 100_000
    await checked(talk, reaches=False, probe=GOOD, connection=relay("refused"), microphone="NotReadableError")
    await talk.speak_language(language)
    await look(talk, f"talk-checked-{language}")
    assert [told for told in talk.problems if "status of" not in str(told)] == []


async def look(talk: TalkPage, name: str) -> None:
    """Pictures (where ``CONSOLE_SHOTS`` names a folder), and what axe finds wrong for people who read otherwise."""
    for width, height in ((1280, 850), (390, 844)):
        await talk.page.viewport(width, height)
        assert await talk.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (name, width)
        for scheme in ("light", "dark"):
            await talk.page.media(colorScheme=scheme, reducedMotion="reduce")
            if SHOTS:
                await talk.page.screenshot(Path(SHOTS) / f"{name}-{width}-{scheme}.png")
            assert await axe(talk.page) == [], (name, width, scheme)
    await talk.page.viewport(1280, 800)
    await talk.page.media(colorScheme="light", reducedMotion="no-preference")
