"""Calls that are to be made later: kept as jobs, made once, by whichever process is there when their time has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import structlog

from antiphon.calls.planned import CallRequest
from antiphon.calls.secrets import DocumentSecrets
from antiphon.calls.squads import Member, Squad
from antiphon.calls.stores import CallRecord, CallStore
from antiphon.clock import Clock
from antiphon.errors import AntiphonError, CapacityError, ConfigurationError, StoreUnavailable
from antiphon.ids import new_id
from antiphon.jobs.queue import CallChange, Job, JobStore, job_id
from antiphon.jobs.worker import Done, JobWorker, NotYet, Step

_AGAIN_MS = 5000
"""Where there is no room for a call that is due, it is asked for again so much later."""
NO_LATEST_MS = 3_600_000
"""A call without a latest time is given up so long after its earliest."""
NOT_MADE = "call.start.error-get-transport"
NOT_VALID = "call.start.error-get-assistant"
log = structlog.get_logger(__name__)

MakeCall = Callable[[CallRequest, int | None], Awaitable[object]]
"""Plans and dials a call. The time (UTC ms) is that at which a process that is gone may have dialled it. Raises as ``CallPlanner.plan``,
and ProviderError."""


class ScheduledCalls:
    """One for a process; several share the store."""

    def __init__(
        self,
        jobs: JobStore,
        calls: CallStore,
        clock: Clock,
        make: MakeCall,
        ended: Callable[[CallRecord], object] = lambda record: None,
        secrets: DocumentSecrets | None = None,
    ) -> None:
        """``ended`` is told of each that ends without having been made, as it is recorded. ``secrets`` seals what is to be dialled while
        it waits: an assistant of which nothing may be kept stands in it."""
        self._jobs = jobs
        self._calls = calls
        self._clock = clock
        self._make = make
        self._ended = ended
        self._secrets = secrets or DocumentSecrets()
        self._process = new_id("process")
        steps: Mapping[Any, Sequence[Step]] = {"dial": (("begin", self._begin), ("dial", self._dial))}
        self._worker = JobWorker(jobs, clock, steps)

    def start(self) -> None:
        self._worker.start()

    async def close(self) -> None:
        """Those whose time has not come stay. Safe to call twice."""
        await self._worker.close()

    async def add(self, request: CallRequest, earliest_ms: int, latest_ms: int | None) -> None:
        """It is recorded as ``scheduled`` already. Times are UTC. The request goes with the job: when it has been dialled, or given up.
        Raises StoreUnavailable, ConfigurationError, ProviderUnavailable."""
        now_ms = self._clock.wall_ms()
        latest = max(earliest_ms, now_ms) + NO_LATEST_MS if latest_ms is None else latest_ms
        facts = {"request": self._secrets.sealed_whole(asdict(request)), "latest_ms": latest}
        id = job_id("dial", request.call_id)
        await self._jobs.add(Job(id, request.call_id, request.org_id, now_ms, earliest_ms, facts, kind="dial"))
        self._worker.wake()

    async def cancel(self, record: CallRecord, ended_reason: str) -> CallRecord | None:
        """The record of a call that will not be made; None where it is too late for that. Raises StoreUnavailable."""
        await self._jobs.delete_of(record.id)
        found = await self._calls.find(record.org_id, record.id)
        if found is None or found.status != "scheduled":
            return None
        now_ms = self._clock.wall_ms()
        ended = await self._calls.change(
            record.id, now_ms, status="ended", ended_wall_ms=now_ms, ended_reason=ended_reason
        )
        if ended is not None:
            self._ended(ended)
        return ended

    # ---------------------------------------------------------------------------------- when its time has come

    async def _begin(self, job: Job) -> Done:
        """Written down before anything rings: who comes after us knows that it may have rung."""
        record = await self._calls.find(job.org_id, job.call_id)
        if record is None or record.status != "scheduled":
            return Done({"over": True})
        now_ms = self._clock.wall_ms()
        if now_ms > job.facts["latest_ms"]:
            return Done({"over": True}, self._over(record, NOT_MADE))
        return Done({"asked_wall_ms": now_ms, "process": self._process}, CallChange(columns={"status": "queued"}))

    async def _dial(self, job: Job) -> Done:
        begun = job.results["begin"] or {"over": True}  # where it was given up
        record = None if begun.get("over") else await self._calls.find(job.org_id, job.call_id)
        if record is None or record.status == "ended":
            return Done()
        if job.attempts and self._clock.wall_ms() > job.facts["latest_ms"]:  # a fault of ours, until it was too late
            return Done(change=self._over(record, NOT_MADE))
        before_ms = begun["asked_wall_ms"] if begun["process"] != self._process else None
        try:
            request = _request_of(self._secrets.opened_whole(job.facts["request"]))
            await self._make(request, before_ms)
        except StoreUnavailable:
            raise
        except CapacityError:
            if self._clock.wall_ms() < job.facts["latest_ms"]:
                raise NotYet(_AGAIN_MS) from None
            return Done(change=self._over(record, NOT_MADE))
        except AntiphonError as error:
            log.warning("scheduled_call_not_made", call_id=job.call_id, problem=error.code)
            reason = NOT_VALID if isinstance(error, ConfigurationError) else NOT_MADE
            return Done(change=self._over(record, reason))
        return Done()

    def _over(self, record: CallRecord, ended_reason: str) -> CallChange:
        now_ms = self._clock.wall_ms()
        columns = {"status": "ended", "ended_wall_ms": now_ms, "ended_reason": ended_reason}
        self._ended(CallRecord(**{**_fields(record), **columns}))
        return CallChange(columns=columns)


def _fields(record: CallRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in CallRecord.__dataclass_fields__}


def _request_of(fields: Mapping[str, Any]) -> CallRequest:
    """As ``asdict`` and JSON left it."""
    squad = fields.get("squad")
    made = Squad(tuple(Member(**member) for member in squad["members"]), squad["id"]) if squad else None
    warnings = tuple((name, why) for name, why in fields["warnings"])
    return CallRequest(**{**fields, "squad": made, "warnings": warnings})
