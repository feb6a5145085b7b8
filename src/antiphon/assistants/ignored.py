"""Fields of an assistant that are read and checked, and that nothing acts on yet. Whoever sets one is told so when the file is read.

This is the one list of them: whoever makes a field work takes its line out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from antiphon.assistants.spec import AssistantSpec, ToolDefinition
from antiphon.assistants.tools import RUN_TYPES, SAID_TYPES
from antiphon.errors import AntiphonError
from antiphon.providers import registry
from antiphon.wire_model import join

IGNORED: Mapping[str, str] = {
    "model.toolIds": "tools are written in model.tools",
    "startSpeakingPlan.smartEndpointingPlan": "the end of a turn is told by policy.endpointing",
    "startSpeakingPlan.customEndpointingRules": "the end of a turn is told by policy.endpointing",
    "server.backoffPlan": "messages are sent once; a report until it is acknowledged",
    "analysisPlan.structuredDataMultiPlan": "structuredDataPlan and structured outputs are made",
    "analysisPlan.summaryPrompt": "write analysisPlan.summaryPlan.messages",
    "analysisPlan.structuredDataPrompt": "write analysisPlan.structuredDataPlan.messages",
    "analysisPlan.successEvaluationPrompt": "write analysisPlan.successEvaluationPlan.messages",
    "artifactPlan.videoRecordingEnabled": "there is no video",
    "artifactPlan.pcapEnabled": "packets are not kept",
    "artifactPlan.recordingFormat": "recordings are WAV",
    "artifactPlan.recordingUseCustomStorageEnabled": "recordings are kept in data_dir",
}
"""Dotted field, as its author writes it (``*``: each of a list), and why it has no effect."""
_MESSAGE_FIELDS: Mapping[str, str] = {
    "conditions": "it is said whatever the arguments are",
    "blocking": "the tool begins at once",
}
UNSENT = frozenset(
    {"phone-call-control", "language-change-detected", "assistant.speechStarted", "function-call",
     "transfer-destination-request", "knowledge-base-request", "voice-request",
     "call.endpointing.request", "chat.created", "chat.deleted", "session.created", "session.updated", "session.deleted",
     "call.deleted", "call.delete.failed", "call.artifact.upload"}
)  # fmt: skip
"""Messages that an application may ask for and is not sent."""
UNLESS_TAKEN: Mapping[str, tuple[registry.Kind, tuple[str, ...], str]] = {
    "model.model": ("llm", ("model",), "this provider has one model"),
    "model.url": ("llm", ("base_url",), "this provider asks no address"),
    "transcriber.model": ("stt", ("model",), "this provider has one model"),
    "transcriber.endpointing": (
        "stt",
        ("endpointing", "endpointing_ms"),
        "this provider is not told; when a turn is over, startSpeakingPlan says",
    ),
    "transcriber.keywords": ("stt", ("keywords", "keyterms"), "this provider takes no words beforehand"),
    "voice.model": ("tts", ("model",), "this provider has one model"),
}
"""Dotted field, the kind of engine and the options it is for, and why it has no effect where the engine has none of them."""
_TOOL_FIELDS: Mapping[str, str] = {
    "variableExtractionPlan": "no variables are taken out of answers",
    "rejectionPlan": "no call of a tool is refused",
    "backoffPlan": "a tool's request is made once",
    "credentialId": "headers say who asks",
    "server.backoffPlan": "a tool's request is made once",
    "function.strict": "arguments are handed on as the model wrote them",
}
"""Of a tool; others that are not known are named, too, where they look like one that is."""


def ignored_fields(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    """Those that this assistant sets: the dotted field, and why it has no effect."""
    said = spec.model_dump(by_alias=True, exclude_unset=True)
    for field, why in IGNORED.items():
        for path in _set(said, field.split(".")):
            yield path, why
    for field, (kind, options, why) in UNLESS_TAKEN.items():
        part, name = field.split(".")
        provider = said.get(part, {}).get("provider", "")
        if any(_set(said, [part, name])) and not _takes(kind, provider, options):
            yield field, why
    if spec.voice is not None:
        yield from _of_the_voice(spec.voice.model_extra or {})
    asked = spec.server_messages or ()
    for at, message in enumerate(asked if isinstance(asked, tuple) else (asked,)):
        if message in UNSENT:
            yield f"serverMessages.{at}", f"{message} is not sent"
    for at, tool in enumerate(spec.model.tools if spec.model else ()):
        for field, why in _of_a_tool(tool):
            yield f"model.tools.{at}.{field}", why


def _of_a_tool(tool: ToolDefinition) -> Iterator[tuple[str, str]]:
    if tool.type not in RUN_TYPES:
        yield "type", f"tools of type {', '.join(RUN_TYPES)} are run, and no others"
        return
    said = tool.model_dump(by_alias=True, exclude_unset=True)
    for field, why in _TOOL_FIELDS.items():
        yield from ((path, why) for path in _set(said, field.split(".")))
    if tool.asynchronous and tool.type != "function":
        yield "async", "only functions are run beside the conversation"
    if tool.type == "transferCall":
        yield from _of_destinations(tool)
    if tool.type == "handoff":
        yield from _of_handoffs(tool)
    for number, message in enumerate(tool.messages):
        path = f"messages.{number}"
        if message.type not in SAID_TYPES:
            yield f"{path}.type", f"messages of type {', '.join(SAID_TYPES)} are said, and no others"
        if len(message.contents) > 1:
            yield f"{path}.contents.1", "the first of several contents is said"
        for field, why in _MESSAGE_FIELDS.items():
            if (message.model_extra or {}).get(field):
                yield f"{path}.{field}", why


def _of_destinations(tool: ToolDefinition) -> Iterator[tuple[str, str]]:
    if not tool.destinations:
        yield "destinations", "no server is asked where to: name them, or the tool is not offered"
    for at, destination in enumerate(tool.destinations):
        if destination.type == "assistant":
            continue
        if not destination.address:
            yield f"destinations.{at}.type", "calls are handed over to a number, a SIP address or an assistant"
        for field, value in (destination.model_extra or {}).items():
            path = f"destinations.{at}.{field}"
            if field == "transferPlan" and isinstance(value, Mapping):
                yield from _of_transfer_plan(value, path)
            else:
                yield path, "a call is handed over blindly, by its carrier"


def _of_transfer_plan(plan: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for field, value in plan.items():
        if field != "mode":
            yield f"{path}.{field}", "a call is handed over blindly, by its carrier"
        elif value != "blind-transfer":
            yield f"{path}.mode", f"{str(value)[:64]} is not possible: a call is handed over blindly, by its carrier"


def _of_handoffs(tool: ToolDefinition) -> Iterator[tuple[str, str]]:
    if not tool.destinations:
        yield "destinations", "there is nobody to hand over to: the tool is not offered"
    for number, message in enumerate(tool.messages):
        if message.type == "request-complete":
            yield f"messages.{number}", "whoever takes over speaks next"


def _of_the_voice(extra: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The platform's fields of a voice that are kept as they came."""
    if "cachingEnabled" in extra:
        yield "voice.cachingEnabled", "a voice's options say what is kept"
    plan = extra.get("chunkPlan")
    if not isinstance(plan, Mapping):
        return
    for field in plan:
        if field != "formatPlan":
            yield f"voice.chunkPlan.{field}", "a reply is cut at its sentences"
    form = plan.get("formatPlan")
    for field in form if isinstance(form, Mapping) else ():
        yield (
            f"voice.chunkPlan.formatPlan.{field}",
            "what is written is always spelled out; voice.pronunciations says how",
        )


def _takes(kind: registry.Kind, provider: str, options: Iterable[str]) -> bool:
    try:
        return not set(options).isdisjoint(registry.options(kind, provider))
    except AntiphonError:
        return True  # that there is no such provider is told by whoever makes it


def _set(document: Any, parts: Sequence[str], path: str = "") -> Iterator[str]:
    """Where in the document the field of these parts has a value that is not empty."""
    if not parts:
        if document not in (None, "", {}, [], ()):
            yield path
        return
    first, *rest = parts
    if first == "*" and isinstance(document, list | tuple):
        for at, item in enumerate(document):
            yield from _set(item, rest, join(path, at))
    elif isinstance(document, Mapping) and first in document:
        yield from _set(document[first], rest, join(path, first))
