"""``StartReply`` → the model's stream → events. One task per live reply; cancelled by number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from antiphon.conversation import events as ev
from antiphon.conversation.actions import StartReply
from antiphon.errors import ProviderError
from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswers,
    ExpectedAnswersDelta,
    LanguageModel,
    ModelDelta,
    ModelRequest,
    PlaceDelta,
    TextDelta,
    ToolCallDelta,
    TransferDelta,
    UsageDelta,
)
from antiphon.session.gathering import TextGathering
from antiphon.vocabulary import CallContext, OnUsage, ToolSpec


class Thinking:
    """One call's model."""

    def __init__(
        self,
        model: LanguageModel,
        tools: tuple[ToolSpec, ...],
        context: CallContext,
        options: Mapping[str, Any],
        feed: Callable[[ev.Event], object],
        expect: Callable[[ExpectedAnswers], None],
        spawn: Callable[..., asyncio.Task[None]],
        on_usage: OnUsage,
    ) -> None:
        self._model = model
        self.tools = tools
        """What the model may use. A reply's own tools stand in for those of them that the client runs."""
        self._context = context
        self.options = options
        self._feed = feed
        self._expect = expect
        self._spawn = spawn
        self._on_usage = on_usage
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._speculative = 0
        """The reply that is speculative so far; 0 for none."""
        self._speculative_expects: ExpectedAnswers | None = None

    def engage(self, model: LanguageModel, tools: tuple[ToolSpec, ...], options: Mapping[str, Any]) -> None:
        """Another model, from the next reply on."""
        self._model, self.tools, self.options = model, tools, options

    def start(self, action: StartReply) -> None:
        own = action.options
        tools, options = self.tools, dict(self.options)
        if own is not None:
            options |= own.model
            if own.tools is not None:
                tools = (*(tool for tool in tools if not tool.client), *own.tools)
        request = ModelRequest(action.messages, tools if action.tools_allowed else (), self._context, options)
        self._speculative = action.reply if action.speculative else 0
        self._speculative_expects = None  # what one before this expected was never said
        self._tasks[action.reply] = self._spawn(self._think(action.reply, request), name=f"reply-{action.reply}")

    def cancel(self, reply: int) -> None:
        if (task := self._tasks.pop(reply, None)) is not None:
            task.cancel()

    stop = cancel

    def adopt(self, reply: int) -> None:
        """The reply is committed: what it expects to hear holds from now on."""
        if self._speculative == reply:
            self._speculative = 0
            if self._speculative_expects is not None:
                self._expect(self._speculative_expects)
        self._speculative_expects = None

    async def _think(self, reply: int, request: ModelRequest) -> None:
        done: ev.Event = ev.ReplyDone(reply)
        try:
            await self._stream(reply, request)
        except ProviderError:  # told already, of each model that failed
            done = ev.ReplyFailed(reply)
        self._tasks.pop(reply, None)
        self._feed(done)

    async def _stream(self, reply: int, request: ModelRequest) -> None:
        stream = self._model.stream(request)
        try:
            with TextGathering(
                lambda words: self._feed(ev.ReplyText(reply, words)), lambda: self._feed(ev.ReplyPaused(reply))
            ) as text:
                async for delta in stream:
                    if isinstance(delta, TextDelta):
                        text.take(delta.text)
                    else:
                        text.flush()
                        self._take(reply, delta)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def _take(self, reply: int, delta: ModelDelta) -> None:
        if isinstance(delta, ToolCallDelta):
            self._feed(ev.ReplyAskedForTool(reply, delta.call))
        elif isinstance(delta, ExpectedAnswersDelta):
            if reply == self._speculative:
                self._speculative_expects = delta.answers
            else:
                self._expect(delta.answers)
        elif isinstance(delta, PlaceDelta):
            self._feed(ev.ReplyPlaced(reply, delta.node))
        elif isinstance(delta, EndCallDelta):
            self._feed(ev.ReplyAskedToEnd(reply))
        elif isinstance(delta, TransferDelta):
            self._feed(ev.ReplyAskedToTransfer(reply, delta.destination))
        elif isinstance(delta, UsageDelta):
            self._on_usage(delta.provider or self._model.name, delta.usage)
