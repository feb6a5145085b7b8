"""Tools as a client names them, and which of them the model must use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from antiphon.surfaces.realtime.protocol.errors import unsupported
from antiphon.surfaces.realtime.protocol.fields import Fields

ChoiceWord = Literal["auto", "none", "required"]

MAX_TOOLS = 128
_MAX_NAME_CHARS = 128
_TOOL_TYPES: tuple[Literal["function", "mcp"], ...] = ("function", "mcp")
_CHOICE_WORDS: tuple[ChoiceWord, ...] = ("auto", "none", "required")
_MCP_SECRETS = ("authorization", "headers")


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function the client runs. ``parameters`` is a JSON Schema, any keys (``$schema`` too)."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True, slots=True)
class McpTool:
    """Tools of an MCP server. ``fields`` are the client's own, without ``authorization`` and ``headers``: we hold no secret that
    we do not use, and an echo would show it to every controller of the session."""

    server_label: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        return {"type": "mcp", "server_label": self.server_label, **self.fields}


Tool = FunctionTool | McpTool


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``name`` is set for ``function`` (and may be for ``mcp``), ``server_label`` for ``mcp``."""

    mode: ChoiceWord | Literal["function", "mcp"] = "auto"
    name: str | None = None
    server_label: str | None = None

    def to_wire(self) -> str | dict[str, Any]:
        """A word wherever one says it all: Pipecat reads only words."""
        if self.mode == "function":
            return {"type": "function", "name": self.name}
        if self.mode == "mcp":
            choice: dict[str, Any] = {"type": "mcp", "server_label": self.server_label}
            return choice | ({"name": self.name} if self.name is not None else {})
        return self.mode


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """The ``tools`` of a session or a response; none where absent or null."""
    return tuple(_tool(entry) for entry in fields.objects("tools", MAX_TOOLS))


def read_tool_choice(fields: Fields) -> ToolChoice | None:
    """The ``tool_choice`` of a session or a response. That the tool exists is not asked: tools may come later."""
    value = fields.value("tool_choice")
    if value is None:
        return None
    if isinstance(value, str):
        for word in _CHOICE_WORDS:
            if word == value:
                return ToolChoice(word)
        raise unsupported(fields.where("tool_choice"), value, _CHOICE_WORDS)
    described = fields.needed_nested("tool_choice")
    if described.needed_choice("type", _TOOL_TYPES) == "function":
        choice = ToolChoice("function", name=described.needed_identifier("name", max_chars=_MAX_NAME_CHARS))
    else:
        choice = ToolChoice(
            "mcp",
            name=described.identifier("name", max_chars=_MAX_NAME_CHARS),
            server_label=described.needed_identifier("server_label", max_chars=_MAX_NAME_CHARS),
        )
    described.close()
    return choice


def _tool(fields: Fields) -> Tool:
    if fields.needed_choice("type", _TOOL_TYPES) == "mcp":
        label = fields.needed_identifier("server_label", max_chars=_MAX_NAME_CHARS)
        return McpTool(label, fields.rest("type", "server_label", *_MCP_SECRETS))
    tool = FunctionTool(
        name=fields.needed_identifier("name", max_chars=_MAX_NAME_CHARS),
        description=fields.text("description") or "",
        parameters=fields.mapping("parameters") or {},
    )
    fields.close()
    return tool
