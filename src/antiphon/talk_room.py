"""The talk page put together: its keys, who may talk to which assistant, and sessions that go on with a conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.session.plan import SessionPlan
from antiphon.surfaces.realtime.secrets import ClientSecrets
from antiphon.surfaces.talk.desk import SECRET_KIND, TalkKeys
from antiphon.surfaces.talk.page_access import PageAccess
from antiphon.surfaces.talk.probe import ConnectionProbe
from antiphon.surfaces.talk.routes import TalkPage, routes
from antiphon.transports.webrtc.base import WebRtcEngine
from antiphon.transports.webrtc.settings import TurnServer

if TYPE_CHECKING:
    from antiphon.calls.trials import Trials
    from antiphon.surfaces.console.door import Door

RESUMED = "resumed"
"""``resumed:<name>`` names an assistant as ``assistant:<name>`` does, in a session that goes on with a conversation of before."""


@dataclass(frozen=True, slots=True)
class TalkParts:
    """What the page needs of the process."""

    settings: Settings
    clock: Clock
    names: Callable[[], Sequence[str]]
    """Of assistants that are files."""
    access: PageAccess
    secrets: ClientSecrets
    places: int
    """How many sessions there may be at once."""
    webrtc: WebRtcEngine
    turn: TurnServer | None
    on_admitted: Callable[[], None]
    door: Door | None
    """Who may use the console; None where there is none."""
    trials: Trials | None
    """Stored assistants; None where nothing is stored."""
    keep_trial: Callable[[str], Awaitable[None]] | None = None
    """Tells the other worker processes, where there are some, that a stored assistant is ready here."""


def talk_routes(parts: TalkParts) -> list[Route]:
    """``/talk`` and what lies under it, with keys for sessions with one of the assistants."""

    def make_key(assistant: str, ttl_s: int, key_id: str, resumed: bool) -> tuple[str, int]:
        session = {
            "type": "realtime",
            "model": f"{RESUMED if resumed else 'assistant'}:{assistant}",
            "audio": {"input": {"transcription": {}}},  # the page shows what it heard
        }
        secret, key = parts.secrets.create(
            session, ttl_s, parts.clock.wall_ms(), key_id=key_id, max_sessions=parts.places, kind=SECRET_KIND
        )
        return key, secret.expires_wall_ms

    page = TalkPage(
        TalkKeys(make_key, parts.names, parts.settings.assistant, parts.clock),
        parts.access,
        ConnectionProbe(parts.webrtc, parts.turn, parts.clock),
        parts.settings.public_url,
        parts.on_admitted,
    )
    if parts.door is not None:
        page = replace(page, signed_in=parts.door.may_talk)
    if parts.trials is not None:
        page = replace(page, stored=_named_by(parts.trials, parts.keep_trial))
    return routes(page)


def _named_by(
    trials: Trials, keep_trial: Callable[[str], Awaitable[None]] | None
) -> Callable[[str, str], Awaitable[str]]:
    async def stored(org_id: str, id: str) -> str:
        name = (await trials.prepare(org_id, id)).spec.name or id
        if keep_trial is not None:
            await keep_trial(id)
        return name

    return stored


def without_greeting(plan: SessionPlan) -> SessionPlan:
    """Nobody is greeted twice: who was spoken to waits to be spoken to."""
    greeting = replace(plan.policy.greeting, mode="assistant-waits-for-user", message="")
    return replace(plan, policy=replace(plan.policy, greeting=greeting))
