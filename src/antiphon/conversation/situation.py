"""What the two sides of a conversation share: the states, the history, the open turn, the live reply, and the outbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from antiphon.conversation.actions import Action, StateChanged
from antiphon.conversation.history import History
from antiphon.conversation.policy import Policy
from antiphon.conversation.reply import AskedFrom, Reply
from antiphon.conversation.silence import SilenceKeeper
from antiphon.conversation.state import (
    AGENT_TRANSITIONS,
    CALL_TRANSITIONS,
    USER_TRANSITIONS,
    Agent,
    AgentTrigger,
    Call,
    CallTrigger,
    Machine,
    User,
    UserTrigger,
)
from antiphon.conversation.tool_calls import ToolCalls
from antiphon.conversation.turn import Turn
from antiphon.vocabulary import EndReason, Message, ToolSpec

_PAST_REPLIES = 16
"""Replies remembered so that a client may still correct what was heard of them."""
_QUEUED_SAYS = 8
"""Sentences of our own waiting to be said; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Say:
    """Words of our own to be spoken when the floor is free."""

    text: str
    interruptible: bool = True
    end_after: EndReason | None = None
    idle: bool = False


def _report(
    machine: Literal["user", "agent", "call"], emit: Callable[[Action], None]
) -> Callable[[StrEnum, StrEnum], None]:
    return lambda before, after: emit(StateChanged(machine, str(before), str(after)))


class Situation:
    """Mutable state with no behaviour of its own; ``CallerSide`` and ``AgentSide`` act on it."""

    def __init__(self, policy: Policy, messages: Iterable[Message], tools: Iterable[ToolSpec]) -> None:
        self.policy = policy
        self.now_ms = 0
        self.outbox: list[Action] = []
        # Not ``self.emit``: machines that know the situation would make a circle, which only the garbage collector frees.
        emit = self.outbox.append
        self.user: Machine[User, UserTrigger] = Machine("user", USER_TRANSITIONS, User.SILENT, _report("user", emit))
        self.agent: Machine[Agent, AgentTrigger] = Machine(
            "agent", AGENT_TRANSITIONS, Agent.IDLE, _report("agent", emit)
        )
        self.call: Machine[Call, CallTrigger] = Machine(
            "call", CALL_TRANSITIONS, Call.CONNECTING, _report("call", emit)
        )
        self.history = History(messages)
        self.tools = {tool.name: tool for tool in tools}
        self.tool_calls = ToolCalls()
        self.turn: Turn | None = None
        self.turn_count = 0
        self.reply: Reply | None = None
        self.reply_count = 0
        self.just_closed: Reply | None = None
        """The reply that ended in this input; what follows from it is done once the input is dealt with."""
        self.past_replies: deque[Reply] = deque(maxlen=_PAST_REPLIES)
        self.says: deque[Say] = deque(maxlen=_QUEUED_SAYS)
        self.silence = SilenceKeeper(0, 0, 0)
        self.not_before_ms = 0
        """The agent does not begin to speak before this (back-off after an interruption)."""
        self.unanswered = False
        """Something entered the history that wants a reply, and the floor was not free."""
        self.not_understood = 0
        """Turns in a row that got no words."""
        self.unheard = 0
        """Turns in a row that got no words because the recogniser failed."""
        self.failures = 0
        """Replies in a row that failed."""

    def emit(self, action: Action) -> None:
        self.outbox.append(action)

    def note(self, message: Message) -> None:
        """A message from outside enters the history: after the words that are being said, which were begun before it."""
        if (reply := self.committed_reply) is not None:
            reply.notes.append((message, self.turn_count))
        else:
            self.history.add(message, turn=self.turn_count)

    @property
    def live(self) -> bool:
        """Whether anybody may take the floor."""
        return self.call.state is Call.LIVE

    @property
    def committed_reply(self) -> Reply | None:
        """The reply that has the floor; not a speculative one."""
        return self.reply if self.reply is not None and not self.reply.speculative else None

    @property
    def agent_insists(self) -> bool:
        """Whether the agent may sound while the caller does."""
        reply = self.reply
        return reply is not None and (reply.insists or not self.policy.barge_in.enabled)

    def asked_from(self) -> AskedFrom:
        """What a speculative reply that is asked for now depends on."""
        return AskedFrom(self.history.revision, tuple(self.tools.values()), self.policy.output, len(self.says))

    @property
    def quiet(self) -> bool:
        """Neither side is doing anything."""
        return self.user.state is User.SILENT and self.agent.state is Agent.IDLE and self.reply is None
