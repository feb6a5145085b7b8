from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.spec import parse_assistant
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import Message


@pytest.mark.parametrize(
    ("document", "field", "says"),
    [
        ({"name": "x" * 41}, "name", "at most 40"),
        ({"firstMessageMode": "whenever"}, "firstMessageMode", "'assistant-speaks-first'"),
        ({"model": {}}, "model.provider", "required"),
        ({"model": {"provider": "openai", "temperature": 3}}, "model.temperature", "less than or equal to 2"),
        ({"model": {"provider": "openai", "maxTokens": 1}}, "model.maxTokens", "greater than or equal to 50"),
        ({"model": {"provider": "openai", "messages": [{"role": "boss", "content": "x"}]}}, "model.messages.0.role", "'system'"),
        ({"model": {"provider": "workflow", "workflow": {"nodes": []}}}, "model.workflow.nodes", "at least 1"),
        ({"model": {"provider": "x", "tools": [{"type": "function"}]}}, "model.tools.0", "function.name"),
        ({"model": {"provider": "x", "tools": [{"type": "code", "function": {"name": "a b"}}]}}, "model.tools.0.function.name", "match"),
        ({"voice": {"provider": "espeak", "speed": 5}}, "voice.speed", "less than or equal to 2"),
        ({"transcriber": {"provider": "deepgram", "endpointing": 5}}, "transcriber.endpointing", "greater than or equal to 10"),
        ({"startSpeakingPlan": {"waitSeconds": 6}}, "startSpeakingPlan.waitSeconds", "less than or equal to 5"),
        ({"stopSpeakingPlan": {"numWords": 11}}, "stopSpeakingPlan.numWords", "less than or equal to 10"),
        ({"stopSpeakingPlan": {"voiceSeconds": 0.6}}, "stopSpeakingPlan.voiceSeconds", "less than or equal to 0.5"),
        ({"messagePlan": {"idleTimeoutSeconds": 4}}, "messagePlan.idleTimeoutSeconds", "greater than or equal to 5"),
        ({"silenceTimeoutSeconds": 9}, "silenceTimeoutSeconds", "greater than or equal to 10"),
        ({"maxDurationSeconds": 43201}, "maxDurationSeconds", "less than or equal to 43200"),
        ({"maxDurationSeconds": float("nan")}, "maxDurationSeconds", "finite"),
        ({"endCallMessage": "x" * 1001}, "endCallMessage", "at most 1000"),
        ({"voicemailMessage": "x" * 1001}, "voicemailMessage", "at most 1000"),
        ({"voicemailDetection": "on"}, "voicemailDetection", "'off'"),
        ({"voicemailDetection": {}}, "voicemailDetection.provider", "required"),
        ({"voicemailDetection": {"provider": "acme"}}, "voicemailDetection.provider", "'twilio'"),
        ({"voicemailDetection": {"provider": "twilio", "machineDetectionTimeout": 60}}, "voicemailDetection.machineDetectionTimeout", "59"),
        ({"voicemailDetection": {"provider": "vapi", "voicemailDetectionTypes": 1}}, "voicemailDetection.voicemailDetectionTypes", "tuple"),
        ({"artifactPlan": {"recordingEnabled": "maybe"}}, "artifactPlan.recordingEnabled", "boolean"),
        ({"artifactPlan": {"structuredOutputs": [{"conditions": [{"type": "x"}]}]}}, "artifactPlan.structuredOutputs.0", "'minMessages'"),
        ({"server": {"url": "ftp://x"}}, "server.url", "match"),
        ({"metadata": 3}, "metadata", "dictionary"),
        ([], "document", "must be an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_field_and_what_is_allowed(document: Any, field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_assistant(document)
    assert raised.value.field == field
    assert says in raised.value.problem


def test_other_wrong_fields_are_named_too() -> None:
    with pytest.raises(ConfigurationError, match=r"voice\.speed: .*also wrong: maxDurationSeconds"):
        parse_assistant({"maxDurationSeconds": 1, "voice": {"provider": "x", "speed": 9}}, "")


def test_the_field_is_named_inside_a_larger_document() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_assistant({"model": {"provider": "workflow", "workflow": {"nodes": []}}}, "assistant")
    assert raised.value.field == "assistant.model.workflow.nodes"


def test_both_spellings_are_read() -> None:
    assert parse_assistant({"firstMessage": "Hi"}) == parse_assistant({"first_message": "Hi"})


def test_fields_we_do_not_know_come_back_as_they_came() -> None:
    document = {
        "name": "a",
        "backgroundSound": "office",
        "observabilityPlan": [{"on": "call.ending"}],
        "voice": {"provider": "11labs", "stability": 0.4},
    }
    written = parse_assistant(document).model_dump(by_alias=True, exclude_unset=True)
    assert written == document


@pytest.mark.parametrize(
    ("document", "records"),
    [({}, True), ({"artifactPlan": {"recordingEnabled": False}}, False), ({"recordingEnabled": False}, False),
     ({"recordingEnabled": False, "artifactPlan": {"recordingEnabled": True}}, True)],
)  # fmt: skip
def test_whether_calls_are_recorded(document: Any, records: bool) -> None:
    assert parse_assistant(document).records is records


def test_the_history_begins_with_the_models_messages() -> None:
    system = {"provider": "x", "messages": [{"role": "system", "content": "Be kind."}], "systemPrompt": "old"}
    assert parse_assistant({"model": system}).messages() == (Message("system", "Be kind."),)
    assert parse_assistant({"model": {"provider": "x", "systemPrompt": "old"}}).messages() == (
        Message("system", "old"),
    )
    assert parse_assistant({}).messages() == ()


def test_the_legacy_webhook_fields_are_mapped() -> None:
    webhook = parse_assistant({"serverUrl": "https://example.test/hook", "serverUrlSecret": "s"}).webhook
    assert webhook is not None
    assert (webhook.url, webhook.secret) == ("https://example.test/hook", "s")
    assert parse_assistant({}).webhook is None
