"""Which assistant takes a call, with which engines, and whether there is room: all decided before its media is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from antiphon.assistants.compile import Assistant
from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.cluster import NOBODY_ELSE, CallRegister
from antiphon.calls.dead_workers import Finished, nothing_after
from antiphon.calls.finder import AssistantFinder, UnknownAssistant
from antiphon.calls.leads import without_words, words_gone
from antiphon.calls.limits import CallLimits
from antiphon.calls.planned import CallRequest, ConcurrencyReached, PlannedCall
from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.recorder import CallRecorder, ReasonInWords
from antiphon.calls.stores import CallRecord, CallStore, ResourceStore
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.ids import new_call_id
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import Engines
from antiphon.tools.base import missing_tools
from antiphon.tools.mocked import mocked

log = structlog.get_logger(__name__)

ENGINES_WAIT_S = 10.0
"""How long a call's engines may take to start while whoever asked for it waits. A call that comes before goes to those that are up."""


class EngineSupply(Protocol):
    """Where engines come from."""

    def for_assistant(self, spec: AssistantSpec) -> Engines:
        """Raises ConfigurationError, ProviderUnavailable."""
        ...

    async def until_ready(self, engines: Engines) -> None:
        """Until they have started. Raises ProviderUnavailable where one cannot."""
        ...


class Room(Protocol):
    """Whether the process takes one more call (``SessionManager``)."""

    def admit(self) -> None:
        """Raises CapacityError."""
        ...

    def withdraw(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator says of planned calls."""

    expires_ms: int = 60_000
    """So long a planned call waits for its media."""
    node: str = ""
    """The name of this process in records."""
    bounds_admitted: bool = True
    """Whether the limit of calls at once is also for those that a carrier was let in with. Where it is no more than the process's own, a
    telephone that rings and never comes must not keep the next one out."""
    zero_retention: bool = False
    """Whether nothing that is said may be written down, whatever the assistant."""


Watch = Callable[[PlannedCall], Iterable[SessionObserver]]


class CallPlanner:
    """One per process."""

    def __init__(
        self,
        calls: CallStore,
        resources: ResourceStore,
        files: Callable[[str], Mapping[str, Any] | None],
        supply: EngineSupply,
        room: Room,
        limits: CallLimits,
        writer: RecordWriter,
        clock: Clock,
        words_for: ReasonInWords,
        rules: Rules = Rules(),
        register: CallRegister = NOBODY_ELSE,
    ) -> None:
        """``files`` is the document of the assistant file of this name; None where there is none. It raises ConfigurationError where the
        file is wrong. ``register``: where other processes look for the one that holds a call."""
        self._calls = calls
        self.finder = AssistantFinder(resources, files, clock)
        self._supply = supply
        self._room = room
        self._limits = limits
        self._writer = writer
        self._clock = clock
        self._words_for = words_for
        self._rules = rules
        self._register = register
        self._planned: dict[str, PlannedCall] = {}
        self._live: dict[str, tuple[PlannedCall, CallRecorder]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self.finished: Finished = nothing_after
        """Is told of each call that ended without having lived. Set by the composition root."""
        self.watches: list[Watch] = []
        """Whoever wants to watch calls says here who shall watch this one. Called once for each, before it is answered."""

    # ---------------------------------------------------------------------------------- planning

    async def plan(self, request: CallRequest, expires_ms: int | None = None) -> PlannedCall:
        """The call, recorded as ``queued``, waiting for its media. Raises ConfigurationError naming the field, UnknownAssistant,
        ProviderUnavailable, ConcurrencyReached, CapacityError, StoreUnavailable; then nothing is left of it."""
        call_id = request.call_id or new_call_id()
        waiting = self._planned.get(call_id)
        if waiting is not None:
            return waiting
        with self._placing(request):
            assistant = await self.finder.assistant(request, call_id)
        bounded = self._rules.bounds_admitted or not request.admitted
        if not await self._limits.take(request.org_id, call_id) and bounded:
            raise ConcurrencyReached(self._limits.limit)
        admitted = request.admitted
        try:
            if not admitted:
                self._room.admit()
                admitted = True
            with self._placing(request):
                engines = self._engines(request, assistant)
            await self._started(engines)
            record = self._record(request, call_id, (*assistant.warnings, *missing_tools(engines.tools)))
            words = words_gone(record.body) if self.keeps_nothing(assistant.spec) else {}
            if words:
                record = replace(record, body=without_words(record.body))
            await self._register.hold(call_id, *filter(None, (request.provider_call_id,)))
            if not await self._calls.add(record):
                log.info("call_planned_again", call_id=call_id)
                if words:  # it was scheduled when its assistant's words might be kept still
                    await self._calls.change(call_id, self._clock.wall_ms(), words)
        except BaseException:
            self._limits.release(request.org_id, call_id)
            self._register.let_go(call_id)
            if admitted and not request.admitted:
                self._room.withdraw()
            raise
        planned = PlannedCall(record, assistant, engines, 0, squad=request.squad, mocks=request.mocks)
        joins_s = assistant.spec.customer_join_timeout_seconds if request.type == "webCall" else None
        return self._wait_for_media(planned, expires_ms or round((joins_s or 0) * 1000) or self._rules.expires_ms)

    async def schedule(self, request: CallRequest) -> tuple[CallRecord, Assistant]:
        """A call that is to be made later, recorded as ``scheduled`` under ``request.call_id``; and who would lead it now. Raises as
        ``plan``, but for what is about room, and for engines that are not there now."""
        with self._placing(request):
            assistant = await self.finder.assistant(request, request.call_id)
            with suppress(ProviderUnavailable):
                self._supply.for_assistant(assistant.spec)
        record = replace(self._record(request, request.call_id, assistant.warnings), status="scheduled")
        if self.keeps_nothing(assistant.spec):
            record = replace(record, body=without_words(record.body))
        await self._calls.add(record)
        return record, assistant

    def ringing(self, request: CallRequest) -> CallRecord:
        """How a call that nobody has taken yet would be recorded."""
        return replace(self._record(request, request.call_id, ()), status="ringing")

    async def check(self, request: CallRequest) -> None:
        """Whether there is such an assistant and it makes sense. Raises as ``trial``, but for its engines' start."""
        self._supply.for_assistant((await self.finder.assistant(request, request.call_id)).spec)

    async def turned_away(self, request: CallRequest, ended_reason: str) -> CallRecord:
        """A call that rang and that no assistant takes, as it is recorded: over, for this reason in the API's words. Raises
        StoreUnavailable."""
        now = self._clock.wall_ms()
        record = replace(
            self._record(request, request.call_id or new_call_id(), ()), status="ended", ended_wall_ms=now,
            ended_reason=ended_reason,
        )  # fmt: skip
        await self._calls.add(record)
        return record

    async def trial(self, org_id: str, assistant_id: str) -> tuple[Assistant, Engines]:
        """Who would take a call with this assistant now; there is no call. Raises ConfigurationError, UnknownAssistant,
        ProviderUnavailable, StoreUnavailable."""
        return await self.ready(CallRequest(org_id, "webCall", assistant_id=assistant_id), "")

    async def ready(self, request: CallRequest, call_id: str) -> tuple[Assistant, Engines]:
        """The assistant that is asked for, and its engines, started; nothing is planned. Raises as ``trial``."""
        assistant = await self.finder.assistant(request, call_id)
        engines = self._engines(request, assistant)
        await self._started(engines)
        return assistant, engines

    def _engines(self, request: CallRequest, assistant: Assistant) -> Engines:
        engines = self._supply.for_assistant(assistant.spec)
        return replace(engines, tools=mocked(engines.tools, request.mocks)) if request.mocks else engines

    async def _started(self, engines: Engines) -> None:
        with suppress(TimeoutError):  # they are on their way
            async with asyncio.timeout(ENGINES_WAIT_S):
                await self._supply.until_ready(engines)

    @staticmethod
    @contextmanager
    def _placing(request: CallRequest) -> Iterator[None]:
        """Errors name the field as it stands in the request."""
        try:
            yield
        except ConfigurationError as error:
            if isinstance(error, UnknownAssistant) or error.field.startswith("assistant") or error.file:
                raise
            raise ConfigurationError(f"assistant.{error.field}", error.problem) from None

    def _record(self, request: CallRequest, call_id: str, of_assistant: Iterable[tuple[str, str]]) -> CallRecord:
        now = self._clock.wall_ms()
        warnings = [{"field": name, "reason": why} for name, why in (*request.warnings, *of_assistant)]
        return CallRecord(
            id=call_id,
            org_id=request.org_id,
            type=request.type,
            status="queued",
            created_wall_ms=now,
            updated_wall_ms=now,
            name=request.name,
            assistant_id=request.assistant_id,
            squad_id=request.squad_id,
            phone_number_id=request.phone_number_id,
            customer_number=request.customer_number[:255],
            provider_call_id=request.provider_call_id[:255],
            node=self._rules.node,
            body={**request.body, "warnings": warnings},
        )

    def _wait_for_media(self, planned: PlannedCall, expires_ms: int) -> PlannedCall:
        record, planned.expires_ms = planned.record, self._clock.now_ms() + expires_ms
        keeps_words = not self.keeps_nothing(planned.assistant.spec)
        recorder = CallRecorder(
            planned, self._writer, self._clock, self._words_for, self._over, keeps_words=keeps_words
        )
        further = [observer for watch in self.watches for observer in watch(planned)]
        planned.observers = (*planned.observers, recorder, *further)
        self._planned[record.id] = planned
        self._live[record.id] = (planned, recorder)
        loop = asyncio.get_running_loop()
        self._expiries[record.id] = loop.call_later(expires_ms / 1000, self.give_up, record.id, "")
        planned.told("ringing" if record.type == "inboundPhoneCall" else "queued")
        return planned

    # ---------------------------------------------------------------------------------- what becomes of it

    def keeps_nothing(self, spec: AssistantSpec) -> bool:
        """Whether nothing that is said to this assistant may be written down."""
        return self._rules.zero_retention or spec.compliance_plan.keeps_nothing

    def find(self, call_id: str) -> PlannedCall | None:
        """The call that waits for its media under this id."""
        return self._planned.get(call_id)

    def known(self, call_id: str) -> PlannedCall | None:
        """The call of this id that waits or lives here."""
        found = self._live.get(call_id)
        return found[0] if found is not None else None

    def take(self, call_id: str) -> PlannedCall | None:
        """Its media is here. Each call is taken once."""
        planned = self._planned.pop(call_id, None)
        if planned is not None:
            self._expiries.pop(call_id).cancel()
        return planned

    def give_up(self, call_id: str, ended_reason: str = "") -> bool:
        """Its media will not come: the record ends with this reason, in the API's words; empty: it never connected. False where it is
        not planned."""
        planned = self.take(call_id)
        if planned is None:
            return False
        self._room.withdraw()
        self.ended(planned, ended_reason or "call.in-progress.error-vapifault-transport-never-connected")
        return True

    def failed(self, call_id: str, ended_reason: str) -> None:
        """Its media came, and it could not become a call."""
        found = self._live.get(call_id)
        if found is not None and not self.give_up(call_id, ended_reason):
            self.ended(found[0], ended_reason)

    def ended(self, planned: PlannedCall, ended_reason: str) -> None:
        """It is over without having lived."""
        wall_ms = self._clock.wall_ms()
        self._writer.change(planned.id, wall_ms, status="ended", ended_wall_ms=wall_ms, ended_reason=ended_reason)
        self._over(planned.id)
        planned.told("ended", ended_reason)
        self.finished(planned.id, planned.org_id, ended_reason)

    def _over(self, call_id: str) -> None:
        planned = self._live.pop(call_id, None)
        if planned is not None:
            self._limits.release(planned[0].org_id, call_id)
            self._register.let_go(call_id)

    # ---------------------------------------------------------------------------------- what can be seen

    def said(self, call_id: str) -> Mapping[str, Any]:
        """What a live call's record will say, as far as it has come; empty where it is not here."""
        found = self._live.get(call_id)
        return found[1].said() if found is not None and call_id not in self._planned else {}

    async def written(self, within_s: float = 2.0) -> None:
        """What has become of calls here is in their records, unless the database takes longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._writer.written()

    def engines(self) -> Iterator[Engines]:
        """Those that planned calls wait with."""
        for planned in self._planned.values():
            yield planned.engines

    async def remaining(self, org_id: str) -> tuple[int, int]:
        """How many calls an organisation may have at once, and how many more it may have now; (0, 0) where there is no limit."""
        limit = self._limits.limit
        return limit, max(0, limit - await self._limits.taken(org_id)) if limit else 0

    def close(self) -> None:
        """What still waits has no server any more."""
        for call_id in list(self._planned):
            self.give_up(call_id, "worker-shutdown")
