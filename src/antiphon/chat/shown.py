"""What the assistant that answers is shown of a conversation in text: all of it, until one has handed over to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from antiphon.vocabulary import Message

Origin = Literal["said", "carried", "instructs"]
"""``carried``: said before the last handoff. ``instructs``: what an assistant was told that handed over since."""
Keep = Callable[[Sequence[Message], Sequence[bool]], Sequence[tuple[int, bool]]]
"""``(messages, carried)``: which of them the next assistant is shown, and of each whether without its tool calls."""


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """One message, and where it comes from."""

    message: Message
    origin: Origin = "said"


@dataclass(frozen=True, slots=True)
class Shown:
    """Under which instructions somebody answers, and to what. A value: each change makes another one."""

    said: tuple[ShownMessage, ...] = ()
    instructions: tuple[Message, ...] | None = None
    """In front, where they are not the own ones of whoever answers: after a handoff that rolls on."""

    def with_more(self, messages: Iterable[Message]) -> Shown:
        return replace(self, said=(*self.said, *map(ShownMessage, messages)))

    def messages(self, own: tuple[Message, ...]) -> tuple[Message, ...]:
        """For a model; ``own`` are the instructions of whoever answers."""
        front = own if self.instructions is None else self.instructions
        return (*front, *(each.message for each in self.said))

    def handed_over(self, left: tuple[Message, ...], taken: tuple[Message, ...], keep: Keep | None) -> Shown:
        """``left`` and ``taken``: the instructions of whoever hands over, and takes over. ``keep`` None: all goes on as it is, and the new
        instructions come after it."""
        if keep is None:
            before = (replace(each, origin="carried") if each.origin == "said" else each for each in self.said)
            told = (ShownMessage(message, "instructs") for message in taken)
            return Shown((*before, *told), left if self.instructions is None else self.instructions)
        said = [each for each in self.said if each.origin != "instructs"]
        kept = keep([each.message for each in said], [each.origin == "carried" for each in said])
        return Shown(tuple(ShownMessage(_bare(said[at].message, bare), "carried") for at, bare in kept))


def _bare(message: Message, bare: bool) -> Message:
    return replace(message, tool_calls=()) if bare else message
