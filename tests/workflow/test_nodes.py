"""Kinds of nodes and edges that the front desk does not use, each in a workflow of a few lines."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from antiphon.vocabulary import CallContext, Message
from antiphon.workflow.engine import Engine
from antiphon.workflow.replies import Reply

CONTEXT = CallContext("c", caller="+15550123", variables={"vip": "yes"}, wall_ms=1_778_580_000_000)


def node(name: str, says: str = "", **fields: Any) -> dict[str, Any]:
    return {"type": "conversation", "name": name, "messagePlan": {"firstMessage": says}, **fields}


def asking(name: str, slot: str, schema: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return node(name, variableExtractionPlan={"schema": {"properties": {slot: schema}}}, **fields)


def replies(nodes: list[Any], edges: list[Any], *lines: str, tools: tuple[str, ...] = (), **fields: Any) -> list[Reply]:
    """The reply to each line, the greeting first."""
    engine = Engine({"nodes": nodes, "edges": edges, **fields})
    messages: list[Message] = []
    made = [engine.reply(engine.state(messages, CONTEXT, tools))]
    for line in lines:
        messages += [Message("assistant", made[-1].text), Message("user", line)]
        made.append(engine.reply(engine.state(messages, CONTEXT, tools)))
    return made


END = {"type": "end", "name": "end", "messagePlan": {"firstMessage": "Bye."}}


def test_an_edge_without_a_condition_is_taken_after_any_words() -> None:
    made = replies([node("a", "Hello, who is there?"), node("b", "I see.")], [{"from": "a", "to": "b"}], "flurble")
    assert [reply.text for reply in made] == ["Hello, who is there?", "I see."]


def test_a_prompt_condition_leads_to_another_node() -> None:
    edges = [
        {"from": "a", "to": "sales", "condition": {"type": "ai", "prompt": "User wants to buy a car"}},
        {"from": "a", "to": "help", "condition": {"type": "ai", "prompt": 'User says "broken" or "repair"'}},
    ]
    nodes = [node("a", "How can I help?"), node("sales", "Sales."), node("help", "Repairs.")]
    assert replies(nodes, edges, "i would like to buy something")[-1].text == "Sales."
    assert replies(nodes, edges, "my car is broken")[-1].text == "Repairs."


def test_variables_of_the_call_can_decide_and_be_said() -> None:
    nodes = [node("a", "Hello {{ customer.number }}."), node("vip", "Welcome back."), node("b", "Welcome.")]
    edges = [
        {"from": "a", "to": "vip", "condition": {"type": "logic", "liquid": '{{ vip == "yes" }}'}},
        {"from": "a", "to": "b"},
    ]
    made = replies(nodes, edges, "hm")
    assert [reply.text for reply in made] == ["Hello +15550123.", "Welcome back."]


def test_a_value_may_have_to_be_confirmed() -> None:
    schema = {
        "type": "string",
        "x-slot": {"type": "digits", "ask": "Your code?", "confirm": "{{ code }}, right?", "length": 3},
    }
    nodes, edges = [asking("a", "code", schema), END], [{"from": "a", "to": "end"}]
    made = replies(
        nodes, edges, "one two", "one two three", "no", "four five six", "flurble", "no four five seven", "yes"
    )
    assert [reply.text for reply in made] == [
        "Your code?",
        "I have 1 2. Please go on.",
        "1 2 3, right?",
        "Your code?",
        "4 5 6, right?",
        "Sorry, I did not understand. Please say yes or no. 4 5 6, right?",
        "Okay. 4 5 7, right?",
        "Bye.",
    ]


def test_a_choice_is_asked_for_and_decides() -> None:
    nodes = [
        asking("a", "size", {"enum": ["small", "large"], "x-slot": {"ask": "Small or large?"}}),
        node("big", "Big!"),
        node("tiny", "Tiny!"),
    ]
    edges = [
        {"from": "a", "to": "big", "condition": {"type": "logic", "liquid": '{{ size == "large" }}'}},
        {"from": "a", "to": "tiny"},
    ]
    assert replies(nodes, edges, "the large one please")[-1].text == "Big!"
    assert replies(nodes, edges, "small")[-1].text == "Tiny!"


def test_a_circle_of_answered_questions_ends() -> None:
    nodes = [asking("a", "day", {"format": "date"}), asking("b", "day", {"format": "date"})]
    made = replies(nodes, [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}], "wednesday", "thursday")
    assert len(made) == 3


def test_without_a_fallback_node_the_question_is_asked_for_ever() -> None:
    made = replies([asking("a", "day", {"format": "date", "x-slot": {"ask": "Which day?"}})], [], *["flurble"] * 6)
    assert {reply.text for reply in made[1:]} == {"Sorry, I did not understand. Which day?"}


def test_a_global_node_with_a_prompt_is_entered_from_everywhere() -> None:
    hours = node(
        "hours", "Nine to five.", globalNodePlan={"enabled": True, "enterCondition": 'User asks "when are you open"'}
    )
    assert replies([node("a", "Hi."), hours], [], "when are you open please")[-1].text == "Nine to five."


def test_a_failed_tool_without_an_edge_for_it_is_spoken_about() -> None:
    nodes = [node("a", "Go?"), {"type": "tool", "name": "t", "toolId": "look_up"}]
    made = replies(nodes, [{"from": "a", "to": "t"}], "go")
    assert made[-1].text == "Sorry, that did not work. Go?"


def test_a_tool_gets_what_its_schema_names_and_its_static_parameters() -> None:
    tool = {
        "type": "function",
        "function": {"name": "look_up", "parameters": {"properties": {"day": {}, "missing": {}}}},
        "parameters": [{"key": "caller", "value": "{{ customer.number }}"}, {"key": "limit", "value": 3}],
    }
    nodes = [asking("a", "day", {"format": "date"}), {"type": "tool", "name": "t", "tool": tool}]
    call = replies(nodes, [{"from": "a", "to": "t"}], "tomorrow", tools=("look_up",))[-1].call
    assert call is not None
    assert call.arguments == {"day": "2026-05-13", "caller": "+15550123", "limit": 3}


@pytest.mark.parametrize(("zone", "day"), [("UTC", "Tuesday, May 12th"), ("Pacific/Kiritimati", "Wednesday, May 13th")])
def test_today_is_the_workflows_own(zone: str, day: str) -> None:
    nodes = [asking("a", "day", {"format": "date"}), node("b", "{{ day }}")]
    assert replies(nodes, [{"from": "a", "to": "b"}], "today", timezone=zone)[-1].text == day


def test_a_spoken_answer_can_not_smuggle_in_a_template() -> None:
    nodes = [asking("a", "reason", {"type": "string"}), node("b", "{{ reason }}")]
    assert "+15550123" not in replies(nodes, [{"from": "a", "to": "b"}], "{{ customer.number }}")[-1].text


def test_fields_of_an_answer_decide() -> None:
    tool = {
        "type": "tool",
        "name": "t",
        "toolId": "look_up",
        "variableExtractionPlan": {"schema": {"properties": {"left": {"type": "integer"}}}},
    }
    nodes = [node("a", "Go?"), tool, node("some", "{{ left }} left."), node("none", "None left.")]
    edges = [
        {"from": "a", "to": "t"},
        {"from": "t", "to": "some", "condition": {"type": "logic", "liquid": "left > 0"}},
        {"from": "t", "to": "none"},
    ]
    engine = Engine({"nodes": nodes, "edges": edges})
    messages = [Message("user", "go")]
    call = engine.reply(engine.state(messages, CONTEXT, ("look_up",))).call
    assert call is not None
    for left, text in ((2, "2 left."), (0, "None left.")):
        history = [
            *messages,
            Message("assistant", "", (call,)),
            Message("tool", json.dumps({"left": left}), tool_call_id=call.id),
        ]
        assert engine.reply(engine.state(history, CONTEXT, ("look_up",))).text == text


def test_a_workflow_without_a_zone_lives_in_the_machines_summer_time_included(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [asking("a", "day", {"format": "date"}), node("b", "{{ day }}")]
    edges = [{"from": "a", "to": "b"}]
    monkeypatch.setenv("TZ", "XYZ-14")  # fourteen hours east of Greenwich: the day after
    time.tzset()
    try:
        assert replies(nodes, edges, "today")[-1].text == "Wednesday, May 13th"
        assert replies(nodes, edges, "today", timezone="UTC")[-1].text == "Tuesday, May 12th"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_name_that_was_refused_is_spelled_the_next_time() -> None:
    schema = {"type": "string", "x-slot": {"type": "name", "ask": "Your name?", "confirm": "{{ who }}, right?"}}
    nodes, edges = [asking("a", "who", schema), END], [{"from": "a", "to": "end"}]
    made = replies(nodes, edges, "jon smyth", "no", "jon smythe", "yes")
    assert [reply.text for reply in made] == [
        "Your name?",
        "Jon Smyth, right?",
        "Your name?",
        "Jon Smythe, spelled J O N, S M Y T H E, right?",
        "Bye.",
    ]


def test_a_refused_value_is_named_and_asked_for_again() -> None:
    schema = {"format": "date", "x-slot": {"ask": "Which day?"}}
    made = replies(
        [asking("a", "day", schema), END], [{"from": "a", "to": "end"}], "wednesday doesn't work", "thursday"
    )
    assert [reply.text for reply in made] == ["Which day?", "Okay, not Wednesday, May 13th. Which day?", "Bye."]


def test_whole_numbers_are_whole() -> None:
    schema = {"type": "integer", "x-slot": {"ask": "How many?"}}
    made = replies(
        [asking("a", "n", schema), node("b", "{{ n }}.")], [{"from": "a", "to": "b"}], "one and a half", "two"
    )
    assert [reply.text for reply in made][1:] == ["Sorry, 1.5 is not possible. How many?", "2."]


def test_free_text_is_kept_whole_whatever_days_and_goodbyes_are_in_it() -> None:
    nodes = [
        asking("a", "why", {"type": "string", "x-slot": {"ask": "Why?"}}),
        asking("b", "day", {"format": "date", "x-slot": {"ask": "Which day?"}}),
        {**END, "globalNodePlan": {"enabled": True, "enterCondition": {"type": "examples", "intent": "goodbye"}}},
    ]
    engine = Engine({"nodes": nodes, "edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "end"}]})
    state = engine.state([Message("user", "It hurts since Monday; he said bye!")], CONTEXT, ())
    why = state.value("why")
    assert why is not None and why.raw == "It hurts since Monday; he said bye!"
    assert state.value("day") is None


def test_a_korean_workflow_speaks_korean() -> None:
    schema = {"format": "date", "x-slot": {"ask": "언제 오시겠어요?"}}
    nodes, edges = [asking("a", "day", schema), node("b", "{{ day }}")], [{"from": "a", "to": "b"}]
    made = replies(nodes, edges, "바나나", "월요일은 안 돼요", "다음 주 수요일이요", language="ko")
    assert [reply.text for reply in made] == [
        "언제 오시겠어요?",
        "죄송합니다, 잘 이해하지 못했습니다. 언제 오시겠어요?",
        "네, 5월 18일 월요일은 아니고요. 언제 오시겠어요?",
        "5월 20일 수요일",
    ]
