"""The tool calls a workflow makes: their arguments, and ids that are the same whenever the same history is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from antiphon.vocabulary import ToolCall
from antiphon.workflow import templates
from antiphon.workflow.spec import ToolNode
from antiphon.workflow.state import State


def tool_name(node: ToolNode) -> str:
    """What the tool of a node is called by."""
    return node.tool.called if node.tool else node.tool_id


def arguments_of(node: ToolNode, state: State) -> dict[str, Any]:
    """The parameters of the tool's schema that are known by name, then its static ones; empty ones are left out."""
    tool = node.tool
    if tool is None:
        return {name: value.raw for name, value in state.values}
    wanted = tool.function.parameters.get("properties", {}) if tool.function else {}
    arguments = {name: value.raw for name in wanted if (value := state.value(name)) is not None}
    for parameter in tool.parameters:
        if isinstance(parameter.value, str):
            arguments[parameter.key] = templates.render(parameter.value, lambda name: _raw(state, name))
        else:
            arguments[parameter.key] = parameter.value
    return {name: argument for name, argument in arguments.items() if argument not in ("", None)}


def _raw(state: State, name: str) -> str:
    value = state.value(name)
    return "" if value is None else str(value.raw)


def canonical(arguments: Mapping[str, Any]) -> str:
    """Arguments as text that is equal for equal arguments."""
    return json.dumps(arguments, sort_keys=True, default=str)


def call_of(node: ToolNode, state: State) -> ToolCall:
    """The call to make now. Its id follows from where it is made, how many came before, and its arguments: read again, the same history
    makes the same call, while another day or a second try is another one."""
    arguments = arguments_of(node, state)
    origin = f"{node.name}\n{state.calls}\n{canonical(arguments)}"
    return ToolCall(f"call_{hashlib.sha256(origin.encode()).hexdigest()[:16]}", tool_name(node), arguments)
