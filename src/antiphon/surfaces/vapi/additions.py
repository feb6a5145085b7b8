"""What the API takes beside what the platform publishes: fields it has dropped from its document and still accepts (silently or not), and
those that are ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.assistants import hook_spec
from antiphon.providers import registry
from antiphon.surfaces.vapi.simulation_latencies import FORM as LATENCY_FORM

_TEXT: Mapping[str, Any] = {"type": "string"}
_FLAG: Mapping[str, Any] = {"type": "boolean"}
_OBJECT: Mapping[str, Any] = {"type": "object"}
_OPTIONS = {"options": _OBJECT}

_ASSISTANT: Mapping[str, Any] = {
    # Legacy: dropped from the document in July and August 2025, still sent by many configurations.
    "silenceTimeoutSeconds": {"type": "number", "min": 10, "max": 3600},
    "messagePlan": _OBJECT,
    "responseDelaySeconds": {"type": "number", "min": 0, "max": 5},
    "llmRequestDelaySeconds": {"type": "number", "min": 0, "max": 3},
    "numWordsToInterruptAssistant": {"type": "number", "min": 0, "max": 10},
    "recordingEnabled": _FLAG,
    "hipaaEnabled": _FLAG,
    "endCallFunctionEnabled": _FLAG,
    "dialKeypadFunctionEnabled": _FLAG,
    "backgroundDenoisingEnabled": _FLAG,
    "forwardingPhoneNumber": _TEXT,
    "serverUrl": _TEXT,
    "serverUrlSecret": _TEXT,
    "credentialIds": {"type": "array", "items": _TEXT},
    # Ours.
    "policy": _OBJECT,
}
_SERVER = {"secret": _TEXT, "credentialId": _TEXT}
_MODEL: Mapping[str, Any] = {
    "systemPrompt": _TEXT,
    "functions": {"type": "array", "items": _OBJECT},
    "knowledgeBaseId": _TEXT,
    "url": _TEXT,
    "fallbackModels": {"type": "array"},
    "workflow": _OBJECT,
    **_OPTIONS,
}
_VOICE: Mapping[str, Any] = {
    "voiceId": {},
    "model": _TEXT,
    "speed": {},
    "language": {},
    "pronunciations": _OBJECT,
    **_OPTIONS,
}
_TRANSCRIBER: Mapping[str, Any] = {"model": _TEXT, "language": {}, "endpointing": {}, "keywords": {}, **_OPTIONS}
_NUMBER = {"number": _TEXT, "serverUrl": _TEXT, "serverUrlSecret": _TEXT}
_ADDED: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(
        (f"Create{provider}PhoneNumberDTO" for provider in ("Vapi", "Byo", "Twilio", "Vonage", "Telnyx")),
        _NUMBER,
    ),
    "CreateAssistantDTO": _ASSISTANT,
    "CreateAssistantDraftDTO": _ASSISTANT,
    "AssistantOverrides": _ASSISTANT,
    "Server": _SERVER,
    "CreateScenarioDTO": {"latencyExpectations": LATENCY_FORM},
    "CallHookCallEnding": {
        "options": _OBJECT,
        "name": _TEXT,
    },  # the form by which hooks are looked at that are in none of theirs
}
"""Fields by the name of the form that has them."""
_ENGINES = {"Model": _MODEL, "Voice": _VOICE, "Transcriber": _TRANSCRIBER}


def engine_of(form: str) -> str:
    """``Model``, ``Voice`` or ``Transcriber``, where the form is of an engine. Fields it requires besides ``provider`` have defaults
    here."""
    return next((engine for engine in _ENGINES if form.endswith(engine)), "")


def added_to(form: str) -> Mapping[str, Any]:
    """Fields that are taken besides those of the form. What the platform says of one of them goes before."""
    return _ADDED.get(form) or _ENGINES.get(engine_of(form), {})


def _is_engine(kind: registry.Kind) -> Callable[[Any], bool]:
    return lambda provider: provider in registry.names(kind)


ENGINE_FIELDS = ("model", "voice", "transcriber")
"""Of an assistant."""
LOOSE: Mapping[str, Callable[[Any], bool]] = {
    "model": lambda provider: _is_engine("llm")(provider) or bool(registry.in_one(provider, "")),
    "voice": _is_engine("tts"),
    "transcriber": _is_engine("stt"),
    "on": lambda event: event in hook_spec.KNOWN,  # two are in the platform's pages alone
    "do": lambda action: action in ("say", "transfer", "tool", "function", "message.add"),  # older hooks
}
"""By the last part of a field: providers that are ours and not the platform's. What they take, the assistant's own check says."""
