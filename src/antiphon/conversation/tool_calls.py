"""Pending tools: deadlines, fillers, late answers. Tools never block the air and never run twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.vocabulary import ToolCall, ToolSpec

TIMED_OUT = "The tool has not answered in time. Tell the caller that it takes longer than expected."
STARTED = "Started. The result will follow as soon as it is there; do not wait for it."
NOT_YET = "The result is not there yet."
UNKNOWN_TOOL = "There is no tool of this name."


@dataclass(slots=True)
class PendingTool:
    """A tool at work. ``reply`` waits for it; 0 when nobody does any more (timed out, interrupted, asynchronous)."""

    call: ToolCall
    spec: ToolSpec
    turn: int
    reply: int
    started_ms: int
    filler_said: bool = False
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
        return self.started_ms + self.spec.filler_after_ms


class ToolCalls:
    """The tools at work in one conversation, by call id."""

    def __init__(self) -> None:
        self._pending: dict[str, PendingTool] = {}

    def start(self, call: ToolCall, spec: ToolSpec, turn: int, reply: int, now_ms: int) -> bool:
        """Note a call. False when the same work is already under way: then it must not be run again, the answer will serve both."""
        for pending in self._pending.values():
            if pending.call.name == call.name and pending.call.arguments == call.arguments:
                pending.twins.append(call.id)
                pending.reply = reply
                pending.turn = turn
                pending.started_ms = now_ms
                return False
        self._pending[call.id] = PendingTool(call, spec, turn, reply, now_ms)
        return True

    def finish(self, tool_call_id: str) -> PendingTool | None:
        """The work is over; None for an id that is not at work (finished before, never asked for)."""
        return self._pending.pop(tool_call_id, None)

    def waited_for_by(self, reply: int) -> list[PendingTool]:
        return [pending for pending in self._pending.values() if pending.reply == reply]

    def abandon(self, reply: int) -> list[PendingTool]:
        """The reply is gone. Work that may be cancelled is dropped and returned; the rest goes on with nobody waiting."""
        cancelled = [p for p in self.waited_for_by(reply) if p.spec.cancel_on_interruption]
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
        overdue = [p for p in self._pending.values() if p.reply and p.deadline_ms <= now_ms]
        for pending in overdue:
            pending.reply = 0
        return overdue

    def filler_due(self, now_ms: int) -> str | None:
        """What to say now because a tool is late; each tool asks once."""
        due = [p for p in self._pending.values() if p.reply and not p.filler_said and p.filler_ms <= now_ms]
        for pending in due:
            pending.filler_said = True
        return next((p.spec.filler for p in due if p.spec.filler), None)

    def deadline(self) -> int | None:
        if not self._pending:
            return None
        times = [p.deadline_ms for p in self._pending.values() if p.reply]
        times += [p.filler_ms for p in self._pending.values() if p.reply and not p.filler_said and p.spec.filler]
        return min(times, default=None)

    def all(self) -> list[PendingTool]:
        return list(self._pending.values())
