"""Data read out of transcripts, schemas and patterns that people send, and judgements."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.chat.agent import TextAgent
from antiphon.chat.judging import judge_by_model, judge_by_words
from antiphon.chat.patterns import search
from antiphon.chat.reading import read_by_pattern, read_data
from antiphon.chat.schemas import check_schema, problems_of
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.json_values import in_answer
from antiphon.providers.base import ModelRequest
from antiphon.providers.scripted import ScriptedLanguageModel
from antiphon.vocabulary import Message, ToolCall, Usage

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TALK = "AI: Your name?\nUser: Ada."
EVIL = "(a|a)*$|(a+)+b"


def model(*replies: str, messages: tuple[Message, ...] = ()) -> TextAgent:
    return TextAgent(ScriptedLanguageModel(list(replies)), messages=messages)


async def test_data_is_read_that_fits_the_schema() -> None:
    seen: list[ModelRequest] = []

    def answer(request: ModelRequest) -> str:
        seen.append(request)
        return '```json\n{"name": "Ada"}\n```'

    reader = TextAgent(ScriptedLanguageModel(answer))
    assert await read_data(reader, TALK, NAME, name="person", description="who it was") == {"name": "Ada"}
    system, user = seen[0].messages
    assert system.role == "system"
    assert all(part in user.content for part in (TALK, '"required"', "person", "who it was"))


@pytest.mark.parametrize("first", ["Her name is Ada.", '{"nom": "Ada"}', "[]"])
async def test_a_wrong_answer_is_asked_for_once_more(first: str) -> None:
    assert await read_data(model(first, '{"name": "Ada"}'), TALK, NAME) == {"name": "Ada"}
    with pytest.raises(ProviderError, match="cannot be used"):
        await read_data(model(first), TALK, NAME)


async def test_instructions_of_its_own_take_the_place_of_ours() -> None:
    def answer(request: ModelRequest) -> str:
        return json.dumps({"name": request.messages[0].content})

    reader = TextAgent(ScriptedLanguageModel(answer), messages=(Message("system", "mine"),))
    assert await read_data(reader, TALK, NAME) == {"name": "mine"}


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        (None, "schema"), ({}, "schema"), ({"type": "king"}, "schema.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "schema.properties.a.minimum"),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_named(schema: Any, field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_schema(schema)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#"},
        {"pattern": EVIL},
        {"pattern": "("},
        {"patternProperties": {"a": {}}},
    ],
)
def test_a_schema_fetches_nothing_and_never_goes_on_for_ever(schema: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        problems_of("a" * 40 + "!", schema)


def test_patterns_have_a_bound_of_time() -> None:
    assert search(r"\d+", "it costs 11 crowns", "f") == "11"
    assert search(r"\d+", "nothing", "f") is None
    for wrong in ("(", 7, "x" * 1001, EVIL):
        with pytest.raises(ConfigurationError) as refused:
            search(wrong, "a" * 60 + "!", "f")
        assert refused.value.field == "f"


@pytest.mark.parametrize(
    ("kind", "value"), [("string", "11"), ("boolean", True), ("integer", 11), ("number", 11.0), (None, "11")]
)
def test_a_pattern_reads_without_a_model(kind: str | None, value: Any) -> None:
    assert read_by_pattern(r"\d+", "it costs 11 crowns", {"type": kind} if kind else {}) == value


@pytest.mark.parametrize(
    ("pattern", "kind", "value"),
    [
        ("/COSTS/i", "boolean", True),
        ("/costs/g", "string", "costs"),
        (r"costs (\d+)", "string", "11"),
        (r"\d+", "array", ["11", "3"]),
        (r"/(\d+) (kr)?/", "array", ["11", "3"]),
        ("none", "array", []),
        ("none", "boolean", False),
        ("none", "number", None),
        ("it", "integer", None),
        (r"\d+ ", ["null", "integer"], 11),
        (r"\d+", "number", 11.0),
    ],
)
def test_what_a_pattern_matches_is_read_as_the_schema_says(pattern: str, kind: Any, value: Any) -> None:
    found = read_by_pattern(pattern, "it costs 11 crowns or 3 krone", {"type": kind})
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("pattern", "schema", "field"),
    [
        (r"\d+", {"type": "object"}, "schema.type"),
        (r"/\d+/x", {}, "regex"),
        ("(", {}, "regex"),
        (EVIL, {}, "regex"),
        (None, {}, "regex"),
        (r"\d+", {"type": "integer"}, "schema.type"),  # of 24 digits
    ],
)
def test_what_no_pattern_can_read_names_the_field(pattern: Any, schema: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_by_pattern(pattern, "a" * 60 + "!" + "123456789012345678901234", schema)
    assert refused.value.field == field


async def test_what_was_used_is_told_of_each_try() -> None:
    used: list[tuple[str, Usage]] = []
    await read_data(model("no", '{"name": "Ada"}'), TALK, NAME, used=lambda *told: used.append(told))
    assert [name for name, _ in used] == ["scripted", "scripted"]


def test_json_is_found_in_an_answer() -> None:
    assert in_answer(" [1] ") == [1]
    assert in_answer('```\n"x"\n```') == "x"
    assert in_answer('Here:\n```json\n{"a": [1]}\n```\nThat is all.') == {"a": [1]}
    for text in ("", "no", "NaN", "{ no", "[" * 100_000, "[" * 300 + "]" * 300):
        with pytest.raises(ValueError):
            in_answer(text)
    with pytest.raises(ValueError, match=r"^a\.1 must not be a number of more than 64 bits"):
        in_answer('```json\n{"a": [1, 123456789012345678901234]}\n```')


ANSWER = Message("assistant", "It costs  eleven crowns.", (ToolCall("c", "find", {"day": "Monday", "n": 3}),))


@pytest.mark.parametrize(
    ("plan", "passes"),
    [
        ({"type": "exact", "content": "it costs eleven Crowns."}, True),
        ({"type": "exact", "content": "it costs"}, False),
        ({"type": "regex", "content": "eleven"}, True),
        ({"type": "regex", "content": "twelve"}, False),
        ({"type": "exact", "content": "", "toolCalls": [{"name": "find"}]}, True),
        ({"type": "exact", "content": "", "toolCalls": [{"name": "find", "arguments": {"day": "monday", "n": 3}}]}, True),
        ({"type": "exact", "content": "", "toolCalls": [{"name": "find", "arguments": {"day": "Monday"}}]}, False),
        ({"type": "exact", "content": "", "toolCalls": []}, False),
        ({"type": "exact", "content": "", "toolCalls": [{"name": "book"}]}, False),
        ({"type": "regex", "content": "", "toolCalls": [{"name": "find", "arguments": {"day": "Mon", "n": r"^\d$"}}]}, True),
        ({"type": "regex", "content": "", "toolCalls": [{"name": "find", "arguments": {"day": "Tue"}}]}, False),
        ({"type": "regex", "content": "", "toolCalls": [{"name": "find", "arguments": {"hour": "."}}]}, False),
    ],
)  # fmt: skip
def test_an_answer_is_judged_by_words(plan: dict[str, Any], passes: bool) -> None:
    assert (judge_by_words(plan, ANSWER) == "") is passes


@pytest.mark.parametrize(
    ("verdict", "failure"), [("pass", ""), ("Pass.", ""), ("fail", "says fail"), ("well", "neither")]
)
async def test_an_answer_is_judged_by_a_model(verdict: str, failure: str) -> None:
    told = await judge_by_model(model(verdict), [Message("user", "hi"), ANSWER])
    assert failure in told
    assert bool(told) is bool(failure)
