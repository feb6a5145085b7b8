"""One turn in text: tools, bounds, and what is left when it is given up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from antiphon.chat.agent import TextAgent
from antiphon.chat.turn import FAILED, NO_ANSWER, UNKNOWN, TextPiece, TextTurn, TurnBounds
from antiphon.errors import ProviderError
from antiphon.providers.base import ModelRequest, TextDelta, UsageDelta
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply
from antiphon.tools.local import LocalTools
from antiphon.vocabulary import CallContext, Message, ToolCall, Usage

CONTEXT = CallContext("conversation")
ASKED = [Message("user", "please")]


def agent(*replies: Any, tools: LocalTools | None = None, **timing: Any) -> TextAgent:
    return TextAgent(ScriptedLanguageModel(list(replies), **timing), tools)


def calling(*names: str, text: str = "", **arguments: Any) -> ScriptedReply:
    return ScriptedReply(text, tuple(ToolCall(f"call_{name}", name, arguments) for name in names))


@pytest.fixture
def tools() -> LocalTools:
    tools = LocalTools()

    async def add(one: int, two: int) -> int:
        """Adds."""
        return one + two

    async def breaks() -> None:
        """Breaks."""
        raise RuntimeError("a secret")

    async def sleeps() -> None:
        """Never answers."""
        await asyncio.Event().wait()

    tools.register(add)
    tools.register(breaks)
    tools.register(sleeps, deadline_ms=20)
    return tools


async def test_a_tool_is_run_and_its_answer_answered(tools: LocalTools) -> None:
    turn = TextTurn(agent(calling("add", text="Let me see.", one=2, two=3), "Five.", tools=tools), ASKED, CONTEXT)
    pieces = [piece async for piece in turn.pieces()]
    assert pieces == [TextPiece(0, "Let me see."), TextPiece(2, "Five.")]
    assert [message.role for message in turn.messages] == ["assistant", "tool", "assistant"]
    assert turn.messages[1].content == "5"
    await tools.close()


async def test_a_tool_knows_what_was_said_before_it() -> None:
    tools, said = LocalTools(), []

    async def look(context: CallContext) -> str:
        said.extend((message.role, message.content) for message in context.messages)
        return "done"

    tools.register(look)
    await TextTurn(agent(calling("look", text="Wait."), "Done.", tools=tools), ASKED, CONTEXT).run()
    assert said == [("user", "please"), ("assistant", "Wait.")]
    await tools.close()


async def test_tools_that_do_not_answer_are_told_to_the_model(tools: LocalTools) -> None:
    turn = TextTurn(agent(calling("breaks", "sleeps", "missing"), "Sorry.", tools=tools), ASKED, CONTEXT)
    await turn.run()
    answers = turn.messages[1:4]
    assert [message.content for message in answers] == [FAILED, NO_ANSWER, UNKNOWN]
    assert {message.tool_outcome for message in answers} == {"failed"}
    await tools.close()


async def test_a_model_that_only_asks_for_tools_is_stopped(tools: LocalTools) -> None:
    def more(request: ModelRequest) -> ScriptedReply:
        assert request.tools or len(request.messages) > 4
        number = len(request.messages)
        return ScriptedReply("", (ToolCall(f"call_{number}", "add", {"one": number, "two": 1}),))

    turn = TextTurn(TextAgent(ScriptedLanguageModel(more), tools), ASKED, CONTEXT, TurnBounds(rounds=3))
    await turn.run()
    assert sum(message.role == "tool" for message in turn.messages) == 3
    assert turn.messages[-1].tool_calls == ()
    await tools.close()


async def test_a_model_that_writes_for_ever_is_stopped() -> None:
    turn = TextTurn(agent("word " * 1000), ASKED, CONTEXT, TurnBounds(characters=100))
    with pytest.raises(ProviderError, match="too long"):
        await turn.run()


async def test_a_turn_that_is_given_up_closes_the_model_s_stream() -> None:
    closed = asyncio.Event()

    class Model:
        name = "endless"

        async def stream(self, request: ModelRequest) -> Any:
            try:
                while True:
                    yield TextDelta("word ")
                    await asyncio.sleep(0)
            finally:
                closed.set()

    turn = TextTurn(TextAgent(Model()), ASKED, CONTEXT)  # type: ignore[arg-type]
    async with aclosing(turn.pieces()) as pieces:
        await anext(pieces)
    assert closed.is_set()


async def test_what_models_use_is_counted_over_the_rounds(tools: LocalTools) -> None:
    class Model(ScriptedLanguageModel):
        async def stream(self, request: ModelRequest) -> Any:
            async for delta in super().stream(request):
                yield delta
            yield UsageDelta(Usage(input_tokens=10, output_tokens=2, cached_tokens=1))

    turn = TextTurn(TextAgent(Model([calling("add", one=1, two=1), "Two."]), tools), ASKED, CONTEXT)
    await turn.run()
    assert turn.usage == {"scripted": Usage(input_tokens=20, output_tokens=4, cached_tokens=2)}
    await tools.close()
