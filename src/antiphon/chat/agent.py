"""Who answers in a conversation in text, and where such a one is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from antiphon.chat.shown import Keep
from antiphon.providers.base import LanguageModel
from antiphon.tools.base import ToolRunner
from antiphon.vocabulary import Message


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assistant somebody asks for: by id (or a file's name), or one that came in the request. With a squad and no assistant: its
    first member."""

    assistant_id: str = ""
    assistant: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """As ``assistantOverrides``; later ones have been laid over earlier ones."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """What is known beside those that the overrides say: from assistants before."""
    squad_id: str = ""
    squad: Mapping[str, Any] | None = None
    """Whose members the conversation can be handed to by name, as the API has it."""
    squad_overrides: Mapping[str, Any] = field(default_factory=dict)
    """For all its members."""
    mocks: Mapping[str, str] = field(default_factory=dict)
    """What tools of these names answer, without anybody being asked."""

    @property
    def names_nobody(self) -> bool:
        return not (self.assistant_id or self.squad_id) and self.assistant is None and self.squad is None


@dataclass(frozen=True, slots=True)
class TextAgent:
    """An assistant without ears and voice."""

    model: LanguageModel
    tools: ToolRunner | None = None
    messages: tuple[Message, ...] = ()
    """What its history begins with: the system prompt."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the model: temperature, max_tokens …"""
    id: str = ""
    """Of the stored assistant, or the name of its file; empty for one that came with the request."""
    name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    """Dotted field, and why it has no effect."""
    handoffs: frozenset[str] = frozenset()
    """The names of its tools that hand the conversation over."""
    output_ids: tuple[str, ...] = ()
    """Stored structured outputs that are read out of a session with it when that is over."""
    outputs: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """And such as came with the assistant."""
    taken_over: Callable[[], TakenOver | None] = lambda: None
    """Whether one of those has been run with success, and for whom. An agent is found anew for each turn."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Who answers from now on."""

    agent: TextAgent
    wanted: Wanted
    """By which the same one is found again."""
    keep: Keep | None
    """What of the past it is shown; None: all, under the instructions so far, its own after them."""


class TextAgents(Protocol):
    """Finds those who answer."""

    async def find(self, org_id: str, wanted: Wanted) -> TextAgent | None:
        """Ready to be asked; None where there is no such assistant. Raises ConfigurationError naming the wrong field, and
        ProviderUnavailable."""
        ...

    async def model(
        self, org_id: str, document: Mapping[str, Any] | None, variables: Mapping[str, Any] | None = None
    ) -> TextAgent | None:
        """A model alone, as ``{"provider", "model", "messages"?, …}``, the templates of its messages filled in with ``variables``: for
        judging and reading. Where ``document`` names no provider it is the operator's own for such work; None where there is none.
        Raises ConfigurationError, ProviderUnavailable."""
        ...
