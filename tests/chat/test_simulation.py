"""Two agents who write to each other."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.chat.agent import TextAgent
from antiphon.chat.simulation import BEGIN, MOST_TURNS, SimulatedChat
from antiphon.errors import ProviderError
from antiphon.providers.base import ModelRequest
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply
from antiphon.tools.builtin import EndCallTool
from antiphon.tools.composite import CompositeTools, OfferedTool
from antiphon.tools.once import Once
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

HANG_UP = ScriptedReply("Goodbye.", (ToolCall("end", "endCall"),))


def agent(*replies: Any) -> TextAgent:
    tools = CompositeTools((OfferedTool(ToolSpec("endCall", ""), EndCallTool()),), Once())
    return TextAgent(ScriptedLanguageModel(list(replies)), tools)


def chat(caller: TextAgent, target: TextAgent, opening: str = "") -> SimulatedChat:
    return SimulatedChat(caller, target, CallContext("caller"), CallContext("target"), opening)


def said(chat: SimulatedChat) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in chat.said if message.role != "tool"]


async def test_they_write_in_turn_until_the_caller_hangs_up() -> None:
    talk = chat(agent("Hello?", HANG_UP, "never written"), agent("Yes?", "never written"))
    await talk.run()
    assert said(talk) == [("user", "Hello?"), ("assistant", "Yes?"), ("user", "Goodbye.")]


async def test_or_until_the_target_does() -> None:
    talk = chat(agent("never written"), agent(HANG_UP, "never written"), "Good day.")
    await talk.run()
    assert said(talk) == [("user", "Good day."), ("assistant", "Goodbye.")]


async def test_each_hears_the_other_as_its_user() -> None:
    asked: list[tuple[str, list[str]]] = []

    def model(name: str, reply: Any) -> TextAgent:
        def replies(request: ModelRequest) -> Any:
            asked.append((name, [message.content for message in request.messages]))
            return reply

        return TextAgent(ScriptedLanguageModel(replies))

    talk = chat(model("caller", "Hello?"), model("target", ScriptedReply("Yes?", end_call=True)))
    await talk.run()
    assert asked == [("caller", [BEGIN]), ("target", ["Hello?"])]


async def test_a_caller_who_writes_nothing_is_no_caller() -> None:
    with pytest.raises(ProviderError, match="wrote nothing"):
        await chat(agent(""), agent("Yes?")).run()


async def test_they_do_not_go_on_for_ever() -> None:
    talk = chat(agent("And then?"), agent("Then this."))
    await talk.run()
    assert len(talk.said) == 2 * MOST_TURNS
