"""A field that has no effect is told by name: nothing is accepted and ignored in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from antiphon.assistants.ignored import IGNORED, UNLESS_TAKEN, ignored_fields
from antiphon.assistants.loader import AssistantLibrary, load, package_library
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields as platform
from antiphon.wire_model import WireModel

HOOK = {"url": "https://example.test/hook"}


def _nested(field: str) -> dict[str, Any]:
    document, name = field.split(".")
    return {document: {name: "said"}}


FUNCTION = {"type": "function", "function": {"name": "look"}}
SET: dict[str, tuple[dict[str, Any], str]] = {
    "model.model": ({"model": {"provider": "workflow", "model": "big"}}, "model.model"),
    "model.url": ({"model": {"provider": "workflow", "url": "https://example.test"}}, "model.url"),
    "model.toolIds": ({"model": {"provider": "workflow", "toolIds": ["a"]}}, "model.toolIds"),
    "transcriber.model": ({"transcriber": {"provider": "vapi", "model": "nova"}}, "transcriber.model"),
    "transcriber.endpointing": ({"transcriber": {"provider": "vapi", "endpointing": 255}}, "transcriber.endpointing"),
    "transcriber.keywords": ({"transcriber": {"provider": "vapi", "keywords": ["Antiphon"]}}, "transcriber.keywords"),
    "transcriber.server": ({"transcriber": {"provider": "vapi", "server": HOOK}}, "transcriber.server"),
    "voice.model": ({"voice": {"provider": "piper", "model": "big"}}, "voice.model"),
    "startSpeakingPlan.smartEndpointingPlan": (
        {"startSpeakingPlan": {"smartEndpointingPlan": {"provider": "livekit"}}},
        "startSpeakingPlan.smartEndpointingPlan",
    ),
    "startSpeakingPlan.customEndpointingRules": (
        {"startSpeakingPlan": {"customEndpointingRules": [{"type": "customer"}]}},
        "startSpeakingPlan.customEndpointingRules",
    ),
    "server.backoffPlan": ({"server": {**HOOK, "backoffPlan": {"maxRetries": 3}}}, "server.backoffPlan"),
}
SET |= {
    f"voice.server.{name}": (
        {"voice": {"provider": "custom-voice", "server": {**HOOK, name: value}}},
        f"voice.server.{name}",
    )
    for name, value in {"credentialId": "c", "backoffPlan": {"maxRetries": 3}}.items()
}
SET |= {"voice.server": ({"voice": {"provider": "vapi", "server": HOOK}}, "voice.server")}
OWN = {"credentialId": "c", "timeoutSeconds": 5, "backoffPlan": {"maxRetries": 3}}
SET |= {
    f"transcriber.server.{name}": (
        {"transcriber": {"provider": "custom-transcriber", "server": {**HOOK, name: value}}},
        f"transcriber.server.{name}",
    )
    for name, value in OWN.items()
}
KEPT = ("analysisPlan.", "artifactPlan.", "compliancePlan.")
"""Documents of the platform's of which we name what we honour; the rest is kept as it came."""
SET |= {name: (_nested(name), name) for name in IGNORED if name.startswith(KEPT)}


@pytest.mark.parametrize("field", [*IGNORED, *UNLESS_TAKEN])
def test_each_is_found_where_it_is_set_and_only_there(field: str) -> None:
    document, path = SET[field]
    why = IGNORED.get(field) or UNLESS_TAKEN[field][2]
    assert list(ignored_fields(parse_assistant(document))) == [(path, why)]


@pytest.mark.parametrize(
    "document",
    [
        {"model": {"provider": "openai", "model": "big"}},
        {"model": {"provider": "custom-llm", "url": "https://example.test/v1"}},
        {"transcriber": {"provider": "custom-transcriber", "server": {"url": "wss://example.test/listen"}}},
        {"voice": {"provider": "custom-voice", "server": {"url": "https://example.test/voice", "timeoutSeconds": 3}}},
        {"transcriber": {"provider": "deepgram", "model": "nova-3", "endpointing": 255, "keywords": ["Antiphon"]}},
    ],
)
def test_what_the_engine_takes_is_not_told(document: dict[str, Any]) -> None:
    assert list(ignored_fields(parse_assistant(document))) == []


def test_a_knowledge_base_that_nobody_can_be_asked_for() -> None:
    def found(base: dict[str, object], **fields: object) -> list[str]:
        model = {"provider": "custom-llm", "url": "https://example.test/v1", "knowledgeBase": base}
        return [field for field, _ in ignored_fields(parse_assistant({"model": model, **fields}))]

    own = {"provider": "custom-knowledge-base"}
    assert found({"provider": "trieve"}) == ["model.knowledgeBase.provider"]
    assert found(own) == ["model.knowledgeBase"]
    assert found(own, server=HOOK) == found({**own, "server": HOOK}) == []


def test_an_own_voice_without_a_server_is_told_who_speaks_instead() -> None:
    ((field, why),) = ignored_fields(parse_assistant({"voice": {"provider": "custom-voice"}}))
    assert field == "voice.provider" and "voice.server" in why
    own = {"provider": "custom-voice", "server": {"url": "https://example.test/voice"}}
    assert [field for field, _ in ignored_fields(parse_assistant({"voice": {**own, "speed": 1.2}}))] == ["voice.speed"]
    assert [field for field, _ in ignored_fields(parse_assistant({"voice": {**own, "speed": 1}}))] == []


def test_an_own_recogniser_without_a_server_is_told_who_hears_instead() -> None:
    ((field, why),) = ignored_fields(parse_assistant({"transcriber": {"provider": "custom-transcriber"}}))
    assert field == "transcriber.provider" and "transcriber.server" in why


def test_an_unknown_provider_is_not_for_this_list() -> None:
    assert list(ignored_fields(parse_assistant({"model": {"provider": "nobody", "model": "big"}}))) == []


@pytest.mark.parametrize("field", [name for name in IGNORED if name.startswith(KEPT) and not name.endswith("Prompt")])
def test_what_is_kept_as_it_came_is_a_field_of_the_platform_s(field: str) -> None:
    """(The three prompts are of older documents than the one our table is made of.)"""
    assert not platform.check("CreateAssistantDTO", SET[field][0]).unknown


@pytest.mark.parametrize("field", [name for name in (*IGNORED, *UNLESS_TAKEN) if not name.startswith(KEPT)])
def test_each_is_a_field_there_is(field: str) -> None:
    model: Any = AssistantSpec
    for part in field.split("."):
        if part == "*":
            continue
        assert model is not None, f"{part} of {field} lies in no document of ours"
        found = {known.alias or name: known.annotation for name, known in model.model_fields.items()}
        assert part in found
        model = next((each for each in _models(found[part])), None)


def _models(annotation: Any) -> list[type[WireModel]]:
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models(argument)]


def test_what_is_left_out_or_empty_is_not_told() -> None:
    empty = {"metadata": {}, "serverUrl": "", "model": {"provider": "workflow", "model": "", "tools": [FUNCTION]}}
    assert list(ignored_fields(parse_assistant(empty))) == []


def test_messages_that_are_not_sent() -> None:
    spec = parse_assistant({"serverMessages": ["transcript", "phone-call-control", "end-of-call-report"]})
    assert [field for field, _ in ignored_fields(spec)] == ["serverMessages.1"]


def test_tools_that_do_nothing_and_messages_that_are_not_said() -> None:
    delayed, unknown = ({"type": kind, "content": "One moment."} for kind in ("request-response-delayed", "a-song"))
    blocking = {
        "type": "request-start",
        "content": "So.",
        "blocking": True,
        "conditions": [{"param": "a", "operator": "eq", "value": "b"}],
    }
    destinations = [{"type": "number", "number": "+15550123", "transferPlan": {"mode": "warm-transfer-say-message"}},
                    {"type": "number", "number": "+15550124", "transferPlan": {"mode": "blind-transfer"}},
                    {"type": "assistant", "assistantName": "B"}, {"type": "moon"}]  # fmt: skip
    tools = [
        {"type": "sms"},
        {
            **FUNCTION,
            "messages": [{**delayed, "blocking": True}, unknown, blocking],
            "variableExtractionPlan": {},
            "encryptedPaths": [],
        },
        {"type": "endCall", "async": True},
        {"type": "transferCall", "destinations": destinations},
        {"type": "transferCall"},
        {"type": "handoff"},
    ]
    found = [field for field, _ in ignored_fields(parse_assistant({"model": {"provider": "workflow", "tools": tools}}))]
    assert found == [
        "model.tools.0.type",
        "model.tools.1.encryptedPaths",
        "model.tools.1.messages.0.blocking",
        "model.tools.1.messages.1.type",
        "model.tools.2.async",
        "model.tools.3.destinations.0.transferPlan.mode",
        "model.tools.3.destinations.3.type",
        "model.tools.4.destinations",
        "model.tools.5.destinations",
    ]


def test_what_a_tool_of_another_type_would_know_and_patterns_that_are_none() -> None:
    plan = {"aliases": [{"key": "a", "value": "b"}]}
    wrong = {"type": "group", "operator": "OR", "conditions": [{"type": "regex", "regex": "(a"}]}
    mcp = {"type": "mcp", "server": {**HOOK, "credentialId": "c", "staticIpAddressesEnabled": True}}
    base = {"name": "a", "provider": "google", "model": "gemini-2.5-flash", "fileIds": ["f"]}
    tools = [
        {**FUNCTION, "id": "t1", "orgId": "o", "variableExtractionPlan": plan, "rejectionPlan": {"conditions": [wrong]}},
        {"type": "endCall", "variableExtractionPlan": plan, "metadata": {"a": 1}, "knowledgeBases": [base]},
        mcp,
        {"type": "query"},
        {"type": "query", "knowledgeBases": [base]},
        {"type": "apiRequest", "name": "a", "url": "https://example.test", "credentialId": "c", "toolMessages": [{"name": "b"}]},
    ]  # fmt: skip
    found = [field for field, _ in ignored_fields(parse_assistant({"model": {"provider": "workflow", "tools": tools}}))]
    assert found == [
        "model.tools.0.rejectionPlan.conditions.0.conditions.0.regex",
        "model.tools.1.variableExtractionPlan",
        "model.tools.1.knowledgeBases",
        "model.tools.1.metadata",
        "model.tools.2.server.staticIpAddressesEnabled",
        "model.tools.2.server.credentialId",
        "model.tools.3.knowledgeBases",
        "model.tools.4.knowledgeBases.0.model",
        "model.tools.5.toolMessages",
    ]


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ({"type": "mcp"}, "model.tools.0"),
        ({"type": "mcp", "server": HOOK, "metadata": {"protocol": "stdio"}}, "model.tools.0"),
        ({**FUNCTION, "rejectionPlan": {"conditions": [{"type": "regex"}]}}, "model.tools.0.rejectionPlan.conditions.0.regex"),
        ({**FUNCTION, "rejectionPlan": {"conditions": [{"type": "song"}]}}, "model.tools.0.rejectionPlan.conditions.0"),
        ({**FUNCTION, "variableExtractionPlan": {"aliases": [{"key": "1a", "value": ""}]}},
         "model.tools.0.variableExtractionPlan.aliases.0.key"),
    ],
)  # fmt: skip
def test_plans_of_tools_that_are_wrong_are_refused_by_name(tool: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_assistant({"model": {"provider": "x", "tools": [tool]}})
    assert raised.value.field == field


def test_they_are_told_once_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: a\nmodel: {provider: x, toolIds: [a]}\ntranscriber:\n  provider: vapi\n  model: nova\n"
    )
    library = AssistantLibrary([tmp_path])
    with capture_logs() as logs:
        library.find("a")
        library.find("a")
    told = [(entry["event"], entry["file"], entry["line"], entry["field"], entry["reason"]) for entry in logs]
    assert told == [
        (
            "assistant_field_ignored",
            "a.yaml",
            2,
            "model.toolIds",
            IGNORED["model.toolIds"],
        ),
        ("assistant_field_ignored", "a.yaml", 5, "transcriber.model", UNLESS_TAKEN["transcriber.model"][2]),
    ]


@pytest.mark.parametrize("path", sorted(package_library().glob("*.yaml")), ids=lambda path: path.name)
def test_our_own_assistants_set_none(path: Path) -> None:
    assert list(ignored_fields(load(path))) == []
