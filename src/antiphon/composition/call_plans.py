"""Which assistant answers a call, with what engines, files and observers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.assistants.loader import LoadedAssistant
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import ToolDefinition
from antiphon.calls.hooks import CallHooks
from antiphon.clock import Clock
from antiphon.composition.room_settings import hearing_settings
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import ConfigurationError
from antiphon.files import unused_name
from antiphon.providers.base import ExpectedAnswers
from antiphon.served import ServedAssistants
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import Engines, SessionPlan
from antiphon.session.session import Session
from antiphon.surfaces.realtime.mapping import PLAIN_POLICY
from antiphon.surfaces.realtime.protocol.audio_config import PCM as REALTIME
from antiphon.surfaces.vapi.ended_reasons import in_words
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.surfaces.vapi.server_messages import About
from antiphon.talk_room import RESUMED, without_greeting
from antiphon.tools.base import ToolRunner
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import CallContext

if TYPE_CHECKING:
    from antiphon.api_calls import ApiCalls
    from antiphon.assistants.compile import Assistant

Transfer = Callable[[str, str], Awaitable[None]]
"""Hand a call over: ``(call id, destination)``."""


class CallPlans:
    """Calls that were planned before they rang (the REST API's), and those that name their assistant as they come."""

    def __init__(
        self, settings: Settings, clock: Clock, engines: EngineRoom, assistants: ServedAssistants, events: ServerEvents
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._engines = engines
        self._assistants = assistants
        self._events = events
        self.api_calls: ApiCalls | None = None
        """Calls of the REST API, where there is one."""
        self.session_of: Callable[[str], Session | None] = lambda call_id: None
        """A live call's session; set by the composition root."""
        self.transfers: dict[str, Transfer] = {}
        """By a call's provider: how the carrier that brought it hands it over."""

    @property
    def folder(self) -> Path:
        """Where recordings and event logs are kept."""
        return self._settings.data_dir / "calls"

    # ---------------------------------------------------------------------------------- who answers

    def planned_spec(self, call_id: str) -> AssistantSpec | None:
        """What a call was planned with; None where it was not."""
        planned = self.api_calls.planner.known(call_id) if self.api_calls is not None else None
        return planned.assistant.spec if planned is not None else None

    def tried_spec(self, id: str) -> AssistantSpec | None:
        """A stored assistant that is being tried, by its id."""
        tried = self.api_calls.trials.find(id) if self.api_calls is not None else None
        return tried[0].spec if tried is not None else None

    def spec_of(self, session: Session) -> AssistantSpec:
        """The assistant that leads a live call. Raises ConfigurationError."""
        return self.planned_spec(session.call.call_id) or self._assistants.load(session.plan.assistant)

    def waiting_engines(self) -> Iterator[Engines]:
        """Of calls that are planned and have not come yet."""
        if self.api_calls is not None:
            yield from self.api_calls.planner.engines()
            yield from self.api_calls.trials.engines()
            yield from self.api_calls.simulated.engines()

    # ---------------------------------------------------------------------------------- plans

    def plan(self, call: CallStarted) -> SessionPlan:
        """Raises ConfigurationError, ProviderUnavailable."""
        planned = self.api_calls.planner.take(call.call_id) if self.api_calls is not None else None
        name = call.assistant or (self._settings.assistant if planned is None else "")
        if planned is not None:
            assistant: LoadedAssistant | Assistant = planned.assistant
            engines = planned.engines
        elif self.api_calls is not None and (tried := self.api_calls.trials.find(name)) is not None:
            assistant, engines = tried
        else:
            assistant, engines = self._assistants.find(name)
        spec = assistant.spec
        recording, event_log = self._files(call, spec, changes=planned is not None and planned.may_be_handed_over)
        observers = planned.observers if planned is not None else self._tellers(call, name, spec)
        if spec.hooks or (planned is not None and planned.may_be_handed_over):
            observers = (*observers, self._hooks(call, spec, planned.record.type if planned is not None else ""))
        variables = dict(call.parameters)
        context = CallContext(call.call_id, call.caller, variables, self._clock.wall_ms())
        return SessionPlan(
            assistant=name,
            policy=assistant.policy,
            messages=spec.messages(),
            engines=engines,
            opening=self._engines.opening_answers(engines, context),
            hearing=hearing_settings(self._settings),
            recording=recording,
            event_log=event_log,
            variables=variables,
            transfer=self.transfers.get(call.provider),
            observers=observers,
        )

    def realtime_plan(self, model: str, call_id: str) -> SessionPlan:
        """``assistant:<name>`` is that assistant, ``resumed:<name>`` the same where a conversation goes on; any other name a plain model,
        which has the engines of an assistant and nothing else of it. Raises ConfigurationError, ProviderUnavailable."""
        kind, _, name = model.partition(":")
        named = kind in ("assistant", RESUMED)
        plain = self._settings.realtime.assistant or self._settings.assistant
        started = CallStarted("realtime", call_id, name if named else plain, format_in=REALTIME, format_out=REALTIME)
        plan = self.plan(started)
        if plan.engines.speech_to_speech is not None:
            raise ConfigurationError(
                "model", "this assistant's model speaks itself, which sessions of this API do not carry yet"
            )
        if named:
            return without_greeting(plan) if kind == RESUMED else plan
        return replace(
            plan,
            assistant=model,
            policy=PLAIN_POLICY,
            messages=(),
            engines=replace(plan.engines, tools=None, background=None),
            opening=ExpectedAnswers(),
            observers=(),
        )

    def caller_plan(self, assistant: Assistant, engines: Engines, call_id: str) -> SessionPlan:
        """Of one who plays the caller of another call: nothing of it is written down, and nobody is told."""
        return SessionPlan(
            assistant=assistant.spec.name,
            policy=assistant.policy,
            messages=assistant.messages,
            engines=engines,
            opening=self._engines.opening_answers(engines, CallContext(call_id, "", {}, self._clock.wall_ms())),
            hearing=hearing_settings(self._settings),
            observers=(self._engines.tools.observer,),
        )

    def _files(
        self, call: CallStarted, spec: AssistantSpec, *, changes: bool = False
    ) -> tuple[Path | None, Path | None]:
        """Recording and event log. ``changes``: assistants may lead the call that say otherwise of its recording. A call that comes back
        after its stream (a transfer returns) is the same call, and what is there of it stays."""
        settings = self._settings
        kept = not (settings.after_call.zero_retention or spec.compliance_plan.keeps_nothing)
        name = unused_name(self.folder, call.call_id, (".wav", ".jsonl"))
        recording = (
            self.folder / f"{name}.wav" if settings.record_calls and (spec.records or changes) and kept else None
        )
        return recording, self.folder / f"{name}.jsonl" if settings.keep_event_logs and kept else None

    def _hooks(self, call: CallStarted, spec: AssistantSpec, call_type: str) -> CallHooks:
        """``spec`` leads it at first."""
        kind = call_type or _type_of(call)
        return CallHooks(
            lambda: self.planned_spec(call.call_id) or spec,
            lambda call_id: self.session_of(call_id),
            self._runner_of,
            lambda reason: in_words(reason, kind),
            self._clock,
        )

    def _runner_of(self, spec: AssistantSpec, tool: ToolDefinition) -> ToolRunner | None:
        """Of one tool, as the assistant would run it."""
        if spec.model is None:
            return None
        alone = spec.model_copy(update={"model": spec.model.model_copy(update={"tools": (tool,)})})
        return self._engines.tools.runner(alone)

    def _tellers(self, call: CallStarted, name: str, spec: AssistantSpec) -> tuple[SessionObserver, ...]:
        """Who tells the assistant's server of a call that was not planned."""
        kind = _type_of(call)
        customer = {"customer": {"number": call.caller}} if call.caller else {}
        document = spec.model_dump(by_alias=True, exclude_unset=True)
        about = About({"id": call.call_id, "type": kind, "assistantId": name, **customer}, document, spec.messages())
        return self._events.observers(spec, about)


def _type_of(call: CallStarted) -> str:
    """Of a call that was not planned."""
    return "inboundPhoneCall" if call.provider == "twilio" else "webCall"
