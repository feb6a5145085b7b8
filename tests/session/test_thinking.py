"""The model's stream on its way to the conversation: fallbacks, stalls, cancelling, guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from antiphon.conversation import events as ev
from antiphon.conversation.actions import StartReply
from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers import failover
from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswers,
    ExpectedAnswersDelta,
    ModelDelta,
    ModelRequest,
    PlaceDelta,
    TextDelta,
    ToolCallDelta,
    TransferDelta,
    UsageDelta,
)
from antiphon.providers.failover import Breakers, FailoverModel
from antiphon.session.thinking import Thinking
from antiphon.vocabulary import CallContext, Message, ToolCall, ToolSpec, Usage

TOOL = ToolSpec("clock")


class Model:
    """Yields what it is given; an exception is raised, ``None`` waits for ever."""

    def __init__(self, *deltas: ModelDelta | Exception | None, name: str = "model") -> None:
        self.name = name
        self.deltas = deltas
        self.requests: list[ModelRequest] = []
        self.closed = 0

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        self.requests.append(request)
        try:
            for delta in self.deltas:
                if isinstance(delta, Exception):
                    raise delta
                if delta is None:
                    await asyncio.Event().wait()
                else:
                    yield delta
        finally:
            self.closed += 1


class Rig:
    def __init__(self, *models: Model) -> None:
        self.fed: list[ev.Event] = []
        self.expected: list[ExpectedAnswers] = []
        self.usage: list[tuple[str, Usage]] = []
        self.failures: list[tuple[str, str]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.thinking = Thinking(
            FailoverModel(models, Breakers(), lambda *failed: self.failures.append(failed)), (TOOL,), CallContext("call-1"),
            {"temperature": 0.3}, self.fed.append, self.expected.append, self._spawn,
            lambda *used: self.usage.append(used),
        )  # fmt: skip

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))
        return self.tasks[-1]

    async def think(self, reply: int = 1, **given: Any) -> Sequence[ev.Event]:
        self.thinking.start(StartReply(reply, 1, 1, (Message("user", "hello"),), **given))
        await asyncio.wait(self.tasks, timeout=5)
        return self.fed


async def test_every_delta_becomes_its_event() -> None:
    call = ToolCall("t1", "clock")
    rig = Rig(
        Model(PlaceDelta("day"), TextDelta("Hel"), TextDelta(""), TextDelta("lo."), ToolCallDelta(call), TransferDelta("+1555"),
              EndCallDelta(), UsageDelta(Usage(input_tokens=7)))
    )  # fmt: skip
    assert await rig.think() == [
        ev.ReplyPlaced(1, "day"),
        ev.ReplyText(1, "Hel"),
        ev.ReplyText(1, "lo."),
        ev.ReplyAskedForTool(1, call),
        ev.ReplyAskedToTransfer(1, "+1555"),
        ev.ReplyAskedToEnd(1),
        ev.ReplyDone(1),
    ]
    assert rig.usage == [("model", Usage(input_tokens=7))]
    assert rig.failures == []


async def test_the_model_is_shown_what_the_conversation_says() -> None:
    model = Model(TextDelta("Hello."))
    rig = Rig(model)
    await rig.think()
    await rig.think(2, tools_allowed=False)
    messages = (Message("user", "hello"),)
    with_tools, without = model.requests
    assert with_tools == ModelRequest(messages, (TOOL,), CallContext("call-1"), {"temperature": 0.3})
    assert without.tools == ()


@pytest.mark.parametrize(
    ("fault", "code"),
    [(ProviderError("one", "no"), "provider"), (ProviderTimeout("one", "no"), "provider_timeout"), (KeyError("x"), "exception")],
)  # fmt: skip
async def test_a_model_that_fails_at_once_is_replaced_by_the_next(fault: Exception, code: str) -> None:
    rig = Rig(Model(fault, name="one"), Model(TextDelta("Hello."), name="two"))
    assert await rig.think() == [ev.ReplyText(1, "Hello."), ev.ReplyDone(1)]
    assert rig.failures == [("one", code)]


async def test_a_model_that_fails_amid_its_words_is_not_replaced() -> None:
    second = Model(TextDelta("Hello."))
    rig = Rig(Model(TextDelta("Hel"), ProviderError("one", "no")), second)
    assert await rig.think() == [ev.ReplyText(1, "Hel"), ev.ReplyFailed(1)]
    assert second.requests == []


async def test_when_all_models_fail_the_reply_has_failed() -> None:
    rig = Rig(Model(ProviderError("one", "no")), Model(ProviderError("two", "no")))
    assert await rig.think() == [ev.ReplyFailed(1)]
    assert [name for name, _ in rig.failures] == ["one", "two"]


async def test_a_model_that_stalls_has_failed_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "MODEL_STALL_S", 0.01)
    stalled = Model(None, name="stalled")
    rig = Rig(stalled, Model(TextDelta("Hello.")))
    assert await rig.think() == [ev.ReplyText(1, "Hello."), ev.ReplyDone(1)]
    assert rig.failures == [("stalled", "provider_timeout")]
    assert stalled.closed == 1


async def test_cancelling_closes_the_models_stream_and_says_nothing_more() -> None:
    model = Model(TextDelta("Hel"), None)
    rig = Rig(model)
    rig.thinking.start(StartReply(1, 1, 1, ()))
    await until(lambda: bool(rig.fed))
    rig.thinking.cancel(1)
    rig.thinking.cancel(1)
    rig.thinking.cancel(99)
    await asyncio.wait(rig.tasks)
    assert rig.fed == [ev.ReplyText(1, "Hel")]
    assert model.closed == 1


async def test_one_reply_is_cancelled_and_the_other_goes_on() -> None:
    models = Model(None)
    rig = Rig(models)
    rig.thinking.start(StartReply(1, 1, 1, ()))
    rig.thinking.start(StartReply(2, 1, 1, ()))
    await until(lambda: len(models.requests) == 2)
    rig.thinking.cancel(1)
    await asyncio.wait(rig.tasks[:1])
    assert not rig.tasks[1].done()
    rig.thinking.cancel(2)
    await asyncio.wait(rig.tasks)


async def test_what_a_guess_expects_to_hear_waits_until_it_is_adopted() -> None:
    answers = ExpectedAnswers(("yes", "no"))
    rig = Rig(Model(ExpectedAnswersDelta(answers), TextDelta("Shall I?")))
    await rig.think(speculative=True)
    assert rig.expected == []
    rig.thinking.adopt(1)
    rig.thinking.adopt(1)
    assert rig.expected == [answers]


async def test_what_a_wrong_guess_expected_is_forgotten() -> None:
    rig = Rig(Model(ExpectedAnswersDelta(ExpectedAnswers(("wrong",))), TextDelta("x")))
    await rig.think(1, speculative=True)
    rig.thinking.cancel(1)
    rig.thinking._model = Model(TextDelta("y"))
    await rig.think(2, speculative=True)
    rig.thinking.adopt(2)
    assert rig.expected == []


async def test_what_a_reply_expects_holds_at_once() -> None:
    answers = ExpectedAnswers(("yes", "no"))
    rig = Rig(Model(ExpectedAnswersDelta(answers)))
    await rig.think()
    assert rig.expected == [answers]


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")
