"""A call's record as the API's Call object. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.calls.leads import LEAD, PLANS
from antiphon.calls.stores import CallRecord
from antiphon.clock import iso
from antiphon.surfaces.vapi.call_messages import artifact_messages, openai_messages, transcript

OURS = frozenset(
    {"history", "historyTruncated", "usage", "failures", "endReason", "leads", "variableValues", LEAD, PLANS}
)
"""Fields of a record's body that are not shown as they are."""
_COLUMNS = {
    "name": "name",
    "assistantId": "assistant_id",
    "squadId": "squad_id",
    "phoneNumberId": "phone_number_id",
    "endedReason": "ended_reason",
    "phoneCallProviderId": "provider_call_id",
}


def call_document(
    record: CallRecord, said: Mapping[str, Any] | None = None, monitor: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """``said`` is what a live call knows beyond its record. ``monitor``: where it can be listened to and controlled.

    Once the artifact is made of the call's event log, its messages are the call's: what was written while the call went on has less."""
    body = {**record.body, **(said or {})}
    document = {name: value for name, value in body.items() if name not in OURS}
    document |= {
        "id": record.id,
        "orgId": record.org_id,
        "type": record.type,
        "status": record.status,
        "cost": body.get("cost", record.cost_usd),
        "createdAt": iso(record.created_wall_ms),
        "updatedAt": iso(record.updated_wall_ms),
    }
    for name, column in _COLUMNS.items():
        if value := getattr(record, column):
            document[name] = value
    if record.started_wall_ms is not None:
        document["startedAt"] = iso(record.started_wall_ms)
    if record.ended_wall_ms is not None:
        document["endedAt"] = iso(record.ended_wall_ms)
    if monitor:
        document["monitor"] = dict(monitor)
    if history := body.get("history"):
        artifact: dict[str, Any] = {
            "messages": artifact_messages(history, record.started_wall_ms or record.created_wall_ms),
            "messagesOpenAIFormatted": openai_messages(history),
            "transcript": transcript(history),
            **({"variableValues": body["variableValues"]} if body.get("variableValues") else {}),
            **_activations(body.get("leads") or ()),
            **(body.get("artifact") or {}),
        }
        document |= {"artifact": artifact, "messages": artifact["messages"]}
    return document


def _activations(leads: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Of a call that was handed over."""
    named = {"assistant": "assistantName", "assistant_id": "assistantId"}
    told = [{named[name]: value for name, value in lead.items() if name in named} for lead in leads]
    return {"assistantActivations": told} if told else {}
