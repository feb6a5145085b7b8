"""What of the past the next assistant is shown, and that nothing of it is forgotten."""

from __future__ import annotations

import pytest

from antiphon.conversation.context import ContextPlan
from antiphon.conversation.events import Place
from antiphon.conversation.history import History
from antiphon.vocabulary import Message, ToolCall

ASKED = Message("assistant", "I look.", (ToolCall("c1", "price"),))
ANSWER = Message("tool", "11", tool_call_id="c1")
HANDED = Message("assistant", "", (ToolCall("c2", "handoff_to_B"),))
HANDED_ANSWER = Message("tool", "Handed over.", tool_call_id="c2")
SAID = [Message("user", "hi"), ASKED, ANSWER, Message("system", "note"), Message("user", "b"), HANDED, HANDED_ANSWER]
NEW = Message("system", "I am B.")


def handed_over(plan: ContextPlan) -> History:
    history = History([Message("system", "I am A.")])
    for turn, message in enumerate(SAID, start=1):
        history.add(message, turn=turn, reply=turn if message.role in ("assistant", "tool") else 0, step=1)
    history.succeed([NEW], plan)
    return history


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        (ContextPlan("all"), SAID),
        (ContextPlan("none"), []),
        (ContextPlan("before"), []),
        (ContextPlan("last", 0), []),
        (ContextPlan("last", 3), SAID[-3:]),
        (ContextPlan("last", 99), SAID),
        (ContextPlan("last", 1), []),  # an answer without its call is nothing a model can be shown
        (ContextPlan("spoken"), [SAID[0], Message("assistant", "I look."), SAID[4]]),
        (ContextPlan("all", without=("handoff_to_B",)), SAID[:5]),
        (ContextPlan("all", without=("price",)), [SAID[0], Message("assistant", "I look."), *SAID[3:]]),
    ],
)
def test_what_the_next_assistant_is_shown(plan: ContextPlan, shown: list[Message]) -> None:
    history = handed_over(plan)
    assert history.messages() == (NEW, *shown)
    assert [placed.message for placed in history.placed()] == [Message("system", "I am A."), *SAID, NEW]


def test_rolling_history_keeps_the_old_instructions_before_the_new_ones() -> None:
    history = handed_over(ContextPlan("rolling"))
    assert history.messages() == (Message("system", "I am A."), *SAID, NEW)
    assert [placed.message for placed in history.placed()] == list(history.messages())


def test_instructions_of_assistants_that_are_gone_are_shown_to_nobody() -> None:
    history = handed_over(ContextPlan("rolling"))
    history.succeed([Message("system", "I am C.")], ContextPlan("all"))
    assert history.messages() == (Message("system", "I am C."), *SAID)


def test_what_came_before_the_leaving_assistant_can_be_all_that_is_handed_on() -> None:
    history = handed_over(ContextPlan("spoken"))
    given = history.messages()[1:]
    history.add(Message("user", "my card is 4242"), turn=9)
    history.succeed([Message("system", "I am C.")], ContextPlan("before"))
    assert history.messages() == (Message("system", "I am C."), *given)
    everything = [placed.message for placed in history.placed()]
    assert everything == [
        Message("system", "I am A."), *SAID, NEW, Message("user", "my card is 4242"), Message("system", "I am C."),
    ]  # fmt: skip


def test_corrections_after_a_handoff_are_made_in_both() -> None:
    history = handed_over(ContextPlan("all"))
    history.correct_heard(2, 1, "I")
    history.correct_turn(5, "be")
    assert history.messages()[2].content == "I" and history.messages()[5].content == "be"
    assert [placed.message.content for placed in history.placed()][2] == "I"
    history.remove(Place(turn=1))
    assert [placed.message.content for placed in history.placed()][1] == "I"
    history.add(Message("user", "again"), turn=12)
    history.succeed([], ContextPlan("all"))
    assert history.take_back_turn(12) == "again"
    assert "again" not in [placed.message.content for placed in history.placed()]
