"""Messages as they stand on the wire, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.chat.history import outcomes_of, read_input, read_messages, transcript_of, written
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import Message, ToolCall

TALK = [
    Message("system", "Be kind."),
    Message("user", "Hello"),
    Message("assistant", "", (ToolCall("c1", "find", {"day": "Monday"}),)),
    Message("tool", "The tool failed.", tool_call_id="c1", tool_outcome="failed"),
    Message("assistant", "I could not find it."),
]


def test_what_is_written_is_read_as_it_was() -> None:
    assert read_messages(written(TALK), outcomes=outcomes_of(TALK)) == TALK


def test_the_shapes_of_other_clients_are_read() -> None:
    assert read_input("Hi") == [Message("user", "Hi")]
    parts = [{"type": "input_text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    assert read_input([{"role": "user", "content": parts}]) == [Message("user", "Hello")]
    assert read_input([{"role": "developer", "content": "x"}]) == [Message("system", "x")]
    assert read_input([{"role": "bot", "message": "x"}]) == [Message("assistant", "x")]
    items = [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]
    assert [message.role for message in read_input(items)] == ["assistant", "tool"]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "input"), ("", "input"), ("  ", "input"), ([], "input"), (["x"], "input.0"), ([{"role": "king"}], "input.0.role"),
        ([{"role": "user", "content": 7}], "input.0.content"),
        ([{"role": "tool", "content": "x"}], "input.0.tool_call_id"),
        ([{"role": "assistant", "tool_calls": {}}], "input.0.tool_calls"),
        ([{"role": "assistant", "tool_calls": [7]}], "input.0.tool_calls.0.function"),
        ([{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]}],
         "input.0.tool_calls.0.function.arguments"),
        ([{"role": "user", "content": "x" * 200_001}], "input.0.content"),
        ([{"role": "user", "content": "x"}] * 1001, "input"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named_by_its_field(value: Any, field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_input(value)
    assert refused.value.field == field


def test_a_transcript_holds_what_was_said() -> None:
    assert transcript_of(TALK) == "User: Hello\nAI: I could not find it."
