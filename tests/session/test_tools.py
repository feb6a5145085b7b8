"""Tools at work: answers, failures, cancelling, and a bound for those nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog

from antiphon.conversation import events as ev
from antiphon.conversation.actions import RunTool
from antiphon.session import tools as module
from antiphon.session.tools import Tools
from antiphon.vocabulary import CallContext, Message, ToolCall, ToolSpec

CONTEXT = CallContext("call-1", caller="+15557771234")


class Runner:
    """Runs the function it is given."""

    def __init__(self, work: Callable[[ToolCall], Awaitable[str]]) -> None:
        self.work = work
        self.contexts: list[CallContext] = []

    def specs(self) -> tuple[ToolSpec, ...]:
        return (ToolSpec("clock"),)

    async def run(self, call: ToolCall, context: CallContext) -> str:
        self.contexts.append(context)
        return await self.work(call)


class Rig:
    def __init__(self, work: Callable[[ToolCall], Awaitable[str]]) -> None:
        self.fed: list[ev.Event] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.runner = Runner(work)
        self.said: list[Message] = []
        self.tools = Tools(self.runner, CONTEXT, self.fed.append, self._spawn, lambda: tuple(self.said))

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))
        return self.tasks[-1]

    def run(self, call_id: str = "t1", **arguments: Any) -> None:
        self.tools.run(RunTool(ToolCall(call_id, "clock", arguments), ToolSpec("clock"), 1))

    async def settle(self) -> None:
        await asyncio.wait(self.tasks, timeout=5)


async def test_an_answer_is_fed_and_the_tool_knows_its_call() -> None:
    async def answer(call: ToolCall) -> str:
        return f"it is noon in {call.arguments['city']}"

    rig = Rig(answer)
    rig.run(city="Oslo")
    await rig.settle()
    assert rig.fed == [ev.ToolFinished("t1", "it is noon in Oslo")]
    assert rig.runner.contexts == [CONTEXT]


async def test_tools_run_beside_each_other() -> None:
    gate = asyncio.Event()

    async def answer(call: ToolCall) -> str:
        if call.id == "slow":
            await gate.wait()
        else:
            gate.set()
        return call.id

    rig = Rig(answer)
    rig.run("slow")
    rig.run("quick")
    await rig.settle()
    assert sorted(event.tool_call_id for event in rig.fed) == ["quick", "slow"]  # type: ignore[union-attr]


async def test_a_tool_that_raises_has_failed_and_its_text_goes_nowhere() -> None:
    async def fail(call: ToolCall) -> str:
        raise RuntimeError("the password is swordfish")

    rig = Rig(fail)
    with structlog.testing.capture_logs() as logs:
        rig.run()
        await rig.settle()
    assert rig.fed == [ev.ToolFailed("t1", "The tool failed.")]
    assert logs == [{"event": "tool_failed", "tool": "clock", "problem": "RuntimeError", "log_level": "warning"}]


async def test_a_cancelled_tool_answers_nothing() -> None:
    cancelled: list[str] = []

    async def wait(call: ToolCall) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(call.id)
            raise
        return ""

    rig = Rig(wait)
    rig.run("a")
    rig.run("b")
    await asyncio.sleep(0)
    rig.tools.cancel("a")
    rig.tools.cancel("unknown")
    await asyncio.wait(rig.tasks[:1])
    assert cancelled == ["a"]
    assert rig.fed == []
    assert not rig.tasks[1].done()
    rig.tools.cancel("b")
    await rig.settle()


async def test_work_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_S", 0.01)

    async def hang(call: ToolCall) -> str:
        await asyncio.Event().wait()
        return ""

    rig = Rig(hang)
    rig.run()
    await rig.settle()
    assert rig.fed == [ev.ToolFailed("t1", "The tool did not answer.")]


async def test_a_tool_knows_what_was_said_when_it_was_asked_for() -> None:
    async def answer(call: ToolCall) -> str:
        rig.said.append(Message("user", "later"))
        return "done"

    rig = Rig(answer)
    rig.said.append(Message("user", "goodbye"))
    rig.run()
    await rig.settle()
    assert [context.messages for context in rig.runner.contexts] == [(Message("user", "goodbye"),)]
    assert CONTEXT.messages == ()
