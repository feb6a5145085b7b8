"""What was said on a call, with the times of day at which it was, as its record keeps it.

Entries are objects in our own words: ``{"role": "system"|"user"|"assistant", "text", "from_ms", "to_ms", "interrupted"?}``,
``{"role": "tool_calls", "calls": [{"id", "name", "arguments"}], "from_ms"}`` and ``{"role": "tool", "id", "name", "text", "failed"?,
"from_ms"}``. Where a call was handed over, what assistants said tells which of them: ``"assistant"`` (name) and ``"assistant_id"``.
Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.vocabulary import Message

MAX_ENTRIES = 5000
MAX_CHARS = 2_000_000
"""Of one call's record, together. Its event log holds everything."""


class CallHistory:
    """Of one call. ``wall_ms`` everywhere is UTC."""

    def __init__(self, messages: Sequence[Message], wall_ms: int) -> None:
        self.entries: list[dict[str, Any]] = []
        self.truncated = False
        """Whether something was left out: the call was too long."""
        self._chars = 0
        self._speech_from_ms = self._speech_to_ms = wall_ms
        self._playing: dict[int, int] = {}
        self._of_reply: dict[int, dict[str, Any]] = {}
        self._tools: dict[str, str] = {}
        self.leads: list[dict[str, str]] = []
        """Who led the call, one after the other; empty where it was never handed over."""
        self._ready: ev.AssistantReady | None = None
        for message in messages:
            self._add({"role": message.role, "text": message.content, "from_ms": wall_ms, "to_ms": wall_ms})

    def happened(self, wall_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        """As ``SessionObserver.happened``."""
        if (note := _OF_EVENTS.get(type(event))) is not None:
            note(self, wall_ms, event)
        for action in actions:
            if (note := _OF_ACTIONS.get(type(action))) is not None:
                note(self, wall_ms, action)

    def _add(self, entry: dict[str, Any]) -> None:
        self._chars += len(entry.get("text", ""))
        if len(self.entries) >= MAX_ENTRIES or self._chars > MAX_CHARS:
            self.truncated = True
        else:
            self.entries.append(entry)

    # What happens.

    def _speech_stopped(self, wall_ms: int, event: ev.SpeechStopped) -> None:
        self._speech_to_ms = wall_ms - event.silence_ms

    def _playback_started(self, wall_ms: int, event: ev.PlaybackStarted) -> None:
        self._playing.setdefault(event.reply, wall_ms)

    def _message_added(self, wall_ms: int, event: ev.MessageAdded) -> None:
        message = event.message
        if message.role != "tool":
            self._add({"role": message.role, "text": message.content, "from_ms": wall_ms, "to_ms": wall_ms})

    def _tool_finished(self, wall_ms: int, event: ev.ToolFinished) -> None:
        self._tool_answered(wall_ms, event.tool_call_id, event.content)

    def _tool_failed(self, wall_ms: int, event: ev.ToolFailed) -> None:
        self._tool_answered(wall_ms, event.tool_call_id, event.problem, failed=True)

    def _tool_answered(self, wall_ms: int, call_id: str, text: str, **further: bool) -> None:
        name = self._tools.pop(call_id, None)
        if name is not None:
            self._add({"role": "tool", "id": call_id, "name": name, "text": text, "from_ms": wall_ms, **further})

    def _assistant_ready(self, _wall_ms: int, event: ev.AssistantReady) -> None:
        self._ready = event

    def _assistant_changed(self, wall_ms: int, _action: do.ChangeAssistant) -> None:
        ready, self._ready = self._ready, None
        if ready is None:
            return
        if not self.leads:
            first = _lead(ready.leaving, ready.leaving_id)
            self.leads.append(first)
            for entry in self.entries:
                if entry["role"] == "assistant":
                    entry |= first
        self.leads.append(_lead(ready.assistant, ready.assistant_id))
        for message in ready.messages:
            self._add({"role": message.role, "text": message.content, "from_ms": wall_ms, "to_ms": wall_ms})

    def _turn_opened(self, wall_ms: int, _action: do.TurnOpened) -> None:
        self._speech_from_ms = self._speech_to_ms = wall_ms

    def _turn_closed(self, wall_ms: int, action: do.TurnClosed) -> None:
        to_ms = min(max(self._speech_to_ms, self._speech_from_ms), wall_ms)
        last = self.entries[-1] if self.entries else {"role": ""}
        if last["role"] == "user" and action.text.startswith(f"{last['text']} "):
            last |= {"text": action.text, "to_ms": to_ms}  # the answer to the first half was taken back
            return
        self._add({"role": "user", "text": action.text, "from_ms": self._speech_from_ms, "to_ms": to_ms})

    def _turn_dropped(self, wall_ms: int, action: do.TurnDropped) -> None:
        if action.said:
            self._turn_closed(wall_ms, do.TurnClosed(action.turn, action.text))

    def _tool_asked(self, wall_ms: int, action: do.RunTool) -> None:
        call = action.call
        self._tools[call.id] = call.name
        self._add(
            {"role": "tool_calls", "calls": [{"id": call.id, "name": call.name, "arguments": call.arguments}], "from_ms": wall_ms}
        )  # fmt: skip

    def _reply_closed(self, wall_ms: int, action: do.ReplyClosed) -> None:
        from_ms = self._playing.pop(action.reply, wall_ms)
        if action.text and not action.taken_back:
            entry: dict[str, Any] = {
                "role": "assistant", "text": action.text, "from_ms": from_ms, "to_ms": min(from_ms + action.heard_ms, wall_ms),
            }  # fmt: skip
            if action.status == "interrupted":
                entry["interrupted"] = True
            if self.leads:
                entry |= self.leads[-1]
            self._of_reply = {action.reply: entry}
            self._add(entry)

    def _reply_cut(self, _wall_ms: int, action: do.ReplyCut) -> None:
        entry = self._of_reply.get(action.reply)
        if entry is not None:
            entry |= {"text": action.text, "to_ms": entry["from_ms"] + action.heard_ms, "interrupted": True}


def _lead(name: str, id: str) -> dict[str, str]:
    return {"assistant": name, **({"assistant_id": id} if id else {})}


_Note = Callable[[CallHistory, int, Any], None]
_OF_EVENTS: dict[type, _Note] = {
    ev.SpeechStopped: CallHistory._speech_stopped,
    ev.PlaybackStarted: CallHistory._playback_started,
    ev.MessageAdded: CallHistory._message_added,
    ev.AssistantReady: CallHistory._assistant_ready,
    ev.ToolFinished: CallHistory._tool_finished,
    ev.ToolFailed: CallHistory._tool_failed,
}
_OF_ACTIONS: dict[type, _Note] = {
    do.TurnOpened: CallHistory._turn_opened,
    do.TurnClosed: CallHistory._turn_closed,
    do.TurnDropped: CallHistory._turn_dropped,
    do.RunTool: CallHistory._tool_asked,
    do.ReplyClosed: CallHistory._reply_closed,
    do.ReplyCut: CallHistory._reply_cut,
    do.ChangeAssistant: CallHistory._assistant_changed,
}
