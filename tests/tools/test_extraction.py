"""Variables out of answers."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.templates import filled
from antiphon.assistants.tool_plans import VariableExtractionPlan
from antiphon.tools.extraction import MAX_CALLS, MAX_VALUE_BYTES, MAX_VARIABLES, ExtractedVariables

VARIABLES = {"name": "of the call", "company": "Acme"}


def extracted(body: Any, headers: dict[str, str] | None = None, **plan: Any) -> dict[str, Any]:
    compiled = VariableExtractionPlan.model_validate(plan).compiled()
    return compiled.of(body, headers or {}, VARIABLES, lambda text, known: filled(text, known, lambda name: None))


PERSON = {"name": {"first": "Ann", "last": "Lee", "born": 1990}, "age": 30, "zip": ["1", "2"]}


@pytest.mark.parametrize(
    ("schema", "body", "found"),
    [
        ({"type": "object", "properties": {"age": {"type": "number"}, "gone": {}}}, PERSON, {"age": 30}),
        (
            {"properties": {"name": {"type": "object", "properties": {"first": {"type": "string"}}}}},
            PERSON, {"name": {"first": "Ann"}},
        ),
        ({"type": "array", "title": "zipCodes", "items": {"type": "string"}}, ["1", "2"], {"zipCodes": ["1", "2"]}),
        (
            {"type": "array", "name": "people", "items": {"type": "object", "properties": {"age": {}}}},
            [PERSON, PERSON], {"people": [{"age": 30}, {"age": 30}]},
        ),
        ({"type": "array", "items": {}}, ["1"], {}),
        ({"type": "object", "properties": {"age": {}}}, ["1"], {}),
        ({"type": "object", "properties": {"age": {}}}, None, {}),
    ],
)  # fmt: skip
def test_a_schema_names_what_is_taken(schema: dict[str, Any], body: Any, found: dict[str, Any]) -> None:
    assert extracted(body, schema=schema) == found


@pytest.mark.parametrize(
    ("template", "body", "value"),
    [
        ("{{ name.first }} of {{company}}", PERSON, "Ann of Acme"),
        ("{{$.age}}", PERSON, "30"),
        ("{{ $[0].name }}", [{"name": "Ann"}], "Ann"),
        ("{{ $ | size }}", [1, 2, 3], "3"),
        ("{{tool.response.headers.customer-name}}", [], "Ann"),
        ("{{ tool.response.body[1] }}", [1, 2], "2"),
        ('{{ "costs $. " }}{{ age | times: 2 }} $', PERSON, "costs $. 60 $"),
        ("{% if $.age > 18 %}adult{% else %}child{% endif %}", PERSON, "adult"),
        ("{{ nobody }}", PERSON, ""),
    ],
)
def test_an_alias_is_a_template_over_the_answer(template: str, body: Any, value: str) -> None:
    found = extracted(body, {"customer-name": "Ann"}, aliases=[{"key": "it", "value": template}])
    assert found == {"it": value}


def test_an_alias_that_is_no_template_is_left_out_and_the_others_stay() -> None:
    aliases = [{"key": "bad", "value": "{{ name"}, {"key": "good", "value": "{{ age }}"}]
    assert extracted(PERSON, aliases=aliases, schema={"properties": {"zip": {}}}) == {"zip": ["1", "2"], "good": "30"}


def test_what_is_kept_of_calls_is_bounded() -> None:
    told: list[Any] = []
    variables = ExtractedVariables(lambda call_id, values: told.append((call_id, len(values))))
    variables.add("c1", {"a": 1, "large": "x" * MAX_VALUE_BYTES})
    variables.add("c1", {"a": 2, **{f"v{n}": n for n in range(2 * MAX_VARIABLES)}})
    assert variables.of("c1")["a"] == 2 and "large" not in variables.of("c1")
    assert told == [("c1", 1), ("c1", MAX_VARIABLES)]
    for number in range(MAX_CALLS):
        variables.add(f"other{number}", {"a": 1})
    assert variables.of("c1") == {}
    variables.forget("other7")
    assert variables.of("other7") == {}
