"""What is wrong with a workflow as a whole, all of it, and what in it is probably a mistake.

``compile_workflow`` stops at the first fault; whoever edits a workflow wants to see every one, each at its node or edge. The fields are
dotted places in the workflow: ``nodes.3.name``, ``edges.0.to``.
"""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from itertools import islice
from typing import Any

from antiphon.errors import ConfigurationError
from antiphon.wire_model import join, misspelt_fields, parse_all
from antiphon.workflow.spec import ConversationNode, EndNode, ToolNode, TransferNode, WorkflowSpec

MAX_TOLD = 100
"""Of each kind: a document may be wrong in every field."""


def problems_of(data: Mapping[str, Any]) -> list[ConfigurationError]:
    """Everything that keeps a workflow from being used, in the order in which it stands. Empty: it can be."""
    spec, wrong = parse_all(WorkflowSpec, data)
    return list(islice(wrong if spec is None else faults(spec), MAX_TOLD))


def doubts_of(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``(field, text)`` of what is allowed and probably not meant: nodes that nothing leads to, misspelt fields. Empty for a workflow
    that cannot be used."""
    spec, _ = parse_all(WorkflowSpec, data)
    return [] if spec is None else list(islice(_doubts(spec), MAX_TOLD))


def faults(spec: WorkflowSpec, path: str = "") -> Iterator[ConfigurationError]:
    """What does not hold together, though every field by itself is well. ``path`` is where the workflow stands in a larger document."""
    yield from _taken_names(spec, path)
    yield from _starts(spec, path)
    yield from _edges(spec, path)
    try:
        zone_of(spec, path)
    except ConfigurationError as error:
        yield error


def start_of(spec: WorkflowSpec) -> str:
    """The node that a conversation begins at."""
    return next((node.name for node in spec.nodes if node.is_start), spec.nodes[0].name)


def zone_of(spec: WorkflowSpec, path: str = "") -> tzinfo | None:
    """Where the workflow lives; None: in the machine's own zone. Raises ConfigurationError."""
    if not spec.timezone:
        return None
    if spec.timezone == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(spec.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            join(path, "timezone"), f"{spec.timezone!r} is no IANA time zone known to this machine, like Europe/London"
        ) from None


def _taken_names(spec: WorkflowSpec, path: str) -> Iterator[ConfigurationError]:
    seen: set[str] = set()
    for at, node in enumerate(spec.nodes):
        if node.name in seen:
            yield ConfigurationError(
                join(path, "nodes", at, "name"), f"{node.name!r} is taken by another node; names must differ"
            )
        seen.add(node.name)


def _starts(spec: WorkflowSpec, path: str) -> Iterator[ConfigurationError]:
    starts = [at for at, node in enumerate(spec.nodes) if node.is_start]
    names = ", ".join(spec.nodes[at].name for at in starts)
    for at in starts[1:]:
        yield ConfigurationError(
            join(path, "nodes", at, "isStart"), f"one node may have isStart, not {len(starts)}: {names}"
        )
    first = starts[0] if starts else 0
    if not isinstance(spec.nodes[first], ConversationNode):
        name = spec.nodes[first].name
        yield ConfigurationError(
            join(path, "nodes", first, "type"), f"the start node {name!r} must be a conversation node"
        )


def _edges(spec: WorkflowSpec, path: str) -> Iterator[ConfigurationError]:
    nodes = dict.fromkeys(node.name for node in spec.nodes)
    slots = dict.fromkeys(slot for node in spec.nodes for slot in _slots(node))
    always: set[str] = set()
    for at, edge in enumerate(spec.edges):
        for end, name in (("from", edge.from_), ("to", edge.to)):
            if name not in nodes:
                yield _no_node(join(path, "edges", at, end), name, nodes)
        if unknown := [name for name in edge.clear if name not in slots]:
            yield ConfigurationError(
                join(path, "edges", at, "clear"),
                f"no node asks for {', '.join(unknown)}; there are {', '.join(slots) or 'no slots'}",
            )
        if edge.condition is None:
            if edge.from_ in always:
                yield ConfigurationError(
                    join(path, "edges", at, "condition"),
                    f"another edge without a condition leaves {edge.from_!r}, too; one may",
                )
            always.add(edge.from_)
    if spec.fallback.to and spec.fallback.to not in nodes:
        yield _no_node(join(path, "fallback", "to"), spec.fallback.to, nodes)


def _no_node(field: str, name: str, nodes: Iterable[str]) -> ConfigurationError:
    return ConfigurationError(field, f"there is no node {name!r}; there are {', '.join(nodes)}")


def _slots(node: object) -> Iterator[str]:
    if isinstance(node, ConversationNode):
        yield from node.variable_extraction_plan.extraction_schema.properties


def _doubts(spec: WorkflowSpec) -> Iterator[tuple[str, str]]:
    reached = _reached(spec)
    leaving = {edge.from_ for edge in spec.edges}
    for at, node in enumerate(spec.nodes):
        if node.name not in reached:
            yield join("nodes", at), "nothing leads here"
        if isinstance(node, EndNode | TransferNode) and node.name in leaving:
            yield join("nodes", at), "the call ends here: edges that leave it are never taken"
        if isinstance(node, ToolNode) and node.name not in leaving and not _ends(node):
            yield join("nodes", at), "nothing follows what the tool answers"
    for field, meant in misspelt_fields(spec):
        yield field, f"has no effect here; did you mean {meant}?"


def _ends(node: ToolNode) -> bool:
    return node.tool is not None and node.tool.type in ("endCall", "transferCall")


def _reached(spec: WorkflowSpec) -> set[str]:
    """The nodes that a conversation can come to."""
    after: defaultdict[str, list[str]] = defaultdict(list)
    for edge in spec.edges:
        after[edge.from_].append(edge.to)
    reached: set[str] = set()
    waiting = [start_of(spec), *(node.name for node in spec.nodes if node.global_node_plan.condition is not None)]
    if spec.fallback.to:
        waiting.append(spec.fallback.to)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += after[name]
    return reached
