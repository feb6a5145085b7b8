"""What the talk page shows of a conversation beside the Realtime API's own events: when the agent is held, goes on or is interrupted,
what its tools do, what the recogniser makes of the visitor so far, and where the time of a turn goes while it goes.

They are facts of the session's core, told over the event channel of those sessions alone that were opened with one of the page's own
keys, as events of their own (``talk.…``): no other client sees any. Times are ms since the call began.

    talk.held         {reply, at_ms}
    talk.resumed      {reply, at_ms, held_ms}
    talk.interrupted  {reply, at_ms, heard_ms}
    talk.partial      {utterance, text}
    talk.tool         {id, at_ms, name, arguments?}        arguments: JSON as text, cut where it is long
    talk.tool_done    {id, at_ms, lasted_ms, outcome}      outcome: "answered", "failed", "cancelled"
    talk.turn         {at_ms, stopped_ms, closed_ms, token_ms, heard_ms}    null: not yet; all of them null: there is nothing to tell
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.ids import new_id
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.talk.desk import SECRET_KIND
from antiphon.surfaces.talk.turn_times import TurnTimes
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

_MAX_CHARS = 2000
"""Of arguments and of words that are not final yet: they are looked at, not worked with."""
_MAX_TOOLS = 64
"""Under way at once, of one call; more are not shown."""

Fields = Mapping[str, Any]


@dataclass(slots=True)
class _Watched:
    """A conversation on the talk page."""

    session: RealtimeSession
    started_ms: int
    turn: TurnTimes = field(default_factory=TurnTimes)
    tools: dict[str, int] = field(default_factory=dict)
    """Since when (``at_ms``) each runs, by the call's id."""

    def tell(self, kind: str, fields: Fields) -> None:
        primary = self.session.controllers.primary
        if primary is not None and not self.session.ended:
            primary.send(orjson.dumps({"event_id": new_id("event"), "type": f"talk.{kind}", **fields}))


class TalkMarks:
    """A ``SessionObserver`` of all calls, that looks at the talk page's. One per process."""

    def __init__(self, find: Callable[[str], RealtimeSession | None], *, tells_arguments: bool) -> None:
        """``find``: the live Realtime session of this call. ``tells_arguments``: whether visitors may see what tools are called with;
        those of a page that is open to strangers see the names alone."""
        self._find = find
        self._tells_arguments = tells_arguments
        self._watched: dict[str, _Watched] = {}

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        session = self._find(call.call_id)
        if session is not None and session.owner.secret_id.startswith(f"{SECRET_KIND}_"):
            self._watched[call.call_id] = _Watched(session, now_ms)

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        watched = self._watched.get(call_id)
        if watched is None:
            return
        at_ms = now_ms - watched.started_ms
        self._tell_event(watched, at_ms, event)
        for action in actions:
            self._tell_action(watched, at_ms, action)
        if watched.turn.happened(at_ms, event, actions):
            watched.tell("turn", {"at_ms": at_ms, **watched.turn.shown()})

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Not shown here."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """Told as a failed response."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._watched.pop(call_id, None)

    # ---------------------------------------------------------------------------------- which mark it is

    def _tell_event(self, watched: _Watched, at_ms: int, event: ev.Event | None) -> None:
        match event:
            case ev.TranscriptChanged(utterance, text):
                watched.tell("partial", {"utterance": utterance, "text": text[-_MAX_CHARS:]})
            case ev.ToolFinished():
                self._tool_over(watched, at_ms, event.tool_call_id, "answered")
            case ev.ToolFailed():
                self._tool_over(watched, at_ms, event.tool_call_id, "failed")

    def _tell_action(self, watched: _Watched, at_ms: int, action: do.Action) -> None:
        match action:
            case do.HoldPlayback(reply):
                watched.tell("held", {"reply": reply, "at_ms": at_ms})
            case do.InterruptionDismissed(reply, held_ms):
                watched.tell("resumed", {"reply": reply, "at_ms": at_ms, "held_ms": held_ms})
            case do.InterruptionConfirmed(reply, heard_ms):
                watched.tell("interrupted", {"reply": reply, "at_ms": at_ms, "heard_ms": heard_ms})
            case do.RunTool(call) if len(watched.tools) < _MAX_TOOLS:
                watched.tools[call.id] = at_ms
                arguments = {"arguments": _short(call.arguments)} if self._tells_arguments else {}
                watched.tell("tool", {"id": call.id, "at_ms": at_ms, "name": call.name, **arguments})
            case do.CancelTool(tool_call_id):
                self._tool_over(watched, at_ms, tool_call_id, "cancelled")

    @staticmethod
    def _tool_over(watched: _Watched, at_ms: int, id: str, outcome: str) -> None:
        began_ms = watched.tools.pop(id, None)
        if began_ms is not None:
            watched.tell("tool_done", {"id": id, "at_ms": at_ms, "lasted_ms": at_ms - began_ms, "outcome": outcome})


def _short(arguments: Mapping[str, Any]) -> str:
    text = orjson.dumps(dict(arguments)).decode() if arguments else ""
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}…"
