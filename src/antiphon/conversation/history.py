"""The messages the model is shown. What the agent said stands here as it was *heard*."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from antiphon.vocabulary import Message, ToolOutcome


@dataclass(slots=True)
class _Entry:
    message: Message
    turn: int = 0
    reply: int = 0
    step: int = 0


class History:
    """Grows by whole messages; past ones change only in the three ways named here."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._entries = [_Entry(message) for message in messages]

    def messages(self) -> tuple[Message, ...]:
        """A snapshot."""
        return tuple(entry.message for entry in self._entries)

    def add(self, message: Message, *, turn: int = 0, reply: int = 0, step: int = 0) -> None:
        self._entries.append(_Entry(message, turn, reply, step))

    def take_back_turn(self, turn: int) -> str | None:
        """Remove the caller's words of ``turn`` if nothing came after them: the caller goes on speaking, so it was one turn."""
        if turn and self._entries and self._entries[-1].turn == turn and self._entries[-1].message.role == "user":
            return self._entries.pop().message.content
        return None

    def correct_turn(self, turn: int, text: str) -> None:
        """The recogniser's last word on a turn differs from what was used."""
        for entry in reversed(self._entries):
            if entry.turn == turn and entry.message.role == "user":
                entry.message = replace(entry.message, content=text)
                return

    def correct_heard(self, reply: int, step: int, text: str) -> None:
        """Less of a reply was heard than stands here."""
        for entry in self._entries:
            if entry.reply == reply and entry.step == step and entry.message.role == "assistant":
                entry.message = replace(entry.message, content=text, interrupted=True)
                return

    def correct_tool_result(self, tool_call_id: str, content: str, outcome: ToolOutcome) -> None:
        """A tool answered after its place was taken by a stand-in."""
        for entry in reversed(self._entries):
            if entry.message.tool_call_id == tool_call_id:
                entry.message = replace(entry.message, content=content, tool_outcome=outcome)
                return
