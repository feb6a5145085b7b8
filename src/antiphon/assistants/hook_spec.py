"""What an assistant does when something happens in its call, in Vapi's shape (``calls.hook_rules`` says what each event is here)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, model_validator

from antiphon.assistants.texts import Message1000, PromptMessage
from antiphon.assistants.tool_definition import ToolDefinition
from antiphon.wire_model import WireModel

ASSISTANT_INTERRUPTED = "assistant.speech.interrupted"
CUSTOMER_INTERRUPTED = "customer.speech.interrupted"
SPEECH_TIMEOUT = "customer.speech.timeout"
TIME_ELAPSED = "call.timeElapsed"
MODEL_TIMEOUT = "model.response.timeout"
ENDING = "call.ending"
KNOWN = (ASSISTANT_INTERRUPTED, CUSTOMER_INTERRUPTED, SPEECH_TIMEOUT, TIME_ELAPSED, MODEL_TIMEOUT, ENDING)
ENDED_REASON = "call.endedReason"
"""What a filter may look at."""


def is_speech_timeout(on: str) -> bool:
    """It may carry a property in brackets, for whoever made it."""
    return on == SPEECH_TIMEOUT or (on.startswith(f"{SPEECH_TIMEOUT}[") and on.endswith("]"))


class SayHookAction(WireModel):
    """Words: these (of several, one by chance), or what the model makes of a prompt."""

    type: Literal["say"]
    exact: Message1000 | Annotated[tuple[Message1000, ...], Field(min_length=1, max_length=20)] | None = None
    prompt: (
        Annotated[str, Field(max_length=10_000)] | Annotated[tuple[PromptMessage, ...], Field(max_length=20)] | None
    ) = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SayHookAction:
        if bool(self.exact) == bool(self.prompt):
            raise ValueError("an action of type say needs either exact or prompt")
        return self


class MessageHookAction(WireModel):
    type: Literal["message.add"]
    message: PromptMessage
    trigger_response_enabled: bool = True


class ToolHookAction(WireModel):
    """``tool``, or a stored one by its id: ``calls.finder`` puts it there."""

    type: Literal["tool"]
    tool: ToolDefinition | None = None
    tool_id: str = Field(default="", max_length=64)

    @model_validator(mode="after")
    def _names_one(self) -> ToolHookAction:
        if self.tool is None and not self.tool_id:
            raise ValueError("an action of type tool needs tool or toolId")
        return self


HookAction = Annotated[SayHookAction | MessageHookAction | ToolHookAction, Discriminator("type")]


class HookFilter(WireModel):
    type: Literal["oneOf"]
    key: str = Field(max_length=1000)
    one_of: tuple[str, ...] = Field(max_length=100)

    def lets_through(self, reason: str) -> bool:
        """Whether a call that ended for this reason passes. A filter on another key keeps nothing back."""
        return self.key != ENDED_REASON or reason in self.one_of


class HookOptions(WireModel):
    timeout_seconds: float = Field(default=7.5, ge=1, le=1000)
    trigger_max_count: int = Field(default=3, ge=1, le=10)
    trigger_reset_mode: Literal["onUserSpeech", "never"] = "never"
    seconds: float | None = Field(default=None, ge=1, le=3600)
    """Of ``call.timeElapsed``."""


class Hook(WireModel):
    """What an assistant does when something happens in its call (``calls.hook_rules``)."""

    on: str = Field(min_length=1, max_length=1000)
    do: tuple[HookAction, ...] = Field(max_length=20)
    filters: tuple[HookFilter, ...] = Field(default=(), max_length=20)
    options: HookOptions = Field(default_factory=HookOptions)
    name: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _has_its_time(self) -> Hook:
        if self.on == TIME_ELAPSED and self.options.seconds is None:
            raise ValueError(f"a hook on {TIME_ELAPSED} needs options.seconds")
        return self
