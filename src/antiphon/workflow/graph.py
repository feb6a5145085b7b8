"""A workflow checked as a whole and made ready: every name leads somewhere, every schema is a list of slots."""

from __future__ import annotations

import re
import zoneinfo
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from antiphon.errors import ConfigurationError
from antiphon.wire_model import join, parse
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
    nodes = _nodes_by_name(spec, path)
    start = _start(spec, path)
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
    _check_edges(spec, nodes, by_name, path)
    return Graph(
        spec=spec,
        start=start,
        nodes=nodes,
        edges={name: tuple(edge for edge in spec.edges if edge.from_ == name) for name in nodes},
        slots=slots,
        slot=by_name,
        asked_at=asked_at,
        expressions={
            edge.condition.liquid: compile_expression(edge.condition.liquid)
            for edge in spec.edges
            if isinstance(edge.condition, LogicCondition)
        },
        timezone=_timezone(spec.timezone, join(path, "timezone")),
    )


def _nodes_by_name(spec: WorkflowSpec, path: str) -> dict[str, Node]:
    for at, node in enumerate(spec.nodes):
        if any(other.name == node.name for other in spec.nodes[:at]):
            raise ConfigurationError(
                join(path, "nodes", at, "name"), f"{node.name!r} is taken by another node; names must differ"
            )
    return {node.name: _as_ours(node) for node in spec.nodes}


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


def _start(spec: WorkflowSpec, path: str) -> str:
    starts = [node.name for node in spec.nodes if node.is_start]
    if len(starts) > 1:
        raise ConfigurationError(
            join(path, "nodes"), f"one node may have isStart, not {len(starts)}: {', '.join(starts)}"
        )
    first = starts[0] if starts else spec.nodes[0].name
    node = next(node for node in spec.nodes if node.name == first)
    if not isinstance(node, ConversationNode):
        raise ConfigurationError(join(path, "nodes"), f"the start node {first!r} must be a conversation node")
    return first


def _check_edges(spec: WorkflowSpec, nodes: Mapping[str, Node], slots: Mapping[str, Slot], path: str) -> None:
    def check(node: str, *field: str | int) -> None:
        if node not in nodes:
            raise ConfigurationError(join(path, *field), f"there is no node {node!r}; there are {', '.join(nodes)}")

    for at, edge in enumerate(spec.edges):
        check(edge.from_, "edges", at, "from")
        check(edge.to, "edges", at, "to")
        unknown = [name for name in edge.clear if name not in slots]
        if unknown:
            raise ConfigurationError(
                join(path, "edges", at, "clear"),
                f"no node asks for {', '.join(unknown)}; there are {', '.join(slots) or 'no slots'}",
            )
    if spec.fallback.to:
        check(spec.fallback.to, "fallback", "to")
    silent = Counter(edge.from_ for edge in spec.edges if edge.condition is None)
    for name, count in silent.items():
        if count > 1:
            raise ConfigurationError(join(path, "edges"), f"{count} edges without a condition leave {name!r}; one may")


def _timezone(name: str, path: str) -> tzinfo | None:
    if not name:
        return None
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            path, f"{name!r} is no IANA time zone known to this machine, like Europe/London"
        ) from None
