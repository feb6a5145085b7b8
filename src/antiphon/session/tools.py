"""``RunTool`` → the tool's answer. The conversation keeps the deadline; work goes on after it, up to a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from antiphon.conversation import events as ev
from antiphon.conversation.actions import RunTool
from antiphon.tools.base import ToolRunner
from antiphon.vocabulary import CallContext, Message, ToolAnswer

_LONGEST_S = 120.0
"""Work nobody waits for any more is given this long to deliver a late result."""

log = structlog.get_logger(__name__)


class Tools:
    """One call's tools at work."""

    def __init__(
        self,
        runner: ToolRunner | None,
        context: CallContext,
        feed: Callable[[ev.Event], object],
        spawn: Callable[..., asyncio.Task[None]],
        history: Callable[[], tuple[Message, ...]] = tuple,
    ) -> None:
        """``history`` is what has been said so far."""
        self._runner = runner
        self._context = context
        self._feed = feed
        self._spawn = spawn
        self._history = history
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def engage(self, runner: ToolRunner | None) -> None:
        """Other tools from now on. Work already begun goes on."""
        self._runner = runner

    def run(self, action: RunTool) -> None:
        assert self._runner is not None, "tools are only asked for where there is a runner"
        self._tasks[action.call.id] = self._spawn(self._work(self._runner, action), name=f"tool-{action.call.name}")

    def cancel(self, tool_call_id: str) -> None:
        if (task := self._tasks.pop(tool_call_id, None)) is not None:
            task.cancel()

    async def _work(self, runner: ToolRunner, action: RunTool) -> None:
        try:
            async with asyncio.timeout(_LONGEST_S):
                context = replace(self._context, messages=self._history())
                answer = await runner.run(action.call, context)
        except TimeoutError:
            outcome: ev.Event = ev.ToolFailed(action.call.id, "The tool did not answer.")
        except Exception as error:
            log.warning("tool_failed", tool=action.call.name, problem=type(error).__name__)
            outcome = ev.ToolFailed(action.call.id, "The tool failed.")
        else:
            outcome = _outcome(action.call.id, answer)
        self._tasks.pop(action.call.id, None)
        self._feed(outcome)


def _outcome(tool_call_id: str, answer: str | ToolAnswer) -> ev.Event:
    if isinstance(answer, str):
        return ev.ToolFinished(tool_call_id, answer)
    if answer.failed:
        return ev.ToolFailed(tool_call_id, answer.content, answer.say)
    return ev.ToolFinished(
        tool_call_id, answer.content, answer.say, answer.ends_call, answer.transfer_to, answer.hands_over
    )
