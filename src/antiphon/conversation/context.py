"""What of the past the next assistant's model is shown when a call is handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from antiphon.vocabulary import Message

ContextKind = Literal["all", "none", "last", "spoken", "before", "rolling"]


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """``all`` that was said; ``none`` of it; the ``last`` messages; what was ``spoken`` by both sides, without tools; what the leaving
    assistant had been given itself (``before``: nothing of its own part); or all with the instructions so far, the new ones after them
    (``rolling``)."""

    kind: ContextKind = "all"
    last: int = 0
    """How many, of ``last``."""
    without: tuple[str, ...] = ()
    """Tools whose calls and answers are left out."""

    def kept(self, said: Sequence[Message], carried: Sequence[bool]) -> list[tuple[int, bool]]:
        """Which of the messages, and of each whether it is shown without its tool calls. ``carried``: which of them the leaving assistant
        was given. No answer of a tool is shown without its call."""
        chosen = [at for at, message in enumerate(said) if self._chooses(message, carried[at])]
        if self.kind == "last":
            chosen = chosen[len(chosen) - min(self.last, len(chosen)) :]
        bare = {at for at in chosen if said[at].tool_calls and self._hides(said[at])}
        chosen = [at for at in chosen if at not in bare or said[at].content]
        asked = {call.id for at in chosen if at not in bare for call in said[at].tool_calls}
        return [(at, at in bare) for at in chosen if said[at].role != "tool" or said[at].tool_call_id in asked]

    def _chooses(self, message: Message, carried: bool) -> bool:
        if self.kind == "none":
            return False
        if self.kind == "before":
            return carried
        return self.kind != "spoken" or (message.role in ("user", "assistant") and bool(message.content))

    def _hides(self, message: Message) -> bool:
        return self.kind == "spoken" or any(call.name in self.without for call in message.tool_calls)
