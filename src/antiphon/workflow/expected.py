"""What a caller may say next, as a grammar and as plain phrases, so that a small recogniser can be exact.

Built from the question in hand, the values that may be volunteered or corrected, the edges of the node and the words understood
everywhere. It decides nothing: other words are understood all the same, if a recogniser hears them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from antiphon.providers.base import ExpectedAnswers
from antiphon.workflow import intents
from antiphon.workflow.dates import WEEKDAYS
from antiphon.workflow.grammar import alternatives, document, speakable, value_rule
from antiphon.workflow.graph import Graph
from antiphon.workflow.groups import expected_digits
from antiphon.workflow.reading import labels
from antiphon.workflow.slots import Slot
from antiphon.workflow.spec import ExamplesCondition

MAX_PHRASES = 200


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides what is expected."""

    node: str
    """The node that listens."""
    asked: str
    """The slot in question; empty for none."""
    confirming: bool
    """Whether it has a value that is to be confirmed."""
    known: tuple[str, ...]
    """Slots that have a value: it may be corrected."""
    groups: tuple[str, ...] = ()
    """The digits of the slot in question so far."""


def expected_answers(graph: Graph, situation: Situation) -> ExpectedAnswers:
    """Empty (free dictation) where the question is open to any words."""
    asked = graph.slot.get(situation.asked)
    if (
        asked is not None
        and not situation.confirming
        and asked.kind != "yes-no"
        and not value_rule(asked, asked=True)[0]
    ):
        return ExpectedAnswers()
    conditions = [edge.condition for edge in graph.edges[situation.node]]
    if asked is None and not any(isinstance(condition, ExamplesCondition) for condition in conditions):
        return ExpectedAnswers()
    digits = None if asked is None or situation.confirming else expected_digits(asked, situation.groups)
    return ExpectedAnswers(_phrases(graph, situation), _grammar(graph, situation), digits)


def _grammar(graph: Graph, situation: Situation) -> str:
    rules: dict[str, str] = {}
    turns: list[str] = []
    values = _values(graph, situation, rules)
    if values:
        rules["value"] = values
        turns.append("[ <leading> ] <value> [ <closing> ]")
    if _is_yes_or_no(graph, situation):
        rules["yes-or-no"] = alternatives(
            (*intents.YES, *intents.NO, "no thank you", "no thanks", "yes it is", "no it isn't")
        )
        turns.append("<yes-or-no> [ <closing> ]")
    if edge_phrases := alternatives(_edge_phrases(graph, situation)):
        rules["wish"] = edge_phrases
        turns.append("<wish> [ <value> ] [ <closing> ]" if values else "<wish> [ <closing> ]")
    if known := alternatives(label for slot in _known(graph, situation) for label in labels(slot)):
        rules["known"] = known
        turns.append("[ can we | could we | i want to | i would like to | i'd like to ] change the <known> | the <known> is wrong | "
                     "a different <known>")  # fmt: skip
    rules["everywhere"] = alternatives(_everywhere(graph))
    rules["turn"] = " | ".join([*turns, "<everywhere>"])
    return document(rules, ["[ <opening> [ <opening> ] ] <turn>", "<opening>"])


def _values(graph: Graph, situation: Situation, rules: dict[str, str]) -> str:
    """The body of the rule for values; the rules of its parts are added to ``rules``.

    A day and a time are often said in one breath, so each brings the other. A name must be asked for, or known, to be expected.
    """
    expected: dict[str, Slot] = {slot.name: slot for slot in _known(graph, situation)}
    asked = graph.slot.get(situation.asked)
    if asked is not None:
        expected[asked.name] = asked
    expected |= {slot.name: slot for slot in graph.slot.values() if slot.kind in ("date", "time")}
    names: dict[str, None] = {}
    for slot in expected.values():
        name, body = value_rule(slot, asked=slot is asked and not situation.confirming)
        if name:
            names[name] = None
        if body:
            rules[name] = body
    day = "date" if "date" in names else "near-day"
    if day in names and "time" in names:
        names = {"day-and-time": None, **{name: None for name in names if name not in (day, "time")}}
        rules["day-and-time"] = f"<{day}> [ <time> ] | <time> [ <{day}> ]"
    return " | ".join(f"<{name}>" for name in names)


def _is_yes_or_no(graph: Graph, situation: Situation) -> bool:
    asked = graph.slot.get(situation.asked)
    return asked is not None and (situation.confirming or asked.kind == "yes-no")


def _known(graph: Graph, situation: Situation) -> list[Slot]:
    return [slot for name in situation.known if (slot := graph.slot[name]).kind not in ("yes-no", "text")]


def _edge_phrases(graph: Graph, situation: Situation) -> list[str]:
    return _of_conditions(edge.condition for edge in graph.edges[situation.node])


def _everywhere(graph: Graph) -> list[str]:
    special = _of_conditions(node.global_node_plan.condition for node in graph.nodes.values())
    return [*special, *intents.REPEAT, *intents.HELP, *intents.START_OVER]


def _of_conditions(conditions: Iterable[object]) -> list[str]:
    return [
        phrase.lower()
        for condition in conditions
        if isinstance(condition, ExamplesCondition)
        for phrase in condition.all_phrases
    ]


def _phrases(graph: Graph, situation: Situation) -> tuple[str, ...]:
    """Words and phrases worth boosting, for recognisers that take no grammar."""
    hints: list[str] = ["yes", "no"] if _is_yes_or_no(graph, situation) else []
    asked = graph.slot.get(situation.asked)
    for slot in (*((asked,) if asked else ()), *_known(graph, situation)):
        if slot.kind == "date":
            hints += WEEKDAYS
        hints += [name.lower() for name in (*slot.options.given, *slot.options.family)]
        hints += [choice.lower() for choice in slot.choices]
    hints += [*_edge_phrases(graph, situation), *_everywhere(graph)]
    return tuple(speakable(hints)[:MAX_PHRASES])
