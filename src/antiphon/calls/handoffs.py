"""Calls that are handed from one assistant to another while they live: who it is, with which engines, and what it is told of the past."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import structlog

from antiphon.assistants.templates import default_variables
from antiphon.assistants.tools import run_tools
from antiphon.calls.planned import CallRequest, CallType, Coming, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.calls.squads import Member, Squad, laid_over, squad_of
from antiphon.conversation.context import ContextKind, ContextPlan
from antiphon.conversation.events import SayRequested
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import ExpectedAnswers
from antiphon.session.plan import Engines, Successor
from antiphon.session.session import Session
from antiphon.tools.handoff import is_transfer

FindSquad = Callable[[str, str], Awaitable[Mapping[str, Any] | None]]
"""``(org_id, id)``: the stored squad."""
Fill = Callable[[str, Mapping[str, Any]], str]
"""A template with its variables. Raises ConfigurationError."""
MAX_HANDOFFS = 100
"""In one call: assistants that pass a caller round and round are stopped."""
_KINDS: Mapping[str, ContextKind] = {
    "all": "all", "none": "none", "lastNMessages": "last", "userAndAssistantMessages": "spoken",
    "previousAssistantMessages": "before",
}  # fmt: skip
_MODES: Mapping[str, ContextKind] = {
    "rolling-history": "rolling", "swap-system-message-in-history": "all",
    "swap-system-message-in-history-and-remove-transfer-tool-messages": "all", "delete-history": "none",
}  # fmt: skip
_MOST_MESSAGES = 1_000_000
log = structlog.get_logger(__name__)


class Handoffs:
    """One per process."""

    def __init__(
        self,
        planner: CallPlanner,
        find: Callable[[str], Session | None],
        find_squad: FindSquad,
        opening: Callable[[Engines, str], ExpectedAnswers],
        fill: Fill,
    ) -> None:
        """``find`` is a live call of this process; ``opening(engines, call_id)`` what may be said to the first words of a new lead."""
        self._planner = planner
        self._find = find
        self._find_squad = find_squad
        self._opening = opening
        self._fill = fill

    async def hand_over(
        self, call_id: str, destination: Mapping[str, Any], told: Mapping[str, Any] | None = None, say: str = ""
    ) -> str:
        """``destination`` as the API has it; ``told`` are variables that the next assistant's texts may say, ``say`` what this one says
        before. The next takes over once nothing of this one is being said. Returns its name. Raises ConfigurationError naming the field,
        ProviderError where one of its engines cannot be opened, StoreUnavailable: then all stays as it is."""
        planned, session = self._planner.known(call_id), self._find(call_id)
        if planned is None or session is None:
            raise ConfigurationError("destination", "this call has no other assistants")
        if planned.handoffs >= MAX_HANDOFFS:
            raise ConfigurationError("destination", f"this call was handed over {MAX_HANDOFFS} times")
        leaving = planned.assistant
        own = tuple(offered.name for tool, offered in run_tools(leaving.spec) if tool.type == "handoff")
        plan = context_of(destination, own)
        member, squad = await self._member(planned, destination)
        request = self._request(planned, member, destination, told or {})
        assistant, engines = await self._planner.ready(request, call_id)
        if self._planner.keeps_nothing(assistant.spec) and not self._planner.keeps_nothing(leaving.spec):
            raise ConfigurationError("compliancePlan.hipaaEnabled", "this call is written down, and cannot be for it")
        session = self._find(call_id)
        if session is None:
            raise ConfigurationError("destination", "the call is over")
        before, planned.coming = planned.coming, Coming(assistant, squad)
        try:
            if say:
                session.feed(SayRequested(say, interruptible=False))
            session.succeed(
                Successor(
                    assistant.spec.name, assistant.policy, assistant.messages, engines, plan, assistant.id,
                    self._opening(engines, call_id), leaving.spec.name, leaving.id,
                )
            )  # fmt: skip
        except ProviderError:
            planned.coming = before
            raise
        planned.handoffs += 1
        log.info("call_handed_over", call_id=call_id, assistant_id=assistant.id)
        return assistant.spec.name or assistant.id or "the next assistant"

    async def _member(self, planned: PlannedCall, destination: Mapping[str, Any]) -> tuple[Member, Squad | None]:
        """Who is meant, and the squad whose members can be named from then on."""
        squad = planned.squad
        if destination.get("type") == "squad":
            squad = await self._squad(planned.org_id, destination)
            entry = destination.get("entryAssistantName")
            return (await self._named(planned.org_id, squad, entry) if entry else squad.members[0]), squad
        written, id, name = (destination.get(key) for key in ("assistant", "assistantId", "assistantName"))
        if isinstance(id, str) and id:
            own = next((each for each in squad.members if each.assistant_id == id), None) if squad else None
            return own or Member(id), squad
        if isinstance(written, Mapping):
            return Member("", written), squad
        if not isinstance(name, str) or not name:
            raise ConfigurationError("destination", "must name an assistant: assistantName, assistantId or assistant")
        if squad is None:
            raise ConfigurationError("destination.assistantName", "names a member of a squad, and this call has none")
        return await self._named(planned.org_id, squad, name), squad

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
            found = member.named or await self._planner.finder.name_of(org_id, member.assistant_id)
            if found == name:
                return member
            names.append(found or member.assistant_id)
        raise ConfigurationError(
            "destination.assistantName", f"there is no member {str(name)[:64]}; there are {', '.join(names)[:500]}"
        )

    def _request(
        self, planned: PlannedCall, member: Member, destination: Mapping[str, Any], told: Mapping[str, Any]
    ) -> CallRequest:
        """As if the call began with this assistant: with what is known of it by now."""
        overrides = laid_over(member.overrides, destination.get("assistantOverrides"))
        stale = default_variables(0)
        known = {**planned.assistant.variables, **told}
        known = {name: value for name, value in known.items() if name not in stale or name in told}
        found = {**told, **self._aliases(destination, known)}
        values = overrides.get("variableValues")
        if found:
            given = values if isinstance(values, Mapping) else {}
            overrides = {**overrides, "variableValues": {**given, **found}}
        return CallRequest(
            planned.org_id, cast(CallType, planned.record.type), member.assistant_id, member.assistant, overrides, known,
        )  # fmt: skip

    def _aliases(self, destination: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
        plan = destination.get("variableExtractionPlan")
        aliases = plan.get("aliases") if isinstance(plan, Mapping) else None
        filled: dict[str, str] = {}
        for alias in aliases if isinstance(aliases, list | tuple) else ():
            if isinstance(alias, Mapping) and isinstance(alias.get("key"), str) and isinstance(alias.get("value"), str):
                filled[alias["key"]] = self._fill(alias["value"], {**known, **filled})
        return filled


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
