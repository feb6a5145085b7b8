"""The assistant that ships with Antiphon must work on a machine with nothing but Antiphon."""

from __future__ import annotations

from antiphon.assistants.loader import AssistantLibrary
from antiphon.assistants.tools import tool_specs
from antiphon.workflow.graph import compile_workflow
from antiphon.workflow.spec import TransferNode


def test_its_engines_are_those_on_this_machine() -> None:
    spec = AssistantLibrary().load("front-desk")
    assert spec.model is not None and spec.voice is not None and spec.transcriber is not None
    assert (spec.model.provider, spec.voice.provider, spec.transcriber.provider) == (
        "workflow",
        "piper",
        "moonshine",
    )


def test_its_greeting_lasts_long_enough_to_be_interrupted() -> None:
    message = AssistantLibrary().load("front-desk").first_message
    # A voice says two and a half to three words a second: thirty words are ten seconds.
    assert message is not None
    assert len(message.split()) > 25


def test_its_greeting_is_that_of_its_workflow() -> None:
    spec = AssistantLibrary().load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    graph = compile_workflow(spec.model.workflow)
    assert graph.first_message(graph.nodes[graph.start]) == spec.first_message


def test_the_tool_it_calls_is_the_tool_it_offers() -> None:
    spec = AssistantLibrary().load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    assert [tool.called for tool in compile_workflow(spec.model.workflow).tools()] == [
        tool.name for tool in tool_specs(spec)
    ]


def test_the_reception_can_be_set() -> None:
    spec = AssistantLibrary(variables={"RECEPTION_NUMBER": "+442079460958"}).load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    reception = compile_workflow(spec.model.workflow).nodes["reception"]
    assert isinstance(reception, TransferNode)
    assert reception.destination == "+442079460958"
