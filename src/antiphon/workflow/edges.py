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


@dataclass(frozen=True, slots=True)
class GlobalNode:
    """The node that can be entered from everywhere and that the words ask for; no name where there is none."""

    name: str = ""
    score: float = 0.0
    sure: bool = False
    """Whether it is all that was said: then it comes before the question in hand."""


def global_node(graph: Graph, tokens: Sequence[Token]) -> GlobalNode:
    """What the words ask for, wherever the talk stands. Goodbye is looked at elsewhere: it may stand at the end of an answer."""
    best = GlobalNode()
    for node in graph.nodes.values():
        condition = node.global_node_plan.condition
        if condition is None or is_goodbye(condition):
            continue
        sure, score = _global_score(condition, tokens)
        if score >= intents.MATCHES and (sure, score) > (best.sure, best.score):
            best = GlobalNode(node.name, score, sure)
    return best


def _global_score(condition: ExamplesCondition | AiCondition, tokens: Sequence[Token]) -> tuple[bool, float]:
    """Whether nothing else was said, and how well the words fit. What is built in counts only where nothing else was said."""
    if isinstance(condition, AiCondition):
        return False, _score(condition, tokens)
    phrases = condition.all_phrases
    if intents.is_wish(phrases, tokens) or intents.is_all(phrases, tokens):
        return True, 1.0
    return False, intents.score(condition.phrases, tokens)


def is_goodbye(condition: object) -> bool:
    return isinstance(condition, ExamplesCondition) and condition.intent == "goodbye"


def goodbye_node(graph: Graph) -> str:
    """The node that says goodbye wherever it is said; empty for none."""
    return next((name for name, node in graph.nodes.items() if is_goodbye(node.global_node_plan.condition)), "")


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
        return max(_score_intent(condition.intent, tokens), intents.score(condition.phrases, tokens))
    return intents.score_prompt(condition.prompt, tokens) if isinstance(condition, AiCondition) else 0.0


def _score_intent(intent: str, tokens: Sequence[Token]) -> float:
    """How well words fit a meaning that is built in."""
    if intent in ("yes", "no"):
        return 0.95 if intents.yes_or_no(tokens) is (intent == "yes") else 0.0
    phrases = intents.BUILT_IN.get(intent, ())
    if intent == "done":
        return 0.8 if intents.is_all(phrases, tokens) else 0.0
    if intent in ("human", "cancel", "reschedule", "start-over") and intents.is_wish(phrases, tokens):
        return 1.0
    return intents.score(phrases, tokens)
