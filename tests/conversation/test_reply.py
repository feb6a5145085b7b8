from __future__ import annotations

from antiphon.conversation.policy import Speaking
from antiphon.conversation.reply import Reply, Step
from antiphon.conversation.sentences import SentenceSplitter
from antiphon.conversation.tool_calls import NOT_YET, STARTED
from antiphon.vocabulary import Message, ToolCall, ToolResult

CALL = ToolCall("c1", "look_up", {"city": "Rome"})


def reply(*steps: Step, written: bool = False) -> Reply:
    return Reply(1, 1, SentenceSplitter(Speaking()), 0, written=written, steps=list(steps) or [Step()])


def test_a_step_says_how_each_of_its_calls_stands() -> None:
    step = Step(calls=[CALL])
    assert step.waiting
    assert step.messages("") == [
        Message("assistant", "", (CALL,)),
        Message("tool", NOT_YET, tool_call_id="c1", tool_outcome="pending"),
    ]
    step.results["c1"] = ToolResult("c1", "look_up", STARTED)
    step.started.add("c1")
    assert not step.waiting
    assert step.messages("")[1].tool_outcome == "pending"
    step.started.clear()
    assert step.messages("")[1].tool_outcome == "answered"
    step.results["c1"] = ToolResult("c1", "look_up", "no", failed=True)
    assert step.messages("")[1].tool_outcome == "failed"


def test_a_step_without_words_or_calls_leaves_no_trace() -> None:
    assert Step().messages("") == []
    assert Step().messages("Hi", interrupted=True) == [Message("assistant", "Hi", interrupted=True)]


def test_the_model_is_shown_its_own_words_in_full_while_the_reply_is_live() -> None:
    live = reply(Step(text="Let me<flush /> see.", calls=[CALL]))
    assert live.pending_messages()[0].content == "Let me see."
    assert live.asked_tools


def test_what_got_to_the_caller_is_what_was_heard_or_written() -> None:
    spoken = reply(Step(text="Never heard."))
    assert spoken.text == ""
    spoken.ledger.synthesized(spoken.ledger.ask("Heard this", 1), 1000, (), complete=True)
    spoken.heard_ms = 1000
    assert spoken.text == "Heard this"
    written = reply(Step(text="One."), Step(text=""), Step(text="Two<flush />."), written=True)
    assert written.reached(3) == "Two."
    assert written.text == "One. Two."
