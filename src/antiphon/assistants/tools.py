"""An assistant's tools as the model and the conversation see them."""

from __future__ import annotations

from dataclasses import replace

from antiphon.assistants.spec import AssistantSpec, ToolDefinition
from antiphon.vocabulary import ToolSpec


def tool_specs(spec: AssistantSpec) -> tuple[ToolSpec, ...]:
    """The functions an assistant offers, in their order. Other types of tool (endCall, transferCall …) are not run by a ToolRunner."""
    tools = spec.model.tools if spec.model else ()
    return tuple(tool_spec(tool) for tool in tools if tool.type == "function")


def tool_spec(tool: ToolDefinition) -> ToolSpec:
    """One function. Its deadline is the server's time limit where it names one; its filler is Vapi's ``request-response-delayed``."""
    assert tool.function is not None, "functions are described, or the assistant would not have been read"
    spec = ToolSpec(
        tool.function.name, tool.function.description, dict(tool.function.parameters), asynchronous=tool.asynchronous
    )
    if tool.server is not None and "timeout_seconds" in tool.server.model_fields_set:
        spec = replace(spec, deadline_ms=round(tool.server.timeout_seconds * 1000))
    delayed = next((message for message in tool.messages if message.type == "request-response-delayed"), None)
    if delayed is not None:
        spec = replace(spec, filler=delayed.content or spec.filler)
        if delayed.timing_milliseconds is not None:
            spec = replace(spec, filler_after_ms=delayed.timing_milliseconds)
    return spec
