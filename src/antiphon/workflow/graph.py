"""A workflow checked as a whole and made ready: every name leads somewhere, every schema is a list of slots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from antiphon.wire_model import parse
from antiphon.workflow.checks import faults, start_of, zone_of
from antiphon.workflow.logic import Expression, compile_expression
from antiphon.workflow.schema import Language
from antiphon.workflow.slots import Slot, slot_of
from antiphon.workflow.spec import (
    ConversationNode,
    Edge,
    EndNode,
    Fallback,
    LogicCondition,
    Node,
    Tool,
    ToolNode,
    TransferNode,
    WorkflowSpec,
)

_QUOTED_SPEECH = re.compile(r"(?:say|ask|greet|tell|with|:)[^\"“]*[\"“]([^\"”]+)[\"”]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Graph:
    """What the fold walks on."""

    spec: WorkflowSpec
    start: str
    nodes: Mapping[str, Node]
    edges: Mapping[str, tuple[Edge, ...]]
    slots: Mapping[str, tuple[Slot, ...]]
    """The slots of each conversation node, in the order they are asked."""
    slot: Mapping[str, Slot]
    """Every slot by name. One that several nodes ask for is described by the first."""
    asked_at: Mapping[str, str]
    """The first node that asks for a slot."""
    depth: Mapping[str, int]
    """How many edges each node is away from the start; more than all for one that no edge leads to."""
    expressions: Mapping[str, Expression]
    """Compiled ``logic`` conditions, by their text."""
    timezone: tzinfo | None
    """None: the machine's own."""

    @property
    def language(self) -> Language:
        return self.spec.language

    @property
    def fallback(self) -> Fallback:
        return self.spec.fallback

    def first_message(self, node: Node) -> str:
        """What a node says when it is entered (a template)."""
        if node.message_plan.first_message or not isinstance(node, ConversationNode):
            return node.message_plan.first_message
        quoted = _QUOTED_SPEECH.search(node.prompt)
        return quoted.group(1) if quoted else ""

    def tools(self) -> tuple[Tool, ...]:
        """The tools that nodes describe in place, for whoever runs them."""
        return tuple(node.tool for node in self.nodes.values() if isinstance(node, ToolNode) and node.tool)


def compile_workflow(data: Mapping[str, Any] | WorkflowSpec, path: str = "") -> Graph:
    """Read and check a workflow. ``path`` is where it stands in a larger document. Raises ConfigurationError."""
    spec = data if isinstance(data, WorkflowSpec) else parse(WorkflowSpec, data, path)
    for fault in faults(spec, path):
        raise fault
    nodes = {node.name: _as_ours(node) for node in spec.nodes}
    slots: dict[str, tuple[Slot, ...]] = {}
    by_name: dict[str, Slot] = {}
    asked_at: dict[str, str] = {}
    for node in spec.nodes:
        if not isinstance(node, ConversationNode):
            continue
        schema = node.variable_extraction_plan.extraction_schema
        described = [slot_of(name, one, spec.language) for name, one in schema.properties.items()]
        slots[node.name] = tuple(slot for slot in described if schema.required is None or slot.name in schema.required)
        for slot in described:
            by_name.setdefault(slot.name, slot)
            asked_at.setdefault(slot.name, node.name)
    return Graph(
        spec=spec,
        start=start_of(spec),
        nodes=nodes,
        edges={name: tuple(edge for edge in spec.edges if edge.from_ == name) for name in nodes},
        slots=slots,
        slot=by_name,
        asked_at=asked_at,
        depth=_depths(spec),
        expressions={
            edge.condition.liquid: compile_expression(edge.condition.liquid)
            for edge in spec.edges
            if isinstance(edge.condition, LogicCondition)
        },
        timezone=zone_of(spec),
    )


def _depths(spec: WorkflowSpec) -> Mapping[str, int]:
    depths, reached = {start_of(spec): 0}, [start_of(spec)]
    for name in reached:
        for edge in spec.edges:
            if edge.from_ == name and edge.to not in depths:
                depths[edge.to] = depths[name] + 1
                reached.append(edge.to)
    return {node.name: depths.get(node.name, len(spec.nodes)) for node in spec.nodes}


def _as_ours(node: Node) -> Node:
    """Vapi's tool nodes of type endCall and transferCall are ends and transfers."""
    if not isinstance(node, ToolNode) or node.tool is None:
        return node
    common = {
        "name": node.name,
        "isStart": node.is_start,
        "messagePlan": node.message_plan,
        "globalNodePlan": node.global_node_plan,
    }
    if node.tool.type == "endCall":
        return EndNode.model_validate({"type": "end", **common})
    if node.tool.type == "transferCall" and node.tool.destinations:
        first = node.tool.destinations[0]
        destination = str(first.get("number") or first.get("sipUri") or "")
        if destination:
            message = {"firstMessage": node.message_plan.first_message or str(first.get("message", ""))}
            return TransferNode.model_validate(
                {"type": "transfer", "destination": destination, **common, "messagePlan": message}
            )
    return node
