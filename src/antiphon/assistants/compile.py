"""A document as people write it (Vapi's assistant, with the overrides of a call) becomes our own ``Assistant``, and whatever it asks for
that nothing here acts on is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from antiphon.assistants.ignored import ACTED_ON, ignored_fields
from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.assistants.templates import MAX_TAGS, default_variables, filled, tags_in
from antiphon.conversation.policy import Policy
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers import registry
from antiphon.vocabulary import Message
from antiphon.wire_model import join, misspelt_fields

TEMPLATES: tuple[str, ...] = (
    "firstMessage", "endCallMessage", "voicemailMessage", "model.messages.*.content", "model.systemPrompt",
    "model.tools.*.description", "model.tools.*.function.description", "model.tools.*.messages.*.content",
    "model.tools.*.messages.*.contents.*.text", "model.tools.*.destinations.*.number", "model.tools.*.destinations.*.message",
    "messagePlan.idleMessages.*", "messagePlan.silenceTimeoutMessage", "voice.voiceId", "voice.language", "transcriber.language",
    "hooks.*.do.*.exact", "hooks.*.do.*.exact.*", "hooks.*.do.*.prompt", "hooks.*.do.*.prompt.*.content", "hooks.*.do.*.message.content",
)  # fmt: skip
"""Texts of an assistant that are templates (``*``: each of a list). Those that a tool sends are filled in when it runs."""
MAX_WARNINGS = 100
_MAX_DEPTH = 64
_LONGEST_KEPT_BYTES = 64 * 1024
_OF_OVERRIDES = ("variableValues", "tools:append")
_NO_EFFECT = "is kept, and nothing here acts on it"
_SIGNED = "a call's listenUrl is signed, for one call, and expires: it is the key"
PARTS: Mapping[str, registry.Kind] = {"model": "llm", "voice": "tts", "transcriber": "stt"}
_MONITORED = frozenset({"listenEnabled", "controlEnabled", "controlAuthenticationEnabled"})
_RENAMED = frozenset({"keyterm", "keyterms_prompt", "knowledge_base"})
"""Fields of these parts that engines know by other names, or that are told elsewhere (``ignored``, ``engine_choice``)."""


@dataclass(frozen=True, slots=True)
class Assistant:
    """Who leads a call: all that the rooms inside need, in our own words."""

    id: str
    """Of the stored document, or the name of its file; empty for one that came with its call."""
    spec: AssistantSpec
    policy: Policy
    messages: tuple[Message, ...]
    document: Mapping[str, Any] = field(repr=False)
    """What it was compiled from, overrides and variables filled in: for whoever acts on more of it (webhooks, analysis, monitors)."""
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What templates that are filled in later (those of tools) may say."""
    warnings: tuple[tuple[str, str], ...] = ()
    """Dotted field, and why it has no effect."""


def compile_assistant(
    document: Mapping[str, Any],
    wall_ms: int,
    *,
    id: str = "",
    overrides: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    tools: Mapping[str, Mapping[str, Any]] | None = None,
) -> Assistant:
    """``variables`` are of the call (``customer``, ``call``, ``phoneNumber`` …); ``overrides.variableValues`` win over them, and over the
    time of ``wall_ms``. ``tools`` are stored tools by id, for ``model.toolIds``. Raises ConfigurationError naming the field."""
    warnings: list[tuple[str, str]] = []
    given = overrides or {}
    whole = merged(document, {name: value for name, value in given.items() if name not in _OF_OVERRIDES})
    whole = _with_tools(whole, given.get("tools:append"), tools or {}, warnings)
    whole = _with_hook_tools(whole, tools or {}, warnings)
    values = {**default_variables(wall_ms), **(variables or {}), **_values(document), **_values(given)}
    _require_few_tags(whole)
    for path in TEMPLATES:
        whole = _rendered(whole, path.split("."), "", values, warnings)
    read = _read(whole)
    warnings += read.without_effect
    return Assistant(
        id=id,
        spec=read.spec,
        policy=read.policy,
        messages=read.spec.messages(),
        document=whole,
        variables={name: value for name, value in values.items() if name != "now_utc"},
        warnings=tuple(dict.fromkeys(warnings))[:MAX_WARNINGS],
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """A document without templates, understood."""

    spec: AssistantSpec
    policy: Policy
    without_effect: tuple[tuple[str, str], ...]


def _read(whole: Mapping[str, Any]) -> _Read:
    """Most calls of an assistant are begun with the very same document: it is understood once. Raises ConfigurationError."""
    try:
        written = orjson.dumps(whole)
    except TypeError:  # what JSON cannot say
        return _understood(whole)
    return _known(written) if len(written) <= _LONGEST_KEPT_BYTES else _understood(whole)


@lru_cache(maxsize=128)
def _known(written: bytes) -> _Read:
    return _understood(orjson.loads(written))


def _understood(whole: Mapping[str, Any]) -> _Read:
    spec = parse_assistant(whole)
    return _Read(spec, policy_of(spec), tuple(_without_effect(spec)))


def merged(base: Mapping[str, Any], over: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """``over`` laid over ``base``: objects are merged, all else is replaced. Raises ConfigurationError where it is nested too deep."""
    if depth > _MAX_DEPTH:
        raise ConfigurationError("assistantOverrides", f"is nested more than {_MAX_DEPTH} deep")
    result = dict(base)
    for name, value in over.items():
        before = result.get(name)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        result[name] = merged(before, value, depth + 1) if both else value  # type: ignore[arg-type]  # ``both`` says so
    return result


def _values(document: Mapping[str, Any]) -> Mapping[str, Any]:
    values = document.get("variableValues")
    if values is not None and not isinstance(values, Mapping):
        raise ConfigurationError("assistantOverrides.variableValues", "must be an object")
    return values or {}


def tool_ids_of_hooks(document: Mapping[str, Any]) -> list[str]:
    """Stored tools that its hooks name by their ids."""
    return [id for _, action in _tool_actions(document.get("hooks")) if isinstance(id := action.get("toolId"), str)][
        :100
    ]


def _tool_actions(hooks: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The actions of type tool, each with its place. What is no hook is for whoever reads the document to refuse."""
    for at, hook in enumerate(hooks if isinstance(hooks, list | tuple) else ()):
        actions = hook.get("do") if isinstance(hook, Mapping) else None
        for number, action in enumerate(actions if isinstance(actions, list | tuple) else ()):
            if isinstance(action, dict) and action.get("type") == "tool":
                yield f"hooks.{at}.do.{number}", action


def _with_hook_tools(
    document: dict[str, Any], stored: Mapping[str, Mapping[str, Any]], warnings: list[tuple[str, str]]
) -> dict[str, Any]:
    """With the tools that its hooks mean by their ids."""
    if not tool_ids_of_hooks(document):
        return document
    hooks = deepcopy(document["hooks"])
    for place, action in _tool_actions(hooks):
        id = action.get("toolId")
        if action.get("tool") is None and isinstance(id, str):
            if id in stored:
                action["tool"] = stored[id]
            else:
                warnings.append((f"{place}.toolId", "there is no tool of this id"))
    return {**document, "hooks": hooks}


def _with_tools(
    document: dict[str, Any],
    appended: Any,
    stored: Mapping[str, Mapping[str, Any]],
    warnings: list[tuple[str, str]],
) -> dict[str, Any]:
    """With the tools that are meant by their ids, and those of the overrides, among ``model.tools``."""
    model = document.get("model")
    if not isinstance(model, Mapping):
        return document
    ids, own = model.get("toolIds") or (), model.get("tools") or ()
    for name, each in (
        ("model.toolIds", ids),
        ("model.tools", own),
        ("assistantOverrides.tools:append", appended or ()),
    ):
        if not isinstance(each, list | tuple):
            raise ConfigurationError(name, "must be an array")
    found = []
    for at, tool_id in enumerate(ids):
        if isinstance(tool_id, str) and tool_id in stored:
            found.append(stored[tool_id])
        else:
            warnings.append((f"model.toolIds.{at}", "there is no tool of this id"))
    if not ids and not appended:
        return document
    rest = {name: value for name, value in model.items() if name != "toolIds"}
    return {**document, "model": {**rest, "tools": [*own, *found, *(appended or ())]}}


def _rendered(
    value: Any, parts: Sequence[str], path: str, values: Mapping[str, Any], warnings: list[tuple[str, str]]
) -> Any:
    """The document with the templates at ``parts`` filled in."""
    if not parts:
        return _filled(value, path, values, warnings) if isinstance(value, str) else value
    first, *rest = parts
    if first == "*" and isinstance(value, list | tuple):
        return [_rendered(item, rest, join(path, at), values, warnings) for at, item in enumerate(value)]
    if isinstance(value, Mapping) and first in value:
        return {**value, first: _rendered(value[first], rest, join(path, first), values, warnings)}
    return value


def _require_few_tags(document: Mapping[str, Any]) -> None:
    """Raises ConfigurationError: filling in thousands of templates would hold up all calls."""
    model = document.get("model")
    messages = model.get("messages") if isinstance(model, Mapping) else ()
    texts = [message.get("content") for message in messages or () if isinstance(message, Mapping)]
    if sum(tags_in(text) for text in texts if isinstance(text, str)) > MAX_TAGS:
        raise ConfigurationError("model.messages", f"have more than {MAX_TAGS} template tags")
    if isinstance(model, Mapping) and tags_in(str(model.get("tools", ""))) > MAX_TAGS:
        raise ConfigurationError("model.tools", f"have more than {MAX_TAGS} template tags")


def _filled(text: str, path: str, values: Mapping[str, Any], warnings: list[tuple[str, str]]) -> str:
    def missing(name: str) -> None:
        warnings.append((path, f"variable {name[:64]} is not defined: nothing is said for it"))

    try:
        return filled(text, values, missing)
    except ConfigurationError as error:
        warnings.append((path, f"{error.problem}: it is taken as it stands"))
        return text


def _without_effect(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    """All that the document sets and nothing acts on."""
    misspelt = {name: f"is not known; did you mean {meant}?" for name, meant in misspelt_fields(spec)}
    told = {**misspelt, **dict(ignored_fields(spec))}
    yield from told.items()
    yield from unmonitored(spec)
    yield from ((name, why) for name, why in _unknown(spec, "", _nobody) if name not in told)


def unmonitored(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    """What of its ``monitorPlan`` nothing acts on."""
    monitor = (spec.model_extra or {}).get("monitorPlan")
    for name in monitor if isinstance(monitor, Mapping) else ():
        if name not in _MONITORED:
            yield f"monitorPlan.{name}", _SIGNED if name == "listenAuthenticationEnabled" else _NO_EFFECT


def _unknown(part: BaseModel, path: str, taken: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Fields that are kept as they came, and that nobody takes."""
    for name in part.model_extra or ():
        if not taken(name) and not (path == "" and name in ACTED_ON):
            yield join(path, name), _NO_EFFECT
    for name, described in type(part).model_fields.items():
        value, written = getattr(part, name), described.alias or name
        if isinstance(value, BaseModel):
            kind = PARTS.get(written) if path == "" else None
            yield from _unknown(value, join(path, written), partial(engine_takes, kind, value) if kind else _nobody)


def engine_takes(kind: registry.Kind, part: BaseModel, name: str) -> bool:
    """Whether the engine that a part names has an option of this field's name."""
    own = to_snake(name)
    try:
        return own in _RENAMED or own in registry.options(kind, getattr(part, "provider", ""))
    except AntiphonError:
        return True  # that there is no such provider is told by whoever makes it


def _nobody(name: str) -> bool:
    return False
