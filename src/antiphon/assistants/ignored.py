"""Fields of an assistant that are read and checked, and that nothing acts on yet. Whoever sets one is told so when the file is read.

This is the one list of them: whoever makes a field work takes its line out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic.alias_generators import to_camel

from antiphon.assistants import hook_spec
from antiphon.assistants.endpointing_spec import patterns_of
from antiphon.assistants.hook_spec import Hook
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import ToolDefinition, TransferDestination
from antiphon.assistants.tools import RUN_TYPES, SAID_TYPES
from antiphon.assistants.wait_function import wait_curve
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers import registry
from antiphon.tools.rejection import pattern_problem
from antiphon.wire_model import MAX_LOOKED_UP, join

IGNORED: Mapping[str, str] = {
    "model.toolIds": "tools are written in model.tools",
    "voice.server.backoffPlan": "whoever stands in speaks where it does not answer",
    "voice.server.credentialId": "voice.server.headers and voice.server.secret say who asks",
    "transcriber.server.backoffPlan": "a connection that is lost is made again at once",
    "transcriber.server.timeoutSeconds": "a connection is given up after 5 s, final words are after 3 s",
    "transcriber.server.credentialId": "transcriber.server.headers and transcriber.server.secret say who asks",
    "server.backoffPlan": "messages are sent once; a report until it is acknowledged",
    "analysisPlan.structuredDataMultiPlan": "structuredDataPlan and structured outputs are made",
    "analysisPlan.summaryPrompt": "write analysisPlan.summaryPlan.messages",
    "analysisPlan.structuredDataPrompt": "write analysisPlan.structuredDataPlan.messages",
    "analysisPlan.successEvaluationPrompt": "write analysisPlan.successEvaluationPlan.messages",
    "artifactPlan.videoRecordingEnabled": "there is no video",
    "artifactPlan.pcapEnabled": "packets are not kept",
    "artifactPlan.pcapS3PathPrefix": "packets are not kept",
    "artifactPlan.pcapUseCustomStorageEnabled": "packets are not kept",
    "artifactPlan.recordingPath": "recordings are kept in data_dir",
    "artifactPlan.loggingPath": "logs are kept in data_dir",
    "artifactPlan.loggingUseCustomStorageEnabled": "logs are kept in data_dir",
    "artifactPlan.scorecardIds": "there are no scorecards",
    "artifactPlan.scorecards": "there are no scorecards",
    "compliancePlan.securityFilterPlan": "what a caller says reaches the model as it was heard",
    "compliancePlan.recordingConsentPlan": "begin with an assistant that asks, and is not recorded, and hands over to yours",
    "artifactPlan.recordingFormat": "recordings are WAV",
    "artifactPlan.recordingUseCustomStorageEnabled": "recordings are kept in data_dir",
}
"""Dotted field, as its author writes it (``*``: each of a list), and why it has no effect."""
UNSENT = frozenset({"phone-call-control", "language-change-detected", "function-call", "call.artifact.upload"})
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
    "transcriber.server": ("stt", ("server",), "this provider asks no server of yours"),
    "voice.server": ("tts", ("server",), "this provider asks no server of yours"),
    "voice.model": ("tts", ("model",), "this provider has one model"),
}
"""Dotted field, the kind of engine and the options it is for, and why it has no effect where the engine has none of them."""
ACTED_ON: frozenset[str] = frozenset(
    {"id", "orgId", "createdAt", "updatedAt", "latestVersion", "version", "variableValues", "clientMessages", "monitorPlan"}
)  # fmt: skip
"""Fields beside ``AssistantSpec``'s that somebody acts on, or that say nothing about a call."""
IN_ONE = (
    "model.temperature",
    "voice.model",
    "voice.pronunciations",
    "transcriber.keywords",
)
"""What a model that hears and speaks itself makes nothing of."""
_IN_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "google-live": ("transcriber.model", "voice.speed"),
    "openai-live": ("transcriber.model", "transcriber.language", "voice.speed", "model.maxTokens"),
    "vapi-hosted": ("transcriber.model", "voice.voiceId", "voice.speed", "model.maxTokens"),
}
"""And what one vendor's does not, besides."""
OF_AN_OWN_ASSISTANT = ("model.messages", "model.systemPrompt", "model.tools", "transcriber.language", "voice.language")
"""What an assistant that runs elsewhere has of its own. Those that take over from it are told."""
_TOOL_FIELDS: Mapping[str, str] = {
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
        provider = (said.get(part) or {}).get("provider", "")
        if part == "model" and (engine := registry.in_one(provider, (said.get("model") or {}).get("model", ""))):
            kind, provider = "speech_to_speech", engine
        if any(_set(said, [part, name])) and not _takes(kind, provider, options):
            yield field, why
    yield from _of_own_servers(spec)
    if spec.voice is not None:
        yield from _of_the_voice(spec.voice.model_extra or {})
    if spec.model is not None and registry.in_one(spec.model.provider, spec.model.model):
        engine = registry.in_one(spec.model.provider, spec.model.model)
        for field in (*IN_ONE, *_IN_ONE_OF.get(engine, ())):
            yield from ((path, f"{spec.model.provider} is not told") for path in _set(said, field.split(".")))
        if not spec.model.fallback_models:
            if registry.has_own_assistant(engine):
                why = f"the assistant behind {spec.model.provider} has its own; those in model.fallbackModels would be told"
                yield from ((path, why) for field in OF_AN_OWN_ASSISTANT for path in _set(said, field.split(".")))
            why = f"nobody takes over from {spec.model.provider} without model.fallbackModels"
            yield from ((path, why) for path in _set(said, ["transcriber", "fallbackPlan"]))
    asked = spec.server_messages or ()
    for at, message in enumerate(asked if isinstance(asked, tuple) else (asked,)):
        if message in UNSENT:
            yield f"serverMessages.{at}", f"{message} is not sent"
    for at, tool in enumerate(spec.model.tools if spec.model else ()):
        for field, why in ignored_of_tool(tool, served=spec.webhook is not None):
            yield f"model.tools.{at}.{field}", why
    for field, why in _of_endpointing(spec):
        yield f"startSpeakingPlan.{field}", why
    for at, hook in enumerate(spec.hooks):
        yield from ((f"hooks.{at}.{field}", why) for field, why in _of_a_hook(hook))


def _of_own_servers(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    """An application's own recogniser, knowledge and voice."""
    transcriber, model, voice = spec.transcriber, spec.model, spec.voice
    if transcriber is not None and transcriber.provider == "custom-transcriber" and not transcriber.server:
        yield "transcriber.provider", "names no transcriber.server: this machine's own recogniser hears"
    if model is not None and (base := model.knowledge_base) is not None:
        if base.provider != "custom-knowledge-base":
            yield "model.knowledgeBase.provider", "custom-knowledge-base is asked, and no other"
        elif base.server is None and spec.webhook is None:
            yield "model.knowledgeBase", "there is no server to ask what is known"
        elif registry.in_one(model.provider, model.model):
            yield "model.knowledgeBase", "a model that hears and speaks itself asks nobody"
    if voice is not None and voice.provider == "custom-voice":
        if not voice.server:
            yield "voice.provider", "names no voice.server: this machine's own voice speaks"
        elif voice.speed not in (None, 1.0):
            yield "voice.speed", "a voice of your own is asked for no speed"


def _of_endpointing(spec: AssistantSpec) -> Iterator[tuple[str, str]]:
    plan = spec.start_speaking_plan.smart_endpointing_plan
    if plan.wait_function and plan.asks_a_server:
        yield "smartEndpointingPlan.waitFunction", "the server says how long to wait"
    elif plan.wait_function:
        try:
            wait_curve(plan.wait_function)
        except ConfigurationError as error:
            yield "smartEndpointingPlan.waitFunction", error.problem
    if plan.asks_a_server and plan.server is None and spec.webhook is None:
        yield (
            "smartEndpointingPlan.server",
            "is not named, nor the assistant's: its number's or its organisation's is asked",
        )
    for at, rule in enumerate(spec.start_speaking_plan.custom_endpointing_rules):
        for field, (pattern, _) in patterns_of(rule).items():
            if why := pattern_problem(pattern):
                yield f"customEndpointingRules.{at}.{to_camel(field)}", why


def _of_a_hook(hook: Hook) -> Iterator[tuple[str, str]]:
    if not (hook.on in hook_spec.KNOWN or hook_spec.is_speech_timeout(hook.on)):
        yield "on", f"hooks are carried out on {', '.join(hook_spec.KNOWN)}, and on nothing else"
        return
    for at, action in enumerate(hook.do):
        if hook.on == hook_spec.ENDING and action.type != "tool":
            yield f"do.{at}.type", "nobody hears it any more: when a call is over, tools are run"
        if action.type == "tool" and action.tool is not None:
            yield from ((f"do.{at}.tool.{field}", why) for field, why in ignored_of_tool(action.tool))
        elif action.type == "tool":
            yield f"do.{at}.toolId", "tools are written in do.tool"
    for at, each in enumerate(hook.filters):
        if hook.on != hook_spec.ENDING or each.key != hook_spec.ENDED_REASON:
            yield f"filters.{at}", "filters look at call.endedReason, when a call is ending"


def ignored_of_tool(tool: ToolDefinition, *, served: bool = True) -> Iterator[tuple[str, str]]:
    """The same of one tool, an assistant's own or a stored one. ``served``: its assistant may have a server."""
    if tool.type not in RUN_TYPES:
        yield "type", f"tools of type {', '.join(RUN_TYPES)} are run, and no others"
        return
    said = tool.model_dump(by_alias=True, exclude_unset=True)
    for field, why in _TOOL_FIELDS.items():
        yield from ((path, why) for path in _set(said, field.split(".")))
    yield from _without_use(tool, said)
    if tool.asynchronous and tool.type != "function":
        yield "async", "only functions are run beside the conversation"
    if tool.type == "transferCall":
        yield from _of_destinations(tool, served=served or tool.server is not None)
    if tool.type == "handoff":
        yield from _of_handoffs(tool)
    for number, message in enumerate(tool.messages):
        path = f"messages.{number}"
        if message.type not in SAID_TYPES:
            yield f"{path}.type", f"messages of type {', '.join(SAID_TYPES)} are said, and no others"
        if message.blocking and message.type != "request-start":
            yield f"{path}.blocking", "only what is said as a tool begins can be waited for"
        if tool.asynchronous and message.type in ("request-start", "request-failed"):
            yield f"{path}", "of a tool that runs beside the conversation, only request-complete is said, as it begins"


_NOTHING = "is kept, and nothing here acts on it"
_OF_STORED = frozenset({"id", "orgId", "createdAt", "updatedAt", "version", "latestVersion"})
_OF_TYPES: Mapping[str, tuple[str, ...]] = {
    "variableExtractionPlan": ("function", "apiRequest"),
    "parameters": ("function", "apiRequest"),
    "knowledgeBases": ("query",),
    "toolMessages": ("mcp",),
    "metadata": ("mcp",),
    "credentialId": ("apiRequest",),
}
"""Fields of a tool, and the types of tool that know them."""


def _without_use(tool: ToolDefinition, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = {field.partition(".")[0] for field in _TOOL_FIELDS}
    for field in islice(tool.model_extra or (), MAX_LOOKED_UP):
        if field not in named | _OF_STORED:
            yield field, _NOTHING
    for field in islice((tool.server.model_extra if tool.server is not None else None) or (), MAX_LOOKED_UP):
        yield f"server.{field}", _NOTHING
    for field, types in _OF_TYPES.items():
        if tool.type not in types:
            yield from ((path, f"is for tools of type {', '.join(types)}") for path in _set(said, [field]))
    if tool.type == "mcp" and tool.server is not None and tool.server.credential_id:
        yield "server.credentialId", "server.headers and server.secret say who asks an MCP server"
    if tool.type == "query":
        yield from _of_knowledge(tool)
    if tool.rejection_plan is not None:
        yield from _of_conditions(tool.rejection_plan.conditions, "rejectionPlan.conditions")


def _of_knowledge(tool: ToolDefinition) -> Iterator[tuple[str, str]]:
    if not any(base.file_ids for base in tool.knowledge_bases):
        yield "knowledgeBases", "names no files: the tool is not offered"
    for at, base in enumerate(tool.knowledge_bases):
        for field in base.model_extra or ():
            yield f"knowledgeBases.{at}.{field}", "it is this server that looks, without a language model"


def _of_conditions(conditions: Sequence[Any], path: str) -> Iterator[tuple[str, str]]:
    for at, condition in enumerate(conditions):
        if condition.type == "group":
            yield from _of_conditions(condition.conditions, f"{path}.{at}.conditions")
        elif condition.type == "regex" and (problem := pattern_problem(condition.regex)):
            yield f"{path}.{at}.regex", problem


def _of_destinations(tool: ToolDefinition, *, served: bool) -> Iterator[tuple[str, str]]:
    if not tool.destinations and not served:
        yield "destinations", "there is no server to ask where to: name them, or the tool is not offered"
    for at, destination in enumerate(tool.destinations):
        if destination.type == "assistant":
            continue
        if not destination.address:
            yield f"destinations.{at}.type", "calls are handed over to a number, a SIP address or an assistant"
        yield from ignored_of_destination(destination, f"destinations.{at}")


def ignored_of_destination(destination: TransferDestination, path: str) -> Iterator[tuple[str, str]]:
    """What of a number or a SIP address that a call is handed over to has no effect, as dotted fields below ``path``."""
    for field, value in (destination.model_extra or {}).items():
        if field == "transferPlan" and isinstance(value, Mapping):
            yield from _of_transfer_plan(value, f"{path}.{field}")
        else:
            yield f"{path}.{field}", "a call is handed over blindly, by its carrier"


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
