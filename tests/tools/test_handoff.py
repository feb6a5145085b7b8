"""The tool that hands a conversation over: who is meant, what is asked first, and what the model is told where nobody takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from antiphon.errors import ConfigurationError, ProviderUnavailable, RequestFailed
from antiphon.tools.handoff import HandoffTool, handoff_function, message_of, name_of
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

B = {"type": "assistant", "assistantName": "B", "description": "bills"}
C = {"type": "assistant", "assistantId": "id-c"}


class Taker:
    def __init__(self, problem: Exception | None = None) -> None:
        self.asked: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.problem = problem

    async def __call__(self, context: CallContext, destination: Mapping[str, Any], told: Mapping[str, Any]) -> str:
        if self.problem is not None:
            raise self.problem
        self.asked.append((destination, told))
        return name_of(destination)


async def run(taker: Taker, *destinations: dict[str, Any], ask: Any = None, **arguments: Any) -> ToolAnswer:
    asks = {"dynamic": ask} if ask is not None else {}
    return await HandoffTool(destinations, asks, taker).run(ToolCall("1", "x", arguments), CallContext("c"))


async def test_the_one_or_the_named_destination_takes_over_with_the_other_arguments() -> None:
    taker = Taker()
    assert await run(taker, B, mood="good") == ToolAnswer("Handed over to B.", hands_over=True)
    assert (await run(taker, B, C, destination="id-c", mood="bad")).hands_over
    assert taker.asked == [(B, {"mood": "good"}), (C, {"mood": "bad"})]
    assert await run(taker, B, C, destination="D") == ToolAnswer("The destinations are B, id-c.", failed=True)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (ProviderUnavailable("stt", "no process is up"), "no process is up"),
        (ConfigurationError("destination", "there is no member D"), "there is no member D"),
    ],
)
async def test_the_model_is_told_why_nobody_takes_over(problem: Exception, told: str) -> None:
    answer = await run(Taker(problem), B)
    assert answer.failed and not answer.hands_over and told in answer.content


async def test_a_dynamic_destination_is_asked_for() -> None:
    answers: dict[str, Any] = {"destination": B, "result": "Gone."}

    async def ask(context: CallContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not answers:
            raise RequestFailed("timeout")
        return answers

    taker, dynamic = Taker(), {"type": "dynamic"}
    assert await run(taker, dynamic, ask=ask, intent="x") == ToolAnswer("Gone.", hands_over=True)
    answers = {"error": "Not now."}
    assert await run(taker, dynamic, ask=ask) == ToolAnswer("Not now.", failed=True)
    answers = {"destination": {}}
    assert (await run(taker, dynamic, ask=ask)).failed
    answers = {}
    assert (await run(taker, dynamic, ask=ask)).failed
    assert taker.asked == [(B, {"intent": "x"})]


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        (B, ""),
        ({**B, "transferMode": "rolling-history"}, "Transferring the call now"),
        ({**B, "message": ""}, ""),
        ({**B, "message": "Bye."}, "Bye."),
        ({**B, "message": {"type": "custom-message", "content": "So."}}, "So."),
        ({**B, "message": {"contents": [{"type": "text", "text": "Nun."}]}}, "Nun."),
        ({**B, "message": {"contents": []}}, ""),
    ],
)
def test_what_is_said_before(destination: dict[str, Any], said: str) -> None:
    assert message_of(destination) == said


def test_what_the_model_is_shown() -> None:
    plan = {"schema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}}
    name, told, parameters = handoff_function([{**B, "assistantName": "B & C", "variableExtractionPlan": plan}])
    assert name == "handoff_to_B___C" and "1. B & C: bills." in told
    assert parameters == {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    name, _, parameters = handoff_function([B, C])
    assert name == "handoff_to_assistant"
    assert parameters["properties"] == {"destination": {"type": "string", "enum": ["B", "id-c"]}}
