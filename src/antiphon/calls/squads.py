"""Squads: assistants that hand a call to one another. The first member begins. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.assistants.compile import merged
from antiphon.errors import ConfigurationError

_TOOLS = "tools:append"
MAX_MEMBERS = 100


@dataclass(frozen=True, slots=True)
class Member:
    """One assistant of a squad: stored, or written out."""

    assistant_id: str
    assistant: Mapping[str, Any] | None = field(default=None, repr=False)
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Its own, the squad's and the call's, laid over each other; its handoffs are among the tools they append."""

    @property
    def named(self) -> str:
        """Its name, where that is known without looking the assistant up."""
        name = self.overrides.get("name") or (self.assistant or {}).get("name")
        return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True)
class Squad:
    """At least one member."""

    members: tuple[Member, ...]
    id: str = ""


def squad_of(document: Mapping[str, Any], *overrides: Any, id: str = "") -> Squad:
    """``document`` is a squad as the API has it; ``overrides`` are for all its members, besides its own. Raises ConfigurationError naming
    the field."""
    written = document.get("members")
    if not isinstance(written, list | tuple) or not written:
        raise ConfigurationError("squad.members", "must contain at least 1 element")
    if len(written) > MAX_MEMBERS:
        raise ConfigurationError("squad.members", f"must contain no more than {MAX_MEMBERS} elements")
    common = (document.get("membersOverrides"), *overrides)
    members = tuple(_member(each, common, at) for at, each in enumerate(written))
    names = [member.named for member in members if member.named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            "squad.members", f"must have different names: there are several called {twice[0][:64]}"
        )
    return Squad(members, id)


def _member(written: Any, common: Iterable[Any], at: int) -> Member:
    if not isinstance(written, Mapping):
        raise ConfigurationError(f"squad.members.{at}", "must be an object")
    assistant_id, assistant = written.get("assistantId") or "", written.get("assistant")
    if not isinstance(assistant_id, str):
        raise ConfigurationError(f"squad.members.{at}.assistantId", "must be a string")
    if not assistant_id and not isinstance(assistant, Mapping):
        raise ConfigurationError(f"squad.members.{at}", "one of assistantId and assistant must be given")
    laid = laid_over(written.get("assistantOverrides"), *common)
    destinations = written.get("assistantDestinations") or ()
    handoffs = [
        {"type": "handoff", "destinations": [each]} for each in destinations if isinstance(each, Mapping) and each
    ]
    if handoffs:
        laid = {**laid, _TOOLS: [*(laid.get(_TOOLS) or ()), *handoffs]}
    return Member(assistant_id, assistant if not assistant_id else None, laid)


def laid_over(*overrides: Any) -> Mapping[str, Any]:
    """One after the other; what each lets tools be appended is kept. Raises ConfigurationError."""
    whole: Mapping[str, Any] = {}
    for each in overrides:
        if each is None:
            continue
        if not isinstance(each, Mapping):
            raise ConfigurationError("squadOverrides", "must be an object")
        tools = [*(whole.get(_TOOLS) or ()), *(each.get(_TOOLS) or ())]
        whole = {**merged(whole, each), **({_TOOLS: tools} if tools else {})}
    return whole
