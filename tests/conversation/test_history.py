from __future__ import annotations

from antiphon.conversation.history import History
from antiphon.vocabulary import Message, ToolCall

SYSTEM = Message("system", "Be kind.")


def test_a_snapshot_does_not_change() -> None:
    history = History([SYSTEM])
    before = history.messages()
    history.add(Message("user", "Hi"), turn=1)
    assert before == (SYSTEM,)
    assert history.messages() == (SYSTEM, Message("user", "Hi"))


def test_the_last_turn_can_be_taken_back_while_nothing_came_after_it() -> None:
    history = History([SYSTEM])
    history.add(Message("user", "I want"), turn=1)
    assert history.take_back_turn(2) is None
    assert history.take_back_turn(1) == "I want"
    assert history.messages() == (SYSTEM,)
    assert history.take_back_turn(1) is None


def test_a_turn_that_was_answered_stays() -> None:
    history = History()
    history.add(Message("user", "Hi"), turn=1)
    history.add(Message("assistant", "Hello"), turn=1, reply=1, step=1)
    assert history.take_back_turn(1) is None
    assert len(history.messages()) == 2


def test_what_was_there_before_the_call_is_nobodys_turn() -> None:
    history = History([Message("user", "from last week")])
    assert history.take_back_turn(0) is None
    assert len(history.messages()) == 1


def test_the_words_of_a_turn_can_be_corrected() -> None:
    history = History()
    history.add(Message("user", "to marrow"), turn=1)
    history.add(Message("assistant", "Fine."), turn=1, reply=1, step=1)
    history.correct_turn(1, "tomorrow")
    history.correct_turn(9, "never said")
    assert [message.content for message in history.messages()] == ["tomorrow", "Fine."]


def test_what_was_heard_can_be_corrected_step_by_step() -> None:
    history = History()
    history.add(Message("assistant", "One moment."), reply=3, step=1)
    history.add(Message("assistant", "It is seven o'clock."), reply=3, step=2)
    history.correct_heard(3, 2, "It is")
    history.correct_heard(3, 3, "")
    assert history.messages() == (Message("assistant", "One moment."), Message("assistant", "It is", interrupted=True))


def test_a_late_answer_takes_the_place_of_the_stand_in() -> None:
    history = History()
    call = ToolCall("c1", "look_up")
    history.add(Message("assistant", "", (call,)))
    history.add(Message("tool", "not yet", tool_call_id="c1", tool_outcome="pending"))
    history.correct_tool_result("c1", "42", "answered")
    history.correct_tool_result("c2", "43", "answered")
    assert history.messages()[1] == Message("tool", "42", tool_call_id="c1")


def test_words_of_which_nothing_was_heard_were_not_said_but_calls_were_made() -> None:
    history = History()
    history.add(Message("assistant", "Hello."), reply=1, step=1)
    history.add(Message("assistant", "One moment.", (ToolCall("c", "look"),)), reply=2, step=1)
    history.correct_heard(1, 1, "")
    history.correct_heard(2, 1, "")
    assert history.messages() == (Message("assistant", "", (ToolCall("c", "look"),), interrupted=True),)
