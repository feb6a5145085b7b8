"""One assistant after another in the same call: who waits to take over, and when."""

from __future__ import annotations

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.agent_side import AgentSide
from antiphon.conversation.caller_side import CallerSide
from antiphon.conversation.situation import Say, Situation


class Succession:
    """Acts on the situation that the two sides share."""

    def __init__(self, situation: Situation, agent: AgentSide, caller: CallerSide) -> None:
        self._s = situation
        self._agent = agent
        self._caller = caller
        self._waiting: ev.AssistantReady | None = None

    def ready(self, event: ev.AssistantReady) -> None:
        if self._s.live:
            self._waiting = event

    def take_over_if_free(self) -> None:
        """Asked after every input: the one that waits leads from the moment at which nothing of the one before is being said. What a
        caller says meanwhile is answered by the new one."""
        next_one = self._waiting
        if next_one is None or not self._s.live or self._s.committed_reply is not None or self._s.says:
            return
        self._waiting = None
        self._agent.discard_speculation()
        self._s.policy = next_one.policy
        self._s.tools = {tool.name: tool for tool in next_one.tools}
        self._s.history.succeed(next_one.messages, next_one.context)
        self._s.failures = 0
        self._s.emit(do.ChangeAssistant(next_one.handoff, next_one.assistant, next_one.assistant_id))
        self._caller.policy_changed()
        self._greet()

    def _greet(self) -> None:
        """Somebody who was handed over waits for a word: the first message, or the model's where there is none."""
        greeting = self._s.policy.greeting
        if greeting.mode == "assistant-waits-for-user" or self._s.turn is not None:
            return
        if greeting.mode == "assistant-speaks-first" and greeting.message and not self._s.unanswered:
            self._s.says.append(Say(greeting.message, interruptible=greeting.interruptible))
        else:
            self._s.unanswered = True
