"""The talk page when its connection is lost, and where WebRTC finds no way."""

from __future__ import annotations

import pytest
from tests.browser.fake_call import TalkPage
from tests.browser.talk_states import GREETING, notice

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_where_webrtc_finds_no_way_the_conversation_goes_over_the_websocket(talk: TalkPage) -> None:
    """To the real server: with its greeting played here, what is typed answered, and what is cut struck out."""
    await talk.open(reaches=False)
    await talk.phase("idle")
    await talk.talk()
    assert "it goes over the WebSocket" in (await talk.marks())[0]
    await talk.floor_was("agent")
    await talk.until_lines("Scripted: Good day.")
    await talk.floor("nobody")
    await talk.page.fill("#text", "How much is marmalade?")
    await talk.page.press("Enter")
    await talk.floor_was("agent")
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
    await talk.floor_was("agent")
    await talk.floor("nobody")
    await talk.until_lines("Scripted: Good day.", "You: How much is marmalade?", "Scripted: It costs eleven crowns.")
    assert await talk.page.evaluate("() => [window.sockets.length, window.sockets[0].readyState > 1]") == [2, True]
