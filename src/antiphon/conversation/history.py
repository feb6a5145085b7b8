"""The messages the model is shown. What the agent said stands here as it was *heard*."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from antiphon.conversation.context import ContextPlan
from antiphon.conversation.events import Place
from antiphon.conversation.tool_calls import NOT_YET
from antiphon.conversation.words import is_question
from antiphon.vocabulary import Message, ToolOutcome


@dataclass(eq=False, slots=True)
class _Entry:
    """One is no other, however alike they are."""

    message: Message
    turn: int = 0
    reply: int = 0
    step: int = 0
    bare: bool = False
    """Whether the model is not shown its tool calls."""
    instructs: bool = False
    """Told to an assistant that took over: the next one is told otherwise."""

    def shown(self) -> Message:
        return replace(self.message, tool_calls=()) if self.bare else self.message

    def stands_at(self, place: Place) -> bool:
        """A caller's turn is told by its number, and so is a reply; what came from outside, by its id."""
        if place.reply:
            return self.reply == place.reply and bool(self.step)
        if place.turn:
            return self.turn == place.turn and not self.reply and self.message.role == "user" and not self.message.id
        return bool(place.id) and self.message.id == place.id


@dataclass(frozen=True, slots=True)
class Placed:
    """A message and where it came from: a caller's turn, or a step of a reply; 0 for neither."""

    message: Message
    turn: int = 0
    reply: int = 0
    step: int = 0


class History:
    """Grows by whole messages; past ones change only in the ways named here."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._entries = [_Entry(message) for message in messages]
        self._given = len(self._entries)
        """Entries the conversation began with, or the assistant that leads it now."""
        self._before: list[_Entry] = []
        """All that there was when that assistant took over, in its order: what was said stays so, whatever the model is shown of it."""
        self.revision = 0
        """Another number after each change: what was asked from one revision does not answer the next."""

    def messages(self) -> tuple[Message, ...]:
        """A snapshot."""
        return tuple(entry.shown() for entry in self._entries)

    def placed(self) -> tuple[Placed, ...]:
        """All that was said and told, in its order, each with its place: also what an assistant that took over is not shown."""
        return tuple(Placed(entry.message, entry.turn, entry.reply, entry.step) for entry in self._all())

    @property
    def asks(self) -> bool:
        """Whether the last that was said is a question of the agent's."""
        last = self._entries[-1].message if self._entries else None
        return last is not None and last.role == "assistant" and is_question(last.content)

    def _all(self) -> list[_Entry]:
        if not self._before:
            return self._entries
        carried = set(self._before)
        return [*self._before, *(entry for entry in self._entries if entry not in carried)]

    def add(self, message: Message, *, turn: int = 0, reply: int = 0, step: int = 0) -> None:
        self.revision += 1
        self._entries.append(_Entry(message, turn, reply, step))

    def instruct(self, text: str) -> None:
        """Another system prompt, or none."""
        self.revision += 1
        has_one = self._given > 0 and self._entries[0].message.role == "system"
        new = [_Entry(Message("system", text))] if text else []
        self._entries[: 1 if has_one else 0] = new
        self._given += len(new) - has_one

    def succeed(self, messages: Iterable[Message], plan: ContextPlan) -> None:
        """Another assistant takes over, with instructions of its own; ``plan`` says what of the past its model is shown."""
        self.revision += 1
        carried = set(self._before)
        self._before = list(self._all())
        new = [_Entry(message, instructs=True) for message in messages]
        if plan.kind == "rolling":
            self._entries = [*self._entries, *new]
            return
        said = [entry for entry in self._entries[self._given :] if not entry.instructs]
        kept = plan.kept([entry.shown() for entry in said], [entry in carried for entry in said])
        for at, bare in kept:
            said[at].bare = said[at].bare or bare
        self._entries = [*new, *(said[at] for at, _ in kept)]
        self._given = len(new)

    def under(self, instructions: str | None, instead: tuple[Message, ...] | None) -> tuple[Message, ...]:
        """The messages of one reply: under other instructions, or with other messages than what was said. None: as it stands."""
        given = [entry.message for entry in self._entries[: self._given]]
        said = [entry.shown() for entry in self._entries[self._given :]] if instead is None else list(instead)
        if instructions is not None:
            given[: 1 if given and given[0].role == "system" else 0] = (
                [Message("system", instructions)] if instructions else []
            )
        return (*given, *said)

    def insert(self, message: Message, after: Place, *, turn: int = 0) -> bool:
        """False where that place is not there."""
        self.revision += 1
        at = self._given
        if after != Place():
            found = [index for index, entry in enumerate(self._entries) if entry.stands_at(after)]
            if not found:
                return False
            at = found[-1] + 1
            while at < len(self._entries) and self._entries[at].message.role == "tool":
                at += 1  # nothing comes between a call and its answer
        self._entries.insert(at, _Entry(message, turn))
        return True

    def remove(self, place: Place) -> None:
        """Of a tool's answer, a stand-in is left: a call without an answer is nothing a model can be shown."""
        self.revision += 1
        kept = self._entries[: self._given]
        self._before = [entry for entry in self._before if not entry.stands_at(place) or entry.message.role == "tool"]
        for entry in self._entries[self._given :]:
            if not entry.stands_at(place):
                kept.append(entry)
            elif entry.message.role == "tool" and entry.reply and not place.reply:
                entry.message = replace(entry.message, content=NOT_YET, tool_outcome="pending", id="")
                kept.append(entry)
        self._entries = kept

    def take_back_turn(self, turn: int) -> str | None:
        """Remove the caller's words of ``turn`` if nothing came after them: the caller goes on speaking, so it was one turn."""
        self.revision += 1
        if turn and self._entries and self._entries[-1].turn == turn and self._entries[-1].message.role == "user":
            last = self._entries.pop()
            self._before = [entry for entry in self._before if entry is not last]
            return last.message.content
        return None

    def correct_turn(self, turn: int, text: str) -> None:
        """The recogniser's last word on a turn differs from what was used."""
        self.revision += 1
        for entry in reversed(self._entries):
            if entry.turn == turn and entry.message.role == "user":
                entry.message = replace(entry.message, content=text)
                return

    def correct_heard(self, reply: int, step: int, text: str) -> None:
        """Less of a reply was heard than stands here. Nothing at all: then nothing was said."""
        self.revision += 1
        for entry in self._entries:
            if entry.reply == reply and entry.step == step and entry.message.role == "assistant":
                if text or entry.message.tool_calls:
                    entry.message = replace(entry.message, content=text, interrupted=True)
                else:
                    self._entries.remove(entry)
                    self._before = [other for other in self._before if other is not entry]
                return

    def correct_tool_result(self, tool_call_id: str, content: str, outcome: ToolOutcome, *, id: str = "") -> bool:
        """A tool answered after its place was taken by a stand-in. False where there is none."""
        self.revision += 1
        for entry in reversed(self._entries):
            if entry.message.tool_call_id == tool_call_id:
                entry.message = replace(entry.message, content=content, tool_outcome=outcome, id=id)
                return True
        return False
