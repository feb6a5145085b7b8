"""A workflow as it is written: Vapi's JSON (retired there in August 2026) and what a caller needs when no language model reads it.

Vapi's own fields are ``nodes`` (``conversation``, ``tool``, ``hangup``), ``edges``, ``globalPrompt``, ``messagePlan.firstMessage``,
``variableExtractionPlan.schema`` and ``aliases``, ``globalNodePlan`` and the conditions ``ai``, ``logic`` and ``failed``. Ours are the
nodes ``transfer`` and ``end``, the conditions ``examples`` and ``corrected``, ``say`` and ``clear`` on edges, ``x-slot`` in a
schema, ``fallback``, ``timezone``, ``language``, ``knowledge`` and
``meaning``. A node's ``prompt`` is an instruction for a language model: the rule evaluator only speaks
what the prompt quotes, and only where the node has no first message.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from antiphon.wire_model import WireModel
from antiphon.workflow import intents, logic, templates
from antiphon.workflow.schema import ExtractionPlan, Language, Template

# ------------------------------------------------------------------------------------------------------------ conditions


class ExamplesCondition(WireModel):
    """The caller means what one of these phrases means, or what ``intent`` stands for."""

    type: Literal["examples"]
    phrases: tuple[str, ...] = ()
    intent: str = ""

    @model_validator(mode="after")
    def _something_to_match(self) -> ExamplesCondition:
        if self.intent and self.intent not in intents.BUILT_IN:
            raise ValueError(f"intent must be one of {', '.join(intents.BUILT_IN)}")
        if not self.phrases and not self.intent:
            raise ValueError("phrases or an intent are needed")
        return self

    @property
    def all_phrases(self) -> tuple[str, ...]:
        return self.phrases + intents.BUILT_IN.get(self.intent, ())


class AiCondition(WireModel):
    """Written for a language model; see ``intents.score_prompt`` for what rules make of it."""

    type: Literal["ai"]
    prompt: str = Field(min_length=1, max_length=1000)


class LogicCondition(WireModel):
    """A comparison of variables (see ``logic``)."""

    type: Literal["logic"]
    liquid: str

    @field_validator("liquid")
    @classmethod
    def _compiles(cls, value: str) -> str:
        logic.compile_expression(value)
        return value


class FailedCondition(WireModel):
    """The tool of this node failed."""

    type: Literal["failed"]


class CorrectedCondition(WireModel):
    """The caller has just changed a value given before."""

    type: Literal["corrected"]


Condition = Annotated[
    ExamplesCondition | AiCondition | LogicCondition | FailedCondition | CorrectedCondition, Field(discriminator="type")
]

# ------------------------------------------------------------------------------------------------------------ nodes


class MessagePlan(WireModel):
    first_message: Template = ""

    @field_validator("first_message")
    @classmethod
    def _template(cls, value: str) -> str:
        return templates.check(value)


def _condition_tag(value: Any) -> str:
    return "prompt" if isinstance(value, str) else "condition"


class GlobalNodePlan(WireModel):
    """A node that can be entered from everywhere."""

    enabled: bool = False
    enter_condition: Annotated[
        Annotated[str, Tag("prompt")] | Annotated[ExamplesCondition | AiCondition, Tag("condition")],
        Discriminator(_condition_tag),
    ] = ""

    @property
    def condition(self) -> ExamplesCondition | AiCondition | None:
        if not self.enabled or not self.enter_condition:
            return None
        if isinstance(self.enter_condition, str):
            return AiCondition(type="ai", prompt=self.enter_condition)
        return self.enter_condition


class NodeBase(WireModel):
    name: str = Field(min_length=1, max_length=80)
    is_start: bool = False
    message_plan: MessagePlan = Field(default_factory=MessagePlan)
    global_node_plan: GlobalNodePlan = Field(default_factory=GlobalNodePlan)
    variable_extraction_plan: ExtractionPlan = Field(default_factory=ExtractionPlan)
    metadata: dict[str, Any] = Field(default_factory=dict)
    """``position`` (``x``, ``y``) is where the console draws the node; the rest is the author's own."""


class ConversationNode(NodeBase):
    """Says something, then listens: for the values of its schema, for what its edges wait for."""

    type: Literal["conversation"]
    prompt: str = Field(default="", max_length=5000)
    reprompt: Template = ""
    """Ours: spoken when the answer was not understood."""
    help: Template = ""
    """Ours: what the caller may say here."""


class ToolFunction(WireModel):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class ToolParameter(WireModel):
    """A static argument; its value may name variables."""

    key: str
    value: Any = None


class Tool(WireModel):
    """A tool in Vapi's shape, as far as a workflow needs it."""

    type: str
    name: str = ""
    function: ToolFunction | None = None
    parameters: tuple[ToolParameter, ...] = ()
    destinations: tuple[dict[str, Any], ...] = ()
    messages: tuple[dict[str, Any], ...] = ()

    @property
    def called(self) -> str:
        """The name the model calls it by."""
        return self.function.name if self.function else self.name or self.type


class ToolNode(NodeBase):
    """Calls a tool and goes on with what it answered. The types endCall and transferCall end the workflow."""

    type: Literal["tool"]
    tool: Tool | None = None
    tool_id: str = ""

    @model_validator(mode="after")
    def _some_tool(self) -> ToolNode:
        if self.tool is None and not self.tool_id:
            raise ValueError("a tool or a toolId is needed")
        return self


class TransferNode(NodeBase):
    """Ours: hands the caller over to a telephone number or SIP URI."""

    type: Literal["transfer"]
    destination: str = Field(min_length=1)


class EndNode(NodeBase):
    """Says goodbye and ends the call."""

    type: Literal["end", "hangup"]


Node = Annotated[ConversationNode | ToolNode | TransferNode | EndNode, Field(discriminator="type")]


class Edge(WireModel):
    from_: str = Field(alias="from")
    to: str
    condition: Condition | None = None
    """None: always, once nothing more specific holds."""
    say: Template = ""
    """Ours: spoken on the way."""
    clear: tuple[str, ...] = ()
    """Ours: values to forget on the way."""

    @field_validator("say")
    @classmethod
    def _template(cls, value: str) -> str:
        return templates.check(value)


class Fallback(WireModel):
    """What to do when the caller is not understood."""

    max_attempts: int = Field(default=3, ge=1, le=10)
    """After so many failures in a row at one question …"""
    to: str = ""
    """… go to this node (usually one that transfers to a person). Empty: keep asking."""
    say: Template = ""


class Knowledge(WireModel):
    """Ours: something callers ask about at any question, and what to say; the question in hand is put again after it."""

    ask: tuple[str, ...] = Field(min_length=1)
    """The question in a few ways."""
    say: Template

    @field_validator("say")
    @classmethod
    def _template(cls, value: str) -> str:
        return templates.check(value)


class WorkflowSpec(WireModel):
    name: str = Field(default="", max_length=80)
    nodes: tuple[Node, ...] = Field(min_length=1)
    edges: tuple[Edge, ...] = ()
    global_prompt: str = Field(default="", max_length=5000)
    fallback: Fallback = Field(default_factory=Fallback)
    timezone: str = ""
    """IANA name, like ``America/New_York``: what "today" and "past" mean to this workflow. Empty: the machine's own zone."""
    language: Language = "en"
    """What callers speak."""
    knowledge: tuple[Knowledge, ...] = ()
    meaning: Literal["off", "on"] = "off"
    """On: what no rule understands is compared with the workflow's phrases by a model of what sentences mean."""
