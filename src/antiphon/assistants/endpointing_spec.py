"""An assistant's say in when the caller has finished, in Vapi's shape: rules by regular expression, a function of the odds, a server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field

from antiphon.assistants.tool_definition import ServerSpec
from antiphon.wire_model import WireModel

ASKS_A_SERVER = "custom-endpointing-model"
MAX_RULES = 100
Pattern = Annotated[str, Field(min_length=1, max_length=1000)]
Seconds = Annotated[float, Field(ge=0, le=15)]


class RegexOption(WireModel):
    type: Literal["ignore-case", "whole-word", "multi-line"]
    enabled: bool = False


Options = Annotated[tuple[RegexOption, ...], Field(max_length=20)]


class AssistantRule(WireModel):
    """By what the assistant said last."""

    type: Literal["assistant"]
    regex: Pattern
    regex_options: Options = ()
    timeout_seconds: Seconds


class CustomerRule(WireModel):
    """By what the caller has said so far in their turn."""

    type: Literal["customer"]
    regex: Pattern
    regex_options: Options = ()
    timeout_seconds: Seconds


class BothRule(WireModel):
    """By both."""

    type: Literal["both"]
    assistant_regex: Pattern
    assistant_regex_options: Options = ()
    customer_regex: Pattern
    customer_regex_options: Options = ()
    timeout_seconds: Seconds


EndpointingRule = Annotated[AssistantRule | CustomerRule | BothRule, Discriminator("type")]


class SmartEndpointingPlan(WireModel):
    """Of ``vapi`` and ``livekit`` we are the model ourselves."""

    provider: str = ""
    wait_function: str = Field(default="", max_length=500)
    """How many ms to wait, by how likely it is that the caller speaks on (``x``, 0…1)."""
    server: ServerSpec | None = None
    """Of ``custom-endpointing-model``: who is asked. Left out: the assistant's."""

    @property
    def asks_a_server(self) -> bool:
        return self.provider == ASKS_A_SERVER


def patterns_of(rule: Any) -> dict[str, tuple[str, frozenset[str]]]:
    """The regular expressions of a rule by their fields, each with the options that are on."""
    found = {}
    for field in ("regex", "assistant_regex", "customer_regex"):
        if pattern := getattr(rule, field, ""):
            options = getattr(rule, f"{field}_options")
            found[field] = (pattern, frozenset(each.type for each in options if each.enabled))
    return found
