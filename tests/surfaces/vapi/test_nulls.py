"""``null`` stands for a field that is left out, in every document: SDKs write it where an application has nothing to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.surfaces.vapi.desk import Desk

from antiphon.assistants.compile import compile_assistant
from antiphon.assistants.spec import parse_assistant
from antiphon.assistants.tool_definition import ToolDefinition
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.additions import added_to
from antiphon.wire_model import WireModel, parse

MODEL = {"provider": "scripted"}
WHOLE: Mapping[str, Any] = {
    "name": "Desk",
    "firstMessage": "Good day.",
    "model": {**MODEL, "messages": [{"role": "system", "content": "Be kind."}], "temperature": 0.5},
    "voice": {"provider": "openai", "voiceId": "coral", "speed": 1, "fallbackPlan": {"voices": []}},
    "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en", "endpointing": 100},
    "startSpeakingPlan": {"waitSeconds": 1, "transcriptionEndpointingPlan": {"onNumberSeconds": 1}},
    "stopSpeakingPlan": {"numWords": 2, "acknowledgementPhrases": ["yes"]},
    "server": {"url": "https://app.example.com", "timeoutSeconds": 5, "headers": {}, "backoffPlan": {}},
    "artifactPlan": {"recordingEnabled": True, "transcriptPlan": {"enabled": True, "assistantName": "Anna"}},
    "keypadInputPlan": {"enabled": True, "timeoutSeconds": 2, "delimiters": "#"},
    "messagePlan": {"idleMessages": ["Still there?"], "idleTimeoutSeconds": 10},
    "compliancePlan": {"hipaaEnabled": False},
}
NEEDED = ("provider", "role", "content", "url")


def with_nulls(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The document once for each of its fields, with null there."""
    for name, value in document.items():
        if name not in NEEDED:
            yield f"{path}{name}", {**document, name: None}
        if isinstance(value, Mapping):
            for inner, changed in with_nulls(value, f"{path}{name}."):
                yield inner, {**document, name: changed}


def test_an_assistant_with_a_null_can_be_called() -> None:
    wrong = []
    for field, document in with_nulls(WHOLE):
        try:
            compile_assistant(document, 0)
        except ConfigurationError as error:
            wrong.append((field, str(error)))
    assert wrong == []


def test_null_is_as_good_as_nothing() -> None:
    nulls = dict.fromkeys((*fields._form("CreateAssistantDTO")["fields"], *added_to("CreateAssistantDTO")))
    assert parse_assistant({**nulls, "model": MODEL}) == parse_assistant({"model": MODEL, **_unknown(nulls)})


def _unknown(nulls: Mapping[str, None]) -> dict[str, None]:
    """Fields that a spec keeps as they came."""
    known = {field.alias for field in type(parse_assistant({"model": MODEL})).model_fields.values()}
    return {name: None for name in nulls if name not in known}


async def test_documents_full_of_nulls_are_taken_without_a_warning(quick_desk: Desk) -> None:
    nulls = dict.fromkeys(fields._form("CreateAssistantDTO")["fields"])
    made = await quick_desk.client.post("/assistant", json={**nulls, "model": MODEL})
    assert (made.status_code, made.headers.get("x-antiphon-warnings")) == (201, None), made.text
    assert made.json()["voice"] is None, "it comes back as it was sent"
    nulls = dict.fromkeys(fields._form("CreateFunctionToolDTO")["fields"])
    tool = {**nulls, "type": "function", "function": {"name": "look", "description": None, "parameters": None}}
    made = await quick_desk.client.post("/tool", json=tool)
    assert made.status_code == 201, made.text


def test_what_is_needed_may_not_be_null() -> None:
    class Named(WireModel):
        name: str
        note: str = ""
        size: int | None = 3

    assert parse(Named, {"name": "a", "note": None, "size": None}).model_dump() == {"name": "a", "note": "", "size": 3}
    with pytest.raises(ConfigurationError, match="name: input should be a valid string"):
        parse(Named, {"name": None})
    with pytest.raises(ConfigurationError, match=r"function\.name"):
        parse(ToolDefinition, {"type": "function", "function": {"name": None}})
