"""The grammar of expected answers: a real recogniser accepts it, and it holds what callers naturally say."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from pocketsphinx import Decoder

from antiphon.providers.base import ExpectedAnswers
from antiphon.vocabulary import CallContext, Message
from antiphon.workflow.engine import Engine

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)
QUESTIONS: dict[str, list[str]] = {
    "welcome": [],
    "day": ["book an appointment"],
    "hour": ["book an appointment", "wednesday"],
    "person": ["book an appointment", "wednesday", "three pm"],
    "check": ["book an appointment", "wednesday", "three pm", "john smith"],
    "change": ["book an appointment", "wednesday", "three pm", "john smith", "no"],
}
CORRECTIONS = [
    "wait make it thursday instead",
    "no i said three p.m.",
    "actually make it half past ten",
    "change the day",
    "operator",
]


def expected(engine: Engine, lines: list[str]) -> ExpectedAnswers:
    messages = [message for line in lines for message in (Message("user", line), Message("assistant", "…"))]
    return engine.expected(engine.state(messages, CONTEXT, ("book_appointment",)))


class Grammar:
    """Just enough of JSGF to say whether a sentence is in it."""

    def __init__(self, source: str) -> None:
        rules = re.findall(r"<([\w-]+)> = (.*?);", source, re.DOTALL)
        self._rules = {name: self._pattern(body) for name, body in rules}

    def __contains__(self, sentence: str) -> bool:
        return re.fullmatch(self._expand("answers"), sentence + " ") is not None

    def _pattern(self, body: str) -> str:
        tokens = re.findall(r"<[\w-]+>|[\[\]()|+]|[\w'.]+", body)
        special = {"[": "(?:", "]": ")?", "(": "(?:", ")": ")", "|": "|", "+": "+"}
        return "".join(
            special.get(token) or (token if token.startswith("<") else re.escape(token) + " ") for token in tokens
        )

    def _expand(self, name: str) -> str:
        return "(?:" + re.sub(r"<([\w-]+)>", lambda rule: self._expand(rule.group(1)), self._rules[name]) + ")"


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(lm=None, logfn=os.devnull)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_recogniser_takes_every_grammar_of_the_front_desk_and_knows_its_words(
    front_desk: Engine, decoder: Decoder, question: str
) -> None:
    answers = expected(front_desk, QUESTIONS[question])
    words = set(re.findall(r"[a-z'.]+", re.sub(r"<[^>]*>|#JSGF.*?;|grammar answers;|public", " ", answers.grammar)))
    assert sorted(word for word in words if decoder.lookup_word(word) is None) == []
    decoder.add_jsgf_string(question, answers.grammar)
    decoder.activate_search(question)
    assert decoder.current_search() == question


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("welcome", "i would like to book an appointment"),
        ("welcome", "hello i'd like to make an appointment for wednesday at three p.m. please"),
        ("welcome", "can i speak to a person"),
        ("day", "wednesday please"),
        ("day", "i would like wednesday"),
        ("day", "the third of may"),
        ("day", "wednesday the twenty first at half past three"),
        ("day", "um tomorrow"),
        ("hour", "three p.m."),
        ("hour", "how about ten thirty"),
        ("hour", "a quarter to four please"),
        ("person", "my name is john smith"),
        ("person", "mary jones"),
        ("check", "yes please"),
        ("check", "no it isn't"),
        ("check", "no my name is john miller"),
        ("change", "the time"),
        *[(question, line) for question in ("person", "check", "change") for line in CORRECTIONS],
    ],
)
def test_natural_answers_are_expected(front_desk: Engine, question: str, sentence: str) -> None:
    assert sentence in Grammar(expected(front_desk, QUESTIONS[question]).grammar)


@pytest.mark.parametrize(
    ("question", "sentence"), [("day", "mary jones"), ("day", "banana"), ("hour", "the time is wrong"), ("check", "")]
)
def test_other_words_are_not(front_desk: Engine, question: str, sentence: str) -> None:
    assert sentence not in Grammar(expected(front_desk, QUESTIONS[question]).grammar)


@pytest.mark.parametrize("question", QUESTIONS)
def test_recognisers_without_grammars_get_phrases(front_desk: Engine, question: str) -> None:
    phrases = expected(front_desk, QUESTIONS[question]).phrases
    assert 20 < len(phrases) <= 200
    assert len(set(phrases)) == len(phrases)


def ask(schema: dict[str, Any], edges: Any = ()) -> ExpectedAnswers:
    plan = {"schema": {"properties": {"x": schema}}} if schema else {}
    nodes = [{"type": "conversation", "name": "a", "variableExtractionPlan": plan}, {"type": "end", "name": "e"}]
    return expected(Engine({"nodes": nodes, "edges": list(edges)}), [])


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"x-slot": {"type": "digits"}}, "five double five oh one"),
        ({"type": "integer"}, "twenty three please"),
        ({"enum": ["small", "extra large"]}, "extra large please"),
        ({"type": "boolean"}, "yes please"),
        ({"format": "phone"}, "four one five five five five two six seven one"),
    ],
)
def test_every_kind_of_slot_is_expected_in_its_own_words(schema: dict[str, Any], sentence: str) -> None:
    assert sentence in Grammar(ask(schema).grammar)


@pytest.mark.parametrize("schema", [{"type": "string"}, {"x-slot": {"type": "name"}}])
def test_where_anything_may_be_said_the_recogniser_takes_dictation(schema: dict[str, Any]) -> None:
    assert ask(schema) == ExpectedAnswers()


def test_a_node_whose_edges_need_a_model_takes_dictation() -> None:
    assert (
        ask({}, [{"from": "a", "to": "e", "condition": {"type": "ai", "prompt": "User is happy"}}]) == ExpectedAnswers()
    )


def test_phrases_a_grammar_can_not_hold_are_left_out_of_it(decoder: Decoder) -> None:
    condition = {"type": "examples", "phrases": ["yes; <evil> = no", "24/7", "help me"]}
    answers = ask({}, [{"from": "a", "to": "e", "condition": condition}])
    assert "evil" not in answers.grammar
    assert "help me" in Grammar(answers.grammar)
    decoder.add_jsgf_string("odd", answers.grammar)
