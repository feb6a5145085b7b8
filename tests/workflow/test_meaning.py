"""Where a meaning leads, with the nearness of phrases given: the model itself is tested in test_sentence_meaning.py."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.vocabulary import CallContext, Message
from antiphon.workflow.engine import Engine
from antiphon.workflow.meaning import FOREIGN, NEAR, NEARER, phrases_of

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)
SALES, REPAIRS, OPEN = "i want to buy a car", "my car is broken down", "when are you open"
SAID = "these are words that no rule knows"


def workflow(**fields: Any) -> Engine:
    nodes = [
        {"type": "conversation", "name": "a", "messagePlan": {"firstMessage": "How can I help?"}},
        {"type": "conversation", "name": "sales", "messagePlan": {"firstMessage": "Sales."}},
        {"type": "conversation", "name": "repairs", "messagePlan": {"firstMessage": "Repairs."}},
        {
            "type": "end",
            "name": "bye",
            "globalNodePlan": {"enabled": True, "enterCondition": {"type": "examples", "intent": "goodbye"}},
        },
    ]
    edges = [
        {"from": "a", "to": "sales", "condition": {"type": "examples", "phrases": [SALES]}},
        {"from": "a", "to": "repairs", "condition": {"type": "examples", "phrases": [REPAIRS]}},
    ]
    knowledge = [{"ask": [OPEN], "say": "From nine to five."}]
    return Engine({"nodes": nodes, "edges": edges, "knowledge": knowledge, **fields})


def reply(near: dict[str, float], said: str = SAID) -> str:
    engine = workflow()
    messages = [Message("assistant", "How can I help?"), Message("user", said)]
    state = engine.state(messages, CONTEXT, (), {said: {**dict.fromkeys(phrases_of(engine.graph), 0.0), **near}})
    return engine.reply(state).text


NOT_UNDERSTOOD = "Sorry, I did not understand. How can I help?"


@pytest.mark.parametrize(
    ("near", "text"),
    [
        ({SALES: 0.8}, "Sales."),
        ({SALES: 0.6, REPAIRS: 0.7}, "Repairs."),
        ({OPEN: 0.9}, "From nine to five. How can I help?"),
        ({SALES: NEAR - 0.01}, NOT_UNDERSTOOD),
        ({SALES: 0.8, REPAIRS: 0.8 - NEARER / 2}, NOT_UNDERSTOOD),
        ({SALES: 0.8, FOREIGN[0]: 0.79}, NOT_UNDERSTOOD),
        ({}, NOT_UNDERSTOOD),
    ],
)
def test_the_nearest_phrase_is_meant_if_it_is_near_enough_and_nothing_else_is(
    near: dict[str, float], text: str
) -> None:
    assert reply(near) == text


def test_a_negation_that_no_phrase_has_is_not_what_the_phrase_means() -> None:
    assert reply({SALES: 0.9}, "i am not here for a new vehicle") == NOT_UNDERSTOOD


def test_rules_come_first() -> None:
    assert reply({REPAIRS: 1.0}, SALES) == "Sales."


def test_nobody_is_hung_up_on_for_a_meaning() -> None:
    assert not any("bye" in phrase for phrase in phrases_of(workflow().graph))


def test_knowledge_is_found_by_its_own_words_without_a_model() -> None:
    engine = workflow()
    state = engine.state(
        [Message("assistant", "How can I help?"), Message("user", "please when are you open on friday")], CONTEXT, ()
    )
    assert engine.reply(state).text == "From nine to five. How can I help?"


def test_turns_are_those_that_the_state_is_made_of() -> None:
    messages = [
        Message("user", "wednesday"),
        Message("user", "no"),
        Message("assistant", "Which?"),
        Message("user", "x"),
    ]
    assert workflow().turns(messages) == ["wednesday no", "x"]
