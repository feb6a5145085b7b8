"""The talk page in a real browser: what it shows of a call, and what it sends."""

from __future__ import annotations

import pytest
from tests.browser.fake_call import TalkPage
from tests.browser.talk_states import GREETING, notice

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_words_that_nobody_answers_leave_nobody_waiting(talk: TalkPage) -> None:
    """ "Mhm", while the agent speaks: it is read, and the agent goes on."""
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.user_speaks("u1")
    await talk.turn(2100, 1900)
    await talk.turn(2400)
    await talk.user_stops("u1", "mhm", "a1")
    await talk.floor("agent")
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.floor("nobody")
    await talk.user_speaks("u2")
    await talk.turn(4000, 3800)
    await talk.turn(4400, 3800, 4400)
    await talk.user_stops("u2", "What is the price?", "u1")
    await talk.floor("thinking")


async def test_an_answer_that_ends_while_the_agent_is_held_was_interrupted(talk: TalkPage) -> None:
    """Somebody coughs and types: nobody decides about the cough any more."""
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.say("talk.held", reply=1, at_ms=1500)
    await talk.until("document.querySelector('.mark')?.textContent.includes('pauses to listen')")
    await talk.say("output_audio_buffer.cleared", response_id="r1")
    await talk.say("conversation.item.truncated", item_id="a1", content_index=0, audio_end_ms=1200)
    await talk.until("document.querySelector('.mark').textContent.includes('after 1.2 s of the answer')")
    assert len(await talk.marks()) == 1


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
