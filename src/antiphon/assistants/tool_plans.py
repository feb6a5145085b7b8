"""What a tool's author plans around its calls, in Vapi's shape: when they are refused, what is taken out of answers, where it looks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from antiphon.tools.extraction import Extraction
from antiphon.tools.rejection import Condition, Group, Matches, Says
from antiphon.wire_model import WireModel


class MessageTarget(WireModel):
    role: Literal["user", "assistant"] | None = None
    position: int = Field(default=-1, ge=-1000, le=1000)


class RegexCondition(WireModel):
    type: Literal["regex"]
    regex: str = Field(min_length=1, max_length=1000)
    target: MessageTarget = Field(default_factory=MessageTarget)
    negate: bool = False


class LiquidCondition(WireModel):
    type: Literal["liquid"]
    liquid: str = Field(max_length=10_000)


class GroupCondition(WireModel):
    type: Literal["group"]
    operator: Literal["AND", "OR"]
    conditions: tuple[AnyCondition, ...] = Field(default=(), max_length=32)


AnyCondition = Annotated[RegexCondition | LiquidCondition | GroupCondition, Field(discriminator="type")]


class RejectionPlan(WireModel):
    """All of them hold: the call is refused."""

    conditions: tuple[AnyCondition, ...] = Field(default=(), max_length=32)

    def compiled(self) -> tuple[Condition, ...]:
        return tuple(_compiled(one) for one in self.conditions)


def _compiled(condition: RegexCondition | LiquidCondition | GroupCondition) -> Condition:
    if isinstance(condition, RegexCondition):
        target = condition.target
        return Matches(condition.regex, target.role or "", target.position, condition.negate)
    if isinstance(condition, LiquidCondition):
        return Says(condition.liquid)
    return Group(tuple(_compiled(one) for one in condition.conditions), condition.operator == "AND")


class Alias(WireModel):
    key: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")
    value: str = Field(max_length=10_000)


class VariableExtractionPlan(WireModel):
    extraction_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")
    aliases: tuple[Alias, ...] = Field(default=(), max_length=50)

    def compiled(self) -> Extraction:
        return Extraction(self.extraction_schema, tuple((alias.key, alias.value) for alias in self.aliases))


class KnowledgeBase(WireModel):
    """Where a ``query`` tool looks. The provider's name is the platform's; it is this server that looks."""

    name: str = Field(default="", max_length=200)
    provider: str = ""
    description: str = Field(default="", max_length=2000)
    file_ids: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(default=(), max_length=100)


GroupCondition.model_rebuild()
