"""A tool in Vapi's shape, and where an application's server is."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from pydantic import Field, model_validator

from antiphon.assistants.tool_plans import KnowledgeBase, RejectionPlan, VariableExtractionPlan
from antiphon.vocabulary import ArgumentCondition
from antiphon.wire_model import WireModel


class BackoffPlan(WireModel):
    """When a request that failed is made again."""

    type: Literal["fixed", "exponential"] = "fixed"
    max_retries: int = Field(default=0, ge=0, le=10)
    base_delay_seconds: float = Field(default=1, ge=0, le=10)
    excluded_status_codes: tuple[int, ...] = Field(default=(), max_length=64)


class ServerSpec(WireModel):
    """Where an application's webhook listens."""

    url: str = Field(pattern=r"^https?://")
    timeout_seconds: float = Field(default=20, ge=1, le=300)
    secret: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    credential_id: str = ""
    backoff_plan: BackoffPlan | None = None


class FunctionSpec(WireModel):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = Field(default="", max_length=1000)
    parameters: dict[str, Any] = Field(default_factory=dict)


class MessageContent(WireModel):
    type: str = "text"
    text: str = ""
    language: str = ""


class ToolCondition(WireModel):
    """What one argument of a call must be."""

    param: str = Field(min_length=1, max_length=256)
    operator: Literal["eq", "neq", "gt", "gte", "lt", "lte"]
    value: str | bool | int | float

    def compiled(self) -> ArgumentCondition:
        value = self.value
        return ArgumentCondition(
            self.param, self.operator, value if isinstance(value, str) else orjson.dumps(value).decode()
        )


class ToolMessage(WireModel):
    """What is said while a tool works."""

    type: str
    content: str = ""
    contents: tuple[MessageContent, ...] = ()
    """The same in several languages: said is the one of the assistant's language, or else the first."""
    conditions: tuple[ToolCondition, ...] = Field(default=(), max_length=32)
    blocking: bool = False
    """Of ``request-start``: the tool is run once it has been heard."""
    role: Literal["assistant", "system"] = "assistant"
    """``system``: told to the model, not spoken."""
    end_call_after_spoken_enabled: bool = False
    timing_milliseconds: int | None = Field(default=None, ge=100, le=120_000)


class StaticParameter(WireModel):
    """An argument that the model neither sees nor chooses; texts in it are templates."""

    key: str = Field(min_length=1, max_length=128)
    value: Any = None


class TransferDestination(WireModel):
    """Where a call may be handed over to."""

    type: str
    number: str = ""
    sip_uri: str = ""
    message: str | dict[str, Any] = ""
    description: str = ""

    @property
    def address(self) -> str:
        """Empty where it is neither a number nor a SIP address."""
        return {"number": self.number, "sip": self.sip_uri}.get(self.type, "")


class McpToolMessages(WireModel):
    """What is said around one tool of an MCP server, in the place of what is said around all of them."""

    name: str = Field(min_length=1, max_length=128)
    messages: tuple[ToolMessage, ...] | None = None


class ToolDefinition(WireModel):
    """A tool in Vapi's shape. A function is run by its server; without one it is run here, if it is registered here, or else by the
    assistant's server."""

    type: str
    function: FunctionSpec | None = None
    server: ServerSpec | None = None
    asynchronous: bool = Field(default=False, alias="async")
    messages: tuple[ToolMessage, ...] = ()
    parameters: tuple[StaticParameter, ...] = Field(default=(), max_length=64)
    name: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    """Of ``apiRequest``, as the next seven."""
    description: str = Field(default="", max_length=1000)
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: str = Field(default="", max_length=8192)
    headers: dict[str, Any] | None = None
    """A JSON Schema whose properties have a ``value``, or a name and a text for each."""
    body: dict[str, Any] | None = None
    """A JSON Schema of what the model fills in."""
    timeout_seconds: float | None = Field(default=None, ge=1, le=300)
    credential_id: str = Field(default="", max_length=255)
    """Of a stored credential that says how the request is authenticated."""
    destinations: tuple[TransferDestination, ...] = Field(default=(), max_length=64)
    """Of ``transferCall``."""
    knowledge_bases: tuple[KnowledgeBase, ...] = Field(default=(), max_length=20)
    """Of ``query``."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Of ``mcp``, as the next one: ``protocol`` is ``shttp`` or ``sse``."""
    tool_messages: tuple[McpToolMessages, ...] = Field(default=(), max_length=200)
    backoff_plan: BackoffPlan | None = None
    """Of ``apiRequest``."""
    rejection_plan: RejectionPlan | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None

    @model_validator(mode="after")
    def _functions_are_described(self) -> ToolDefinition:
        if self.type == "function" and self.function is None:
            raise ValueError("a tool of type function needs function.name")
        if self.type == "apiRequest" and not self.url:
            raise ValueError("a tool of type apiRequest needs a url")
        if self.type == "mcp" and self.server is None:
            raise ValueError("a tool of type mcp needs server.url")
        if self.type == "mcp" and self.metadata.get("protocol", "shttp") not in ("shttp", "sse"):
            raise ValueError("metadata.protocol of a tool of type mcp must be shttp or sse")
        return self
