"""The four state machines and the rules that couple them.

Rule 1: everything that may change a state is in these tables; nothing else changes one.
Rule 2: a (state, trigger) pair that is not listed raises ``IllegalTransition``: it is a bug of ours, never a no-op.
Rule 3: the machines are coupled by ``forbidden`` combinations, checked after every input, not by flags.

``docs/turn-taking.md`` is generated from these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from antiphon.errors import IllegalTransition


class User(StrEnum):
    SILENT = "silent"
    """No open turn."""
    SPEAKING = "speaking"
    """Voice is heard."""
    PAUSING = "pausing"
    """Silence inside an open turn: the caller still holds the floor."""


class UserTrigger(StrEnum):
    SPEECH_STARTED = "speech started"
    SPEECH_STOPPED = "speech stopped"
    TURN_ENDED = "turn ended"
    """Closed, dropped or discarded."""


class Agent(StrEnum):
    IDLE = "idle"
    THINKING = "thinking"
    """A reply has the floor and no sound yet."""
    SPEAKING = "speaking"
    SOFTENED = "softened"
    """A reply is spoken more softly, until it is known whether a sound of the caller's is speech."""
    HELD = "held"
    """A reply has been silenced, until it is known whether the caller really interrupts."""


class AgentTrigger(StrEnum):
    REPLY_BEGAN = "reply began"
    VOICE_STARTED = "voice started"
    SOFTENED = "softened"
    HELD = "held"
    RESUMED_SPEAKING = "resumed speaking"
    RESUMED_THINKING = "resumed thinking"
    REPLY_ENDED = "reply ended"


class Call(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    ENDING = "ending"
    """A goodbye is being said; nobody can take the floor."""
    ENDED = "ended"


class CallTrigger(StrEnum):
    CONNECTED = "connected"
    END_BEGAN = "end began"
    ENDED = "ended"


class ReplyState(StrEnum):
    SPECULATIVE = "speculative"
    """Asked for on words that may not be all of the turn: nobody hears it, and it may be thrown away."""
    COMMITTED = "committed"
    """It has the floor. None of its sound may leave yet."""
    PLAYING = "playing"
    """Its sound may leave (``StartPlayback``). Softened and held is the agent's state, not the reply's."""
    WITHDRAWN = "withdrawn"
    """Its end is decided, before any sound could leave."""
    YIELDING = "yielding"
    """Its end is decided; how much was heard of it is being asked."""
    CLOSED = "closed"


class ReplyTrigger(StrEnum):
    COMMITTED = "committed"
    """The turn closed with the very words it was asked for on."""
    DISCARDED = "discarded"
    PLAYBACK_BEGAN = "playback began"
    LOST_FLOOR = "lost the floor"
    ENDED = "ended"


USER_TRANSITIONS: Mapping[tuple[User, UserTrigger], User] = {
    (User.SILENT, UserTrigger.SPEECH_STARTED): User.SPEAKING,
    (User.SPEAKING, UserTrigger.SPEECH_STOPPED): User.PAUSING,
    (User.PAUSING, UserTrigger.SPEECH_STARTED): User.SPEAKING,
    (User.PAUSING, UserTrigger.TURN_ENDED): User.SILENT,
    (User.SPEAKING, UserTrigger.TURN_ENDED): User.SILENT,
}

AGENT_TRANSITIONS: Mapping[tuple[Agent, AgentTrigger], Agent] = {
    (Agent.IDLE, AgentTrigger.REPLY_BEGAN): Agent.THINKING,
    (Agent.THINKING, AgentTrigger.VOICE_STARTED): Agent.SPEAKING,
    (Agent.THINKING, AgentTrigger.HELD): Agent.HELD,
    (Agent.THINKING, AgentTrigger.REPLY_ENDED): Agent.IDLE,
    (Agent.SPEAKING, AgentTrigger.SOFTENED): Agent.SOFTENED,
    (Agent.SPEAKING, AgentTrigger.HELD): Agent.HELD,
    (Agent.SPEAKING, AgentTrigger.REPLY_ENDED): Agent.IDLE,
    (Agent.SOFTENED, AgentTrigger.HELD): Agent.HELD,
    (Agent.SOFTENED, AgentTrigger.RESUMED_SPEAKING): Agent.SPEAKING,
    (Agent.SOFTENED, AgentTrigger.REPLY_ENDED): Agent.IDLE,
    (Agent.HELD, AgentTrigger.RESUMED_SPEAKING): Agent.SPEAKING,
    (Agent.HELD, AgentTrigger.RESUMED_THINKING): Agent.THINKING,
    (Agent.HELD, AgentTrigger.REPLY_ENDED): Agent.IDLE,
}

CALL_TRANSITIONS: Mapping[tuple[Call, CallTrigger], Call] = {
    (Call.CONNECTING, CallTrigger.CONNECTED): Call.LIVE,
    (Call.CONNECTING, CallTrigger.ENDED): Call.ENDED,
    (Call.LIVE, CallTrigger.END_BEGAN): Call.ENDING,
    (Call.LIVE, CallTrigger.ENDED): Call.ENDED,
    (Call.ENDING, CallTrigger.ENDED): Call.ENDED,
}


REPLY_TRANSITIONS: Mapping[tuple[ReplyState, ReplyTrigger], ReplyState] = {
    (ReplyState.SPECULATIVE, ReplyTrigger.COMMITTED): ReplyState.COMMITTED,
    (ReplyState.SPECULATIVE, ReplyTrigger.DISCARDED): ReplyState.CLOSED,
    (ReplyState.COMMITTED, ReplyTrigger.PLAYBACK_BEGAN): ReplyState.PLAYING,
    (ReplyState.COMMITTED, ReplyTrigger.LOST_FLOOR): ReplyState.WITHDRAWN,
    (ReplyState.COMMITTED, ReplyTrigger.ENDED): ReplyState.CLOSED,
    (ReplyState.PLAYING, ReplyTrigger.LOST_FLOOR): ReplyState.YIELDING,
    (ReplyState.PLAYING, ReplyTrigger.ENDED): ReplyState.CLOSED,
    (ReplyState.WITHDRAWN, ReplyTrigger.ENDED): ReplyState.CLOSED,
    (ReplyState.YIELDING, ReplyTrigger.ENDED): ReplyState.CLOSED,
}


def forbidden(user: User, agent: Agent, call: Call, *, agent_insists: bool) -> str | None:
    """The rule a combination breaks, or None.

    ``agent_insists`` is true while the agent says something that must not be interrupted, or barge-in is off: then both may sound.
    """
    if agent in (Agent.SPEAKING, Agent.SOFTENED) and user is not User.SILENT and not agent_insists:
        return "the agent speaks while the caller holds the floor"
    if call is Call.CONNECTING and (user is not User.SILENT or agent is not Agent.IDLE):
        return "somebody speaks before the call is connected"
    if call is Call.ENDED and (user is not User.SILENT or agent is not Agent.IDLE):
        return "somebody speaks after the call has ended"
    return None


S = TypeVar("S", bound=StrEnum)
T = TypeVar("T", bound=StrEnum)


class Machine(Generic[S, T]):
    """One state, changed only by ``fire``. ``report`` is told what it was and what it is."""

    __slots__ = ("_report", "_transitions", "name", "state")

    def __init__(
        self,
        name: Literal["user", "agent", "call", "reply"],
        transitions: Mapping[tuple[S, T], S],
        initial: S,
        report: Callable[[S, S], None] | None = None,
    ) -> None:
        self.name = name
        self.state = initial
        self._transitions = transitions
        self._report = report

    def fire(self, trigger: T) -> None:
        """Take the listed transition. Raises IllegalTransition where there is none."""
        before = self.state
        after = self._transitions.get((before, trigger))
        if after is None:
            raise IllegalTransition(self.name, before, trigger)
        self.state = after
        if self._report is not None:
            self._report(before, after)
