"""What somebody means in words that no rule knows: the nearest of a workflow's own phrases, or nothing.

Rules come first; a phrase is looked for by its meaning only where they found nothing. The numbers come from outside (``Meanings``: how
near each phrase is to what was said), so that the workflow stays a pure function of what it is handed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from antiphon.workflow import intents
from antiphon.workflow.edges import is_goodbye
from antiphon.workflow.graph import Graph
from antiphon.workflow.spec import Edge, EndNode, ExamplesCondition
from antiphon.workflow.words import Token, texts, tokenize

NEAR = 0.55
"""From this cosine on a phrase is meant. Measured with the model named in docs/dependencies.md on 29 wishes in other words and 34 sentences
about nothing at the front desk's first question: 12 wishes found, 1 mistaken, 0 of the 34 taken for a wish (with ``FOREIGN``)."""
NEARER = 0.06
"""By so much it must be nearer than the phrases that lead elsewhere."""
MIN_WORDS = 3
"""Shorter phrases are near to too much."""
FOREIGN = (
    "what time is it", "what time is it there", "what is the weather like", "it is raining outside", "tell me a joke", "play some music",
    "who won the game", "I am reading a book", "put it down", "turn on the light", "I am hungry", "the food was good", "my car is broken",
    "how old are you", "what is the capital city", "I love you", "he went to work", "the children are at school", "I like this song",
    "we watched a film", "the dog is barking", "the train is late", "how far is it", "look at that", "do you like football",
    "지금 몇 시예요", "오늘 날씨가 어때요", "노래 틀어 줘", "영화를 봤어요", "배가 고파요",
)  # fmt: skip
"""Sentences about nothing a workflow asks: where one of these is nearer than every phrase, nothing is meant."""

Meanings = Mapping[str, Mapping[str, float]]
"""For each turn of the caller, how near (cosine, −1…1) each phrase of ``phrases_of`` is to it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """Where the nearest phrase leads: by an edge, to a node that can be entered from everywhere, or to a piece of knowledge."""

    edge: Edge | None = None
    node: str = ""
    told: str = ""


def phrases_of(graph: Graph) -> tuple[str, ...]:
    """Every phrase whose nearness may be asked for."""
    found: dict[str, None] = dict.fromkeys(FOREIGN)
    for node in graph.nodes:
        for _, phrases in _targets(graph, node):
            found |= dict.fromkeys(phrases)
    return tuple(found)


def meant(graph: Graph, node: str, text: str, meanings: Meanings) -> Meant | None:
    """What ``text`` means at ``node``; None where nothing is near enough, or two things are."""
    near = meanings.get(text)
    if not near:
        return None
    ranked = sorted(
        (
            (max(near.get(phrase, -1.0) for phrase in phrases), at)
            for at, (_, phrases) in enumerate(_targets(graph, node))
        ),
        reverse=True,
    )
    if not ranked or ranked[0][0] < NEAR:
        return None
    best = list(_targets(graph, node))[ranked[0][1]]
    others = [score for score, _ in ranked[1:2]] + [near.get(phrase, -1.0) for phrase in FOREIGN]
    if ranked[0][0] - max(others) < NEARER or _contradicts(text, best[1]):
        return None
    return best[0]


def _targets(graph: Graph, node: str) -> Iterator[tuple[Meant, Sequence[str]]]:
    """What can be meant at ``node``. Never a goodbye: who is misunderstood must not be hung up on."""
    together: dict[str, tuple[Meant, list[str]]] = {}
    for edge in graph.edges[node]:
        if isinstance(edge.condition, ExamplesCondition) and not isinstance(graph.nodes[edge.to], EndNode):
            together.setdefault(f"edge {edge.to}", (Meant(edge=edge), []))[1].extend(_long(edge.condition))
    for name, other in graph.nodes.items():
        condition = other.global_node_plan.condition
        if isinstance(condition, ExamplesCondition) and not is_goodbye(condition) and not isinstance(other, EndNode):
            together.setdefault(f"node {name}", (Meant(node=name), []))[1].extend(_long(condition))
    for known in graph.spec.knowledge:
        together.setdefault(f"known {known.say}", (Meant(told=known.say), []))[1].extend(known.ask)
    return ((target, phrases) for target, phrases in together.values() if phrases)


def _long(condition: ExamplesCondition) -> list[str]:
    if condition.intent in ("yes", "no", "done"):
        return []
    # In Korean two words are a sentence.
    return [phrase for phrase in condition.all_phrases if len(phrase.split()) >= MIN_WORDS or not phrase.isascii()]


def _contradicts(text: str, phrases: Sequence[str]) -> bool:
    """A sentence and its negation are near to each other, so a negation that no phrase has is looked at on its own."""
    said = intents.NEGATIONS.intersection(texts(tokenize(text)))
    return bool(said) and not any(intents.NEGATIONS.intersection(texts(tokenize(phrase))) for phrase in phrases)


def knows(graph: Graph, tokens: Sequence[Token]) -> Meant | None:
    """The piece of knowledge that is asked for in its own words."""
    for known in graph.spec.knowledge:
        if intents.is_wish(known.ask, tokens) or intents.is_all(known.ask, tokens):
            return Meant(told=known.say)
    return None
