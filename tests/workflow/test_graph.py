from __future__ import annotations

from typing import Any

import pytest

from antiphon.workflow.graph import compile_workflow
from antiphon.workflow.spec import EndNode, TransferNode

START = {"type": "conversation", "name": "start", "isStart": True}


def test_end_call_and_transfer_tools_become_ends_and_transfers() -> None:
    graph = compile_workflow(
        {
            "nodes": [
                START,
                {"type": "tool", "name": "stop", "tool": {"type": "endCall"}},
                {
                    "type": "tool",
                    "name": "forward",
                    "tool": {
                        "type": "transferCall",
                        "destinations": [{"type": "number", "number": "+15550100", "message": "Please hold."}],
                    },
                },
                {"type": "hangup", "name": "over"},
            ]
        }
    )
    forward = graph.nodes["forward"]
    assert isinstance(graph.nodes["stop"], EndNode)
    assert isinstance(graph.nodes["over"], EndNode)
    assert isinstance(forward, TransferNode)
    assert (forward.destination, forward.message_plan.first_message) == ("+15550100", "Please hold.")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"messagePlan": {"firstMessage": "Hi."}, "prompt": 'Say "Hello."'}, "Hi."),
        ({"prompt": 'Greet the caller with "Welcome to the shop." and be kind.'}, "Welcome to the shop."),
        ({"prompt": "Say: “Good morning!”"}, "Good morning!"),
        ({"prompt": "You are a helpful agent."}, ""),
    ],
)
def test_what_a_node_says_first(node: dict[str, Any], message: str) -> None:
    graph = compile_workflow({"nodes": [{**START, **node}]})
    assert graph.first_message(graph.nodes["start"]) == message


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("day", {"type": "string", "format": "date"}, "date"),
        ("hour", {"type": "string", "format": "time"}, "time"),
        ("guests", {"type": "integer"}, "number"),
        ("agreed", {"type": "boolean"}, "yes-no"),
        ("size", {"type": "string", "enum": ["small", "large"]}, "choice"),
        ("firstName", {"type": "string"}, "name"),
        ("reason", {"type": "string"}, "text"),
        ("pin", {"type": "string", "x-slot": {"type": "digits", "length": 4}}, "digits"),
        ("callback", {"type": "string", "format": "phone"}, "phone"),
    ],
)
def test_the_kind_of_a_slot_follows_from_its_schema(name: str, schema: dict[str, Any], kind: str) -> None:
    plan = {"schema": {"type": "object", "properties": {name: schema}}}
    graph = compile_workflow({"nodes": [{**START, "variableExtractionPlan": plan}]})
    assert graph.slot[name].kind == kind


def test_only_required_values_are_asked_for() -> None:
    schema = {"properties": {"day": {"format": "date"}, "hour": {"format": "time"}}, "required": ["day"]}
    graph = compile_workflow({"nodes": [{**START, "variableExtractionPlan": {"schema": schema}}]})
    assert [slot.name for slot in graph.slots["start"]] == ["day"]
    assert set(graph.slot) == {"day", "hour"}


def test_tools_described_in_place_are_offered_to_whoever_runs_them() -> None:
    tool = {"type": "function", "function": {"name": "look_up"}}
    graph = compile_workflow(
        {"nodes": [START, {"type": "tool", "name": "a", "tool": tool}, {"type": "tool", "name": "b", "toolId": "x"}]}
    )
    assert [tool.called for tool in graph.tools()] == ["look_up"]
