from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.workflow.graph import compile_workflow

HELLO = {"type": "conversation", "name": "hello", "isStart": True, "messagePlan": {"firstMessage": "Hello."}}
BYE = {"type": "end", "name": "bye"}


def workflow(*nodes: Any, edges: Any = (), **fields: Any) -> dict[str, Any]:
    return {"nodes": [HELLO, BYE, *nodes], "edges": list(edges), **fields}


def asking(**slot: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date", "x-slot": slot}}}
    return {"type": "conversation", "name": "ask", "variableExtractionPlan": {"schema": schema}}


def edge(condition: Any) -> dict[str, Any]:
    return {"from": "hello", "to": "bye", "condition": condition}


@pytest.mark.parametrize(
    ("document", "field", "says"),
    [
        ({}, "nodes", "field required"),
        ({"nodes": []}, "nodes", "at least 1"),
        (workflow({"type": "dance", "name": "x"}), "nodes.2", "'conversation', 'tool', 'transfer', 'end'"),
        (workflow({"type": "conversation"}), "nodes.2.name", "field required"),
        (workflow({"type": "conversation", "name": "x" * 81}), "nodes.2.name", "at most 80"),
        (workflow({"type": "transfer", "name": "x"}), "nodes.2.destination", "field required"),
        (workflow({"type": "tool", "name": "x"}), "nodes.2", "a tool or a toolId"),
        (workflow(HELLO), "nodes.2.name", "names must differ"),
        (workflow({"type": "conversation", "name": "x", "isStart": True}), "nodes.2.isStart", "one node may have isStart"),
        ({"nodes": [BYE]}, "nodes.0.type", "must be a conversation node"),
        (workflow(edges=[{"from": "hello", "to": "nowhere"}]), "edges.0.to", "there are hello, bye"),
        (workflow(edges=[{"from": "x", "to": "bye"}]), "edges.0.from", "there are hello, bye"),
        (workflow(edges=[{"from": "hello", "to": "bye"}] * 2), "edges.1.condition", "without a condition"),
        (workflow(edges=[{"from": "hello", "to": "bye", "clear": ["x"]}]), "edges.0.clear", "no node asks for x"),
        (workflow(edges=[edge({"type": "magic"})]), "edges.0.condition", "'examples', 'ai', 'logic', 'failed', 'corrected'"),
        (workflow(edges=[edge({"type": "examples"})]), "edges.0.condition", "phrases or an intent"),
        (workflow(edges=[edge({"type": "examples", "intent": "joy"})]), "edges.0.condition", "intent must be one of yes, no"),
        (workflow(edges=[edge({"type": "logic", "liquid": "a = b"})]), "edges.0.condition.liquid", "not understood"),
        (workflow(edges=[edge({"type": "ai", "prompt": ""})]), "edges.0.condition.prompt", "at least 1"),
        (workflow(fallback={"maxAttempts": 0}), "fallback.maxAttempts", "greater than or equal to 1"),
        (workflow(fallback={"to": "x"}), "fallback.to", "there are hello, bye"),
        (workflow(timezone="Moon/Base"), "timezone", "IANA"),
        (workflow(asking(type="colour")), "nodes.2.variableExtractionPlan.schema.properties.day.x-slot.type", "'date', 'time'"),
        (workflow(asking(weekdays=["funday"])), "nodes.2.variableExtractionPlan.schema.properties.day.x-slot.weekdays", "allowed are"),
        (workflow(asking(opens="17:00", closes="09:00")), "nodes.2.variableExtractionPlan.schema.properties.day.x-slot", "before closes"),
        (workflow(asking(ask="{{ day | upper }}")), "nodes.2.variableExtractionPlan.schema.properties.day.x-slot.ask", "only variables"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_field_and_what_is_allowed(document: Any, field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        compile_workflow(document)
    assert raised.value.field == field
    assert says in raised.value.problem


def test_the_field_is_named_inside_a_larger_document() -> None:
    with pytest.raises(ConfigurationError) as raised:
        compile_workflow(workflow(edges=[{"from": "hello", "to": "nowhere"}]), "model.workflow")
    assert raised.value.field == "model.workflow.edges.0.to"


def test_the_text_of_a_prompt_is_not_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        compile_workflow(workflow({"type": "conversation", "name": "x", "prompt": "secret " * 1000}))
    assert "secret" not in str(raised.value)


def test_fields_we_do_not_know_are_kept() -> None:
    node = {**HELLO, "metadata": {"x": 1}, "voice": {"provider": "11labs"}}
    graph = compile_workflow({"nodes": [node], "server": {"url": "https://example.test"}})
    assert graph.spec.model_dump(by_alias=True)["server"] == {"url": "https://example.test"}
    assert graph.nodes["hello"].model_dump(by_alias=True)["voice"] == {"provider": "11labs"}


def test_without_a_start_node_the_first_one_starts() -> None:
    assert compile_workflow({"nodes": [{"type": "conversation", "name": "a"}, BYE]}).start == "a"
