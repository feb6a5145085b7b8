"""Tools never block the air (requirement R20)."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy
from antiphon.conversation.tool_calls import NOT_YET, STARTED, TIMED_OUT, UNKNOWN_TOOL
from antiphon.vocabulary import Message, ToolCall, ToolSpec

LOOK_UP = ToolSpec("look_up")
BOOK = ToolSpec("book", filler="", cancel_on_interruption=True)
SEARCH = ToolSpec("search", asynchronous=True)
QUIETLY = Endpointing(speculative_reply=False)


def thinking(policy: Policy | None = None) -> CallDriver:
    """The caller has asked; the model has been asked."""
    call = connected(policy or Policy(endpointing=QUIETLY), tools=[LOOK_UP, BOOK, SEARCH])
    return call.caller_speaks("What is free?").passes(400)


def tool_messages(call: CallDriver) -> list[tuple[str | None, str, str]]:
    return [
        (message.tool_call_id, message.content, message.tool_outcome)
        for message in call.conversation.history()
        if message.role == "tool"
    ]


def test_the_model_is_asked_again_with_the_answer() -> None:
    call = thinking().model_asks_for("look_up", day="friday").model_is_done()
    assert call.only(do.RunTool) == do.RunTool(ToolCall("call-1", "look_up", {"day": "friday"}), LOOK_UP, 1)
    call.tool_answers("nine o'clock")
    assert (call.asked.reply, call.asked.step) == (1, 2)
    assert call.asked.messages[-2:] == (
        Message("assistant", "", (ToolCall("call-1", "look_up", {"day": "friday"}),)),
        Message("tool", "nine o'clock", tool_call_id="call-1"),
    )
    call.model_says("Nine is free.").passes(2000)
    assert call.said()[-1] == ("assistant", "Nine is free.")


def test_a_tool_that_answers_before_the_model_is_done_is_not_forgotten() -> None:
    call = thinking().model_asks_for("look_up").tool_answers("nine")
    assert call.asked.step == 1
    assert call.model_is_done().asked.step == 2


def test_tools_run_side_by_side_and_all_are_waited_for() -> None:
    call = thinking().model_asks_for("look_up", "a", day=1).model_asks_for("look_up", "b", day=2).model_is_done()
    assert len(call.all(do.RunTool)) == 2
    assert call.tool_answers("two", "b").asked.step == 1
    assert call.tool_answers("one", "a").asked.step == 2
    assert [message.content for message in call.asked.messages[-2:]] == ["one", "two"]


def test_the_same_call_twice_is_run_once_and_answered_twice() -> None:
    call = thinking().model_asks_for("look_up", "a", day=1).model_asks_for("look_up", "b", day=1).model_is_done()
    assert call.only(do.RunTool).call.id == "a"
    call.tool_answers("nine", "a").model_says("Nine.").passes(1000)
    assert tool_messages(call) == [("a", "nine", "answered"), ("b", "nine", "answered")]


def test_one_id_is_one_call() -> None:
    call = (
        thinking().model_asks_for("look_up", "a").model_asks_for("look_up", "a").model_is_done().tool_answers("1", "a")
    )
    call.tool_answers("again", "a").tool_answers("who?", "unknown")
    assert len(call.all(do.RunTool)) == 1
    assert call.asked.messages[-1].content == "1"


def test_an_unknown_tool_is_told_to_the_model() -> None:
    call = thinking().model_asks_for("make_coffee").model_is_done()
    assert not call.all(do.RunTool)
    assert call.asked.messages[-1] == Message("tool", UNKNOWN_TOOL, tool_call_id="call-1", tool_outcome="failed")


def test_a_tool_that_fails_is_told_to_the_model() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().happens(ev.ToolFailed("call-1", "The line is down."))
    assert call.asked.messages[-1].content == "The line is down."
    assert call.asked.messages[-1].tool_outcome == "failed"


def test_a_late_tool_is_bridged_with_a_filler_once() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().passes(1999)
    assert not call.all(do.Speak)
    call.passes(1)
    assert call.only(do.Speak).text == LOOK_UP.filler
    call.passes(2000).tool_answers("nine").model_says("Nine is free.").passes(3000)
    assert [words for role, words in call.said() if role == "assistant"] == [LOOK_UP.filler, "Nine is free."]
    assert len(call.all(do.Speak)) == 2


def test_no_filler_in_text_mode() -> None:
    call = thinking(Policy(endpointing=QUIETLY, output="text")).model_asks_for("look_up").model_is_done().passes(3000)
    assert not call.all(do.Speak)
    call.tool_answers("nine").model_says("Nine.")
    assert call.said()[-1] == ("assistant", "Nine.")


def test_a_tool_past_its_deadline_counts_as_failed_and_the_call_goes_on() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().passes(5000)
    assert call.asked.step == 2
    assert call.asked.messages[-1] == Message("tool", TIMED_OUT, tool_call_id="call-1", tool_outcome="failed")


def test_each_step_has_the_time_of_a_reply() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().passes(4000).tool_answers("nine")
    call.passes(7999)
    assert [spoken.text for spoken in call.all(do.Speak)] == [LOOK_UP.filler]
    assert len(call.passes(1).all(do.Speak)) == 2


def test_an_answer_after_the_deadline_still_enters_the_live_reply_and_the_history() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().passes(5000).tool_answers("nine")
    call.model_says("It takes longer.").passes(3000)
    assert tool_messages(call) == [("call-1", "nine", "answered")]
    late = thinking().model_asks_for("look_up").model_is_done().passes(5000).model_says("It takes longer.").passes(3000)
    assert tool_messages(late) == [("call-1", TIMED_OUT, "failed")]
    late.happens(ev.ToolFailed("call-1", "no luck"))
    assert tool_messages(late) == [("call-1", "no luck", "failed")]


def test_an_answer_that_comes_turns_too_late_is_dropped() -> None:
    call = thinking().model_asks_for("look_up").model_is_done().passes(5000).model_says("It takes longer.").passes(3000)
    for words in ("And tomorrow?", "Or on Sunday?", "Never mind."):
        call.caller_speaks(words).passes(400).model_says("Fine.").passes(3000)
    call.tool_answers("nine")
    assert tool_messages(call) == [("call-1", TIMED_OUT, "failed")]


def test_the_interruption_of_a_reply_lets_its_tools_go_on_or_cancels_them() -> None:
    call = thinking().model_says("Let me look that up for you now.", done=False)
    call.model_asks_for("look_up", "keep").model_asks_for("book", "drop").model_is_done().passes(800)
    call.speech_starts().passes(60).partial("stop")
    assert call.only(do.CancelTool).tool_call_id == "drop"
    assert tool_messages(call) == [("keep", NOT_YET, "pending"), ("drop", NOT_YET, "pending")]
    call.tool_answers("nine", "keep").tool_answers("booked", "drop")
    assert tool_messages(call) == [("keep", "nine", "answered"), ("drop", NOT_YET, "pending")]


def test_work_asked_for_again_after_an_interruption_is_not_done_twice() -> None:
    call = thinking().model_asks_for("look_up", "first", day=1).model_is_done().passes(2100)
    call.caller_speaks("stop, what is free on friday?").passes(1500).model_asks_for("look_up", "second", day=1)
    call.model_is_done().tool_answers("nine", "first")
    assert call.only(do.RunTool).call.id == "first"
    assert call.asked.messages[-1] == Message("tool", "nine", tool_call_id="second")
    call.model_says("Nine.").passes(3000)
    assert tool_messages(call) == [("first", "nine", "answered"), ("second", "nine", "answered")]


def test_slow_work_is_acknowledged_at_once_and_told_when_it_is_done() -> None:
    call = thinking().model_asks_for("search").model_is_done()
    assert call.asked.messages[-1] == Message("tool", STARTED, tool_call_id="call-1", tool_outcome="pending")
    call.model_says("I am searching.").passes(3000)
    call.tool_answers("three hotels")
    assert call.asked.reply == 2
    assert call.asked.messages[-1] == Message("system", "Result of search: three hotels")


def test_a_result_that_comes_while_somebody_speaks_is_told_when_the_floor_is_free() -> None:
    call = thinking().model_asks_for("search").model_is_done().model_says("I am searching for hotels now.").passes(300)
    call.tool_answers("three hotels")
    assert call.asked.reply == 1
    call.passes(3000)
    assert call.asked.reply == 2
    assert call.asked.messages[-2].content == "I am searching for hotels now."


def test_a_result_the_next_step_has_seen_is_not_told_again() -> None:
    call = thinking().model_asks_for("search", "s").model_asks_for("look_up", "l").model_is_done()
    call.tool_answers("three hotels", "s").tool_answers("nine", "l")
    assert Message("system", "Result of search: three hotels") in call.asked.messages
    call.model_says("Three hotels, at nine.").passes(5000)
    assert len(call.all(do.StartReply)) == 2


def test_a_slow_search_asked_for_twice_is_told_once() -> None:
    call = (
        thinking()
        .model_asks_for("search", "a")
        .model_asks_for("search", "b")
        .model_is_done()
        .model_says("Yes.")
        .passes(900)
    )
    call.tool_answers("three hotels", "a")
    assert [message.content for message in call.asked.messages].count("Result of search: three hotels") == 1


def test_a_slow_result_that_comes_turns_too_late_is_dropped() -> None:
    call = thinking(Policy(endpointing=QUIETLY, late_tool_result_turns=0)).model_asks_for("search").model_is_done()
    call.model_says("Yes.").passes(2000).caller_speaks("Thank you.").passes(400).model_says("Fine.").passes(2000)
    call.tool_answers("three hotels")
    assert call.asked.turn == 2


def test_a_model_that_cannot_stop_asking_is_stopped() -> None:
    call = thinking(Policy(endpointing=QUIETLY, max_tool_steps=2))
    for number in range(3):
        assert call.asked.tools_allowed is (number < 2)
        call.model_asks_for("look_up", f"c{number}", day=number).model_is_done().tool_answers("more", f"c{number}")
    assert len(call.all(do.RunTool)) == 2 and call.asked.step == 3
    assert call.only(do.StopModel).reply == call.asked.reply
    assert call.passes(5000).only(do.ReplyClosed).status == "failed"
    assert call.said()[-1][1].startswith("Sorry")


@pytest.mark.parametrize("asked_twice", [True, False])
def test_nothing_more_of_a_reply_that_is_done_is_listened_to(asked_twice: bool) -> None:
    call = thinking().model_says("Nine is free.")
    call.model_asks_for("look_up").model_says("More.") if asked_twice else call.model_is_done()
    assert not call.all(do.RunTool) and len(call.all(do.Speak)) == 1


def test_no_step_follows_a_reply_that_is_losing_the_floor() -> None:
    call = (
        thinking().model_says("Let me look that up for you now.", done=False).model_asks_for("look_up").model_is_done()
    )
    call.passes(500)
    call.mouth_answers = False
    call.happens(ev.ReplyCancelled()).tool_answers("nine")
    assert call.asked.step == 1
    call.happens(ev.PlaybackReached(1, 500))
    assert tool_messages(call) == [("call-1", "nine", "answered")]
