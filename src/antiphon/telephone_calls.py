"""Telephone calls of the REST API: who takes one that rings, who is dialled, at once or later, and what its carrier says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from antiphon.answering_machine import detection_of
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.cluster import CallRegister
from antiphon.calls.dead_workers import Finished, nothing_after
from antiphon.calls.destinations import FindSquad
from antiphon.calls.number_hooks import NumberAction, SayAction, hooks_of
from antiphon.calls.planned import CallRequest, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.servers import server_of
from antiphon.calls.squads import laid_over, squad_of
from antiphon.calls.stores import DEFAULT_ORG, Resource, ResourceStore
from antiphon.carriers.base import CallControl, NotTaken, OutboundCall, RingingCall
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.dialling import kind_of
from antiphon.errors import (
    ConfigurationError,
    ProviderError,
    ProviderUnavailable,
    RequestFailed,
    StoreUnavailable,
    ValueRefused,
)
from antiphon.served import ServedAssistants
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.call_messages import destination_document
from antiphon.surfaces.vapi.ended_reasons import (
    ASSISTANT_REQUEST_FAILED,
    ENDING_SAID,
    ENDING_TRANSFERRED,
    RETURNED_ERROR,
    RETURNED_INVALID,
    RETURNED_NOBODY,
    RETURNED_NUMBER,
    RETURNED_UNSPEAKABLE,
    RINGING_SAID,
    RINGING_TRANSFERRED,
    of_dial,
)
from antiphon.surfaces.vapi.kinds import without_sealed
from antiphon.surfaces.vapi.server_events import request_assistant, target_of
from antiphon.tools.handoff import message_of
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.target import Authenticate, authenticated

_STORE_S = 5.0
"""A ringing telephone waits no longer for the database: then the default assistant answers, without a record."""
RINGS_S = 60
_NAMING = ("assistantId", "assistant", "squadId", "squad", "workflowId", "workflow", "destination")
"""What an application's answer to ``assistant-request`` may say who takes the call with."""
_ENDED_BY_CARRIER = ("completed", "busy", "failed", "no-answer", "canceled")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Around:
    """What telephone calls need of the rooms around them."""

    settings: Settings
    clock: Clock
    planner: CallPlanner
    resources: ResourceStore
    writer: RecordWriter
    assistants: ServedAssistants
    client: WebhookClient
    authenticate: Callable[[], Authenticate | None]
    find_squad: FindSquad
    whole: Callable[[Resource], Mapping[str, Any]]
    """A stored number with its secrets. Raises ConfigurationError."""
    register: CallRegister
    """Tells other worker processes who holds a call."""


class TelephoneCalls:
    """One per process."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._by_provider: dict[str, str] = {}
        """Calls that were dialled, by the carrier's id."""
        self.control: CallControl | None = None
        """The carrier that dials; None where there is none."""
        self.finished: Finished = nothing_after
        """Is told of each call that no assistant took. Set by the composition root."""

    # ---------------------------------------------------------------------------------- a call rings

    async def prepare(self, ringing: RingingCall) -> str | NotTaken:
        """Who takes a call that rings (``carriers.base.PrepareCall``): a hook of the stored number that was called; the assistant of its
        URL; the number's assistant or squad; whoever its server names; or the default one. Where the database does not answer, or cannot
        keep the call, an assistant file answers, without a record."""
        around = self._around
        planned = around.planner.known(ringing.call_id)
        if planned is not None:
            return planned.record.assistant_id
        try:
            async with asyncio.timeout(_STORE_S):
                number = await self._number_called(ringing.called)
            request = await self._inbound(ringing, number)
            if isinstance(request, NotTaken):
                return request
            planned = await around.planner.plan(request)
        except (StoreUnavailable, ValueRefused, TimeoutError) as error:
            log.warning("call_not_recorded", call_id=ringing.call_id, problem=type(error).__name__)
            name = ringing.assistant or around.settings.assistant
            around.assistants.find(name)
            return name
        self._remember(ringing.provider_call_id, planned.id)
        return planned.record.assistant_id

    async def _number_called(self, called: str) -> Resource | None:
        found = await self._around.resources.find_by("phone-number", "number", called[:255]) if called else ()
        return found[0] if found else None

    async def _inbound(self, ringing: RingingCall, number: Resource | None) -> CallRequest | NotTaken:
        body = number.body if number is not None else {}
        asked = self._rung(ringing, number)
        if number is not None and ringing.direction == "inbound":
            if (action := hooks_of(body).when_ringing(ringing.caller)) is not None:
                return await self._hooked(asked, action, RINGING_SAID, RINGING_TRANSFERRED)
        if ringing.assistant:
            return replace(asked, assistant_id=ringing.assistant)
        if number is None:
            return replace(asked, assistant_id=self._around.settings.assistant)
        if body.get("assistantId") or body.get("squadId"):
            return await self._led_by(asked, body)
        if body.get("workflowId"):
            log.warning("workflow_not_run", call_id=ringing.call_id)
        server = server_of(self._around.whole(number))
        if server is None:
            return replace(asked, assistant_id=self._around.settings.assistant)
        return await self._as_its_server_says(asked, number, server)

    def _rung(self, ringing: RingingCall, number: Resource | None) -> CallRequest:
        """Without an assistant as yet."""
        return CallRequest(
            org_id=number.org_id if number is not None else DEFAULT_ORG,
            type="outboundPhoneCall" if ringing.direction == "outbound" else "inboundPhoneCall",
            variables={
                "customer": {"number": ringing.caller},
                "phoneNumber": {"number": ringing.called, "name": number.body.get("name", "") if number else ""},
                "transport": {"callSid": ringing.provider_call_id, "conversationType": "voice"},
            },
            body={
                "customer": {"number": ringing.caller},
                "transport": {"provider": "twilio", "conversationType": "voice", "callSid": ringing.provider_call_id},
                "phoneCallProvider": "twilio",
            },
            phone_number_id=number.id if number is not None else "",
            customer_number=ringing.caller,
            provider_call_id=ringing.provider_call_id,
            admitted=True,
            call_id=ringing.call_id,
        )

    async def _led_by(self, asked: CallRequest, said: Mapping[str, Any]) -> CallRequest:
        """``said`` names an assistant or a squad, as a number or an application's answer does. Raises ConfigurationError,
        StoreUnavailable."""
        overrides, id, document = said.get("assistantOverrides"), said.get("assistantId"), said.get("assistant")
        if id or isinstance(document, Mapping):
            return replace(
                asked, assistant_id=str(id or ""), assistant=None if id else document, overrides=laid_over(overrides),
                body={**asked.body, **({} if id else {"assistant": document})},
            )  # fmt: skip
        squad_id, document = said.get("squadId"), said.get("squad")
        if squad_id:
            document = await self._around.find_squad(asked.org_id, str(squad_id))
        if not isinstance(document, Mapping):
            raise ConfigurationError("squadId", f"there is no squad {str(squad_id or '')[:64]}")
        squad = squad_of(document, said.get("squadOverrides"), id=str(squad_id or ""))
        first = squad.members[0]
        return replace(
            asked, assistant_id=first.assistant_id, assistant=first.assistant, overrides=laid_over(first.overrides, overrides),
            squad=squad, squad_id=squad.id, body={**asked.body, **({} if squad_id else {"squad": document})},
        )  # fmt: skip

    async def _as_its_server_says(
        self, asked: CallRequest, number: Resource, server: ServerSpec
    ) -> CallRequest | NotTaken:
        """``assistant-request``. An answer that cannot be followed is as none: a hook of the number takes the call, or else its fallback
        destination."""
        hidden = ("server", "serverUrlSecret", "fallbackDestination", "hooks")
        shown = {name: value for name, value in without_sealed(number.body).items() if name not in hidden}
        shown["id"] = number.id
        call = {
            **call_document(self._around.planner.ringing(asked)),
            "phoneNumber": shown,
            "assistantId": None,
            "squadId": None,
        }
        try:
            target = await authenticated(target_of(server), asked.org_id, self._around.authenticate())
        except RequestFailed as error:
            log.warning("assistant_request_failed", call_id=asked.call_id, problem=error.reason)
            said = None
        else:
            said = await request_assistant(self._around.client, target, call, self._around.clock.wall_ms())
        if said is None:
            return await self._led_by_nobody(asked, number, ASSISTANT_REQUEST_FAILED)
        problem = said.get("error")
        if isinstance(problem, str) and problem:
            return await self._led_by_nobody(asked, number, RETURNED_ERROR, NotTaken(problem))
        if (elsewhere := _destination(said.get("destination"))) is not None:
            return await self._led_by_nobody(asked, number, RETURNED_NUMBER, elsewhere)
        if not any(said.get(name) for name in _NAMING):
            return await self._led_by_nobody(asked, number, RETURNED_UNSPEAKABLE if problem else RETURNED_NOBODY)
        try:
            request = await self._led_by(asked, said)
            await self._around.planner.check(request)
        except ConfigurationError as error:
            log.warning("assistant_request_unusable", call_id=asked.call_id, field=error.field, problem=error.problem)
            return await self._led_by_nobody(asked, number, RETURNED_INVALID)
        return request

    async def _led_by_nobody(
        self, asked: CallRequest, number: Resource, reason: str, answer: NotTaken | None = None
    ) -> NotTaken:
        """The number's server named no assistant, for ``reason``. ``answer``: what it wants done instead; a hook comes before that, but
        before a destination only where it asks for this by name: an application that has the call forwarded has not failed."""
        named = answer is not None and kind_of(answer.destination) is not None
        if (action := hooks_of(number.body).when_ending(reason, named=named)) is not None:
            log.info("number_hook_run", call_id=asked.call_id, reason=reason)
            return await self._hooked(asked, action, ENDING_SAID, ENDING_TRANSFERRED)
        return await self._turned_away(asked, reason, answer or _fallback(number.body))

    async def _hooked(self, asked: CallRequest, action: NumberAction, said: str, transferred: str) -> NotTaken:
        """What a hook does with a call, that it ended for the reason ``said`` or ``transferred``. It does so without a record, too: who
        shall not be let in is not led to an assistant because the database is away."""
        if isinstance(action, SayAction):
            taken, reason = NotTaken(action.exact), said
        else:
            assert action.destination is not None, "a hook that names nobody takes no call"
            taken = NotTaken(message_of(action.destination.model_dump(by_alias=True)), action.destination.address)
            reason = transferred
        try:
            return await self._turned_away(asked, reason, taken)
        except (StoreUnavailable, ValueRefused) as error:
            log.warning("call_not_recorded", call_id=asked.call_id, problem=type(error).__name__)
            return taken

    async def _turned_away(self, asked: CallRequest, ended_reason: str, taken: NotTaken) -> NotTaken:
        if taken.destination:
            asked = replace(asked, body={**asked.body, "destination": destination_document(taken.destination)})
        record = await self._around.planner.turned_away(asked, ended_reason)
        self.finished(record.id, record.org_id)
        return taken

    # ---------------------------------------------------------------------------------- a call is made

    async def dial(self, asked: CallRequest, asked_wall_ms: int | None = None) -> PlannedCall:
        """Plan a call and let the carrier ring. ``asked_wall_ms``: when a process that is gone may have done so. Raises as
        ``CallPlanner.plan``, and ProviderError."""
        control, around = self.control, self._around
        if control is None:
            raise ProviderUnavailable("carrier", "there is no telephone here")
        asked = replace(asked, body={**asked.body, "phoneCallProvider": "twilio"})
        planned = await around.planner.plan(asked, expires_ms=3 * RINGS_S * 1000)
        call = OutboundCall(
            call_id=planned.id,
            to=asked.customer_number,
            from_=asked.body["transport"]["from"],
            assistant=asked.assistant_id or "transient",
            ring_timeout_s=RINGS_S,
            machine_detection=detection_of(planned.assistant.spec),
            asked_wall_ms=asked_wall_ms,
        )
        try:
            provider_call_id = await control.start(call)
        except ProviderError:
            around.planner.give_up(planned.id, of_dial("failed"))
            raise
        self._remember(provider_call_id, planned.id)
        await around.register.hold(planned.id, provider_call_id)
        around.writer.change(planned.id, around.clock.wall_ms(), provider_call_id=provider_call_id)
        planned.record = replace(planned.record, provider_call_id=provider_call_id)
        return planned

    def status_changed(self, provider_call_id: str, status: str) -> None:
        """News of a telephone call, in its carrier's words."""
        call_id, around = self._by_provider.get(provider_call_id, ""), self._around
        waiting = around.planner.find(call_id)
        if status == "ringing" and waiting is not None:
            around.writer.change(call_id, around.clock.wall_ms(), status="ringing")
            waiting.told("ringing")
        elif status in _ENDED_BY_CARRIER:
            self._by_provider.pop(provider_call_id, None)
            around.planner.give_up(call_id, of_dial(status))

    def _remember(self, provider_call_id: str, call_id: str) -> None:
        self._by_provider[provider_call_id] = call_id
        known = self._around.planner.known
        if len(self._by_provider) > 2 * self._around.settings.max_calls + 100:
            # Where the carrier's last word was lost: those that are over make room.
            self._by_provider = {sid: id for sid, id in self._by_provider.items() if known(id) is not None}


def _destination(written: Any) -> NotTaken | None:
    if not isinstance(written, Mapping):
        return None
    where = written.get("number") or written.get("sipUri")
    return NotTaken(message_of(written), where[:256]) if isinstance(where, str) and where else None


def _fallback(number: Mapping[str, Any]) -> NotTaken:
    """An apology, where the number names nobody else."""
    return _destination(number.get("fallbackDestination")) or NotTaken()
