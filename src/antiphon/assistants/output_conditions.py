"""When a structured output is asked about a call, and when not: its ``conditions``, in Vapi's shape. All must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from antiphon.wire_model import WireModel, parse


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a conversation that is over."""

    messages: int
    """Of the caller and the agent."""
    lasted_s: float | None = None
    """None: nobody knows, as of a session in text, or a call that was never taken."""
    ended_reason: str = ""
    """As the API calls it; empty where it has none."""


class MinMessages(WireModel):
    type: Literal["minMessages"]
    count: float = Field(ge=0)

    def why_not(self, facts: Facts) -> str:
        return "" if facts.messages >= self.count else f"there were fewer than {self.count:g} messages"


class MinCallDuration(WireModel):
    type: Literal["minCallDuration"]
    seconds: float = Field(ge=0)

    def why_not(self, facts: Facts) -> str:
        if facts.lasted_s is None or facts.lasted_s >= self.seconds:
            return ""
        return f"the call lasted less than {self.seconds:g} s"


class EndedReason(WireModel):
    type: Literal["endedReason"]
    operator: Literal["oneOf", "notOneOf"]
    values: tuple[str, ...] = Field(min_length=1)

    def why_not(self, facts: Facts) -> str:
        if (facts.ended_reason in self.values) == (self.operator == "oneOf"):
            return ""
        return f"the ended reason ({facts.ended_reason or 'none'}) is not one of those that are wanted"


class Conditions(WireModel):
    conditions: (
        tuple[Annotated[MinMessages | MinCallDuration | EndedReason, Field(discriminator="type")], ...] | None
    ) = None

    @property
    def count_messages(self) -> bool:
        """Whether they say themselves how short a conversation may be."""
        return any(isinstance(each, MinMessages) for each in self.conditions or ())

    def why_not(self, facts: Facts) -> str:
        """Why nothing is asked; empty: it is."""
        return next((reason for each in self.conditions or () if (reason := each.why_not(facts))), "")


def conditions_of(output: Mapping[str, Any]) -> Conditions:
    """Of a structured output's document. Raises ConfigurationError naming the field."""
    return parse(Conditions, {"conditions": output.get("conditions")})
