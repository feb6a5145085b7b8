"""Fields of an assistant that are read and checked, and that nothing acts on yet. Whoever sets one is told so when the file is read.

This is the one list of them: whoever makes a field work takes its line out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from antiphon.assistants.spec import AssistantSpec
from antiphon.wire_model import join

IGNORED: Mapping[str, str] = {
    "model.model": "the engines of this server have one model each; options of an engine are model.options",
    "model.url": "no engine of this server asks an address of the assistant's",
    "model.toolIds": "tools are written in model.tools",
    "model.tools.*.server.url": "tools run in this process, and no webhook is called for them",
    "transcriber.model": "the recognisers of this server have one model each; see transcriber.options",
    "transcriber.endpointing": "when a turn is over, startSpeakingPlan says",
    "startSpeakingPlan.smartEndpointingPlan": "the end of a turn is told by policy.endpointing",
    "startSpeakingPlan.customEndpointingRules": "the end of a turn is told by policy.endpointing",
    "server": "no events are sent to an application's webhook",
    "serverUrl": "no events are sent to an application's webhook",
    "metadata": "nothing is sent that it could go with",
}
"""Dotted field, as its author writes it (``*``: each of a list), and why it has no effect."""
_RUN_TOOL_TYPES = frozenset(["function"])
_SAID_TOOL_MESSAGES = frozenset(["request-response-delayed"])


def ignored_fields(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    """Those that this assistant sets: the dotted field, and why it has no effect."""
    said = spec.model_dump(by_alias=True, exclude_unset=True)
    for field, why in IGNORED.items():
        for path in _set(said, field.split(".")):
            yield path, why
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
