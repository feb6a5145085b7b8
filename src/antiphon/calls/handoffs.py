"""Calls that are handed from one assistant to another while they live: who it is, with which engines, and what it is told of the past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import structlog

from antiphon.assistants.tools import run_tools
from antiphon.calls.destinations import Destinations, context_of, known_variables
from antiphon.calls.planned import CallRequest, CallType, Coming, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.calls.squads import Member
from antiphon.conversation.events import SayRequested
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import ExpectedAnswers
from antiphon.session.plan import Engines, Successor
from antiphon.session.session import Session

MAX_HANDOFFS = 100
"""In one call: assistants that pass a caller round and round are stopped."""
log = structlog.get_logger(__name__)


class Handoffs:
    """One per process."""

    def __init__(
        self,
        planner: CallPlanner,
        find: Callable[[str], Session | None],
        destinations: Destinations,
        opening: Callable[[Engines, str], ExpectedAnswers],
    ) -> None:
        """``find`` is a live call of this process; ``opening(engines, call_id)`` what may be said to the first words of a new lead."""
        self._planner = planner
        self._find = find
        self._destinations = destinations
        self._opening = opening

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
        member, squad = await self._destinations.member(planned.org_id, planned.squad, destination)
        request = self._request(planned, member, destination, told or {})
        assistant, engines = await self._planner.ready(request, call_id)
        if self._planner.keeps_nothing(assistant.spec) and not self._planner.keeps_nothing(leaving.spec):
            raise ConfigurationError("compliancePlan", "this call is written down, and cannot be for it")
        session = self._find(call_id)
        if session is None:
            raise ConfigurationError("destination", "the call is over")
        before, planned.coming = planned.coming, Coming(assistant, request, squad)
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

    def _request(
        self, planned: PlannedCall, member: Member, destination: Mapping[str, Any], told: Mapping[str, Any]
    ) -> CallRequest:
        """As if the call began with this assistant: with what is known of it by now."""
        known = known_variables(planned.assistant.variables, told)
        overrides = self._destinations.overrides(member, destination, known, told)
        return CallRequest(
            planned.org_id, cast(CallType, planned.record.type), member.assistant_id, member.assistant, overrides, known,
            phone_number_id=planned.record.phone_number_id, mocks=planned.mocks,
        )  # fmt: skip
