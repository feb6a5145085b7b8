"""Who led a call that was handed over, as its record says it: for what is done when the call is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from antiphon.assistants.compile import merged
from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.planned import CallRequest
from antiphon.calls.stores import CallRecord
from antiphon.errors import ConfigurationError

LEAD = "lead"
"""In a record's body: who led last, as a request for a call names an assistant. Absent where that is who took it."""
PLANS = "leadPlans"
"""In a record's body: of each that led, in their order, what may be left of its part (``plan_of``)."""
FindAssistant = Callable[[str, str], Awaitable[Mapping[str, Any] | None]]
"""``(org_id, id)``: the document of a stored assistant or a file. Raises StoreUnavailable."""
_WITHOUT_WORDS = frozenset(
    {"name", "server", "serverUrl", "serverUrlSecret", "serverMessages", "compliancePlan", "hipaaEnabled", "artifactPlan",
     "credentialIds"}
)  # fmt: skip
"""What must be known of an assistant after a call of which nothing is kept: whom to tell."""


def lead_of(request: CallRequest, *, keeps_words: bool) -> dict[str, Any]:
    """For ``LEAD``."""
    lead: dict[str, Any] = {"assistantId": request.assistant_id} if request.assistant_id else {}
    if request.assistant is not None:
        lead["assistant"] = request.assistant
    if request.overrides:
        lead["assistantOverrides"] = request.overrides
    return lead if keeps_words else without_words(lead)


def plan_of(spec: AssistantSpec) -> dict[str, bool]:
    """For ``PLANS``: whether its part is recorded, in the transcript, and may stand in a log."""
    return {
        "recording": spec.records,
        "transcript": spec.artifact_plan.transcript_plan.enabled,
        "log": spec.artifact_plan.logging_enabled,
    }


def without_words(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request for a call, or a record's body, without what was written for a model or a voice: of a call of which nothing is kept."""
    gone = ("squad", "squadOverrides", "workflow", "workflowOverrides", "variableValues")
    kept = {name: value for name, value in body.items() if name not in gone}
    for name in ("assistant", "assistantOverrides"):
        if isinstance(document := kept.get(name), Mapping):
            kept[name] = {field: value for field, value in document.items() if field in _WITHOUT_WORDS}
    return kept


def words_gone(body: Mapping[str, Any]) -> dict[str, Any]:
    """What takes the place of the words in a record that was written with them, as a change of its body."""
    kept = without_words(body)
    return {name: kept.get(name) for name in body if kept.get(name) != body[name]}


async def last_assistant(record: CallRecord, find: FindAssistant) -> Mapping[str, Any] | None:
    """The document of the assistant that led a call last, overrides laid over it, as both are now; None where it is gone."""
    return await _document(record, record.body.get(LEAD) or record.body, find)


def last_assistant_id(record: CallRecord) -> str:
    """Its document's id or its file's name; empty for one that came with the call."""
    who = record.body.get(LEAD) or record.body
    return "" if isinstance(who.get("assistant"), Mapping) else str(who.get("assistantId") or record.assistant_id)


async def first_assistant(record: CallRecord, find: FindAssistant) -> Mapping[str, Any] | None:
    """Of the one that took it, where another one led it last; None otherwise."""
    return await _document(record, record.body, find) if LEAD in record.body else None


async def _document(record: CallRecord, who: Mapping[str, Any], find: FindAssistant) -> Mapping[str, Any] | None:
    document, overrides = who.get("assistant"), who.get("assistantOverrides")
    if not isinstance(document, Mapping):
        id = who.get("assistantId") or record.assistant_id
        document = await find(record.org_id, id) if id else None
    if document is None or not isinstance(overrides, Mapping):
        return document
    try:
        return merged(document, overrides)
    except ConfigurationError:
        return document  # it was told when the call was asked for
