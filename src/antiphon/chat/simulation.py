"""Two agents in a conversation in text: one plays the person who writes, the other answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from antiphon.chat.agent import TextAgent
from antiphon.chat.shown import Shown
from antiphon.chat.turn import TextTurn
from antiphon.errors import ProviderError
from antiphon.vocabulary import CallContext, Message

MOST_TURNS = 50
"""Of each."""
BEGIN = "(The conversation begins. You write first.)"
"""To whoever writes first: models answer, and there is nothing to answer yet."""


class SimulatedChat:
    """One conversation. Run it once."""

    def __init__(
        self, caller: TextAgent, target: TextAgent, caller_context: CallContext, target_context: CallContext,
        opening: str = "",
    ) -> None:  # fmt: skip
        """``opening`` is the first message of the one who writes; empty: as its model has it."""
        self._caller = _Side(caller, caller_context)
        self._target = _Side(target, target_context)
        self._opening = opening
        self.said: list[Message] = []
        """As the target has it: what was written to it are the user's messages."""

    async def run(self) -> None:
        """Until one of the two ends it. Raises ProviderError."""
        heard = BEGIN
        for turn in range(MOST_TURNS):
            if turn == 0 and self._opening:
                words = self._caller.say(heard, self._opening)
            else:
                words = _words(await self._caller.answer(heard))
            if words:
                self.said.append(Message("user", words))
            if self._caller.ended:
                return
            if not words:
                raise ProviderError(self._caller.agent.model.name, "the simulated caller wrote nothing")
            answered = await self._target.answer(words)
            self.said += answered
            if self._target.ended:
                return
            heard = _words(answered) or "(No answer.)"


class _Side:
    """One of the two, and what it has been shown."""

    def __init__(self, agent: TextAgent, context: CallContext) -> None:
        self.agent = agent
        self.ended = False
        self._context = context
        self._shown = Shown()

    def say(self, to: str, words: str) -> str:
        """Words that no model has to think of."""
        self._shown = self._shown.with_more([Message("user", to), Message("assistant", words)])
        return words

    async def answer(self, text: str) -> list[Message]:
        """Its next messages. Nothing comes after it has ended the conversation."""
        turn = TextTurn(self.agent, self._shown.with_more([Message("user", text)]), self._context)
        async with aclosing(turn.pieces()) as pieces:
            async for _ in pieces:
                if turn.ended:
                    break
        self.agent, self._shown, self.ended = turn.agent, turn.shown(), turn.ended
        if turn.taken_over is not None:
            self._context = replace(self._context, variables=dict(turn.agent.variables))
        return turn.messages


def _words(messages: Sequence[Message]) -> str:
    return " ".join(message.content for message in messages if message.role == "assistant" and message.content)
