"""Numbers said in groups over several turns, and what a recogniser is told about their length."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.vocabulary import CallContext, Message
from antiphon.wire_model import parse
from antiphon.workflow.engine import Engine
from antiphon.workflow.groups import Grouped, join
from antiphon.workflow.schema import Property
from antiphon.workflow.slots import slot_of
from antiphon.workflow.words import tokenize

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)


def engine(slot: dict[str, Any]) -> Engine:
    plan = {"schema": {"properties": {"x": {"x-slot": {"ask": "Your number?", **slot}}}}}
    nodes = [
        {"type": "conversation", "name": "a", "variableExtractionPlan": plan},
        {"type": "end", "name": "b", "messagePlan": {"firstMessage": "{{ x }}."}},
    ]
    return Engine({"nodes": nodes, "edges": [{"from": "a", "to": "b"}]})


def after(slot: dict[str, Any], *lines: str) -> tuple[object, str, int | None]:
    """The value, the agent's last words, and the digits that a recogniser is told are still to come."""
    made = engine(slot)
    messages: list[Message] = []
    reply = ""
    for line in lines:
        messages.append(Message("user", line))
        reply = made.reply(made.state(messages, CONTEXT, ())).text
        messages.append(Message("assistant", reply))
    state = made.state(messages, CONTEXT, ())
    value = state.value("x")
    return (value.raw if value else None, reply, made.expected(state).digits if value is None else None)


CODE = {"type": "digits", "length": 6}
PHONE = {"type": "phone"}


@pytest.mark.parametrize(
    ("slot", "lines", "value"),
    [
        (PHONE, ("four one five five five five two six seven one",), "+14155552671"),
        (PHONE, ("four one five", "five five five", "two six seven one"), "+14155552671"),
        (PHONE, ("415", "555-2671"), "+14155552671"),
        (PHONE, ("plus four four", "two zero seven nine four six", "oh nine five eight"), "+442079460958"),
        (PHONE, ("one", "eight hundred five five five", "one two one two"), "+18005551212"),
        (PHONE, ("four one five", "five five six", "no five five five", "two six seven one"), "+14155552671"),
        (PHONE, ("four one five", "start over", "four one six five five five two six seven one"), "+14165552671"),
        (CODE, ("one two three", "four five six"), "123456"),
        (CODE, ("one two", "three four", "five six"), "123456"),
        (CODE, ("one two three", "no one two four", "four five six"), "124456"),
        (CODE, ("one two three", "sorry one two three four five six"), "123456"),
        (CODE, ("double one", "triple two", "oh"), "112220"),
        (CODE, ("one two three four", "one two three four five six"), "123456"),
        (CODE, ("one two three", "four five six seven"), None),
    ],
)
def test_groups_of_successive_turns_make_one_number(
    slot: dict[str, Any], lines: tuple[str, ...], value: object
) -> None:
    assert after(slot, *lines)[0] == value


def test_the_caller_hears_what_there_is_and_goes_on() -> None:
    assert after(PHONE, "four one five")[1] == "I have 4 1 5. Please go on."


@pytest.mark.parametrize(
    ("slot", "lines", "digits"),
    [
        (PHONE, (), 10),
        (PHONE, ("four one five",), 7),
        (CODE, (), 6),
        (CODE, ("one two",), 4),
        ({"type": "digits"}, (), None),
    ],
)
def test_a_recogniser_is_told_how_many_digits_are_still_to_come(
    slot: dict[str, Any], lines: tuple[str, ...], digits: int | None
) -> None:
    assert after(slot, *lines)[2] == digits


def test_digits_beyond_every_number_are_dropped() -> None:
    slot = slot_of("x", parse(Property, {"x-slot": PHONE}))
    assert join(slot, ("5" * 18,), tokenize("five five five five")) in (Grouped(), Grouped(("5555",)))
