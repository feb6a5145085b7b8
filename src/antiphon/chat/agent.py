"""Who answers in a conversation in text, and where such a one is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from antiphon.providers.base import LanguageModel
from antiphon.tools.base import ToolRunner
from antiphon.vocabulary import Message


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
    variables: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    """Dotted field, and why it has no effect."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assistant somebody asks for: by id (or a file's name), or one that came in the request."""

    assistant_id: str = ""
    assistant: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """As ``assistantOverrides``; later ones have been laid over earlier ones."""


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
