"""The workflow engine behind the LanguageModel protocol."""

from __future__ import annotations

import asyncio

import pytest

from antiphon.assistants.loader import AssistantLibrary
from antiphon.errors import ConfigurationError
from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswersDelta,
    LanguageModel,
    ModelDelta,
    ModelRequest,
    PlaceDelta,
    TextDelta,
    ToolCallDelta,
    TransferDelta,
)
from antiphon.vocabulary import CallContext, Message, ToolSpec
from antiphon.workflow.model import WorkflowModel

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)


@pytest.fixture(scope="module")
def model() -> WorkflowModel:
    spec = AssistantLibrary().load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    return WorkflowModel(spec.model.workflow)


async def deltas(model: LanguageModel, *lines: str) -> list[ModelDelta]:
    messages = [message for line in lines for message in (Message("user", line), Message("assistant", "…"))][:-1]
    request = ModelRequest(tuple(messages), (ToolSpec("book_appointment"),), CONTEXT)
    return [delta async for delta in model.stream(request)]


async def test_words_come_by_clause_then_what_to_expect(model: WorkflowModel) -> None:
    made = await deltas(model, "book an appointment", "wednesday", "three pm", "john smith")
    assert [delta.text for delta in made if isinstance(delta, TextDelta)] == [
        "That is Wednesday, ",
        "May 13th, ",
        "at 3 pm, ",
        "for John Smith. ",
        "Shall I book it?",
    ]
    assert isinstance(made[-1], ExpectedAnswersDelta)


async def test_a_tool_call_follows_its_words(model: WorkflowModel) -> None:
    made = await deltas(model, "book an appointment", "wednesday", "three pm", "john smith", "yes")
    assert [type(delta) for delta in made] == [PlaceDelta, TextDelta, ToolCallDelta, ExpectedAnswersDelta]


async def test_it_says_first_where_the_conversation_stands(model: WorkflowModel) -> None:
    for lines, node in (
        ((), "welcome"),
        (("book an appointment",), "day"),
        (("book an appointment", "wednesday"), "hour"),
    ):
        assert (await deltas(model, *lines))[0] == PlaceDelta(node)


def test_its_outline_is_the_graph_without_what_is_said_in_it(model: WorkflowModel) -> None:
    outline = model.outline()
    starts = [node["name"] for node in outline["nodes"] if node["isStart"]]
    assert (starts, len(outline["nodes"])) == (["welcome"], 14)
    assert {"from": "day", "to": "hour"} in outline["edges"]
    assert "clinic" not in str(outline)


async def test_the_end_and_a_transfer_come_last(model: WorkflowModel) -> None:
    assert (await deltas(model, "goodbye"))[-1] == EndCallDelta()
    assert (await deltas(model, "operator"))[-1] == TransferDelta("+15550100")


async def test_a_greeting_is_made_when_nobody_has_spoken(model: WorkflowModel) -> None:
    request = ModelRequest((), (), CONTEXT)
    text = "".join([delta.text async for delta in model.stream(request) if isinstance(delta, TextDelta)])
    assert text.startswith("Thank you for calling")
    assert "book an appointment" in model.opening_answers(CONTEXT).grammar


async def test_many_calls_share_one_model(model: WorkflowModel) -> None:
    await model.start()
    wednesday, thursday = await asyncio.gather(deltas(model, "book wednesday"), deltas(model, "book thursday"))
    await model.close()
    await model.close()
    assert wednesday != thursday == await deltas(model, "book thursday")


async def test_a_reply_may_be_left_in_the_middle(model: WorkflowModel) -> None:
    stream = model.stream(ModelRequest((), (), CONTEXT))
    assert isinstance(await anext(stream), PlaceDelta)
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()  # type: ignore[attr-defined]


def test_a_workflow_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError) as raised:
        WorkflowModel({"nodes": []})
    assert raised.value.field == "model.workflow.nodes"
