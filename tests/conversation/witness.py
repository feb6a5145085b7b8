"""Rules that hold for every call, checked after every input of every test by somebody who only sees events and actions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.conversation.state import AGENT_TRANSITIONS, CALL_TRANSITIONS, USER_TRANSITIONS

OF_A_REPLY = (
    do.StartReply, do.CancelReply, do.Speak, do.EndSpeech, do.StartPlayback, do.HoldPlayback, do.ResumePlayback,
    do.StopPlayback, do.ReplyAdopted, do.ReplyClosed, do.InterruptionConfirmed, do.InterruptionDismissed,
)  # fmt: skip
LEGAL_MOVES = {
    "user": {(str(before), str(after)) for (before, _), after in USER_TRANSITIONS.items()},
    "agent": {(str(before), str(after)) for (before, _), after in AGENT_TRANSITIONS.items()},
    "call": {(str(before), str(after)) for (before, _), after in CALL_TRANSITIONS.items()},
}
OBSERVABLE = {
    ("connecting", "silent", "idle"),
    *itertools.product(["live"], ["silent", "speaking", "pausing"], ["idle", "thinking", "speaking", "held"]),
    ("live", "silent", "softened"),
    *itertools.product(["ending"], ["silent"], ["thinking", "speaking", "held"]),
    ("ended", "silent", "idle"),
}
"""Call, user, agent, as they stand between two inputs. A call that is ending always has a goodbye to say, else it has ended."""


class Witness:
    """``heard_words(reply, heard_ms)`` is the test's own account of what a caller understands of so much audio."""

    def __init__(self, heard_words: Callable[[int, int], str], *, writes: bool = False) -> None:
        self._heard_words = heard_words
        self._writes = writes
        """Some replies are written: then there is nothing to hear."""
        self._told_ms: dict[int, int] = {}
        self._truncated: set[int] = set()
        self._removes = False
        """Something was removed in this input."""
        self._forgotten: set[int] = set()
        """Replies that were to be removed: what was live then never enters the history."""
        self._foreign: set[str] = set()
        """Calls that a client gave an answer to: it may do so without having been asked."""
        self._states = {"user": "silent", "agent": "idle", "call": "connecting"}
        self._newest_reply = 0
        self._live: int | None = None
        self._closing: int | None = None
        """A reply that was cancelled and may still be told closed."""
        self._guesses: set[int] = set()
        self._spoken: Counter[int] = Counter()
        self._running_tools: dict[str, tuple[str, str]] = {}
        self._open_turn: int | None = None
        self._newest_turn = 0
        self._assistant_messages = 0
        self.ended = False

    def saw(self, event: ev.Event | None, actions: Sequence[do.Action], conversation: Conversation) -> None:
        assert not self.ended or not actions, "nothing follows the end of a call"
        self._removes = False
        self._note(event)
        spoken_before = self._assistant_messages
        closed = [action for action in actions if isinstance(action, do.ReplyClosed)]
        for action in actions:
            self._check(action)
        self.ended = any(isinstance(action, do.EndCall) for action in actions) or self.ended
        assert self.ended == conversation.ended
        assert not self.ended or not actions or isinstance(actions[-1], do.EndCall), "the end is the last action"
        assert (conversation.user, conversation.agent, conversation.call) == tuple(self._states.values())
        assert (conversation.call, conversation.user, conversation.agent) in OBSERVABLE
        self._check_history(conversation, closed, spoken_before)

    def _note(self, event: ev.Event | None) -> None:
        if isinstance(event, ev.PlaybackReached | ev.PlaybackFinished) and event.reply == self._live:
            self._told_ms[event.reply] = event.heard_ms
        elif isinstance(event, ev.PlaybackTruncated):
            self._truncated.add(event.reply)
        elif isinstance(event, ev.ToolFinished | ev.ToolFailed):
            self._running_tools.pop(event.tool_call_id, None)
        elif isinstance(event, ev.ReplyRequested) and event.options is not None:
            self._writes = self._writes or event.options.output == "text"
        elif isinstance(event, ev.MessageRemoved):
            self._removes = True
            if self._live is not None and self._live not in self._guesses and self._live == event.place.reply:
                self._forgotten.add(self._live)
        elif isinstance(event, ev.MessageAdded):
            self._foreign.add(event.message.tool_call_id or "")
        elif isinstance(event, ev.PolicyChanged | ev.AssistantReady):
            self._writes = self._writes or event.policy.output == "text"

    # -------------------------------------------------------------------------------------- actions

    def _check(self, action: do.Action) -> None:
        if isinstance(action, OF_A_REPLY):
            self._check_reply(action)
        if isinstance(action, do.StateChanged):
            assert self._states[action.machine] == action.before, "changes follow one another"
            assert (action.before, action.after) in LEGAL_MOVES[action.machine]
            self._states[action.machine] = action.after
        elif isinstance(action, do.TurnOpened):
            assert self._open_turn is None and action.turn > self._newest_turn
            self._open_turn = self._newest_turn = action.turn
        elif isinstance(action, do.TurnClosed | do.TurnDropped):
            assert self._open_turn == action.turn
            self._open_turn = None
        elif isinstance(action, do.RunTool):
            assert self._live not in self._guesses, "a guess runs no tools"
            work = (action.call.name, repr(sorted(action.call.arguments.items())))
            assert work not in self._running_tools.values(), "the same work is never done twice at once"
            self._running_tools[action.call.id] = work
        elif isinstance(action, do.CancelTool):
            del self._running_tools[action.tool_call_id]

    def _check_reply(self, action: do.Action) -> None:
        reply: int = action.reply  # type: ignore[union-attr]
        if reply > self._newest_reply:
            # Words of our own begin with Speak, and with nothing but their close where they are only written.
            assert self._live is None, "at most one reply is live"
            assert isinstance(action, do.StartReply | do.Speak | do.ReplyClosed)
            assert not isinstance(action, do.StartReply) or action.step == 1
            self._newest_reply = self._live = reply
        of_the_end = (do.ReplyClosed, do.StopPlayback, do.InterruptionConfirmed)
        assert reply == self._live or (reply == self._closing and isinstance(action, of_the_end)), (
            f"{type(action).__name__} for reply {reply}, which is over"
        )
        if isinstance(action, do.StartReply):
            if action.speculative:
                self._guesses.add(reply)
        elif isinstance(action, do.ReplyAdopted):
            self._guesses.remove(reply)
        elif isinstance(action, do.Speak):
            assert action.piece == self._spoken[reply]
            self._spoken[reply] += 1
            assert reply not in self._guesses or self._spoken[reply] == 1, "one clause of a guess is voiced, no more"
        elif isinstance(action, do.StartPlayback):
            assert reply not in self._guesses, "a guess is not heard"
        elif isinstance(action, do.InterruptionConfirmed):
            assert action.heard_ms == self._told_ms.get(reply, 0) or reply in self._truncated
        elif isinstance(action, do.CancelReply):
            self._live, self._closing = None, reply
        elif isinstance(action, do.ReplyClosed):
            self._live = self._closing = None

    # -------------------------------------------------------------------------------------- history

    def _check_history(self, conversation: Conversation, closed: Sequence[do.ReplyClosed], spoken_before: int) -> None:
        messages = conversation.history()
        spoken = [message for message in messages if message.role == "assistant"]
        self._assistant_messages = len(spoken)
        if self._removes:
            spoken_before = len(spoken)
        closed = [reply for reply in closed if reply.reply not in self._forgotten and not self._removes]
        closed = [reply for reply in closed if not reply.taken_back]
        said = " ".join(message.content for message in spoken[spoken_before:] if message.content)
        assert said == " ".join(reply.text for reply in closed if reply.text), "history holds what was heard"
        for reply in closed:
            if reply.reply not in self._truncated and not self._writes:
                told_ms = self._told_ms.get(reply.reply, 0)
                assert reply.heard_ms == told_ms
                assert reply.text == self._heard_words(reply.reply, told_ms), "heard, not sent"
        calls = [call.id for message in spoken for call in message.tool_calls]
        answers = [message.tool_call_id for message in messages if message.role == "tool"]
        answers = [call_id for call_id in answers if call_id in calls or call_id not in self._foreign]
        assert answers == calls, "every tool call has exactly one answer, in order"
