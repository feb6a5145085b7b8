"""Calls of the REST API, put together: planned before their media, held here, recorded, on sockets and on the telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from antiphon.assistants.compile import Assistant, compile_assistant, merged
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.accepting import PlannedAcceptor
from antiphon.calls.cluster import Cluster, alone
from antiphon.calls.dead_workers import Finished, nothing_after
from antiphon.calls.destinations import Destinations
from antiphon.calls.directory import MemoryDirectory
from antiphon.calls.handoffs import Handoffs
from antiphon.calls.leads import first_assistant, last_assistant
from antiphon.calls.planned import CallRequest, KnowsStatus, PlannedCall
from antiphon.calls.planner import CallPlanner, Rules
from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.recorded_leads import RecordedLeads
from antiphon.calls.secrets import DocumentSecrets
from antiphon.calls.servers import Servers, server_of
from antiphon.calls.squads import squad_of
from antiphon.calls.stores import CallRecord, CallStore, Resource, ResourceStore
from antiphon.calls.trials import Trials
from antiphon.carriers.base import CallControl
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.jobs.queue import JobStore
from antiphon.jobs.scheduled import ScheduledCalls
from antiphon.losses import Losses
from antiphon.providers.prices import Prices
from antiphon.served import ServedAssistants
from antiphon.session.manager import SessionManager
from antiphon.session.observers import SessionObserver
from antiphon.simulated_calls import PlanCaller, SimulatedCalls
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.call_parts import CallParts, Later
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.call_views import LiveCost, nothing_counted
from antiphon.surfaces.vapi.calls import routes
from antiphon.surfaces.vapi.ended_reasons import NEVER_CONNECTED, TURNED_AWAY, WORKER_DIED, in_words, of_failure
from antiphon.surfaces.vapi.listening import Listeners
from antiphon.surfaces.vapi.media_gate import PREFIX, MediaGate
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.surfaces.vapi.server_messages import About
from antiphon.telephone_calls import RINGS_S, Around, TelephoneCalls
from antiphon.tools.webhook import CallFacts
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import CallContext

WRITE_OUT_S = 10.0
"""On shutdown, records have so long to reach the database."""


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
    caller_plan: PlanCaller
    """How those are led who play callers."""
    prices: Prices
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
        jobs: JobStore,
        whole: Callable[[Resource], Mapping[str, Any]],
        secrets: DocumentSecrets,
    ) -> None:
        """``whole`` is a stored number with its secrets; ``secrets`` seals what waits to be dialled."""
        self._settings = settings
        self._clock = clock
        self._calls = calls
        self._resources = resources
        self._access = access
        self._inside = inside
        self.erase: Callable[[str, str], Awaitable[object]] | None = None
        """``(org_id, call_id)``: all that is left of a call, its record too; set by the composition root. Raises OSError."""
        self.deleted: Callable[[CallRecord, str], None] = lambda record, kind: None
        """As ``CallParts.deleted``; set by the composition root."""
        self._servers = Servers(resources)
        self._finished: Finished = nothing_after
        self.live_cost: LiveCost = nothing_counted
        """What calls cost as far as they have come; set by the composition root."""
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
        self.planner.watches += (self._recorded, self._told)
        inside.engines.tools.facts = self._facts
        inside.engines.tools.variables.on_change = self._variables_changed
        inside.engines.tools.hand_over = self._hand_over
        self.phone = TelephoneCalls(
            Around(
                settings, clock, self.planner, resources, self.writer, inside.assistants, inside.engines.tools.client,
                lambda: inside.events.authenticate, self._squad, whole, self._register,
            )
        )  # fmt: skip
        self.prepare = self.phone.prepare
        self.status_changed = self.phone.status_changed
        self.scheduled = ScheduledCalls(jobs, calls, clock, self.phone.dial, self._told_of, secrets)
        self.trials = Trials(self.planner)
        self.acceptor = PlannedAcceptor(inside.manager, self.planner, of_failure)
        self.simulated = SimulatedCalls(
            self.planner, inside.manager, self.acceptor, clock, inside.caller_plan, inside.prices
        )
        self.handoffs = Handoffs(
            self.planner, inside.manager.find, Destinations(self.planner.finder, self._squad),
            lambda engines, call_id: inside.engines.opening_answers(engines, CallContext(call_id)),
        )  # fmt: skip
        self.directory = MemoryDirectory(
            inside.manager.find,
            lambda call_id, asked: self.handoffs.hand_over(call_id, asked.destination, say=asked.message),
        )
        self._listeners = Listeners(clock.now_ms)
        self._urls: CallUrls | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def work_after(self, finished: Finished) -> None:
        """Who is told of calls that are over and that no session held. To be asked for before the first call."""
        self._finished = self.planner.finished = self.phone.finished = finished

    async def start(self, dead: Sequence[str]) -> None:
        """``dead`` are calls that a process before this one did not end. Raises StoreUnavailable."""
        wall_ms = self._clock.wall_ms()
        longest_ms = max(self._settings.api.call_waits_s, 3 * RINGS_S) * 1000
        await self._calls.end_waiting(wall_ms - longest_ms, wall_ms, NEVER_CONNECTED)
        self.writer.start()
        if self.telephone is not None:
            self.scheduled.start()
        self.end_dead(dead)

    def end_dead(self, dead: Sequence[str]) -> None:
        """The records of calls end, soon, whose process died."""
        wall_ms = self._clock.wall_ms()
        for call_id in dead:
            self.writer.change(call_id, wall_ms, status="ended", ended_wall_ms=wall_ms, ended_reason=WORKER_DIED)

    async def close(self) -> None:
        """After the last call has ended: what is known of calls reaches the database."""
        await self.scheduled.close()
        self.planner.close()
        await asyncio.gather(*self._telling, return_exceptions=True)
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
                dial=self.phone.dial if self.telephone is not None else None,
                later=Later(self._schedule, self.scheduled.cancel),
                erase=self._erase if self.erase is not None else None,
                deleted=self.deleted,
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

    def _recorded(self, planned: PlannedCall) -> Iterable[SessionObserver]:
        return (RecordedLeads(planned, self._inside.manager.find),) if planned.may_be_handed_over else ()

    def _told(self, planned: PlannedCall) -> Iterable[SessionObserver]:
        """Who tells the assistant's server of a call."""
        assistant, may_change = planned.assistant, planned.may_be_handed_over
        return self.events.observers(
            assistant.spec, _about(planned), (lambda: (planned.assistant.spec, _about(planned))) if may_change else None
        )

    async def _hand_over(self, context: CallContext, destination: Mapping[str, Any], told: Mapping[str, Any]) -> str:
        """As the model asks for it (``tools.handoff.HandOver``)."""
        return await self.handoffs.hand_over(context.call_id, destination, told)

    async def assistant_of(self, record: CallRecord) -> Mapping[str, Any] | None:
        """The document of the assistant that led a call last, with the call's overrides, as both are now; None where it is gone. Raises
        StoreUnavailable."""
        return await last_assistant(record, self._assistant)

    async def first_assistant_of(self, record: CallRecord) -> Mapping[str, Any] | None:
        """Of the one that took it, where that is another one."""
        return await first_assistant(record, self._assistant)

    async def server_beside(self, record: CallRecord) -> ServerSpec | None:
        """Who is told of a call whose assistants have no server. Of one that no assistant took: its number's, or that of whoever would
        have taken it. Raises StoreUnavailable."""
        if record.ended_reason in TURNED_AWAY:
            number = await self._phone_number(record.org_id, record.phone_number_id) or {}
            if (server := server_of(number) or server_of(await self._led_for(record.org_id, number))) is not None:
                return server
        return await self._servers.beside(record.org_id, record.phone_number_id)

    async def _led_for(self, org_id: str, number: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document of the assistant that takes a number's calls, a squad's first; empty where there is none."""
        if assistant_id := number.get("assistantId"):
            return await self._assistant(org_id, assistant_id) or {}
        document = await self._squad(org_id, number.get("squadId") or "")
        try:
            first = squad_of(document).members[0] if document is not None else None
            if first is None:
                return {}
            led = first.assistant or await self._assistant(org_id, first.assistant_id) or {}
            return merged(led, {name: value for name, value in first.overrides.items() if name != "tools:append"})
        except ConfigurationError:  # it was told when it was kept
            return {}

    async def _assistant(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        stored = await self._resources.find("assistant", org_id, id)
        return stored.body if stored is not None else self._file(id)

    def _facts(self, context: CallContext) -> CallFacts:
        """What tools may tell and fill in."""
        planned = self.planner.known(context.call_id)
        if planned is None:
            return CallFacts(org_id=self.simulated.org_of(context.call_id))
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
        if planned is None or planned.assistant.spec.compliance_plan.keeps_nothing:
            return
        if not self._settings.after_call.zero_retention:
            self.writer.change(call_id, self._clock.wall_ms(), {"variableValues": values})

    @property
    def telephone(self) -> CallControl | None:
        """The carrier that dials; set by the composition root where there is one."""
        return self.phone.control

    @telephone.setter
    def telephone(self, control: CallControl) -> None:
        self.phone.control = control

    async def _schedule(self, asked: CallRequest, earliest_ms: int, latest_ms: int | None) -> CallRecord:
        """A call for later. Raises as ``CallPlanner.schedule``."""
        record, assistant = await self.planner.schedule(asked)
        try:
            await self.scheduled.add(asked, earliest_ms, latest_ms)
        except AntiphonError:  # nobody would ever make it
            await self._calls.delete(record.org_id, record.id)
            raise
        self._tell(record, assistant)
        return record

    def _told_of(self, record: CallRecord) -> None:
        """A call ended without having been made: its assistant's server is told, and the work after it begins."""
        self._finished(record.id, record.org_id, record.ended_reason)
        task = asyncio.get_running_loop().create_task(self._tell_end(record), name="scheduled call ended")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_end(self, record: CallRecord) -> None:
        document = await self.assistant_of(record)
        if document is not None:
            with suppress(ConfigurationError):
                compiled = compile_assistant(document, self._clock.wall_ms(), id=record.assistant_id)
                self._tell(record, await self._servers.led(compiled, record.org_id, record.phone_number_id))

    def _tell(self, record: CallRecord, assistant: Assistant) -> None:
        """The status of a call that is not planned."""
        about = About(call_document(record), assistant.document, assistant.messages)
        for observer in self.events.observers(assistant.spec, about):
            if isinstance(observer, KnowsStatus):
                observer.status_changed(record.status, record.ended_reason)

    @property
    def urls(self) -> CallUrls:
        if self._urls is None:
            self._urls = CallUrls(self._settings.base_url, self._inside.secret().encode(), self._clock)
        return self._urls

    def _file(self, name: str) -> Mapping[str, Any] | None:
        """The document of an assistant file, as calls are begun with it now."""
        assistants = self._inside.assistants
        return assistants.document(name) if assistants.has(name) else None

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


def _about(planned: PlannedCall) -> About:
    """As it is led now."""
    assistant = planned.assistant
    return About(call_document(planned.record), assistant.document, assistant.messages)
