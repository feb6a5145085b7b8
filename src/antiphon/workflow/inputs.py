"""The message history as the few things that move a workflow on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from antiphon.vocabulary import Message, ToolCall, ToolOutcome


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller's turn. What was said with no word of the agent in between is one turn."""

    text: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """The caller heard something from the agent."""


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call was made."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Answered:
    """A tool call came to something."""

    call_id: str
    content: str
    outcome: ToolOutcome


Input = Heard | Spoke | Called | Answered


def inputs(messages: Iterable[Message]) -> list[Input]:
    """Read a history. System messages, and words of the agent that nobody heard, move nothing."""
    read: list[Input] = []
    for message in messages:
        if message.role == "user" and message.content.strip():
            if read and isinstance(read[-1], Heard):
                read[-1] = Heard(f"{read[-1].text} {message.content}")
            else:
                read.append(Heard(message.content))
        elif message.role == "assistant":
            if message.content.strip():
                read.append(Spoke())
            read += [Called(call) for call in message.tool_calls]
        elif message.role == "tool" and message.tool_call_id is not None:
            read.append(Answered(message.tool_call_id, message.content, message.tool_outcome))
    return read
