"""The history as vendors are shown it."""

from __future__ import annotations

import pytest

from antiphon.providers.llm.http_model import is_strict
from antiphon.providers.llm.openai_chat import reasons
from antiphon.providers.llm.prompt import (
    CALL_BEGINS,
    CUT_OFF,
    NO_ANSWER,
    SILENCE,
    UNHEARD,
    alternating,
    as_caller_text,
    prompt_of,
)
from antiphon.vocabulary import Message, ToolCall

CALL = ToolCall("c1", "book")


def shown(*messages: Message) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in prompt_of(messages).messages]


def test_leading_instructions_stand_apart_and_later_ones_stay() -> None:
    prompt = prompt_of([Message("system", "a"), Message("system", "b"), Message("user", "c"), Message("system", "d")])
    assert prompt.instructions == "a\n\nb"
    assert [message.content for message in prompt.messages] == ["c", "d"]
    assert as_caller_text(Message("system", "d")) == "[Instruction: d]"


def test_the_note_stands_once_behind_what_was_heard() -> None:
    assert shown(Message("assistant", "You have ", interrupted=True)) == [("assistant", f"You have {CUT_OFF}")]
    assert shown(Message("assistant", "", interrupted=True)) == [("assistant", UNHEARD)]
    assert shown(Message("assistant", "All of it.")) == [("assistant", "All of it.")]


def test_answers_stand_behind_their_calls() -> None:
    late = Message("tool", "done", tool_call_id="c1")
    assert shown(Message("assistant", "x", tool_calls=(CALL,)), Message("user", "and?"), late) == [
        ("assistant", "x"), ("tool", "done"), ("user", "and?"),
    ]  # fmt: skip
    assert shown(Message("assistant", "x", tool_calls=(CALL,)), Message("user", "and?"))[1] == ("tool", NO_ANSWER)
    assert shown(Message("user", "a"), late, Message("user", "b")) == [
        ("user", "a"), ("user", "[Result of a tool: done]"), ("user", "b"),
    ]  # fmt: skip


def test_a_call_that_stands_twice_is_shown_once() -> None:
    twice = Message("assistant", "x", tool_calls=(CALL,))
    assert [role for role, _ in shown(twice, Message("tool", "done", tool_call_id="c1"), twice)] == [
        "assistant", "tool", "assistant",
    ]  # fmt: skip


def test_sides_take_turns_and_the_callers_begins_and_ends() -> None:
    groups = alternating(
        [Message("assistant", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d")]
    )
    assert [[message.content for message in group] for group in groups] == [
        [CALL_BEGINS],
        ["a", "b"],
        ["c"],
        ["d"],
        [SILENCE],
    ]
    assert [[message.content for message in group] for group in alternating([])] == [[CALL_BEGINS]]


@pytest.mark.parametrize(
    ("model", "thinks"),
    [("gpt-5.4-mini", True), ("o3-mini", True), ("openai/gpt-5", True), ("gpt-4.1", False), ("gpt-5-chat-latest", False), ("llama", False)],
)  # fmt: skip
def test_models_that_think_first_are_known_by_their_names(model: str, thinks: bool) -> None:
    assert reasons(model) is thinks


def test_schemas_that_vendors_can_hold_a_model_to() -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert is_strict(closed)
    assert not is_strict({**closed, "required": []})
    assert not is_strict({**closed, "additionalProperties": True})
    inner = {**closed, "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}
    assert not is_strict(inner)
