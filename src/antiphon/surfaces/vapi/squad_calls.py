"""A call that is asked for with a squad: its first member takes it.

The engines of a live call stay as they are (``session``): another member, with a voice and a model of its own, cannot take it over. So the
call stays with the first, and what of the squad has no effect is named in the call's warnings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.assistants.compile import merged
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.errors import ApiError

FindSquad = Callable[[str, str], Awaitable[Mapping[str, Any] | None]]
"""``(org_id, id)``: the stored squad."""
_STAYS = (
    "a call stays with the squad's first member: members with engines of their own cannot take over a live call here"
)
_WHO = ("assistantId", "assistant", "workflowId", "workflow")


@dataclass(frozen=True, slots=True)
class FirstMember:
    """Who takes the call."""

    body: Mapping[str, Any]
    """The request as if its assistant had been asked for: member's, members' and the call's overrides are laid over each other."""
    squad_id: str
    warnings: tuple[tuple[str, str], ...]


async def first_member(body: Mapping[str, Any], org_id: str, find: FindSquad) -> FirstMember | None:
    """None where no squad is asked for. Raises ApiError 400."""
    squad, squad_id = body.get("squad"), body.get("squadId")
    if not squad and not squad_id:
        return None
    if wrong := [name for name in _WHO if body.get(name)]:
        raise ApiError(400, [f"{name} must be absent where a squad is given" for name in wrong])
    if squad_id:
        if not isinstance(squad_id, str):
            raise ApiError(400, ["squadId must be a string"])
        squad = await find(org_id, squad_id)
        if squad is None:
            raise ApiError(400, f"Couldn't find squad: {squad_id[:64]}.")
    fields.require("CreateSquadDTO", squad, "squad")
    members = squad["members"] if isinstance(squad, Mapping) else ()
    if not members:
        raise ApiError(400, ["squad.members must contain at least 1 element"])
    member = members[0]
    overrides: Mapping[str, Any] = {}
    for each in (
        member.get("assistantOverrides"),
        squad.get("membersOverrides"),  # type: ignore[union-attr]  # an object: the form says so
        body.get("squadOverrides"),
        body.get("assistantOverrides"),
    ):
        overrides = _laid_over(overrides, each)
    asked = {name: value for name, value in body.items() if name not in ("squad", "squadId", "squadOverrides")}
    who = {name: member[name] for name in ("assistantId", "assistant") if member.get(name)}
    warnings = []
    if len(members) > 1:
        warnings.append(("squad.members", _STAYS))
    if member.get("assistantDestinations"):
        warnings.append(("squad.members.0.assistantDestinations", _STAYS))
    return FirstMember({**asked, **who, "assistantOverrides": overrides}, str(squad_id or ""), tuple(warnings))


def _laid_over(base: Mapping[str, Any], over: Any) -> Mapping[str, Any]:
    if over is None:
        return base
    if not isinstance(over, Mapping):
        raise ApiError(400, ["squadOverrides must be an object"])
    try:
        return merged(base, over)
    except ConfigurationError as error:
        raise ApiError(400, [f"{error.field} {error.problem}"]) from None
