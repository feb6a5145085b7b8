"""How calls are found and shown: records, with what a live call knows beyond its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from starlette.requests import Request

from antiphon.calls.planned import CallType, PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.calls.secrets import WRITTEN, masked
from antiphon.calls.stores import CallRecord, CallStatus, CallStore, Listing
from antiphon.surfaces.vapi.access import Asker
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.errors import not_found
from antiphon.surfaces.vapi.media_gate import monitor_allows
from antiphon.surfaces.vapi.paging import BY_TIME_AND_COST, listing_of, one_of

LiveCost = Callable[[str], Mapping[str, Any]]
"""``cost``, ``costs`` and ``costBreakdown`` of a call as far as it has come; empty where this process does not count it."""


def nothing_counted(call_id: str) -> Mapping[str, Any]:
    """A ``LiveCost`` without a meter."""
    return {}


class CallViews:
    """Finds records and shows them."""

    def __init__(self, planner: CallPlanner, calls: CallStore, urls: CallUrls, live_cost: LiveCost) -> None:
        self._planner = planner
        self._calls = calls
        self._urls = urls
        self._live_cost = live_cost

    async def found(self, request: Request, asker: Asker) -> CallRecord:
        """The call that the path names. Raises ApiError 404."""
        id = request.path_params["id"]
        record = await self.record(asker.org_id, id)
        if record is None:
            raise not_found("call", id)
        return record

    async def record(self, org_id: str, id: str) -> CallRecord | None:
        return await self._calls.find(org_id, id) if 0 < len(id) <= 64 and "\0" not in id else None

    def shown(self, record: CallRecord) -> dict[str, Any]:
        said = self._planner.said(record.id)
        if "costs" not in record.body:
            counted = self._live_cost(record.id)
            # After the end, rows mean that all is reckoned, the analysis too: clients wait for them.
            told = counted if record.status != "ended" else {name: counted[name] for name in counted if name == "cost"}
            said = {**said, **told}
        document = call_document(record, said, self._monitor(record))
        return {**document, **{name: masked(document[name]) for name in WRITTEN if name in document}}

    async def document(self, planned: PlannedCall) -> dict[str, Any]:
        """The answer to whoever asked for a call."""
        return {**self.shown(planned.record), "subscriptionLimits": await self.limits(planned.org_id)}

    def _monitor(self, record: CallRecord) -> dict[str, str]:
        """Where a call that is not over can be listened to and controlled."""
        if record.status == "ended":
            return {}
        planned, urls = self._planner.known(record.id), self._urls
        allowed = {"listenUrl": "listenEnabled", "controlUrl": "controlEnabled"}
        made = {"listenUrl": urls.listen(record.id), "controlUrl": urls.control(record.id)}
        return {name: url for name, url in made.items() if planned is None or monitor_allows(planned, allowed[name])}

    async def limits(self, org_id: str) -> dict[str, Any]:
        """``subscriptionLimits``."""
        limit, remaining = await self._planner.remaining(org_id)
        return {"concurrencyBlocked": False, "concurrencyLimit": limit, "remainingConcurrentCalls": remaining}


_FILTERS = {
    "assistantId": "assistant_id", "phoneNumberId": "phone_number_id", "squadId": "squad_id", "status": "status", "type": "type",
    "endedReason": "ended_reason", "customerNumber": "customer_number",
}  # fmt: skip


def calls_listed(request: Request) -> Listing:
    """Which calls a request asks for. Raises ApiError 400."""
    one_of(request, "status", get_args(CallStatus))
    one_of(request, "type", get_args(CallType))
    return listing_of(request, _FILTERS, sorts=BY_TIME_AND_COST)
