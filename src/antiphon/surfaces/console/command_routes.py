"""What can be done to a live call from its page: listen in, mute, hand over, end. The commands are the API's (``vapi.controls``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.directory import CallDirectory
from antiphon.calls.planned import PlannedCall
from antiphon.errors import ConfigurationError
from antiphon.surfaces.console.bodies import object_of
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.controls import command_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.media_gate import monitor_allows

TICKET_MS = 30_000
"""Within this time the page opens the socket that it was given a ticket for."""
_DONE = {
    "mute-assistant": "call.agent_muted",
    "unmute-assistant": "call.agent_unmuted",
    "mute-customer": "call.caller_muted",
    "unmute-customer": "call.caller_unmuted",
    "pause-recording": "call.recording_paused",
    "resume-recording": "call.recording_resumed",
    "transfer": "call.transferred",
    "end-call": "call.ended",
}
"""What may be asked here (a ``control``, or else a type), and how it is noted."""
_PREFIX = "/console/api/live/{id}"


def routes(
    door: Door, directory: CallDirectory, planned: Callable[[str], PlannedCall | None], urls: CallUrls
) -> list[Route]:
    """``planned``: what a call of the API was planned with; None for others."""

    def require(id: str, allowed: str) -> None:
        """Raises HTTPException 403 where the call's assistant does not let it happen."""
        call = planned(id)
        if call is not None and not monitor_allows(call, allowed):
            raise HTTPException(403, f"This call's assistant does not allow it (monitorPlan.{allowed})")

    @door.guarded("viewer")
    async def listening(request: Request, visitor: Visitor) -> Response:
        """A ticket for the socket of ``vapi.listening``, for this call, as a path: the page knows by which name it reached us."""
        id = request.path_params["id"]
        if not await directory.is_live(id):
            raise HTTPException(404, "There is no such call")
        require(id, "listenEnabled")
        await door.note(visitor.user, "call.listened_in", id)
        return secret_response({"path": urlsplit(urls.listen(id, TICKET_MS)).path})

    @door.guarded("builder")
    async def commanded(request: Request, visitor: Visitor) -> Response:
        id, body = request.path_params["id"], await object_of(request)
        action = _DONE.get(_name(body))
        if action is None:
            raise HTTPException(422, f"type or control: must be one of {', '.join(_DONE)}")
        require(id, "controlEnabled")
        try:
            done = await directory.command(id, command_of(body))
        except ApiError as error:
            raise HTTPException(422, str(error)) from None
        except ConfigurationError as error:
            raise HTTPException(422, f"{error.field}: {error.problem}") from None
        if not done:
            raise HTTPException(404, "There is no such call")
        await door.note(visitor.user, action, id)
        return Response(None, 204)

    return [
        Route(f"{_PREFIX}/listen", listening, methods=["POST"]),
        Route(f"{_PREFIX}/control", commanded, methods=["POST"]),
    ]


def _name(body: dict[str, Any]) -> str:
    name = body.get("control") if body.get("type") == "control" else body.get("type")
    return name if isinstance(name, str) else ""
