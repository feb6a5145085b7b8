"""Calls between two assistants of this server: one is called, and has a call like any other; one plays the caller, and has none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from antiphon.assistants.compile import Assistant
from antiphon.calls.planned import CallRequest, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.clock import Clock
from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.errors import ConfigurationError
from antiphon.ids import new_call_id
from antiphon.providers.prices import Prices
from antiphon.session.manager import SessionManager
from antiphon.session.plan import Engines, SessionPlan
from antiphon.transports.base import CallAcceptor, CallStarted
from antiphon.transports.joined import JoinedLine
from antiphon.vocabulary import AudioFormat, Encoding, EndReason, Usage

AUDIO = AudioFormat(Encoding.PCM16, 16_000)
_WAITS, _BEGINS = "assistant-waits-for-user", "assistant-speaks-first-with-model-generated-message"
PlanCaller = Callable[[Assistant, Engines, str], SessionPlan]
"""How the caller's session is led: ``(assistant, engines, call_id)``. Nothing of it is written down."""
_DAY_MS = 86_400_000


class CallerCost:
    """A ``SessionObserver``: what playing a caller costs, which stands in no call's record."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self.usd = 0.0

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        """No carrier is paid."""

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """Costs nothing."""

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        self.usd += self._prices.of(provider, usage)

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """What failed is not paid for, as far as we know."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        """It stays readable."""


class SimulatedCalls:
    """One per process."""

    def __init__(
        self,
        planner: CallPlanner,
        manager: SessionManager,
        acceptor: CallAcceptor,
        clock: Clock,
        plan_caller: PlanCaller,
        prices: Prices,
    ) -> None:
        self._planner = planner
        self._manager = manager
        self._acceptor = acceptor
        self._clock = clock
        self._plan_caller = plan_caller
        self._prices = prices
        self._day = 0
        self._day_usd = 0.0
        self._callers: dict[str, str] = {}
        """Those who call now, by the ids their tools know, with their organisations."""
        self._waiting: dict[str, Engines] = {}
        """Of those whose calls are being prepared."""

    def org_of(self, caller_id: str) -> str:
        """Whose caller it is; empty where it is none of ours."""
        return self._callers.get(caller_id, "")

    def engines(self) -> Iterator[Engines]:
        """Those that callers wait with."""
        yield from self._waiting.values()

    def spent_today_usd(self, now_wall_ms: int) -> float:
        """By callers of this process since midnight UTC, whose conversations are over."""
        return self._day_usd if self._day == now_wall_ms // _DAY_MS else 0.0

    def _note_spent(self, usd: float) -> None:
        now_ms = self._clock.wall_ms()
        self._day_usd = self.spent_today_usd(now_ms) + usd
        self._day = now_ms // _DAY_MS

    async def check(self, target: CallRequest, caller: CallRequest) -> None:
        """Whether both can be had, and what they say may be judged. Raises ConfigurationError naming the field, UnknownAssistant,
        ProviderUnavailable, StoreUnavailable."""
        for request in (target, caller):
            await self._planner.check(request)
        called = await self._planner.finder.assistant(target, target.call_id)
        if self._planner.keeps_nothing(called.spec):
            raise ConfigurationError(
                "target", "nothing that is said to it may be kept: there would be no transcript to judge"
            )

    async def hold(
        self, target: CallRequest, caller: CallRequest, longest_s: float, began: Callable[[str], Awaitable[None]]
    ) -> float:
        """The whole call, until one of the two hangs up; what the caller cost, in US dollars. ``began`` is told its id. Both take a place
        among the calls of this process, the one that is called one of its organisation, too. Raises as ``CallPlanner.plan``; cancelled, it
        ends the call."""
        caller_id = new_call_id()
        self._callers[caller_id] = caller.org_id
        cost = CallerCost(self._prices)
        try:
            await self._hold(target, await self._begins(target, caller), caller_id, longest_s, began, cost)
        finally:
            del self._callers[caller_id]
            self._waiting.pop(caller_id, None)
            self._note_spent(cost.usd)
        return cost.usd

    async def _begins(self, target: CallRequest, caller: CallRequest) -> CallRequest:
        """Who is called speaks first, unless one of the two says otherwise."""
        own = caller.assistant or {}
        if own.get("firstMessageMode") or own.get("firstMessage"):
            return caller
        called = await self._planner.finder.assistant(target, "")
        mode = _BEGINS if called.spec.first_message_mode == _WAITS else _WAITS
        return replace(caller, overrides={**caller.overrides, "firstMessageMode": mode})

    async def _hold(
        self,
        target: CallRequest,
        caller: CallRequest,
        caller_id: str,
        longest_s: float,
        began: Callable[[str], Awaitable[None]],
        cost: CallerCost,
    ) -> None:
        self._manager.require_room(2)
        self._manager.admit()
        try:
            assistant, engines = await self._planner.ready(caller, caller_id)
            self._waiting[caller_id] = engines
            planned = await self._planner.plan(target)
        except BaseException:
            self._manager.withdraw()
            raise
        try:
            await began(planned.id)
            line = self._join(planned, assistant, engines, caller_id, cost)
        except BaseException:
            self._planner.give_up(planned.id, "manually-canceled")
            self._manager.withdraw()
            raise
        await self._until_over(line, planned.id, caller_id, longest_s)

    def _join(
        self, planned: PlannedCall, assistant: Assistant, engines: Engines, caller_id: str, cost: CallerCost
    ) -> JoinedLine:
        """Both sessions, on one line, or none of them."""
        self._manager.require_room(2)
        line = JoinedLine(self._clock, AUDIO)
        called, calling = line.ends
        called.session = self._acceptor.accept(
            CallStarted(
                planned.record.type, planned.id, planned.record.assistant_id, format_in=AUDIO, format_out=AUDIO
            ), called,
        )  # fmt: skip
        try:
            plan = self._plan_caller(assistant, engines, caller_id)
            calling.session = self._manager.open(
                CallStarted("simulation", caller_id, assistant.spec.name, format_in=AUDIO, format_out=AUDIO),
                replace(plan, observers=(*plan.observers, cost)), calling, watched=False,
            )  # fmt: skip
        except BaseException:
            line.hang_up()
            raise
        return line

    async def _until_over(self, line: JoinedLine, call_id: str, caller_id: str, longest_s: float) -> None:
        why = EndReason.CANCELLED
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(longest_s):
                    await line.run()
            why = EndReason.EXCEEDED_MAX_DURATION
        finally:
            for id in (call_id, caller_id):
                if (session := self._manager.find(id)) is not None:
                    session.drop(why)
