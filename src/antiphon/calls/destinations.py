"""Who is meant by the destination of a handoff, and with which overrides: the same for calls and for conversations in text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from antiphon.assistants.templates import default_variables, filled
from antiphon.calls.finder import AssistantFinder
from antiphon.calls.squads import Member, Squad, laid_over, squad_of
from antiphon.conversation.context import ContextKind, ContextPlan
from antiphon.errors import ConfigurationError
from antiphon.tools.handoff import is_transfer

FindSquad = Callable[[str, str], Awaitable[Mapping[str, Any] | None]]
"""``(org_id, id)``: the stored squad."""
_KINDS: Mapping[str, ContextKind] = {
    "all": "all", "none": "none", "lastNMessages": "last", "userAndAssistantMessages": "spoken",
    "previousAssistantMessages": "before",
}  # fmt: skip
_MODES: Mapping[str, ContextKind] = {
    "rolling-history": "rolling", "swap-system-message-in-history": "all",
    "swap-system-message-in-history-and-remove-transfer-tool-messages": "all", "delete-history": "none",
}  # fmt: skip
_MOST_MESSAGES = 1_000_000


class Destinations:
    """One per process."""

    def __init__(self, finder: AssistantFinder, find_squad: FindSquad) -> None:
        self._finder = finder
        self._find_squad = find_squad

    async def member(
        self, org_id: str, squad: Squad | None, destination: Mapping[str, Any]
    ) -> tuple[Member, Squad | None]:
        """Who is meant, and the squad whose members can be named from then on. ``squad``: whose members can be named now. Raises
        ConfigurationError naming the field, StoreUnavailable."""
        if destination.get("type") == "squad":
            squad = await self._squad(org_id, destination)
            entry = destination.get("entryAssistantName")
            return (await self._named(org_id, squad, entry) if entry else squad.members[0]), squad
        written, id, name = (destination.get(key) for key in ("assistant", "assistantId", "assistantName"))
        if isinstance(id, str) and id:
            own = next((each for each in squad.members if each.assistant_id == id), None) if squad else None
            return own or Member(id), squad
        if isinstance(written, Mapping):
            return Member("", written), squad
        if not isinstance(name, str) or not name:
            raise ConfigurationError("destination", "must name an assistant: assistantName, assistantId or assistant")
        if squad is None:
            raise ConfigurationError("destination.assistantName", "names a member of a squad, and there is none here")
        return await self._named(org_id, squad, name), squad

    def overrides(
        self, member: Member, destination: Mapping[str, Any], known: Mapping[str, Any], told: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """As if it had begun with this assistant. ``known``: the variables so far; ``told``: those that come with the handoff, which are
        among them. Raises ConfigurationError."""
        overrides = laid_over(member.overrides, destination.get("assistantOverrides"))
        found = {**told, **self._aliases(destination, known)}
        if not found:
            return overrides
        values = overrides.get("variableValues")
        return {**overrides, "variableValues": {**(values if isinstance(values, Mapping) else {}), **found}}

    async def _squad(self, org_id: str, destination: Mapping[str, Any]) -> Squad:
        document, id = destination.get("squad"), destination.get("squadId")
        if isinstance(id, str) and id:
            document = await self._find_squad(org_id, id)
            if document is None:
                raise ConfigurationError("destination.squadId", f"there is no squad {id[:64]}")
        if not isinstance(document, Mapping):
            raise ConfigurationError("destination", "must name a squad: squadId or squad")
        return squad_of(document, destination.get("squadOverrides"), id=id if isinstance(id, str) else "")

    async def _named(self, org_id: str, squad: Squad, name: object) -> Member:
        names = []
        for member in squad.members:
            found = member.named or await self._finder.name_of(org_id, member.assistant_id)
            if found == name:
                return member
            names.append(found or member.assistant_id)
        raise ConfigurationError(
            "destination.assistantName", f"there is no member {str(name)[:64]}; there are {', '.join(names)[:500]}"
        )

    @staticmethod
    def _aliases(destination: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
        plan = destination.get("variableExtractionPlan")
        aliases = plan.get("aliases") if isinstance(plan, Mapping) else None
        found: dict[str, str] = {}
        for alias in aliases if isinstance(aliases, list | tuple) else ():
            if isinstance(alias, Mapping) and isinstance(alias.get("key"), str) and isinstance(alias.get("value"), str):
                found[alias["key"]] = filled(alias["value"], {**known, **found}, _unnoted)
        return found


def _unnoted(name: str) -> None:
    """A variable that is not defined is an empty text here."""


def known_variables(before: Mapping[str, Any], told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the next assistant's texts may say: what was known ``before`` but for the time, which is another one now, and what is
    ``told``."""
    stale = default_variables(0)
    known = {**before, **told}
    return {name: value for name, value in known.items() if name not in stale or name in told}


def context_of(destination: Mapping[str, Any], handoff_tools: tuple[str, ...] = ()) -> ContextPlan:
    """``handoff_tools``: the names of the leaving assistant's tools that hand over. Raises ConfigurationError."""
    written = destination.get("contextEngineeringPlan")
    if written is None and is_transfer(destination):
        mode = destination.get("transferMode", "rolling-history")
        if mode not in _MODES:
            raise ConfigurationError("destination.transferMode", f"is one of {', '.join(_MODES)}")
        hidden = handoff_tools if str(mode).endswith("remove-transfer-tool-messages") else ()
        return ContextPlan(_MODES[mode], without=hidden)
    plan = written if written is not None else {"type": "all"}
    kind = _KINDS.get(plan.get("type", "all")) if isinstance(plan, Mapping) else None
    if kind is None:
        raise ConfigurationError("destination.contextEngineeringPlan.type", f"is one of {', '.join(_KINDS)}")
    if kind != "last":
        return ContextPlan(kind)
    most = plan.get("maxMessages")
    if isinstance(most, bool) or not isinstance(most, int | float) or not 0 <= most <= _MOST_MESSAGES:
        raise ConfigurationError("destination.contextEngineeringPlan.maxMessages", "must be a number of 0 or more")
    return ContextPlan(kind, int(most))
