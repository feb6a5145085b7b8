"""Which way out of a node: the edges that hold, and which of them comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.workflow import intents
from antiphon.workflow.graph import Graph
from antiphon.workflow.slots import Slot
from antiphon.workflow.spec import (
    AiCondition,
    CorrectedCondition,
    Edge,
    ExamplesCondition,
    FailedCondition,
    LogicCondition,
)
from antiphon.workflow.state import State
from antiphon.workflow.words import Token


@dataclass(frozen=True, slots=True)
class SpokenEdge:
    """The edge whose condition the caller's words fit best."""

    edge: Edge | None
    score: float


def open_slot(graph: Graph, state: State) -> Slot | None:
    """The first slot of the listening node without a value, or with one that is still to be confirmed."""
    for slot in graph.slots.get(state.node, ()):
        if state.value(slot.name) is None or (slot.options.confirm and slot.name not in state.confirmed):
            return slot
    return None


def spoken(graph: Graph, state: State, tokens: Sequence[Token]) -> SpokenEdge:
    """The best edge on words; none below ``intents.MATCHES``."""
    best = SpokenEdge(None, 0.0)
    for edge in graph.edges[state.node]:
        score = _score(edge.condition, tokens)
        if score >= intents.MATCHES and score > best.score:
            best = SpokenEdge(edge, score)
    return best


def global_node(graph: Graph, tokens: Sequence[Token]) -> tuple[str, float]:
    """The node that can be entered from everywhere and that the words ask for, with its score; ``("", 0)`` for none."""
    best, best_score = "", 0.0
    for node in graph.nodes.values():
        score = _score(node.global_node_plan.condition, tokens)
        if score >= intents.MATCHES and score > best_score:
            best, best_score = node.name, score
    return best, best_score


def corrected(graph: Graph, state: State) -> Edge | None:
    """The edge for a corrected value."""
    return next((edge for edge in graph.edges[state.node] if isinstance(edge.condition, CorrectedCondition)), None)


def failed(graph: Graph, state: State) -> Edge | None:
    """The edge for a failed tool."""
    return next((edge for edge in graph.edges[state.node] if isinstance(edge.condition, FailedCondition)), None)


def logical(graph: Graph, state: State) -> Edge | None:
    """The first edge whose comparison of variables holds."""
    variables = {name: value.raw for name, value in state.values}
    for edge in graph.edges[state.node]:
        if isinstance(edge.condition, LogicCondition) and graph.expressions[edge.condition.liquid].true(variables):
            return edge
    return None


def unconditional(graph: Graph, state: State) -> Edge | None:
    """The edge that always holds."""
    return next((edge for edge in graph.edges[state.node] if edge.condition is None), None)


def _score(condition: object, tokens: Sequence[Token]) -> float:
    """How well words fit a condition on words; 0 for any other."""
    if isinstance(condition, ExamplesCondition):
        return intents.score(condition.all_phrases, tokens)
    return intents.score_prompt(condition.prompt, tokens) if isinstance(condition, AiCondition) else 0.0
