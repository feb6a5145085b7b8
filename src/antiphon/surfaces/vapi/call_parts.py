"""What the routes of ``/call`` stand on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.calls.destinations import FindSquad
from antiphon.calls.directory import CallDirectory
from antiphon.calls.planned import CallRequest, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.calls.stores import CallRecord, CallStore
from antiphon.clock import Clock
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.call_views import LiveCost, nothing_counted
from antiphon.surfaces.vapi.repeats import Repeats

Dial = Callable[[CallRequest], Awaitable[PlannedCall]]
"""Plans and dials a telephone call. Raises as ``CallPlanner.plan``, and ProviderError where the carrier refuses it."""


@dataclass(frozen=True, slots=True)
class Later:
    """Calls that are not made at once."""

    schedule: Callable[[CallRequest, int, int | None], Awaitable[CallRecord]]
    """The request, and between which moments (UTC ms; None: no latest). Raises as ``CallPlanner.plan``."""
    cancel: Callable[[CallRecord, str], Awaitable[CallRecord | None]]
    """With the ended reason; None where it is too late."""


@dataclass(frozen=True, slots=True)
class CallParts:
    """What the routes stand on."""

    access: Access
    planner: CallPlanner
    calls: CallStore
    directory: CallDirectory
    urls: CallUrls
    clock: Clock
    repeats: Repeats
    expires_ms: int
    phone_number: Callable[[str, str], Awaitable[Mapping[str, Any] | None]]
    """``(org_id, id)``: the stored number."""
    squad: FindSquad
    later: Later
    dial: Dial | None = None
    """None where there is no telephone."""
    erase: Callable[[CallRecord], Awaitable[None]] | None = None
    """What else there is of a call: recordings, event logs. Raises OSError."""
    deleted: Callable[[CallRecord, str], None] = lambda record, kind: None
    """Told of a call that was deleted, or could not be: ``call.deleted``, ``call.delete.failed``. Must not raise."""
    live_cost: LiveCost = nothing_counted
    strict: bool = False
    """Whether fields that nobody knows are refused."""
