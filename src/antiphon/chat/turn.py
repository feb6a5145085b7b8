"""One turn of a conversation in text: what the model writes, the tools it asks for, and what it writes then.

Nothing here knows a wire. A turn is read like a stream (``pieces``); closing it closes the model's stream, whatever it was at.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog

from antiphon.chat.agent import TakenOver, TextAgent
from antiphon.chat.shown import Shown
from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers.base import (
    EndCallDelta,
    ModelRequest,
    PlaceDelta,
    TextDelta,
    ToolCallDelta,
    TransferDelta,
    UsageDelta,
)
from antiphon.vocabulary import CallContext, Message, ToolCall, ToolOutcome, ToolSpec, Usage

NO_ANSWER = "The tool did not answer in time."
FAILED = "The tool failed."
UNKNOWN = "There is no tool of this name."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TurnBounds:
    """What one turn may cost."""

    rounds: int = 8
    """Of tools, each with its reply; then the model has to answer without."""
    calls: int = 32
    """Tool calls in all."""
    seconds: float = 120.0
    characters: int = 200_000
    """That the model writes."""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More text of one message of the answer."""

    message: int
    """Its place in ``TextTurn.messages``."""
    text: str


class TextTurn:
    """One turn. Read it once."""

    def __init__(
        self,
        agent: TextAgent,
        history: Sequence[Message] | Shown,
        context: CallContext,
        bounds: TurnBounds | None = None,
        *,
        runs_tools: bool = True,
    ) -> None:
        """``history``: all that the agent is shown, from the first message to that which is to be answered, without its own beginning.
        ``context.call_id`` is the conversation's, the same for all its turns: tools are run once for each of their calls in it.
        Without ``runs_tools`` the turn is over where the model asks for tools."""
        self.agent = agent
        """Who answers: another one once a tool has handed the conversation over."""
        self._before = history if isinstance(history, Shown) else Shown().with_more(history)
        self._since = 0
        self.taken_over: TakenOver | None = None
        """By whom, within this turn."""
        self._context = context
        self._runs_tools = runs_tools
        self._bounds = bounds or TurnBounds()
        self._specs = _specs_of(agent)
        self._calls_left = self._bounds.calls
        self._characters_left = self._bounds.characters
        self.messages: list[Message] = []
        """What the turn has added to the conversation: the assistant's messages, and what its tools answered."""
        self.usage: dict[str, Usage] = {}
        """By model: what they say they used."""
        self.ended = False
        """The assistant has ended the conversation."""
        self.node = ""
        """Where in its graph the model stands now; empty for one that follows none."""
        self.transferred_to = ""
        """Where the assistant wants to hand the conversation over to; there is nobody who could do it in text."""

    async def run(self) -> None:
        """The whole turn. Raises ProviderError."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                pass

    async def pieces(self) -> AsyncGenerator[TextPiece, None]:
        """The text as it is written. Raises ProviderError; what was written before is in ``messages`` only if it is whole."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._bounds.seconds
        for round_number in range(self._bounds.rounds + 1):
            last = round_number == self._bounds.rounds or self._calls_left <= 0
            calls: list[ToolCall] = []
            written: list[str] = []
            async with aclosing(self._written(calls, with_tools=not last)) as texts:
                async for text in texts:
                    written.append(text)
                    yield TextPiece(len(self.messages), text)
                    if loop.time() > until_s:
                        raise ProviderTimeout(self.agent.model.name, f"no answer within {self._bounds.seconds:g} s")
            self.messages.append(Message("assistant", "".join(written), tuple(calls)))
            if not calls or not self._runs_tools:
                return
            left_s = until_s - loop.time()
            self.messages += await asyncio.gather(*(self.answer(call, left_s) for call in calls))
            if (next_one := self.agent.taken_over()) is not None:
                self._follow(next_one)

    def shown(self) -> Shown:
        """What whoever answers has been shown, and what was said since."""
        return self._before.with_more(self.messages[self._since :])

    def _follow(self, next_one: TakenOver) -> None:
        """Whoever took over answers what is still to be answered."""
        self._before = self.shown().handed_over(self.agent.messages, next_one.agent.messages, next_one.keep)
        self._since = len(self.messages)
        self.agent, self.taken_over = next_one.agent, next_one
        self._specs = _specs_of(next_one.agent)
        self._context = replace(self._context, variables=dict(next_one.agent.variables))

    async def _written(self, calls: list[ToolCall], *, with_tools: bool) -> AsyncGenerator[str, None]:
        """The text of one reply; the tools it asks for go to ``calls``."""
        request = ModelRequest(
            self.shown().messages(self.agent.messages),
            tuple(self._specs.values()) if with_tools else (),
            self._context,
            dict(self.agent.options),
        )
        stream = self.agent.model.stream(request)
        try:
            async for delta in stream:
                if isinstance(delta, TextDelta):
                    self._characters_left -= len(delta.text)
                    if self._characters_left < 0:
                        raise ProviderError(self.agent.model.name, "the answer is too long")
                    yield delta.text
                elif isinstance(delta, ToolCallDelta):
                    if with_tools and self._calls_left > 0:
                        self._calls_left -= 1
                        calls.append(delta.call)
                elif isinstance(delta, PlaceDelta):
                    self.node = delta.node
                elif isinstance(delta, EndCallDelta):
                    self.ended = True
                elif isinstance(delta, TransferDelta):
                    self.transferred_to = delta.destination
                elif isinstance(delta, UsageDelta):
                    self._used(delta)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def answer(self, call: ToolCall, left_s: float = math.inf) -> Message:
        """What a tool answers, within its deadline and ``left_s`` seconds; that it did not, else."""
        spec = self._specs.get(call.name)
        if spec is None or self.agent.tools is None:
            return _result(call, UNKNOWN, "failed")
        try:
            async with asyncio.timeout(max(0.0, min(spec.deadline_ms / 1000, left_s))):
                said = self.shown().messages(self.agent.messages)
                answer = await self.agent.tools.run(call, replace(self._context, messages=said))
        except TimeoutError:
            return _result(call, NO_ANSWER, _late(spec))
        except Exception as error:
            log.warning("tool_failed", tool=call.name, problem=type(error).__name__)
            return _result(call, FAILED, "failed")
        if isinstance(answer, str):
            return _result(call, answer, "answered")
        self.ended = self.ended or answer.ends_call
        return _result(call, answer.content, "failed" if answer.failed else "answered")

    def _used(self, delta: UsageDelta) -> None:
        name = delta.provider or self.agent.model.name
        before, now = self.usage.get(name, Usage()), delta.usage
        self.usage[name] = Usage(
            input_tokens=before.input_tokens + now.input_tokens,
            output_tokens=before.output_tokens + now.output_tokens,
            cached_tokens=before.cached_tokens + now.cached_tokens,
            model=now.model or before.model,
        )


def _specs_of(agent: TextAgent) -> dict[str, ToolSpec]:
    return {spec.name: spec for spec in agent.tools.specs()} if agent.tools else {}


def _result(call: ToolCall, content: str, outcome: ToolOutcome) -> Message:
    return Message("tool", content, tool_call_id=call.id, tool_outcome=outcome)


def _late(spec: ToolSpec) -> ToolOutcome:
    """What is not waited for may still come about."""
    return "pending" if spec.asynchronous else "failed"
