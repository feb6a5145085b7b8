"""Calls of the REST API, put together: planned before their media, held here, recorded, on sockets and on the telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from starlette.routing import Route

from antiphon.answering_machine import detection_of
from antiphon.assistants.compile import merged
from antiphon.calls.accepting import PlannedAcceptor
from antiphon.calls.cluster import Cluster, alone
from antiphon.calls.directory import MemoryDirectory
from antiphon.calls.planned import CallRequest, PlannedCall
from antiphon.calls.planner import CallPlanner, Rules
from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.stores import DEFAULT_ORG, CallRecord, CallStore, Resource, ResourceStore
from antiphon.calls.trials import Trials
from antiphon.carriers.base import CallControl, OutboundCall, RingingCall
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import ProviderError, StoreUnavailable
from antiphon.losses import Losses
from antiphon.served import ServedAssistants
from antiphon.session.manager import SessionManager
from antiphon.session.observers import SessionObserver
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.call_views import LiveCost, nothing_counted
from antiphon.surfaces.vapi.calls import CallParts, routes
from antiphon.surfaces.vapi.ended_reasons import NEVER_CONNECTED, WORKER_DIED, in_words, of_dial, of_failure
from antiphon.surfaces.vapi.listening import Listeners
from antiphon.surfaces.vapi.media_gate import PREFIX, MediaGate
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.surfaces.vapi.server_messages import About
from antiphon.tools.webhook import CallFacts
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import CallContext

WRITE_OUT_S = 10.0
"""On shutdown, records have so long to reach the database."""
_STORE_S = 5.0
"""A ringing telephone waits no longer for the database: then the default assistant answers, without a record."""
_RINGS_S = 60
_ENDED_BY_CARRIER = ("completed", "busy", "failed", "no-answer", "canceled")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inside:
    """The rooms of live calls, as the process has them."""

    manager: SessionManager
    engines: EngineRoom
    assistants: ServedAssistants
    watch: SocketWatch
    losses: Losses
    events: ServerEvents
    secret: Callable[[], str]
    """Signs URLs; the same in every process."""
    cluster: Cluster | None = None
    """The other worker processes of this server; None where there are none."""


class ApiCalls:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        calls: CallStore,
        resources: ResourceStore,
        access: Access,
        inside: Inside,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._calls = calls
        self._resources = resources
        self._access = access
        self._inside = inside
        self._by_provider: dict[str, str] = {}
        """Calls that were dialled, by the carrier's id."""
        self.erase: Callable[[str, str], Awaitable[object]] | None = None
        """``(org_id, call_id)``: all that is left of a call, its record too; set by the composition root. Raises OSError."""
        self.live_cost: LiveCost = nothing_counted
        """What calls cost as far as they have come; set by the composition root."""
        self.telephone: CallControl | None = None
        """The carrier that dials; set by the composition root where there is one."""
        self.writer = RecordWriter(calls, inside.losses)
        cluster = inside.cluster or alone(settings.api.concurrent_calls or settings.max_calls)
        self._register = cluster.register
        self.planner = CallPlanner(
            calls, resources, self._file, inside.engines, inside.manager, cluster.limits, self.writer, clock, in_words,
            Rules(
                settings.api.call_waits_s * 1000, cluster.node,
                bounds_admitted=settings.api.concurrent_calls > 0, zero_retention=settings.after_call.zero_retention,
            ), self._register,
        )  # fmt: skip
        self.events = inside.events
        self.planner.watches.append(self._told)
        inside.engines.tools.facts = self._facts
        inside.engines.tools.variables.on_change = self._variables_changed
        self.trials = Trials(self.planner)
        self.acceptor = PlannedAcceptor(inside.manager, self.planner, of_failure)
        self.directory = MemoryDirectory(inside.manager.find)
        self._listeners = Listeners(clock.now_ms)
        self._urls: CallUrls | None = None

    async def start(self, dead: Sequence[str]) -> None:
        """``dead`` are calls that a process before this one did not end. Raises StoreUnavailable."""
        wall_ms = self._clock.wall_ms()
        longest_ms = max(self._settings.api.call_waits_s, 3 * _RINGS_S) * 1000
        await self._calls.end_waiting(wall_ms - longest_ms, wall_ms, NEVER_CONNECTED)
        self.writer.start()
        self.end_dead(dead)

    def end_dead(self, dead: Sequence[str]) -> None:
        """The records of calls end, soon, whose process died."""
        wall_ms = self._clock.wall_ms()
        for call_id in dead:
            self.writer.change(call_id, wall_ms, status="ended", ended_wall_ms=wall_ms, ended_reason=WORKER_DIED)

    async def close(self) -> None:
        """After the last call has ended: what is known of calls reaches the database."""
        self.planner.close()
        await self.writer.close(WRITE_OUT_S)

    def routes(self) -> list[Route]:
        return routes(
            CallParts(
                access=self._access,
                planner=self.planner,
                calls=self._calls,
                directory=self.directory,
                urls=self.urls,
                clock=self._clock,
                repeats=Repeats(self._clock.now_ms),
                expires_ms=self._settings.api.call_waits_s * 1000,
                phone_number=self._phone_number,
                squad=self._squad,
                dial=self._dial if self.telephone is not None else None,
                erase=self._erase if self.erase is not None else None,
                live_cost=self.live_cost,
                strict=self._settings.api.strict,
            )
        )

    def add_media_routes(self, media_routes: MediaRoutes) -> None:
        """Let media sockets and listeners in."""
        gate = MediaGate(
            self.planner, self.acceptor, self._inside.manager.find, self.directory, self.urls, self._inside.watch, self._listeners
        )  # fmt: skip
        media_routes.add(PREFIX, gate.on_upgrade)

    def _told(self, planned: PlannedCall) -> Iterable[SessionObserver]:
        """Who tells the assistant's server of a call."""
        assistant = planned.assistant
        about = About(call_document(planned.record), assistant.document, assistant.messages)
        return self.events.observers(assistant.spec, about)

    async def assistant_of(self, record: CallRecord) -> Mapping[str, Any] | None:
        """The document of the assistant that led a call, with the call's overrides, as both are now; None where it is gone. Raises
        StoreUnavailable."""
        document, id = record.body.get("assistant"), record.assistant_id
        if not isinstance(document, Mapping):
            stored = await self._resources.find("assistant", record.org_id, id) if id else None
            document = stored.body if stored is not None else self._file(id)
        overrides = record.body.get("assistantOverrides")
        return merged(document, overrides) if document is not None and isinstance(overrides, Mapping) else document

    def _facts(self, context: CallContext) -> CallFacts:
        """What tools may tell and fill in."""
        planned = self.planner.known(context.call_id)
        if planned is None:
            return CallFacts()
        call = {**call_document(planned.record, self.planner.said(planned.id)), "status": "in-progress"}
        artifact = call.pop("artifact", {})
        call.pop("messages", None)
        about = About(call, planned.assistant.document)
        return CallFacts(
            {**about.envelope("in-progress"), "artifact": artifact}, planned.assistant.variables, planned.org_id
        )

    def _variables_changed(self, call_id: str, values: Mapping[str, Any]) -> None:
        """Tools' answers have said something that is to be kept with the call."""
        planned = self.planner.known(call_id)
        if planned is None or planned.assistant.spec.compliance_plan.hipaa_enabled:
            return
        if not self._settings.after_call.zero_retention:
            self.writer.change(call_id, self._clock.wall_ms(), {"variableValues": values})

    @property
    def urls(self) -> CallUrls:
        if self._urls is None:
            self._urls = CallUrls(self._settings.base_url, self._inside.secret().encode(), self._clock)
        return self._urls

    def _file(self, name: str) -> Mapping[str, Any] | None:
        """The document of an assistant file, as calls are begun with it now."""
        assistants = self._inside.assistants
        return assistants.load(name).model_dump(by_alias=True, exclude_unset=True) if assistants.has(name) else None

    async def _phone_number(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        return await self._document("phone-number", org_id, id)

    async def _squad(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        return await self._document("squad", org_id, id)

    async def _document(self, kind: str, org_id: str, id: str) -> Mapping[str, Any] | None:
        if not 0 < len(id) <= 64 or "\0" in id:
            return None
        found = await self._resources.find(kind, org_id, id)
        return {**found.body, "id": found.id} if found is not None else None

    async def _erase(self, record: CallRecord) -> None:
        assert self.erase is not None
        await self.erase(record.org_id, record.id)

    # ---------------------------------------------------------------------------------- the telephone

    async def prepare(self, ringing: RingingCall) -> str:
        """Who takes a call that rings (``carriers.base.PrepareCall``): the assistant of its URL, of the stored number that was called,
        or the default one. Where the database does not answer, an assistant file answers, without a record."""
        planned = self.planner.known(ringing.call_id)
        if planned is not None:
            return planned.record.assistant_id
        try:
            async with asyncio.timeout(_STORE_S):
                number = await self._number_called(ringing.called)
            planned = await self.planner.plan(self._inbound(ringing, number))
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("call_not_recorded", call_id=ringing.call_id, problem=type(error).__name__)
            name = ringing.assistant or self._settings.assistant
            self._inside.assistants.find(name)
            return name
        self._remember(ringing.provider_call_id, planned.id)
        return planned.record.assistant_id

    async def _number_called(self, called: str) -> Resource | None:
        found = await self._resources.find_by("phone-number", "number", called[:255]) if called else ()
        return found[0] if found else None

    def _inbound(self, ringing: RingingCall, number: Resource | None) -> CallRequest:
        body = number.body if number is not None else {}
        owned = body.get("assistantId")
        assistant = ringing.assistant or (owned if isinstance(owned, str) else "") or self._settings.assistant
        return CallRequest(
            org_id=number.org_id if number is not None else DEFAULT_ORG,
            type="outboundPhoneCall" if ringing.direction == "outbound" else "inboundPhoneCall",
            assistant_id=assistant,
            variables={
                "customer": {"number": ringing.caller},
                "phoneNumber": {"number": ringing.called, "name": body.get("name", "")},
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

    async def _dial(self, asked: CallRequest) -> PlannedCall:
        """Plan a call and let the carrier ring. Raises as ``CallPlanner.plan``, and ProviderError."""
        assert self.telephone is not None, "there is no route to here without one"
        asked = replace(asked, body={**asked.body, "phoneCallProvider": "twilio"})
        planned = await self.planner.plan(asked, expires_ms=3 * _RINGS_S * 1000)
        call = OutboundCall(
            call_id=planned.id,
            to=asked.customer_number,
            from_=asked.body["transport"]["from"],
            assistant=asked.assistant_id or "transient",
            ring_timeout_s=_RINGS_S,
            machine_detection=detection_of(planned.assistant.spec),
        )
        try:
            provider_call_id = await self.telephone.start(call)
        except ProviderError:
            self.planner.give_up(planned.id, of_dial("failed"))
            raise
        self._remember(provider_call_id, planned.id)
        await self._register.hold(planned.id, provider_call_id)
        self.writer.change(planned.id, self._clock.wall_ms(), provider_call_id=provider_call_id)
        planned.record = replace(planned.record, provider_call_id=provider_call_id)
        return planned

    def status_changed(self, provider_call_id: str, status: str) -> None:
        """News of a telephone call, in its carrier's words."""
        call_id = self._by_provider.get(provider_call_id, "")
        if status == "ringing" and self.planner.find(call_id) is not None:
            self.writer.change(call_id, self._clock.wall_ms(), status="ringing")
        elif status in _ENDED_BY_CARRIER:
            self._by_provider.pop(provider_call_id, None)
            self.planner.give_up(call_id, of_dial(status))

    def _remember(self, provider_call_id: str, call_id: str) -> None:
        self._by_provider[provider_call_id] = call_id
        if len(self._by_provider) > 2 * self._settings.max_calls + 100:
            # Where the carrier's last word was lost: those that are over make room.
            self._by_provider = {sid: id for sid, id in self._by_provider.items() if self.planner.known(id) is not None}
