"""What the fold makes of histories that no tidy conversation has: interruptions, tools at work, replies nobody heard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.vocabulary import CallContext, Message, ToolCall
from antiphon.workflow.engine import Engine
from antiphon.workflow.replies import STILL_WORKING, Reply

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)  # Tuesday 12 May 2026, 10:00 UTC
TOOLS = ("book_appointment",)
BOOKED = {"booked": True, "reference": "7"}
TO_THE_READBACK = ("book an appointment", "wednesday", "three pm", "john smith")


def user(text: str) -> Message:
    return Message("user", text)


def agent(text: str, *calls: ToolCall) -> Message:
    return Message("assistant", text, calls)


def history(*lines: str) -> list[Message]:
    """The caller's lines, each answered with something the caller heard."""
    return [message for line in lines for message in (user(line), agent("…"))]


def reply(engine: Engine, messages: Sequence[Message]) -> Reply:
    return engine.reply(engine.state(messages, CONTEXT, TOOLS))


def asked_to_book(engine: Engine) -> tuple[list[Message], ToolCall]:
    """A conversation up to the tool call."""
    messages = [*history(*TO_THE_READBACK), user("yes")]
    call = reply(engine, messages).call
    assert call is not None
    return [*messages, agent("One moment.", call)], call


def answered(call: ToolCall, answer: Any, **fields: Any) -> Message:
    return Message("tool", answer if isinstance(answer, str) else json.dumps(answer), tool_call_id=call.id, **fields)


# ------------------------------------------------------------------------------------------------ merged turns


def test_a_turn_taken_up_again_before_any_reply_is_one_turn(front_desk: Engine) -> None:
    start = history("book an appointment")
    assert (
        reply(front_desk, [*start, user("wednesday"), user(" no thursday")]).text
        == "What time suits you on Thursday, May 14th?"
    )


def test_a_reply_nobody_heard_does_not_part_a_turn(front_desk: Engine) -> None:
    start = history("book an appointment")
    unheard = Message("assistant", "", interrupted=True)
    assert (
        reply(front_desk, [*start, user("wednesday"), unheard, user("no thursday")]).text
        == "What time suits you on Thursday, May 14th?"
    )


def test_an_interrupted_reply_parts_turns_and_the_correction_is_understood(front_desk: Engine) -> None:
    start = history("book an appointment")
    cut = Message("assistant", "What time su", interrupted=True)
    text = reply(front_desk, [*start, user("wednesday"), cut, user("no thursday")]).text
    assert text == "Okay. What time suits you on Thursday, May 14th?"


def test_a_yes_taken_back_in_the_same_turn_books_nothing(front_desk: Engine) -> None:
    messages = [*history(*TO_THE_READBACK), user("yes"), user("no wait make it thursday")]
    assert reply(front_desk, messages) == Reply(
        "Okay. That is Thursday, May 14th, at 3 pm, for John Smith. Shall I book it?"
    )


def test_a_yes_taken_back_before_the_call_was_made_books_nothing(front_desk: Engine) -> None:
    cut = Message("assistant", "One mo", interrupted=True)
    messages = [*history(*TO_THE_READBACK), user("yes"), cut, user("no wait make it thursday")]
    assert reply(front_desk, messages) == Reply(
        "Okay. That is Thursday, May 14th, at 3 pm, for John Smith. Shall I book it?"
    )


def test_words_that_change_nothing_leave_the_call_to_be_made(front_desk: Engine) -> None:
    cut = Message("assistant", "One mo", interrupted=True)
    messages = [*history(*TO_THE_READBACK), user("yes"), cut, user("mm")]
    assert reply(front_desk, messages).call == reply(front_desk, messages[:-2]).call


# ------------------------------------------------------------------------------------------------ tools at work


def test_while_a_tool_works_the_caller_is_told_so(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    waiting = [
        *messages,
        answered(call, "The result is not there yet.", tool_outcome="pending"),
        user("hello are you there"),
    ]
    assert reply(front_desk, waiting) == Reply(STILL_WORKING)


def test_an_answer_that_came_late_is_told_at_the_next_turn(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    late = [*messages, answered(call, BOOKED), user("hello")]
    assert reply(front_desk, late).text.startswith("You are booked for Wednesday, May 13th, at 3 pm.")


def test_a_correction_while_the_tool_works_leads_back_to_the_readback(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    corrected = [*messages, answered(call, "…", tool_outcome="pending"), user("wait make it thursday")]
    assert reply(front_desk, corrected) == Reply(f"Okay, Thursday, May 14th. {STILL_WORKING}")
    # The result takes the place of the stand-in: by then the booking stands, and the correction moves it.
    arrived = [*messages, answered(call, BOOKED), user("wait make it thursday")]
    assert (
        reply(front_desk, arrived).text == "Okay. That is Thursday, May 14th, at 3 pm, for John Smith. Shall I book it?"
    )
    again = reply(front_desk, [*arrived, agent("…"), user("yes")]).call
    assert again is not None and again.arguments["replaces"] == "7"


def test_an_answer_to_a_call_the_workflow_does_not_wait_for_is_ignored(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    stray = Message("tool", json.dumps(BOOKED), tool_call_id="call_other")
    assert reply(front_desk, [*messages, stray, answered(call, BOOKED)]) == reply(
        front_desk, [*messages, answered(call, BOOKED)]
    )


def test_what_counts_as_failed(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    trouble = "Sorry, I could not reach the calendar. Shall I put you through to the reception?"
    for failure in (
        answered(call, "timeout", tool_outcome="failed"),
        answered(call, "no JSON"),
        answered(call, {"error": "x"}),
    ):
        assert reply(front_desk, [*messages, failure]).text == trouble


# ------------------------------------------------------------------------------------------------ ids of calls


def test_the_same_history_makes_the_same_call_and_other_arguments_another(front_desk: Engine) -> None:
    _, first = asked_to_book(front_desk)
    _, again = asked_to_book(front_desk)
    other = reply(front_desk, [*history("book an appointment", "thursday", "three pm", "john smith"), user("yes")]).call
    assert other is not None
    assert first == again
    assert first.id != other.id


def test_a_second_try_is_another_call(front_desk: Engine) -> None:
    messages, call = asked_to_book(front_desk)
    refused = [*messages, answered(call, {"booked": False, "free": ["15:30"]}), agent("…")]
    second = reply(front_desk, [*refused, *history("three pm"), user("yes")]).call
    assert second is not None
    assert second.arguments == call.arguments
    assert second.id != call.id


# ------------------------------------------------------------------------------------------------ any history

LINES = st.sampled_from([
    "book an appointment", "wednesday", "no thursday", "three pm", "half past nine", "saturday", "my name is ann lee", "john smith", "yes",
    "no", "the time", "make it friday instead", "what", "help", "hello", "operator", "goodbye", "start over", "flurble", "",
        "change the day",
    "yes but at ten", "today at nine", "nothing", "um",
])  # fmt: skip
SPOKEN = st.builds(agent, st.sampled_from(["", "One", "Which day?"]))
SYSTEM = st.builds(lambda text: Message("system", text), st.sampled_from(["Be kind.", "hint"]))
CALLED = st.builds(
    lambda n: agent("", ToolCall(f"c{n}", "book_appointment", {"date": "2026-05-13"})), st.integers(0, 3)
)
RESULTS = st.builds(
    lambda n, content, outcome: Message("tool", content, tool_call_id=f"c{n}", tool_outcome=outcome),
    st.integers(0, 3),
    st.sampled_from(
        [json.dumps(BOOKED), '{"booked": false, "free": ["15:30"]}', '{"booked": false}', "?", '{"free": 3}']
    ),
    st.sampled_from(["answered", "failed", "pending"]),
)
HISTORIES = st.lists(
    st.one_of(st.builds(user, LINES), st.builds(user, LINES), SPOKEN, SYSTEM, CALLED, RESULTS), max_size=25
)


@given(HISTORIES)
@settings(max_examples=150, deadline=None)
def test_any_history_has_one_reply_that_is_never_silence(front_desk: Engine, messages: list[Message]) -> None:
    state = front_desk.state(messages, CONTEXT, TOOLS)
    made = front_desk.reply(state)
    assert made == reply(front_desk, messages)
    assert made.text or front_desk.graph.nodes[state.node].type == "tool"
    assert "{{" not in made.text
    assert front_desk.expected(state).grammar.startswith("#JSGF")


@given(HISTORIES, st.lists(LINES, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_how_a_turn_was_cut_into_messages_does_not_matter(
    front_desk: Engine, before: list[Message], parts: list[str]
) -> None:
    whole = reply(front_desk, [*before, user(" ".join(part for part in parts if part))])
    assert reply(front_desk, [*before, *map(user, parts)]) == whole


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_system_messages_and_unheard_replies_change_nothing(front_desk: Engine, messages: list[Message]) -> None:
    padded = [extra for message in messages for extra in (Message("system", "x"), message, agent(""))]
    assert reply(front_desk, padded) == reply(front_desk, messages)


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_is_an_error_at_any_question(front_desk: Engine, text: str) -> None:
    for asked in range(len(TO_THE_READBACK) + 1):
        assert reply(front_desk, [*history(*TO_THE_READBACK[:asked]), user(text)]) is not None
