"""The work after calls, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from starlette.routing import Route

from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.calls.artifact import Labels
from antiphon.calls.cost import cost_fields
from antiphon.calls.files import CallFiles
from antiphon.calls.leads import last_assistant, last_assistant_id
from antiphon.calls.linked_outputs import linked_outputs
from antiphon.calls.meter import CostMeter
from antiphon.calls.stores import CallRecord, Resource, ResourceStore
from antiphon.chat.agent import TextAgent, TextAgents
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.jobs.after_call import AfterCall, AfterPlan, Surroundings
from antiphon.jobs.analysis import Analyst
from antiphon.jobs.erasure import Erasure
from antiphon.jobs.hand_over import AfterCalls
from antiphon.jobs.report import NoOutbox, ReportOutbox
from antiphon.jobs.worker import JobWorker
from antiphon.losses import Losses
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.jobs import StoredJobs
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_files import CallFileRoutes
from antiphon.surfaces.vapi.file_links import FileLinks
from antiphon.surfaces.vapi.orgs import retention_days
from antiphon.surfaces.vapi.signed_urls import SignedUrls
from antiphon.surfaces.vapi.structured_runs import read_output
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import OnUsage

_NO_MODELS = frozenset({"workflow"})
"""They follow a graph, and cannot be asked about a call."""


def after_plan(
    spec: AssistantSpec | None, settings: Settings, analyst: Analyst | None, org_days: float | None = None
) -> AfterPlan:
    """What an assistant wants. None: it is gone; its organisation (``org_days``) and the settings say what is done."""
    keep_days = settings.after_call.retention_days if org_days is None else org_days
    if spec is None:
        return AfterPlan(keep_days=keep_days)
    plan = spec.artifact_plan
    names = plan.transcript_plan
    keep_days = keep_days if plan.retention_days is None else plan.retention_days
    return AfterPlan(
        Labels(names.assistant_name or "AI", names.user_name or "User"),
        spec.records,
        names.enabled,
        plan.logging_enabled,
        plan.full_message_history_enabled is not False,
        spec.analysis_plan,
        plan.structured_output_ids,
        plan.structured_outputs,
        "\n".join(message.content for message in spec.messages() if message.role == "system"),
        keep_days,
        analyst if spec.model is not None and spec.model.provider not in _NO_MODELS else None,
    )


def keeps_nothing(spec: AssistantSpec | None, settings: Settings) -> bool:
    """Whether nothing that is said to this assistant may be written down."""
    return settings.after_call.zero_retention or (spec is not None and spec.compliance_plan.keeps_nothing)


class Assistants(Protocol):
    """Who knows assistants by the names that calls carry, and the models behind them."""

    def document(self, name: str) -> Mapping[str, Any] | None:
        """None where there is none of this name any more."""
        ...

    def of_call(self, call: CallStarted) -> AssistantSpec | None:
        """Who leads this live call."""
        ...

    def analyst(self, spec: AssistantSpec) -> Analyst | None:
        """Raises ConfigurationError, ProviderUnavailable."""
        ...


class AfterCallWork:
    """All of it, for one process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        database: Database,
        calls: StoredCalls,
        resources: ResourceStore,
        access: Access,
        costs: CostMeter,
        assistants: Assistants,
        agents: TextAgents,
        urls: SignedUrls,
        losses: Losses,
        ended_reason: Callable[[str], str] = str,
        forget_call: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``agents``: where structured outputs find models of their own. ``urls`` signs addresses of files.
        ``forget_call`` erases what others hold of a call: what its application was told."""
        self._settings = settings
        self._clock = clock
        self._calls = calls
        self._resources = resources
        self._assistants = assistants
        self._agents = agents
        files = CallFiles(settings.data_dir / "calls")
        jobs = StoredJobs(database)
        links = FileLinks(urls, clock, round(settings.after_call.file_links_hours * 3600))
        self.erasure = Erasure(files, calls, jobs, clock, database.forget, forget_call)
        around = Surroundings(self._plan_of, self._outputs_of, links.addresses, self._read_output, ended_reason)
        self._steps = AfterCall(files, calls, jobs, clock, costs.prices, around, NoOutbox(), self.erasure.erase_content)
        self.waiting = jobs.waiting
        """How much work there is."""
        worker = JobWorker(jobs, clock, self._steps.steps(), settings.after_call.lease_s, losses)
        self.observer = AfterCalls(
            jobs,
            files,
            clock,
            worker,
            costs.prices,
            costs.find,
            losses,
            self._keeps_nothing,
            ended_reason,
            calls.spent_since if settings.costs.max_usd_per_day else None,
        )
        self._costs = costs
        self._files = CallFileRoutes(files, calls, links, access)

    def report_to(self, outbox: ReportOutbox) -> None:
        """Who delivers reports, from now on. Before: nobody."""
        self._steps.outbox = outbox

    def start(self) -> None:
        """Once the database is open."""
        self.observer.start()

    async def close(self) -> None:
        """Before the database is closed. Safe to call twice."""
        await self.observer.close()

    def routes(self) -> list[Route]:
        return self._files.routes()

    def finished(self, call_id: str, org_id: str, ended_reason: str = "") -> None:
        """For calls that no session of this process held (``calls.dead_workers.Finished``)."""
        self.observer.finished(call_id, {"endedReason": ended_reason} if ended_reason else None, org_id)

    async def find(self) -> None:
        """Calls that are over, and that nobody has handed over, are looked for now. Raises StoreUnavailable."""
        with suppress(OSError):  # the regular look tells
            await self.observer.sweep()

    def live_cost(self, call_id: str) -> Mapping[str, Any]:
        """What a call costs as far as it has come, as the call object says it; empty where this process does not know it."""
        counted = self._costs.find(call_id)
        return cost_fields(counted, self._costs.prices) if counted is not None else {}

    def _keeps_nothing(self, call: CallStarted) -> bool:
        return keeps_nothing(self._assistants.of_call(call), self._settings)

    async def _plan_of(self, record: CallRecord) -> AfterPlan:
        spec = await self._spec_of(record)
        analyst = None
        if spec is not None and spec.model is not None and spec.model.provider not in _NO_MODELS:
            try:
                analyst = self._assistants.analyst(spec)
            except AntiphonError:  # its engines cannot be made any more: told to whoever calls it
                analyst = None
        return after_plan(spec, self._settings, analyst, await retention_days(self._resources, record.org_id))

    async def _spec_of(self, record: CallRecord) -> AssistantSpec | None:
        """Of the assistant that led it last, with the call's overrides."""
        document = await last_assistant(record, self._document)
        if document is None:
            return None
        try:
            return parse_assistant(dict(document))
        except ConfigurationError:
            return None

    async def _document(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        stored = await self._resources.find("assistant", org_id, id)
        if stored is not None:
            return stored.body
        return self._assistants.document(id)

    async def _outputs_of(self, record: CallRecord, ids: Sequence[str]) -> Sequence[Resource]:
        kind, org_id = "structured-output", record.org_id
        named = [await self._resources.find(kind, org_id, id) for id in ids]
        linked = await linked_outputs(last_assistant_id(record), partial(self._resources.list, kind, org_id))
        # One that names an assistant which names it is asked once.
        return list({each.id: each for each in (*named, *linked) if each is not None}.values())

    async def _read_output(self, output: Resource, transcript: str, analyst: Analyst | None, used: OnUsage) -> Any:
        """As out of a session."""
        otherwise = TextAgent(analyst.model, options=analyst.options) if analyst is not None else None
        return await read_output(self._agents, output.org_id, output.body, transcript, otherwise, used)
