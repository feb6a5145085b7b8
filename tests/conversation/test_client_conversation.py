"""A client that keeps the conversation itself: places, removals, its own tools, replies that do otherwise (OpenAI Realtime)."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy, Silence
from antiphon.vocabulary import Message, ToolCall, ToolSpec

REALTIME = Policy(endpointing=Endpointing(mode="manual"), reply_on_turn_end=False, playback_owner="client")
DOOR = ToolSpec("open_door", client=True)
LAMP = ToolSpec("light_lamp", client=True)
SYSTEM = Message("system", "You are kind.")
LONG = "We are open from Monday to Friday and on the first Saturday of every month."


def started(policy: Policy = REALTIME, *tools: ToolSpec) -> CallDriver:
    call = CallDriver(policy, tools=tools, messages=[SYSTEM])
    return call.connects()


def contents(call: CallDriver) -> list[str]:
    return [message.content for message in call.conversation.history()]


# ------------------------------------------------------------------------------------------------ places


def test_a_message_stands_where_it_was_put() -> None:
    call = started().happens(
        ev.MessageAdded(Message("user", "second", id="b")),
        ev.MessageAdded(Message("user", "first", id="a"), after=ev.Place()),
        ev.MessageAdded(Message("user", "between", id="c"), after=ev.Place(id="a")),
        ev.MessageAdded(Message("user", "last", id="d"), after=ev.Place(id="never was")),
    )
    assert contents(call) == ["You are kind.", "first", "between", "second", "last"]


def test_a_message_can_be_put_after_a_turn_and_after_a_reply() -> None:
    call = started(Policy()).types("When?").model_says("At nine.").passes(2000)
    call.happens(ev.MessageAdded(Message("user", "after the reply", id="x"), after=ev.Place(reply=1)))
    call.happens(ev.MessageAdded(Message("user", "after the turn", id="y"), after=ev.Place(turn=1)))
    assert contents(call) == ["You are kind.", "When?", "after the turn", "At nine.", "after the reply"]


def test_what_was_removed_is_not_shown_to_the_model() -> None:
    call = started(Policy()).types("When?").model_says("At nine.").passes(2000)
    call.happens(ev.MessageAdded(Message("user", "a note", id="n")))
    for place in (ev.Place(id="n"), ev.Place(turn=1), ev.Place(reply=1), ev.Place(), ev.Place(id="never was")):
        call.happens(ev.MessageRemoved(place))
    assert contents(call) == ["You are kind."]


def test_a_reply_removed_while_it_speaks_leaves_nothing() -> None:
    call = started(Policy()).types("When?").model_says(LONG).passes(1000).happens(ev.MessageRemoved(ev.Place(reply=1)))
    assert call.conversation.agent == "speaking", "to be silent, it must be cancelled"
    assert contents(call.passes(9000)) == ["You are kind.", "When?"]


def test_a_note_made_while_the_agent_speaks_can_be_removed_before_it_is_over() -> None:
    call = started(Policy()).types("When?").model_says(LONG).passes(500)
    call.happens(ev.MessageAdded(Message("user", "keep", id="k")), ev.MessageAdded(Message("user", "drop", id="d")))
    call.happens(ev.MessageRemoved(ev.Place(id="d"))).passes(9000)
    assert contents(call)[-2:] == [LONG, "keep"]


def test_instructions_are_replaced_not_added() -> None:
    call = started().happens(ev.InstructionsChanged("Be brief."))
    assert contents(call) == ["Be brief."]
    assert contents(call.happens(ev.InstructionsChanged(""))) == []
    assert contents(call.happens(ev.InstructionsChanged("Be long."))) == ["Be long."]
    call.happens(ev.MessageAdded(Message("user", "first", id="a"), after=ev.Place()))
    assert contents(call) == ["Be long.", "first"]


# ------------------------------------------------------------------------------------------------ tools of the client's


def asked_for_the_door(call: CallDriver) -> CallDriver:
    return call.happens(ev.ReplyRequested("r1"), ev.ReplyAskedForTool(1, ToolCall("c1", "open_door")), ev.ReplyDone(1))


def test_a_reply_that_asks_for_a_tool_of_the_clients_ends_with_it() -> None:
    call = asked_for_the_door(started(REALTIME, DOOR))
    assert call.only(do.ReplyClosed).status == "completed"
    assert not call.all(do.RunTool) and len(call.all(do.StartReply)) == 1
    assert call.conversation.history()[-1].tool_outcome == "pending"
    call.happens(ev.MessageAdded(Message("tool", "open", tool_call_id="c1", id="o1")), ev.ReplyRequested("r2"))
    answer = Message("tool", "open", tool_call_id="c1", id="o1")
    assert call.asked.messages == (SYSTEM, Message("assistant", "", (ToolCall("c1", "open_door"),)), answer)


def test_the_clients_answer_may_come_before_the_reply_is_over() -> None:
    call = started(REALTIME, DOOR).happens(
        ev.ReplyRequested("r1"), ev.ReplyText(1, "Wait. "), ev.ReplyAskedForTool(1, ToolCall("c1", "open_door")),
        ev.MessageAdded(Message("tool", "open", tool_call_id="c1", id="o1")), ev.ReplyDone(1),
    )  # fmt: skip
    call.passes(3000)
    assert [message.content for message in call.conversation.history()[1:]] == ["Wait.", "open"]
    assert call.conversation.history()[-1].id == "o1"
    call.happens(ev.MessageRemoved(ev.Place(id="o1")))
    assert call.conversation.history()[-1].tool_outcome == "pending", "a call is never without an answer"


def test_nothing_comes_between_a_call_and_its_answer() -> None:
    call = asked_for_the_door(started(REALTIME, DOOR))
    call.happens(ev.MessageAdded(Message("user", "note", id="n"), after=ev.Place(reply=1)))
    assert [message.role for message in call.conversation.history()] == ["system", "assistant", "tool", "user"]


def test_nothing_comes_between_two_answers_of_one_step() -> None:
    call = started(REALTIME, DOOR).happens(ev.ReplyRequested("r1"))
    for call_id in ("c1", "c2"):
        call.happens(ev.ReplyAskedForTool(1, ToolCall(call_id, "open_door")))
    call.happens(ev.ReplyDone(1))
    for call_id in ("c1", "c2"):
        call.happens(ev.MessageAdded(Message("tool", "open", tool_call_id=call_id, id=f"o-{call_id}")))
    call.happens(ev.MessageAdded(Message("user", "note", id="n"), after=ev.Place(id="o-c1")))
    assert [message.id for message in call.conversation.history()[2:]] == ["o-c1", "o-c2", "n"]


def test_an_answer_nobody_asked_for_is_a_message_like_any_other() -> None:
    call = started().happens(ev.MessageAdded(Message("tool", "open", tool_call_id="c7", id="o1")))
    assert call.conversation.history()[-1].content == "open"


def test_a_tool_of_ours_beside_one_of_the_clients_is_run_and_the_reply_ends() -> None:
    call = started(REALTIME, DOOR, ToolSpec("look_up")).happens(
        ev.ReplyRequested("r1"), ev.ReplyAskedForTool(1, ToolCall("c1", "look_up")),
        ev.ReplyAskedForTool(1, ToolCall("c2", "open_door")), ev.ReplyDone(1),
    )  # fmt: skip
    assert call.only(do.RunTool).call.name == "look_up"
    call.happens(ev.ToolFinished("c1", "nine"))
    assert next(m.content for m in call.conversation.history() if m.role == "tool") == "nine"
    assert len(call.all(do.StartReply)) == 1, "the client asks for the next reply"


@pytest.mark.parametrize("late", [False, True])
def test_nobody_waits_for_a_tool_of_ours_once_the_reply_has_ended_with_one_of_the_clients(late: bool) -> None:
    call = started(REALTIME, DOOR, ToolSpec("look_up", deadline_ms=1000, filler_after_ms=500)).happens(
        ev.ReplyRequested("r1"), ev.ReplyAskedForTool(1, ToolCall("c1", "look_up")),
        ev.ReplyAskedForTool(1, ToolCall("c2", "open_door")), ev.ReplyDone(1),
    )  # fmt: skip
    call.passes(5000 if late else 100)
    assert not call.all(do.Speak), "no filler: nobody waits"
    call.happens(ev.ToolFinished("c1", "nine"))
    assert next(m.content for m in call.conversation.history() if m.tool_call_id == "c1") == "nine"


def test_tools_can_be_changed() -> None:
    call = started(REALTIME).happens(ev.ToolsChanged((DOOR,)))
    assert asked_for_the_door(call).only(do.ReplyClosed).status == "completed"


# ------------------------------------------------------------------------------------------------ replies that do otherwise


def test_one_reply_with_other_instructions_messages_tools_and_form() -> None:
    options = ev.ReplyOptions("Sum up.", (Message("user", "one two"),), (LAMP,), "text", None, {"max_output_tokens": 9})
    call = started(REALTIME, DOOR).happens(ev.MessageAdded(Message("user", "Hi")), ev.ReplyRequested("r1", options))
    assert call.asked.messages == (Message("system", "Sum up."), Message("user", "one two"))
    assert call.asked.options == options
    call.happens(
        ev.ReplyAskedForTool(1, ToolCall("c1", "light_lamp")), ev.ReplyAskedForTool(1, ToolCall("c2", "open_door"))
    )
    call.happens(ev.ReplyText(1, "Dark."), ev.ReplyDone(1))
    assert not call.all(do.Speak), "it was to be written"
    assert [m.content for m in call.conversation.history()][-4:-2] == ["Hi", "Dark."]
    assert call.conversation.history()[-1].content == "There is no tool of this name.", "the door was not offered"
    call.happens(ev.ReplyRequested("r2"))
    assert call.asked.messages[0] == SYSTEM and call.asked.options is None


@pytest.mark.parametrize("instructions", ["", None])
def test_a_reply_under_no_instructions(instructions: str | None) -> None:
    call = started().happens(ev.ReplyRequested("r1", ev.ReplyOptions(instructions)))
    assert call.asked.messages == (() if instructions == "" else (SYSTEM,))


def test_a_reply_asked_for_while_the_last_one_only_plays_on_begins_when_it_has_been_heard() -> None:
    call = started(Policy()).types("When?").model_says(LONG).passes(500).happens(ev.ReplyRequested("r2"))
    assert not call.all(do.RequestRefused) and len(call.all(do.StartReply)) == 1
    call.happens(ev.ReplyRequested("r3"))
    assert call.only(do.RequestRefused).request == "r3", "one waits at most"
    call.passes(9000)
    assert call.asked.request == "r2" and call.asked.messages[-1].content == LONG


def test_a_reply_asked_for_while_the_model_writes_is_refused() -> None:
    call = started(Policy()).types("When?").model_says("At nine ", done=False).happens(ev.ReplyRequested("r2"))
    assert call.only(do.RequestRefused) == do.RequestRefused("r2", "reply_active")


# ------------------------------------------------------------------------------------------------ idle


def test_silence_asks_the_model_where_the_client_wants_it_so() -> None:
    policy = Policy(silence=Silence(idle_after_ms=5000, idle_reply=True, silence_timeout_ms=0), playback_owner="client")
    call = connected(policy).passes(5000)
    assert call.only(do.IdleTimedOut).turn == 1 and call.asked.turn == 1


def test_a_client_that_plays_at_its_own_pace_is_idle_only_once_it_has_played() -> None:
    policy = Policy(silence=Silence(idle_after_ms=5000, idle_reply=True, silence_timeout_ms=0), playback_owner="client")
    call = connected(policy).happens(ev.ReplyRequested("r1"), ev.ReplyText(1, "Hello there."), ev.ReplyDone(1))
    began_ms = call.now_ms
    assert call.mouth is not None
    call.mouth.finished = True
    call.happens(ev.PlaybackFinished(1, 600))  # handed over at once, 600 ms long
    call.at(began_ms + 5500)
    assert not call.all(do.IdleTimedOut)
    assert call.at(began_ms + 5600).only(do.IdleTimedOut)
