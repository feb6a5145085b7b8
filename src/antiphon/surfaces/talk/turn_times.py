"""Where the time of the turn that is under way went so far: the visitor's silence, the turn's end, the model's first words, the first
sound.

``session/timeline`` keeps the same of calls whose turns are closed; here each step counts when it is reached, and turns that are
typed, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev

_KEPT_REPLIES = 8
"""Replies whose first words are known before it is known whether they answer the turn: guesses."""


@dataclass(slots=True)
class TurnTimes:
    """Times are ms since the call began; None for what was not reached."""

    stopped_ms: int | None = None
    """The visitor's last sound; of a turn that was typed, when it came."""
    closed_ms: int | None = None
    token_ms: int | None = None
    """The model's first word, or its first tool call. Before ``closed_ms`` where the reply was begun early."""
    heard_ms: int | None = None
    """The first sound of the answer left."""
    _reply: int | None = None
    _tokens: dict[int, int] = field(default_factory=dict)

    def shown(self) -> dict[str, int | None]:
        return {
            "stopped_ms": self.stopped_ms,
            "closed_ms": self.closed_ms,
            "token_ms": self.token_ms,
            "heard_ms": self.heard_ms,
        }

    def happened(self, at_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> bool:
        """Whether there is something new to show."""
        before = (self.stopped_ms, self.closed_ms, self.token_ms, self.heard_ms)
        if not any(isinstance(action, do.RequestRefused) for action in actions):
            self._take_event(at_ms, event)
        for action in actions:
            self._take_action(at_ms, action)
        self._take_sound(at_ms, event)
        return before != (self.stopped_ms, self.closed_ms, self.token_ms, self.heard_ms)

    def _take_event(self, at_ms: int, event: ev.Event | None) -> None:
        match event:
            case ev.SpeechStarted() if self.closed_ms is None or self.heard_ms is not None:
                self._begin(None)  # who goes on had not finished
            case ev.SpeechStopped() if self.closed_ms is None or self.heard_ms is not None:
                self._begin(at_ms - event.silence_ms)
            case ev.ReplyRequested() | ev.TextReceived():
                self._begin(at_ms)
                self.closed_ms = at_ms
            case ev.ReplyText() | ev.ReplyAskedForTool():
                self._tokens.setdefault(event.reply, at_ms)
                while len(self._tokens) > _KEPT_REPLIES:
                    del self._tokens[next(iter(self._tokens))]

    def _take_action(self, at_ms: int, action: do.Action) -> None:
        match action:
            case do.TurnClosed():
                self.stopped_ms = at_ms if self.stopped_ms is None else self.stopped_ms
                self.closed_ms = at_ms
            case do.TurnDropped() if self.closed_ms is None:
                self._begin(None)
            case do.CancelReply(reply) if reply == self._reply and self.heard_ms is None:
                self.closed_ms = self.token_ms = self._reply = None  # the visitor goes on, or wants silence
            case do.StartReply(speculative=False, step=1) | do.ReplyAdopted():
                if self.heard_ms is None:
                    self._reply = action.reply

    def _take_sound(self, at_ms: int, event: ev.Event | None) -> None:
        """After the actions: an event may be what makes the reply this turn's."""
        if self._reply is None or self.heard_ms is not None:
            return
        if self.token_ms is None:
            self.token_ms = self._tokens.get(self._reply)
        if isinstance(event, ev.PlaybackStarted) and event.reply == self._reply:
            self.heard_ms = at_ms

    def _begin(self, stopped_ms: int | None) -> None:
        self.stopped_ms, self.closed_ms, self.token_ms, self.heard_ms, self._reply = stopped_ms, None, None, None, None
