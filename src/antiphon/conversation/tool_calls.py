"""Pending tools: deadlines, fillers, late answers. Tools never block the air and never run twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from antiphon.conversation.tool_words import staged
from antiphon.vocabulary import ToolCall, ToolSaying, ToolSpec

TIMED_OUT = "The tool has not answered in time. Tell the caller that it takes longer than expected."
STARTED = "Started. The result will follow as soon as it is there; do not wait for it."
NOT_YET = "The result is not there yet."
UNKNOWN_TOOL = "There is no tool of this name."
NOT_BEGUN = "Not done: the caller interrupted before it began."


@dataclass(slots=True)
class PendingTool:
    """A tool at work. ``reply`` waits for it; 0 when nobody does any more (timed out, interrupted, asynchronous)."""

    call: ToolCall
    spec: ToolSpec
    turn: int
    reply: int
    started_ms: int
    run: int = 0
    """How often its tool had been called before."""
    after_piece: int | None = None
    """It begins when this piece of its reply has been heard; None once it has begun."""
    fillers: list[ToolSaying] = field(default_factory=list)
    """What is still to be said while it works."""
    twins: list[str] = field(default_factory=list)
    """Ids of identical calls asked for while this one runs; they get its answer."""

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.call.id, *self.twins)

    @property
    def deadline_ms(self) -> int:
        return self.started_ms + self.spec.deadline_ms

    @property
    def filler_ms(self) -> int:
        """When ``fillers`` are due next; where there are any."""
        return self.started_ms + self.fillers[0].after_ms

    @property
    def waited_for(self) -> bool:
        """Whether it has begun, and a reply waits for it."""
        return self.reply != 0 and self.after_piece is None


def _fillers(spec: ToolSpec, call: ToolCall, run: int) -> list[ToolSaying]:
    plain = [ToolSaying(spec.filler, after_ms=spec.filler_after_ms)] if spec.filler else []
    return staged(spec.words.delayed, call.arguments, run) or plain


class ToolCalls:
    """The tools at work in one conversation, by call id."""

    def __init__(self) -> None:
        self._pending: dict[str, PendingTool] = {}
        self._runs: Counter[str] = Counter()

    def start(self, call: ToolCall, spec: ToolSpec, turn: int, reply: int, now_ms: int) -> PendingTool | None:
        """Note a call. None when the same work is already under way: then it must not be run again, the answer will serve both."""
        for pending in self._pending.values():
            if pending.call.name == call.name and pending.call.arguments == call.arguments:
                pending.twins.append(call.id)
                pending.reply = reply
                pending.turn = turn
                pending.started_ms = now_ms
                return None
        run = self._runs[spec.name]
        self._runs[spec.name] += 1
        begun = PendingTool(call, spec, turn, reply, now_ms, run, fillers=_fillers(spec, call, run))
        self._pending[call.id] = begun
        return begun

    def finish(self, tool_call_id: str) -> PendingTool | None:
        """The work is over; None for an id that is not at work (finished before, never asked for)."""
        return self._pending.pop(tool_call_id, None)

    def waited_for_by(self, reply: int) -> list[PendingTool]:
        return [pending for pending in self._pending.values() if pending.reply == reply]

    def blocked(self, reply: int) -> list[PendingTool]:
        """Work that begins once words of this reply have been heard."""
        return [pending for pending in self.waited_for_by(reply) if pending.after_piece is not None]

    def begin(self, pending: PendingTool, now_ms: int) -> None:
        """What it waited for has been heard."""
        pending.after_piece, pending.started_ms = None, now_ms

    def abandon(self, reply: int) -> list[PendingTool]:
        """The reply is gone. Work that may be cancelled, or has not begun, is dropped and returned; the rest goes on with nobody
        waiting."""
        waited_for = self.waited_for_by(reply)
        cancelled = [p for p in waited_for if p.spec.cancel_on_interruption or p.after_piece is not None]
        for pending in cancelled:
            del self._pending[pending.call.id]
        self.release(reply)
        return cancelled

    def release(self, reply: int) -> None:
        """The reply waits no more; the work goes on."""
        for pending in self.waited_for_by(reply):
            pending.reply = 0

    def overdue(self, now_ms: int) -> list[PendingTool]:
        """Work whose deadline has passed while somebody waits; nobody waits for it after this."""
        overdue = [p for p in self._pending.values() if p.waited_for and p.deadline_ms <= now_ms]
        for pending in overdue:
            pending.reply = 0
        return overdue

    def filler_due(self, now_ms: int) -> str | None:
        """What to say now because a tool is late; each of its moments once, and nothing of one that a later one has overtaken."""
        due = None
        for pending in self._pending.values():
            said = None
            while pending.waited_for and pending.fillers and pending.filler_ms <= now_ms:
                said = pending.fillers.pop(0).text
            due = due or said
        return due

    def deadline(self) -> int | None:
        if not self._pending:
            return None
        waited_for = [p for p in self._pending.values() if p.waited_for]
        times = [p.deadline_ms for p in waited_for] + [p.filler_ms for p in waited_for if p.fillers]
        return min(times, default=None)

    def all(self) -> list[PendingTool]:
        return list(self._pending.values())
