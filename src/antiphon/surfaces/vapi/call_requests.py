"""The body of ``POST /call`` and ``POST /call/web`` as a request for a call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.audio.convert import converter
from antiphon.calls.planned import CallRequest, CallType
from antiphon.calls.secrets import restored
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.vocabulary import AudioFormat, Encoding

WEB_AUDIO = AudioFormat(Encoding.PCM16, 16_000)
MAX_NAME_CHARS = 40
MAX_AHEAD_MS = 366 * 86_400_000
"""Calls are scheduled no further ahead."""
_HEARD = AudioFormat(Encoding.PCM16, 16_000)
_FORMATS = {"pcm_s16le": Encoding.PCM16, "mulaw": Encoding.MULAW}
_RATES_HZ = (8000, 48_000)
_KNOWN = frozenset(
    {"assistantId", "assistant", "assistantOverrides", "transport", "name", "customer", "customers", "customerId", "phoneNumberId",
     "phoneNumber", "metadata", "squadId", "squad", "squadOverrides", "workflowId", "workflow", "workflowOverrides", "schedulePlan"}
)  # fmt: skip
_NOT_POSSIBLE = ("workflowId", "workflow", "customerId")
"""Asked for, they would change the call: refused rather than left out."""


HARMLESS_OVERRIDES = frozenset(
    {"variableValues", "metadata", "clientMessages", "name", "firstMessage", "firstMessageMode"}
)
"""What a public key that may bring no assistant of its own may override: with more, any assistant becomes another."""
_OF_CUSTOMERS = ("assistantOverrides", "squadOverrides", "extension", "sipUri")
"""What a customer may say of the call, and nothing here acts on."""
_CHECKED_ELSEWHERE = ("transport", "phoneNumber", "customers")
"""By whoever carries the call: the media's format, the number that dials, each customer alone."""


def call_request(
    body: Mapping[str, Any], org_id: str, kind: CallType, transport: Mapping[str, Any], *, strict: bool = False
) -> CallRequest:
    """``transport`` is what the Call object says of it. ``strict``: fields that nobody knows are refused. Raises ApiError 400 with all
    that is wrong."""
    looked_at = {name: value for name, value in body.items() if name not in _CHECKED_ELSEWHERE}
    found = fields.check("CreateWebCallDTO" if kind == "webCall" else "CreateCallDTO", looked_at)
    unknown = [name for name in found.unknown if strict and name not in _KNOWN]
    problems = [*_problems(body), *found.problems, *(f"property {name} should not exist" for name in unknown)]
    problems += [f"{field} is masked: give the secret itself" for field in restored(body, {})[1]]
    if problems:
        raise ApiError(400, list(dict.fromkeys(problems))[: fields.MAX_PROBLEMS])
    kept = {
        name: value for name, value in body.items() if name not in ("name", "assistantId", "transport", "customers")
    }
    customer = body.get("customer") or {}
    return CallRequest(
        org_id=org_id,
        type=kind,
        assistant_id=body.get("assistantId") or "",
        assistant=body.get("assistant") if not body.get("assistantId") else None,
        overrides=body.get("assistantOverrides") or {},
        variables={"customer": customer, "phoneNumber": body.get("phoneNumber") or {}, "transport": transport},
        body={**kept, "transport": dict(transport)},
        warnings=tuple(_without_effect(body)),
        name=body.get("name") or "",
        customer_number=str(customer.get("number") or ""),
    )


def _without_effect(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    customer = body.get("customer")
    named = [name for name in body if name not in _KNOWN]
    named += [f"customer.{name}" for name in _OF_CUSTOMERS if isinstance(customer, Mapping) and customer.get(name)]
    for name in named:
        yield name, "is kept, and nothing here acts on it"


def _problems(body: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in ("assistantId", "name", "phoneNumberId"):
        if body.get(name) is not None and not isinstance(body[name], str):
            problems.append(f"{name} must be a string")
    for name in ("assistant", "assistantOverrides", "customer", "phoneNumber", "metadata"):
        if body.get(name) is not None and not isinstance(body[name], Mapping):
            problems.append(f"{name} must be an object")
    called = body.get("name")
    if isinstance(called, str) and len(called) > MAX_NAME_CHARS:
        problems.append(f"name must be shorter than or equal to {MAX_NAME_CHARS} characters")
    if body.get("assistantId") and body.get("assistant"):
        problems.append("assistantId and assistant are mutually exclusive")
    asked = [name for name in _NOT_POSSIBLE if body.get(name)]
    problems += [f"{name} is not possible on this server yet" for name in asked]
    if not asked and not body.get("assistantId") and body.get("assistant") is None:
        problems.append("one of assistantId and assistant must be given")
    return problems


def schedule_of(plan: Any, now_ms: int) -> tuple[int, int | None] | None:
    """Between which moments (UTC ms) a call shall be made, as ``schedulePlan`` says; None for at once. Raises ApiError 400."""
    if plan is None:
        return None
    if not isinstance(plan, Mapping):
        raise ApiError(400, ["schedulePlan must be an object"])
    earliest, latest = plan.get("earliestAt"), plan.get("latestAt")
    if not isinstance(earliest, str):
        raise ApiError(400, ["schedulePlan.earliestAt must be a valid ISO 8601 date string"])
    if latest is not None and not isinstance(latest, str):
        raise ApiError(400, ["schedulePlan.latestAt must be a valid ISO 8601 date string"])
    earliest_ms = ms_of(earliest, "schedulePlan.earliestAt")
    latest_ms = ms_of(latest, "schedulePlan.latestAt") if latest is not None else None
    if latest_ms is not None and latest_ms < max(earliest_ms, now_ms):
        raise ApiError(400, ["schedulePlan.latestAt must be after schedulePlan.earliestAt and now"])
    if earliest_ms - now_ms > MAX_AHEAD_MS:
        raise ApiError(400, ["schedulePlan.earliestAt must be within a year"])
    return earliest_ms, latest_ms


def websocket_format(transport: Mapping[str, Any]) -> AudioFormat:
    """The audio of a ``vapi.websocket`` call. Raises ApiError 400."""
    given = transport.get("audioFormat")
    if given is not None and not isinstance(given, Mapping):
        raise ApiError(400, ["transport.audioFormat must be an object"])
    given = given or {}
    problems = []
    encoding = given.get("format", "pcm_s16le")
    if encoding not in _FORMATS:
        problems.append(f"transport.audioFormat.format must be one of the following values: {', '.join(_FORMATS)}")
    if given.get("container", "raw") != "raw":
        problems.append("transport.audioFormat.container must be one of the following values: raw")
    rate = given.get("sampleRate", 8000 if encoding == "mulaw" else 16_000)
    if isinstance(rate, float) and rate.is_integer():
        rate = int(rate)
    least, most = _RATES_HZ
    if isinstance(rate, bool) or not isinstance(rate, int) or not least <= rate <= most:
        problems.append(f"transport.audioFormat.sampleRate must be an integer from {least} to {most}")
    if problems:
        raise ApiError(400, problems)
    audio = AudioFormat(_FORMATS[encoding], rate)
    try:
        converter(audio, _HEARD)
    except ConfigurationError as error:
        raise ApiError(400, [f"transport.audioFormat.sampleRate: {error.problem}"]) from None
    return audio


def websocket_transport(audio: AudioFormat) -> dict[str, Any]:
    """What the Call object says of it, but for the URL."""
    described = {"format": str(audio.encoding), "container": "raw", "sampleRate": audio.rate_hz}
    return {"provider": "vapi.websocket", "audioFormat": described}


def format_of(transport: Mapping[str, Any]) -> AudioFormat:
    """As ``websocket_transport`` described it."""
    described = transport["audioFormat"]
    return AudioFormat(Encoding(described["format"]), described["sampleRate"])


def require_harmless(overrides: object) -> None:
    """Raises ApiError 403."""
    further = sorted(set(overrides) - HARMLESS_OVERRIDES) if isinstance(overrides, Mapping) else []
    if further:
        allowed = ", ".join(sorted(HARMLESS_OVERRIDES))
        raise ApiError(403, f"This key may not override {str(further[0])[:64]}; it may override {allowed}.")
