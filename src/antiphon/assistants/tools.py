"""An assistant's tools as the model and the conversation see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import FunctionSpec, ToolDefinition, ToolMessage, TransferDestination
from antiphon.tools.builtin import Destination, dtmf_parameters, transfer_parameters
from antiphon.tools.handoff import handoff_function
from antiphon.tools.query import query_parameters
from antiphon.vocabulary import ToolSaying, ToolSpec, ToolWords

RUN_TYPES = ("apiRequest", "dtmf", "endCall", "function", "handoff", "mcp", "query", "transferCall", "voicemail")
"""Types of tool that are run; others are named in a warning (``ignored``)."""
HANDOFF_DEADLINE_MS = 12_000
"""The engines of the next assistant may have to start."""
KEYS_DEADLINE_MS = 60_000
"""The longest row of keys and pauses, and what the agent was saying before."""
SAID_TYPES = ("request-complete", "request-failed", "request-response-delayed", "request-start")
_MODE = "transferMode"
_DESCRIPTIONS = {
    "endCall": "End the call. Say goodbye in the same answer, before.",
    "transferCall": "Hand the caller over to somebody else.",
    "dtmf": "Press keys of the telephone, where a menu or an extension asks for them.",
    "voicemail": "Leave a message and end the call. Only where a voicemail greeting or its beep was heard, never to a person.",
}


def run_tools(spec: AssistantSpec) -> Iterator[tuple[ToolDefinition, ToolSpec]]:
    """The tools an assistant offers, in their order; those of types that are not run left out, and those of MCP servers, which are known
    once these have been asked (``mcp_servers``)."""
    for written in spec.model.tools if spec.model else ():
        for tool in _as_run(written):
            if tool.type in RUN_TYPES and tool.type != "mcp" and _leads_somewhere(tool, spec):
                yield tool, tool_spec(tool, spoken_language(spec))


def _as_run(tool: ToolDefinition) -> Iterator[ToolDefinition]:
    """A transfer to assistants is a handoff; under the transfer's own name, where it goes nowhere else."""
    assistants = [one for one in tool.destinations if one.type == "assistant"] if tool.type == "transferCall" else []
    elsewhere = not assistants or bool(destinations_of(tool))
    if assistants:
        moved = tuple(
            one.model_copy(update={_MODE: (one.model_extra or {}).get(_MODE, "rolling-history")}) for one in assistants
        )
        named = tool.function or (None if elsewhere else FunctionSpec(name=tool.type))
        yield tool.model_copy(update={"type": "handoff", "destinations": moved, "function": named})
    if elsewhere:
        yield tool


def _leads_somewhere(tool: ToolDefinition, spec: AssistantSpec) -> bool:
    if tool.type == "transferCall":
        return bool(destinations_of(tool)) or (not tool.destinations and (tool.server or spec.webhook) is not None)
    if tool.type == "query":
        return any(base.file_ids for base in tool.knowledge_bases)
    return tool.type != "handoff" or bool(tool.destinations)


def mcp_servers(spec: AssistantSpec) -> Iterator[tuple[int, ToolDefinition]]:
    """The servers that are asked for their tools, each with its place in ``model.tools``."""
    for at, tool in enumerate(spec.model.tools if spec.model else ()):
        if tool.type == "mcp":
            yield at, tool


def spoken_language(spec: AssistantSpec) -> str:
    """The one that the assistant speaks, as far as it is written; empty where it is not."""
    voice = spec.voice.language if spec.voice else ""
    return voice or (spec.transcriber.language if spec.transcriber else "")


def mcp_tool_spec(
    tool: ToolDefinition, name: str, named_there: str, description: str, parameters: dict[str, Any], language: str = ""
) -> ToolSpec:
    """One tool of an MCP server, where it is called ``named_there``: with what is said around it."""
    own = next((one.messages for one in tool.tool_messages if one.name == named_there), None)
    around = tool if own is None else tool.model_copy(update={"messages": own})
    return replace(tool_spec(around, language), name=name, description=description[:1000], parameters=parameters)


def tool_specs(spec: AssistantSpec) -> tuple[ToolSpec, ...]:
    return tuple(offered for _, offered in run_tools(spec))


def tool_spec(tool: ToolDefinition, language: str = "") -> ToolSpec:
    """One tool, with what is said around it in this language. Its deadline is its time limit where it names one."""
    if tool.type == "handoff":
        return _handoff_spec(tool, language)
    function = tool.function
    name = (function.name if function else "") or tool.name or tool.type
    told = (function.description if function else "") or tool.description or _described(tool)
    spec = ToolSpec(name, told, _parameters(tool), asynchronous=tool.asynchronous and tool.type == "function")
    limit = tool.timeout_seconds if tool.type == "apiRequest" else None
    if tool.server is not None and "timeout_seconds" in tool.server.model_fields_set:
        limit = tool.server.timeout_seconds
    if tool.type == "dtmf":  # a word over a tone would spoil it
        spec = replace(spec, deadline_ms=KEYS_DEADLINE_MS, filler="")
    if limit is not None:
        spec = replace(spec, deadline_ms=round(limit * 1000))
    return replace(spec, words=_words(tool, language, spec.filler_after_ms))


def _described(tool: ToolDefinition) -> str:
    if tool.type != "query":
        return _DESCRIPTIONS.get(tool.type, "")
    about = "; ".join(
        f"{base.name}: {base.description}" if base.name and base.description else base.name or base.description
        for base in tool.knowledge_bases
        if base.file_ids
    )
    return f"Look up facts before you answer about them. {about}"[:1000].strip()


def _handoff_spec(tool: ToolDefinition, language: str) -> ToolSpec:
    """Whoever interrupts has it left undone: nothing has been done yet that the caller could miss."""
    spec = ToolSpec(tool.type)
    name, told, parameters = handoff_function(handoffs_of(tool))
    if tool.function is not None:
        name, told = tool.function.name, tool.function.description or told
        parameters = dict(tool.function.parameters) or parameters
    # Who takes over speaks next.
    words = replace(_words(tool, language, spec.filler_after_ms), complete=())
    return replace(
        spec, name=name, description=told, parameters=parameters, deadline_ms=HANDOFF_DEADLINE_MS, words=words,
        cancel_on_interruption=True,
    )  # fmt: skip


def handoffs_of(tool: ToolDefinition) -> list[dict[str, Any]]:
    """The destinations of a handoff, as they are written."""
    return [one.model_dump(by_alias=True, exclude_unset=True) for one in tool.destinations]


def said_in(message: ToolMessage, language: str) -> str:
    """``contents`` come before ``content``, as the platform has it."""
    texts = {content.language.lower(): content.text for content in reversed(message.contents) if content.text}
    wanted = language.lower()
    near = (text for tag, text in texts.items() if wanted and _main(tag) == _main(wanted))
    return texts.get(wanted) or next(near, "") or next(reversed(texts.values()), "") or message.content


def _main(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0]


def destinations_of(tool: ToolDefinition) -> list[Destination]:
    """Those that a call can be handed over to."""
    return [Destination(one.address, _spoken_before(one), one.description) for one in tool.destinations if one.address]


def _spoken_before(destination: TransferDestination) -> str:
    message = destination.message
    text = message if isinstance(message, str) else message.get("content", "")
    return text if isinstance(text, str) else ""


def _parameters(tool: ToolDefinition) -> dict[str, Any]:
    if tool.type == "apiRequest":
        return dict(tool.body or {})
    if tool.type == "transferCall":
        own = dict(tool.function.parameters) if tool.function is not None and not tool.destinations else {}
        return own or transfer_parameters(destinations_of(tool))
    if tool.type == "dtmf":
        return dtmf_parameters()
    if tool.type == "query":
        return query_parameters([base.name for base in tool.knowledge_bases if base.file_ids])
    return dict(tool.function.parameters) if tool.function is not None else {}


def _words(tool: ToolDefinition, language: str, delayed_ms: int) -> ToolWords:
    def sayings(kind: str, after_ms: int = 0) -> tuple[ToolSaying, ...]:
        return tuple(
            _saying(message, language, after_ms if message.timing_milliseconds is None else message.timing_milliseconds)
            for message in tool.messages
            if message.type == kind
        )

    return ToolWords(
        sayings("request-start"),
        () if tool.type == "dtmf" else sayings("request-response-delayed", delayed_ms),
        sayings("request-complete"),
        sayings("request-failed"),
    )


def _saying(message: ToolMessage, language: str, after_ms: int) -> ToolSaying:
    last = message.type in ("request-complete", "request-failed")
    to_model = last and message.role == "system"
    return ToolSaying(
        said_in(message, language),
        tuple(condition.compiled() for condition in message.conditions),
        to_model,
        blocking=message.blocking and message.type == "request-start",
        ends_call=message.end_call_after_spoken_enabled and last and not to_model,
        after_ms=after_ms if message.type == "request-response-delayed" else 0,
    )
