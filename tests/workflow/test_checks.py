"""Everything that is wrong with a workflow, each at its node or edge."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.loader import AssistantLibrary
from antiphon.errors import ConfigurationError
from antiphon.workflow.checks import MAX_TOLD, doubts_of, problems_of
from antiphon.workflow.graph import compile_workflow

HELLO = {"type": "conversation", "name": "hello", "isStart": True}
BYE = {"type": "end", "name": "bye"}


def fields(document: Any) -> list[str]:
    return [error.field for error in problems_of(document)]


def test_every_wrong_field_is_named_not_only_the_first() -> None:
    document = {
        "nodes": [HELLO, {"type": "dance", "name": "x"}, {"type": "transfer", "name": "y"}],
        "edges": [{"from": "hello"}, {"from": "hello", "to": "y", "condition": {"type": "logic", "liquid": "a = b"}}],
    }
    assert fields(document) == ["nodes.1", "nodes.2.destination", "edges.0.to", "edges.1.condition.liquid"]


def test_everything_that_does_not_hold_together_is_named() -> None:
    document = {
        "nodes": [HELLO, BYE, BYE, {"type": "conversation", "name": "again", "isStart": True}],
        "edges": [{"from": "hello", "to": "nowhere"}, {"from": "hello", "to": "bye", "clear": ["day"]}],
        "fallback": {"to": "lost"},
        "timezone": "Moon/Base",
    }
    assert fields(document) == [
        "nodes.2.name", "nodes.3.isStart", "edges.0.to", "edges.1.clear", "edges.1.condition", "fallback.to", "timezone",
    ]  # fmt: skip


@pytest.mark.parametrize("document", [{}, {"nodes": []}, {"nodes": "many"}, {"nodes": [1, None]}, {"nodes": [BYE]}])
def test_what_is_no_workflow_at_all_is_told_too(document: Any) -> None:
    assert fields(document)
    assert doubts_of(document) == [] or document == {"nodes": [BYE]}


def test_what_is_told_is_bounded() -> None:
    edges = [{"from": "hello", "to": f"n{number}", "condition": {"type": "failed"}} for number in range(5000)]
    assert len(problems_of({"nodes": [HELLO], "edges": edges})) == MAX_TOLD


def test_what_is_used_has_no_problem_and_the_other_way_round() -> None:
    spec = AssistantLibrary().load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    assert problems_of(spec.model.workflow) == []
    assert doubts_of(spec.model.workflow) == []
    wrong = {"nodes": [HELLO], "edges": [{"from": "x", "to": "hello"}]}
    with pytest.raises(ConfigurationError) as raised:
        compile_workflow(wrong, "model.workflow")
    [problem] = problems_of(wrong)
    assert raised.value.field == f"model.workflow.{problem.field}"


def test_what_is_probably_a_mistake_is_told_and_stops_nothing() -> None:
    document = {
        "nodes": [
            HELLO, BYE, {"type": "conversation", "name": "island"},
            {"type": "conversation", "name": "help", "globalNodePlan": {"enabled": True, "enterCondition": "They want help"}},
            {"type": "conversation", "name": "lost"}, {"type": "tool", "name": "look", "toolId": "t"},
        ],
        "edges": [{"from": "hello", "to": "look"}, {"from": "bye", "to": "hello"}],
        "fallback": {"to": "lost"}, "edgs": [],
    }  # fmt: skip
    assert problems_of(document) == []
    assert [field for field, _ in doubts_of(document)] == ["nodes.1", "nodes.1", "nodes.2", "nodes.5", "edgs"]
