"""``end-of-call-report``: handed to the outbox, which delivers it until the assistant's server has acknowledged it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from antiphon.assistants.legacy import with_successors
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.secrets import WRITTEN
from antiphon.calls.servers import server_of
from antiphon.calls.stores import CallRecord
from antiphon.clock import Clock
from antiphon.json_values import written
from antiphon.surfaces.vapi.call_documents import call_document
from antiphon.surfaces.vapi.server_events import target_of
from antiphon.surfaces.vapi.server_messages import About, wanted_by
from antiphon.webhooks.deliveries import Delivery
from antiphon.webhooks.outbox import Outbox, delivery_of
from antiphon.webhooks.target import Authenticate, Target
from antiphon.wire_model import parse

TYPE = "end-of-call-report"
AssistantOf = Callable[[CallRecord], Awaitable[Mapping[str, Any] | None]]
"""The document of the assistant that led a call, with the call's overrides; None where it is gone. Raises StoreUnavailable."""


class ServerReports:
    """Takes reports from the work after calls (``jobs.report.ReportOutbox``)."""

    def __init__(
        self,
        outbox: Outbox,
        assistants: Sequence[AssistantOf],
        clock: Clock,
        server_beside: Callable[[CallRecord], Awaitable[ServerSpec | None]],
        *,
        zero_retention: bool = False,
    ) -> None:
        """``assistants``: the first of them that has a server is told. ``server_beside``: where none has, or no assistant took the call,
        who is told instead.

        ``zero_retention``: nothing of what is said may be written down; reports wait in the database."""
        self._zero_retention = zero_retention
        self._outbox = outbox
        self._assistants = assistants
        self._clock = clock
        self._server_beside = server_beside

    async def put(self, report_id: str, call: CallRecord, message: Mapping[str, Any]) -> None:
        """Once this returns, the report will be delivered, also where this process dies. The same id again changes nothing. A call whose
        assistant has no server, or does not want reports, is reported to nobody. Raises StoreUnavailable."""
        assistant, server = await self.told(call, TYPE)
        if server is None:
            return
        if self._zero_retention or _keeps_nothing(assistant):
            about = _without_words(call_document(call), assistant)
        else:
            about = About(call_document(call), assistant)
        around = about.envelope(call.status)
        body = written({"message": {**message, **around}}, str)  # whatever a model or a vendor has said
        target = server.model_dump(by_alias=True, exclude={"backoff_plan"})
        await self._outbox.put(
            delivery_of(
                TYPE, body, target, call.org_id, self._clock, call_id=call.id, id=report_id, assistant_id=call.assistant_id,
                timeout_s=server.timeout_seconds,
            )
        )  # fmt: skip

    async def told(self, call: CallRecord, kind: str) -> tuple[Mapping[str, Any], ServerSpec | None]:
        """Who led the call, as far as it may be known, and the server that wants this type of message of it. Raises StoreUnavailable."""
        last: Mapping[str, Any] | None = None
        for assistant_of in self._assistants:
            assistant = await assistant_of(call)
            if assistant is not None and (server := server_of(assistant)) is not None:
                return assistant, server if kind in wanted_by(assistant) else None
            last = last or assistant
        last = last or {}
        return last, await self._server_beside(call) if kind in wanted_by(last) else None


def delivery_targets(authenticate: Authenticate) -> Callable[[Delivery], Awaitable[Target]]:
    """Where deliveries go, with their credentials as they are now."""

    async def target(delivery: Delivery) -> Target:
        """Raises ConfigurationError, StoreUnavailable."""
        made = target_of(parse(ServerSpec, delivery.target))
        if not made.credential_id:
            return made
        return replace(made, authentication=await authenticate(delivery.org_id, made.credential_id))

    return target


def _keeps_nothing(assistant: Mapping[str, Any]) -> bool:
    plan = with_successors(assistant).get("compliancePlan")
    return isinstance(plan, Mapping) and (plan.get("hipaaEnabled") is True or plan.get("pciEnabled") is True)


def _without_words(call: Mapping[str, Any], assistant: Mapping[str, Any]) -> About:
    """Prompt and greeting would be written down with what is said of the assistant: its name is enough."""
    told = {name: value for name, value in call.items() if name not in WRITTEN or name == "transport"}
    return About(told, {"name": assistant["name"]} if assistant.get("name") else {})
