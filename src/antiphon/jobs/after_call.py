"""The work after a call, step by step: artifact, analysis and cost, report; and, much later, its erasure.

Every step is made of what is durable (event log, record, results of steps before it), so that it may be done again by another process.
Its result and what it changes in the call's record are written together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import structlog

from antiphon.assistants.output_conditions import Facts
from antiphon.audio.wav import is_being_written
from antiphon.calls.artifact import Addresses, Labels, artifact, transcript
from antiphon.calls.cost import cost_fields, cost_from_log
from antiphon.calls.files import CallFiles
from antiphon.calls.heard import heard_call
from antiphon.calls.leads import PLANS
from antiphon.calls.stores import CallRecord, CallStore, Resource
from antiphon.clock import Clock
from antiphon.errors import MalformedMessage
from antiphon.jobs.analysis import Analyst, Questions, ReadOutput
from antiphon.jobs.queue import CallChange, Job, JobKind, JobStore, LeaseLost, job_id
from antiphon.jobs.report import ReportOutbox, end_of_call_report
from antiphon.jobs.worker import Done, NotYet, Step
from antiphon.providers.prices import Prices
from antiphon.session.event_log import EventLog
from antiphon.vocabulary import EndReason

_LOOK_AGAIN_MS = 200
_PATIENCE_MS = 30_000
"""A log or a recording that is still open so long after the call ended is taken as it is."""
_DAY_MS = 86_400_000
ANALYSIS_ATTEMPTS = 3
_MAX_COLUMN_CHARS = 255

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AfterPlan:
    """What an assistant wants done after its calls."""

    labels: Labels = field(default_factory=Labels)
    with_recording: bool = True
    with_transcript: bool = True
    keeps_log: bool = True
    whole_history: bool = True
    """Whether the messages of its calls are all there were, also those that a handoff's plan left out."""
    analysis: Mapping[str, Any] = field(default_factory=dict)
    """``analysisPlan``, as it was written."""
    structured_output_ids: tuple[str, ...] = ()
    structured_outputs: tuple[Mapping[str, Any], ...] = ()
    """Written out; each is known by an id that is made of the call's."""
    instructions: str = ""
    keep_days: float = 0.0
    """What was said is erased after so long; 0: never."""
    analyst: Analyst | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps ask of others."""

    plan_of: Callable[[CallRecord], Awaitable[AfterPlan]]
    outputs_of: Callable[[CallRecord, Sequence[str]], Awaitable[Sequence[Resource]]]
    """Structured outputs that are asked about a call: those of these ids, and those that name its assistant."""
    addresses: Callable[[str, bool, bool], Addresses]
    """Of a call that has a recording, and a log."""
    read_output: ReadOutput
    ended_reason: Callable[[str], str] = str
    """Our reason, as the API calls it."""


class AfterCall:
    """The steps."""

    def __init__(
        self,
        files: CallFiles,
        calls: CallStore,
        jobs: JobStore,
        clock: Clock,
        prices: Prices,
        around: Surroundings,
        outbox: ReportOutbox,
        erase_content: Callable[[str], Awaitable[None]],
    ) -> None:
        self._files = files
        self._calls = calls
        self._jobs = jobs
        self._clock = clock
        self._prices = prices
        self._around = around
        self.outbox = outbox
        self._erase_content = erase_content

    def steps(self) -> Mapping[JobKind, Sequence[Step]]:
        after: Sequence[Step] = (
            ("artifact", self.artifact),
            ("analysis", self.analysis),
            ("report", self.report),
        )
        return {"after": after, "erase": (("erase", self.erase),)}

    async def artifact(self, job: Job) -> Done:
        """Wait for the files to be whole, see that there is a record, and put into it what was said."""
        nothing_kept = bool(job.facts.get("zeroRetention"))
        logs = [] if nothing_kept else await asyncio.to_thread(self._whole_logs, job)
        fresh = _record(job, logs, self._around.ended_reason) if logs else _record_of_facts(job)
        known = await self._calls.find(None, job.call_id)
        if known is None:
            own = await self._jobs.find(job.id)
            if own is None or own.done:
                raise LeaseLost  # it was deleted meanwhile
            await self._calls.add(fresh)
        end = _end_of(known, fresh, died=self._around.ended_reason(EndReason.SERVER_DIED))
        if nothing_kept:
            return Done(None, CallChange(columns=end))
        record = known or fresh
        plan = await self._plan(job, record)
        spoken, change = await asyncio.to_thread(self._left, job, logs, record, plan)
        return Done(spoken, CallChange(change, end))

    def _whole_logs(self, job: Job) -> list[EventLog]:
        patient = self._clock.wall_ms() - job.created_wall_ms < _PATIENCE_MS
        logs = self._logs(job)
        writing = any(is_being_written(path) for path in self._files.recordings(job.call_id))
        if patient and (writing or any(event_log.ended is None for event_log in logs)):
            raise NotYet(_LOOK_AGAIN_MS)
        return logs

    def _logs(self, job: Job) -> list[EventLog]:
        try:
            return self._files.logs(job.call_id)
        except MalformedMessage as error:
            log.error("event_log_unreadable", call_id=job.call_id, problem=error.code)
            return []

    def _left(
        self, job: Job, logs: Sequence[EventLog], record: CallRecord, plan: AfterPlan
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was spoken, for whoever is asked about it, and what a call leaves behind in its record. (To follow a log costs
        what the conversation cost: it is done once.)"""
        heard = [heard_call(part) for part in logs]
        recorded = self._recorded(record, plan)
        kept = [each.get("transcript", True) for each in record.body.get(PLANS) or ()]
        logged = bool(heard) and may_be_logged(record, plan)
        left = artifact(
            heard, plan.labels, self._around.addresses(job.call_id, recorded, logged), kept, whole=plan.whole_history
        )
        if not (any(kept) if kept else plan.with_transcript):
            del left["transcript"]
        if values := record.body.get("variableValues"):
            left["variableValues"] = values
        asked = [
            message for part in heard for message in part.messages if message.message.role in ("user", "assistant")
        ]
        spoken = {
            "text": transcript(asked, plan.labels),
            "messages": sum(bool(message.message.content) for message in asked),
        }
        return spoken, {"artifact": {**(record.body.get("artifact") or {}), **left}, "messages": left["messages"]}

    async def analysis(self, job: Job) -> Done:
        """What a model says of it, and what it all cost: out of the log, or, where none was kept, what the meter said when the call ended.
        A model that fails is asked again a few times; then the report goes without it."""
        if job.facts.get("zeroRetention"):
            skipped = {"analysis": "nothing of this call is kept"}
            return self._costed({"analysis": {}, "analysisSkipped": skipped}, job.facts.get("cost") or {})
        record = await self._record(job)
        plan = await self._plan(job, record)
        logs = await asyncio.to_thread(self._logs, job)
        spoken = job.results["artifact"] or {"text": "", "messages": 0}
        outputs = [
            *await self._around.outputs_of(record, plan.structured_output_ids),
            *(_written_out(record, at, output) for at, output in enumerate(plan.structured_outputs)),
        ]
        read = self._around.read_output
        questions = Questions(
            job.call_id, spoken["text"], plan.instructions, plan.analysis, plan.analyst, outputs, read
        )
        done = await questions.ask(Facts(spoken["messages"], _lasted_s(record), record.ended_reason))
        body: dict[str, Any] = {"analysis": done.fields, "analysisSkipped": done.skipped}
        if done.outputs:
            body["artifact"] = {**(record.body.get("artifact") or {}), "structuredOutputs": done.outputs}
        cost = job.facts.get("cost") or {}
        if logs:
            cost = cost_fields(cost_from_log(logs, self._prices), self._prices, done.uses)
        kept = {"days": plan.keep_days, "log": may_be_logged(record, plan)}
        return self._costed(body, cost, kept)

    @staticmethod
    def _costed(body: Mapping[str, Any], cost: Mapping[str, Any], kept: Mapping[str, Any] | None = None) -> Done:
        return Done(kept, CallChange({**body, **cost}, {"cost_usd": cost.get("cost", 0.0)}))

    async def report(self, job: Job) -> Done:
        """The event log goes, where it may not be kept, when all is made of it."""
        record = await self._record(job)
        await self.outbox.put(f"{job.id}:end-of-call-report", record, end_of_call_report(record, self._clock.wall_ms()))
        kept = job.results["analysis"] or {}
        if days := kept.get("days"):
            due_ms = (record.ended_wall_ms or job.created_wall_ms) + round(days * _DAY_MS)
            erase = Job(
                job_id("erase", job.call_id), job.call_id, job.org_id, job.created_wall_ms, due_ms, kind="erase"
            )
            await self._jobs.add(erase)
        if not kept.get("log", True):
            await asyncio.to_thread(self._files.erase_logs, job.call_id)
        return Done()

    async def erase(self, job: Job) -> Done:
        await self._erase_content(job.call_id)
        return Done()

    def _recorded(self, record: CallRecord, plan: AfterPlan) -> bool:
        """Of a call whose assistants wanted none, each for its part, there is a recording of silence: it goes."""
        plans = record.body.get(PLANS)
        if not (any(each.get("recording", True) for each in plans) if plans else plan.with_recording):
            self._files.erase_recordings(record.id)
        return bool(self._files.recordings(record.id))

    async def _plan(self, job: Job, record: CallRecord) -> AfterPlan:
        plan: AfterPlan | None = job.seen.get("plan")
        if plan is None:
            plan = job.seen["plan"] = await self._around.plan_of(record)
        return plan

    async def _record(self, job: Job) -> CallRecord:
        """As the step before has left it."""
        record: CallRecord | None = job.seen.get("record") or await self._calls.find(None, job.call_id)
        return record if record is not None else _record_of_facts(job)  # deleted meanwhile


def _lasted_s(record: CallRecord) -> float | None:
    if record.started_wall_ms is None or record.ended_wall_ms is None:
        return None
    return (record.ended_wall_ms - record.started_wall_ms) / 1000


def _written_out(record: CallRecord, at: int, output: Mapping[str, Any]) -> Resource:
    id = str(uuid5(NAMESPACE_URL, f"{record.id}/structured-output/{at}"))
    return Resource("structured-output", id, record.org_id, output, record.created_wall_ms, record.created_wall_ms)


def may_be_logged(record: CallRecord, plan: AfterPlan) -> bool:
    """One assistant that forbids it is enough: a log without its part could not be followed."""
    return plan.keeps_log and all(each.get("log", True) for each in record.body.get(PLANS) or ())


_TYPES = {("twilio", "inbound"): "inboundPhoneCall", ("twilio", "outbound"): "outboundPhoneCall"}


def _record(job: Job, logs: Sequence[EventLog], ended_reason: Callable[[str], str]) -> CallRecord:
    """Of a call that nobody wrote down while it went on."""
    first, last = logs[0], logs[-1]
    carrier = first.header.carrier
    provider, direction = carrier.get("provider", ""), carrier.get("direction", "inbound")
    number = carrier.get("caller" if direction == "inbound" else "called", "")
    ended_ms = last.header.wall_ms + max((entry.now_ms for entry in last.entries[-1:]), default=last.header.started_ms)
    ended_ms -= last.header.started_ms
    return CallRecord(
        job.call_id,
        job.org_id,
        _TYPES.get((provider, direction), "webCall"),
        "ended",
        first.header.wall_ms,
        ended_ms,
        first.header.wall_ms,
        ended_ms,
        ended_reason(last.ended or EndReason.SERVER_DIED),
        assistant_id=first.header.assistant,
        customer_number=number[:_MAX_COLUMN_CHARS],
        provider_call_id=carrier.get("provider_call_id", "")[:_MAX_COLUMN_CHARS],
        body={"customer": {"number": number}} if number else {},
    )


def _record_of_facts(job: Job) -> CallRecord:
    facts = job.facts
    started, ended = facts.get("startedWallMs"), facts.get("endedWallMs")
    return CallRecord(
        job.call_id, job.org_id, str(facts.get("type", "webCall")), "ended", started or job.created_wall_ms,
        ended or job.created_wall_ms, started, ended, str(facts.get("endedReason", "")),
        assistant_id=str(facts.get("assistant", "")),
    )  # fmt: skip


def _end_of(known: CallRecord | None, fresh: CallRecord, died: str) -> dict[str, Any]:
    """What whoever wrote the record during the call did not come to write: its process ``died``. A call that had ended a moment before
    that ended for its own reason, as its log says."""
    if known is None:
        return {}
    if known.status == "ended" and known.ended_wall_ms is not None:
        if known.ended_reason != died or fresh.ended_reason in ("", died):
            return {}
        return {"ended_wall_ms": fresh.ended_wall_ms, "ended_reason": fresh.ended_reason}
    return {
        "status": "ended",
        "started_wall_ms": known.started_wall_ms or fresh.started_wall_ms,
        "ended_wall_ms": fresh.ended_wall_ms,
        "ended_reason": known.ended_reason or fresh.ended_reason,
    }
