"""A document, its overrides and the variables of a call become one assistant, and what has no effect is named."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from antiphon.assistants.compile import Assistant, compile_assistant, merged
from antiphon.assistants.spec import AssistantSpec
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import Message

WALL_MS = 1_764_358_200_000  # 2025-11-28 19:30 UTC
MODEL = {"provider": "scripted", "messages": [{"role": "system", "content": "Be brief."}]}


def compiled(document: dict[str, Any], **given: Any) -> Assistant:
    return compile_assistant({"model": MODEL, **document}, WALL_MS, **given)


def greeting(text: str, **variables: Any) -> str | None:
    return compiled({"firstMessage": text}, overrides={"variableValues": variables}).spec.first_message


def test_overrides_are_merged_deeply_and_lists_are_replaced() -> None:
    assert merged({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "e": {"f": 2}}) == {
        "a": {"b": 1, "c": [3]},
        "d": 1,
        "e": {"f": 2},
    }
    assistant = compiled({"name": "A"}, overrides={"model": {"temperature": 0.25}, "stopSpeakingPlan": {"numWords": 2}})
    assert assistant.spec.model is not None
    assert (assistant.spec.model.temperature, assistant.policy.barge_in.num_words) == (0.25, 2)
    assert assistant.messages == (Message("system", "Be brief."),)


def test_variables_of_the_call_and_of_the_clock_are_filled_in() -> None:
    call = {"customer": {"number": "+14155550100"}, "call": {"id": "c1"}}
    prompt = {
        "provider": "scripted",
        "messages": [{"role": "system", "content": "{{date}}, {{time}}: {{customer.number}}"}],
    }
    assistant = compiled({"model": prompt}, variables=call, overrides={"variableValues": {"name": "Ada"}})
    assert assistant.messages[0].content == "Nov 28, 2025, 07:30 PM: +14155550100"
    assert assistant.variables["name"] == "Ada"
    assert greeting("Hello {{ name | upcase }}{% if vip %}!{% endif %}", name="Ada", vip=True) == "Hello ADA!"
    assert greeting("{{ 'now' | date: '%b %d, %H:%M', 'Asia/Tokyo' }}") == "Nov 29, 04:30"
    assert greeting('{{"now" | date: "%A"}}') == "Friday"


def test_an_undefined_variable_is_an_empty_text_and_a_warning() -> None:
    assistant = compiled({"firstMessage": "Hello {{ nobody }}, {{ name | default: 'you' }}."})
    assert assistant.spec.first_message == "Hello , you."
    assert assistant.warnings == (("firstMessage", "variable nobody is not defined: nothing is said for it"),)


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 40_000,
        "{{ a" + ".b" * 30_000 + " }}",
        "{% raw %}" * 900,
        "{% if a %}" * 900,
        "{% for a in (1..100000000) %}x{% endfor %}",
        "{% for a in (1..9000) %}" + "x" * 200 + "{% endfor %}",
        "{% assign a = 'xxxxxxxxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40 + "{{ a }}",
        "{% include 'secrets' %}",
        "{% render 'secrets' %}",
        "{{ 'now' | date: '" + "%c" * 200 + "' }}",
        "{{ a }}" * 1001,
        '{"json": {{"a": 1}}',
    ],
)
def test_what_is_no_template_or_does_too_much_is_taken_as_it_stands(text: str) -> None:
    begun = time.process_time()
    assistant = compiled({"firstMessage": text})
    assert time.process_time() - begun < 5
    assert assistant.spec.first_message == text
    assert [field for field, _ in assistant.warnings] == ["firstMessage"]


def test_what_is_said_around_tools_is_filled_in() -> None:
    said = {"type": "request-start", "content": "One moment, {{ customer.name }}."}
    function = {"name": "look", "description": "Looks up {{ customer.name }}.", "parameters": {}}
    tool = {"type": "function", "function": function, "messages": [said], "server": {"url": "https://example.test"}}
    assistant = compiled({"model": {**MODEL, "tools": [tool]}}, variables={"customer": {"name": "Ann"}})
    (made,) = assistant.spec.model.tools
    assert (made.messages[0].content, made.function.description) == ("One moment, Ann.", "Looks up Ann.")
    many = {**tool, "messages": [{**said, "content": "{{ a }}" * 1001}]}
    with pytest.raises(ConfigurationError, match=r"model\.tools: have more than"):
        compiled({"model": {**MODEL, "tools": [many]}})


def test_tools_by_their_ids_and_those_of_the_overrides_join_the_model_s() -> None:
    def tool(name: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name}}

    model = {**MODEL, "tools": [tool("own")], "toolIds": ["t1", "gone"]}
    assistant = compiled({"model": model}, tools={"t1": tool("stored")}, overrides={"tools:append": [tool("more")]})
    assert assistant.spec.model is not None
    assert [each.function.name for each in assistant.spec.model.tools if each.function] == ["own", "stored", "more"]
    assert ("model.toolIds.1", "there is no tool of this id") in assistant.warnings


def test_every_field_that_nothing_acts_on_is_named() -> None:
    document = {
        "id": "a1", "createdAt": "2025-11-28T19:30:00.000Z", "notOurs": 1, "firstMesage": "x",
        "monitorPlan": {"listenEnabled": True, "listenAuthenticationEnabled": True},
        "artifactPlan": {"recordingEnabled": False, "notOursEither": True},
        "voice": {"provider": "scripted", "voiceId": "joe", "ms_per_character": 30, "stability": 0.5},
    }  # fmt: skip
    warned = dict(compiled(document).warnings)
    assert {
        "notOurs",
        "monitorPlan.listenAuthenticationEnabled",
        "artifactPlan.notOursEither",
        "voice.stability",
        "firstMesage",
    } <= set(warned)
    assert "did you mean firstMessage" in warned["firstMesage"]
    assert not {"id", "monitorPlan.listenEnabled", "createdAt", "voice.ms_per_character", "voice.voiceId"} & set(warned)


_ACTED_ON_OF_PLANS = {
    "artifactPlan.recordingEnabled", "artifactPlan.loggingEnabled", "artifactPlan.transcriptPlan", "artifactPlan.structuredOutputIds",
    "artifactPlan.structuredOutputs", "artifactPlan.fullMessageHistoryEnabled", "compliancePlan.hipaaEnabled", "compliancePlan.pciEnabled",
}  # fmt: skip


@pytest.mark.parametrize("plan", ["ArtifactPlan", "CompliancePlan"])
def test_every_field_of_what_is_left_of_a_call_works_or_is_named(plan: str) -> None:
    forms = json.loads((files("antiphon.surfaces.vapi") / "fields.json").read_bytes())
    values = {"boolean": False, "number": 1, "string": "x", "array": [{}]}
    name = plan[0].lower() + plan[1:]
    assert len(forms[plan]["fields"]) > 3
    for field, form in forms[plan]["fields"].items():
        value = values.get(form.get("type"), {"enabled": False})
        value = ["x"] if field == "structuredOutputIds" else value
        warned = dict(compiled({name: {field: value}}).warnings)
        assert (f"{name}.{field}" in warned) is (f"{name}.{field}" not in _ACTED_ON_OF_PLANS), field
        assert "did you mean" not in warned.get(f"{name}.{field}", "")


def test_a_wrong_field_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError) as refused:
        compiled({}, overrides={"model": {"temperature": 3}})
    assert refused.value.field == "model.temperature"
    with pytest.raises(ConfigurationError) as refused:
        compiled({}, overrides={"variableValues": [1]})
    assert refused.value.field == "assistantOverrides.variableValues"


def _paths(model: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, described in model.model_fields.items():
        path = (*before, described.alias or name)
        yield path
        for kind in (described.annotation, *get_args(described.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _paths(kind, path)


@pytest.mark.parametrize("path", tuple(_paths(AssistantSpec)), ids=".".join)
def test_a_null_anywhere_is_taken_or_refused_by_its_name(path: tuple[str, ...]) -> None:
    """In the document, and in overrides: where clients write out what they leave open."""
    overrides: dict[str, Any] = {path[-1]: None}
    for name in reversed(path[:-1]):
        overrides = {name: {"provider": "scripted", **overrides} if len(path) == 2 else overrides}
    plain = {"model": MODEL, "voice": {"provider": "scripted"}, "transcriber": {"provider": "scripted"}}
    for document, given in ((plain, {"overrides": overrides}), (merged(plain, overrides), {})):
        assert _named(document, given) in (path[0], None)


def _named(document: dict[str, Any], given: dict[str, Any]) -> str | None:
    """The field that is refused; None where all is taken."""
    try:
        compile_assistant(document, WALL_MS, **given)
    except ConfigurationError as error:
        return error.field.split(".")[0]
    return None
