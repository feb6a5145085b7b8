"""Fields of an assistant that are read and checked, and that nothing acts on yet. Whoever sets one is told so when the file is read.

This is the one list of them: whoever makes a field work takes its line out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from antiphon.assistants.spec import AssistantSpec
from antiphon.errors import AntiphonError
from antiphon.providers import registry
from antiphon.wire_model import join

IGNORED: Mapping[str, str] = {
    "model.toolIds": "tools are written in model.tools",
    "model.tools.*.server.url": "tools run in this process, and no webhook is called for them",
    "startSpeakingPlan.smartEndpointingPlan": "the end of a turn is told by policy.endpointing",
    "startSpeakingPlan.customEndpointingRules": "the end of a turn is told by policy.endpointing",
    "server": "no events are sent to an application's webhook",
    "serverUrl": "no events are sent to an application's webhook",
    "analysisPlan.structuredDataMultiPlan": "structuredDataPlan and structured outputs are made",
    "analysisPlan.summaryPrompt": "write analysisPlan.summaryPlan.messages",
    "analysisPlan.structuredDataPrompt": "write analysisPlan.structuredDataPlan.messages",
    "analysisPlan.successEvaluationPrompt": "write analysisPlan.successEvaluationPlan.messages",
    "artifactPlan.videoRecordingEnabled": "there is no video",
    "artifactPlan.pcapEnabled": "packets are not kept",
    "artifactPlan.recordingFormat": "recordings are WAV",
    "artifactPlan.recordingUseCustomStorageEnabled": "recordings are kept in data_dir",
    "metadata": "nothing is sent that it could go with",
}
"""Dotted field, as its author writes it (``*``: each of a list), and why it has no effect."""
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
_RUN_TOOL_TYPES = frozenset(["function"])
_SAID_TOOL_MESSAGES = frozenset(["request-response-delayed"])


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
    for at, tool in enumerate(spec.model.tools if spec.model else ()):
        if tool.type not in _RUN_TOOL_TYPES:
            yield f"model.tools.{at}.type", f"tools of type {', '.join(sorted(_RUN_TOOL_TYPES))} are run, and no others"
        for number, message in enumerate(tool.messages):
            if message.type not in _SAID_TOOL_MESSAGES:
                said_types = ", ".join(sorted(_SAID_TOOL_MESSAGES))
                yield (
                    f"model.tools.{at}.messages.{number}.type",
                    f"messages of type {said_types} are said, and no others",
                )


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
