"""A call that is asked for with a squad: its first member begins, the others can be handed the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from antiphon.calls.destinations import FindSquad
from antiphon.calls.planned import CallRequest, CallType
from antiphon.calls.squads import Squad, laid_over, squad_of
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.call_requests import call_request
from antiphon.surfaces.vapi.errors import ApiError

_WHO = ("assistantId", "assistant", "workflowId", "workflow")


@dataclass(frozen=True, slots=True)
class FirstMember:
    """Who takes the call."""

    body: Mapping[str, Any]
    """The request as if its assistant had been asked for: member's, members' and the call's overrides are laid over each other."""
    squad: Squad
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The same, with the tools that hand the call to other members."""
    warnings: tuple[tuple[str, str], ...] = ()


async def asked_call(
    body: Mapping[str, Any],
    org_id: str,
    kind: CallType,
    transport: Mapping[str, Any],
    find: FindSquad,
    *,
    strict: bool = False,
) -> CallRequest:
    """Of an assistant, or of a squad's first member. Raises ApiError 400."""
    first = await first_member(body, org_id, find)
    if first is None:
        return call_request(body, org_id, kind, transport, strict=strict)
    asked = call_request(first.body, org_id, kind, transport, strict=strict)
    kept = {name: body[name] for name in ("squad", "squadOverrides") if name in body}
    return replace(
        asked,
        overrides=first.overrides,
        body={**asked.body, **kept},
        squad_id=first.squad.id,
        squad=first.squad,
        warnings=(*first.warnings, *asked.warnings),
    )


async def first_member(body: Mapping[str, Any], org_id: str, find: FindSquad) -> FirstMember | None:
    """None where no squad is asked for. Raises ApiError 400."""
    document, squad_id = body.get("squad"), body.get("squadId")
    if not document and not squad_id:
        return None
    if wrong := [name for name in _WHO if body.get(name)]:
        raise ApiError(400, [f"{name} must be absent where a squad is given" for name in wrong])
    if squad_id:
        if not isinstance(squad_id, str):
            raise ApiError(400, ["squadId must be a string"])
        document = await find(org_id, squad_id)
        if document is None:
            raise ApiError(400, f"Couldn't find squad: {squad_id[:64]}.")
    fields.require("CreateSquadDTO", document, "squad")
    assert isinstance(document, Mapping), "its form says so"
    try:
        squad = squad_of(document, body.get("squadOverrides"), id=squad_id or "")
        first, written = squad.members[0], document["members"][0]
        call_s = body.get("assistantOverrides")
        overrides = laid_over(first.overrides, call_s)
        common = (document.get("membersOverrides"), body.get("squadOverrides"), call_s)
        plain = laid_over(written.get("assistantOverrides"), *common)
    except ConfigurationError as error:
        raise ApiError(400, [f"{error.field} {error.problem}"]) from None
    asked = {name: value for name, value in body.items() if name not in ("squad", "squadId", "squadOverrides")}
    who = {name: written[name] for name in ("assistantId", "assistant") if written.get(name)}
    warnings = tuple(
        (f"squad.members.{at}.assistantVersion", "the latest version of an assistant is called")
        for at, member in enumerate(document["members"])
        if isinstance(member, Mapping) and member.get("assistantVersion")
    )
    return FirstMember({**asked, **who, "assistantOverrides": plain}, squad, overrides, warnings)
