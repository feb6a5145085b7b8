"""``/v1/realtime/calls``: browsers begin calls over WebRTC, servers end them.

POST /calls                  an offer; 201, the answer, and ``Location: /v1/realtime/calls/rtc_…``
POST /calls/{id}/hangup      200, empty
POST /calls/{id}/accept, /reject, /refer    of telephone calls that arrive by SIP; no call here is one
"""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import ProviderUnavailable
from antiphon.ids import new_id
from antiphon.surfaces.realtime.access import Access, AccessControl, Act
from antiphon.surfaces.realtime.browser_call import BrowserCall
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.http import PREFIX, HttpError, post
from antiphon.surfaces.realtime.offers import invalid_offer, no_webrtc, read_offer
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.sessions import RealtimeSessions
from antiphon.transports.webrtc.base import InvalidOffer, WebRtcEngine
from antiphon.vocabulary import EndReason

log = structlog.get_logger(__name__)


def routes(access: AccessControl, sessions: RealtimeSessions, engine: WebRtcEngine) -> list[Route]:
    """The routes of calls, under each of ``http.PREFIXES``."""

    async def begin(request: Request, *, beta: bool) -> Response:
        who = access.require(request.headers, Act.OPEN_SESSION)
        sessions.require_room(
            who, connecting=True
        )  # before the offer is read, which is work; nothing is reserved for it yet
        offer = await read_offer(request)
        query = request.query_params
        model = query.get("model") or query.get("deployment", "")  # Azure's word for it
        config = sessions.configure_for(who, model, offer.session, intent=query.get("intent", ""))
        call_id, answer = await _answer(sessions, engine, who, config, offer.sdp, beta=beta)
        log.info("realtime_call_answered", call_id=call_id, who=who.name)
        location = f"{PREFIX}/calls/{call_id}"
        return Response(answer, 201, {"Location": location}, media_type="application/sdp")

    async def calls(request: Request) -> Response:
        """Begin a call. With a client secret, the session stored with it is what a form's ``session`` is laid over."""
        return await begin(request, beta=False)

    async def beta_calls(request: Request) -> Response:
        """The same at the address of the older dialect, in which the call's events are then."""
        return await begin(request, beta=True)

    async def hangup(request: Request) -> Response:
        """End a call, whether or not it is connected yet."""
        _find(access, sessions, request).end(EndReason.ASSISTANT_ENDED)
        return Response()

    async def answer(request: Request) -> Response:
        """Only a call by SIP rings; a browser's is answered from the start."""
        _find(access, sessions, request)
        raise HttpError(400, "This call does not ring: it can be neither accepted nor rejected.", "call_not_ringing")

    async def refer(request: Request) -> Response:
        _find(access, sessions, request)
        raise HttpError(400, "This call cannot be transferred: it did not come by SIP.", "call_not_sip")

    return [
        *post("/calls", calls),
        *post("", beta_calls),
        *post("/calls/{call_id}/hangup", hangup),
        *post("/calls/{call_id}/accept", answer),
        *post("/calls/{call_id}/reject", answer),
        *post("/calls/{call_id}/refer", refer),
    ]


async def _answer(
    sessions: RealtimeSessions, engine: WebRtcEngine, who: Access, config: SessionConfig, sdp: str, *, beta: bool
) -> tuple[str, str]:
    """The call's id and the answer; the call connects by itself, or is dropped. Raises HttpError, CapacityError."""
    sessions.admit(who, connecting=True)
    try:
        session = sessions.create(config, new_id("rtc"), owner=who, plays_out=True)
    except HttpError:
        sessions.withdraw()
        raise
    call = BrowserCall(session, beta=beta, key_id=who.key_id)
    try:
        answer, leg = await engine.answer(sdp, call)
    except BaseException as error:
        sessions.withdraw()
        session.end(EndReason.REFUSED)
        if isinstance(error, InvalidOffer):
            raise invalid_offer(error.problem) from None
        if isinstance(error, ProviderUnavailable):
            raise no_webrtc(error.problem) from None
        raise
    if session.ended:  # by the server, or because its key was revoked, while the answer was made
        sessions.withdraw()
        leg.close(1008, "refused")
        raise HttpError(409, "The call was ended before it was answered.", "call_ended")
    call.begin(leg)
    return session.call_id, answer


def _find(access: AccessControl, sessions: RealtimeSessions, request: Request) -> RealtimeSession:
    """The call in the path, for whoever may control it. Raises HttpError."""
    access.require(request.headers, Act.CONTROL_CALL)
    session = sessions.find(request.path_params["call_id"])
    if session is None:
        raise HttpError(404, "There is no live call of this id.", "call_not_found", param="call_id")
    return session
