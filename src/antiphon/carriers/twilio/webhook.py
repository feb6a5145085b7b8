"""What Twilio asks over HTTP: what to do with a call, and what became of it.

Every request is verified before anything else happens to it. A voice webhook always gets TwiML with status 200 once it is
known to be Twilio's: an HTTP error would let the caller hear "an application error has occurred".
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.carriers.base import CallAnswered, NotTaken, OnCallAnswered, PrepareCall, RingingCall
from antiphon.carriers.streams.status import CallAnswers
from antiphon.carriers.streams.token import CALLED, CALLER, TOKEN, Parties, StreamTokens, TokenClaims
from antiphon.carriers.twilio import status, twiml
from antiphon.carriers.twilio.authorizer import log_unusable
from antiphon.carriers.twilio.control import TRANSFERRED
from antiphon.carriers.twilio.ended import EndedCalls
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.signature import Form, SignatureVerifier, SignedRequest, read_form
from antiphon.clock import Clock
from antiphon.errors import AuthenticationError, CapacityError, ConfigurationError, ProviderError
from antiphon.losses import Losses
from antiphon.transports.base import CallAcceptor
from antiphon.transports.http_body import read_body
from antiphon.vocabulary import AnsweredBy

MAX_BODY_BYTES = 64 * 1024
_LONGEST_DURATION_DIGITS = 9
_XML = "text/xml"
_NOBODY_TOOK_IT = ("busy", "no-answer", "failed", "canceled")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallStatusChanged:
    """News of a call, each at most once and only forward."""

    call_sid: str
    status: str
    """Twilio's word: queued … in-progress, completed, busy, failed, no-answer, canceled."""
    sip_response_code: str = ""


CheckAssistant = Callable[[str], None]
"""Raises ConfigurationError where this assistant cannot take a call."""
OnCallStatus = Callable[[CallStatusChanged], None]


def routes(
    settings: TwilioSettings,
    acceptor: CallAcceptor,
    tokens: StreamTokens,
    clock: Clock,
    on_call_status: OnCallStatus = lambda changed: None,
    on_answered: OnCallAnswered = lambda answered: None,
    ended_calls: EndedCalls | None = None,
    farewell_to: Callable[[str], str] = lambda call_sid: "",
    check_assistant: CheckAssistant = lambda name: None,
    losses: Losses | None = None,
    prepare: PrepareCall | None = None,
) -> list[Route]:
    """The carrier's HTTP routes, all under ``/twilio``. ``farewell_to`` says what a caller is still owed when the stream has ended."""
    webhook = VoiceWebhook(
        settings, acceptor, tokens, clock, on_call_status, on_answered,
        ended_calls or EndedCalls(None, settings.replay_window_days), farewell_to, check_assistant,
        losses or Losses(clock.now_ms), prepare,
    )  # fmt: skip
    both = ["GET", "POST"]
    return [
        Route("/twilio/voice", webhook.voice, methods=both),
        Route("/twilio/voice/{assistant}", webhook.voice, methods=both),
        Route("/twilio/after", webhook.after, methods=both),
        Route(TRANSFERRED, webhook.transferred, methods=both),
        Route("/twilio/stream-status", webhook.stream_status, methods=["POST"]),
        Route("/twilio/call-status", webhook.call_status, methods=["POST"]),
        Route("/twilio/answered-by", webhook.answered_by, methods=["POST"]),
    ]


class VoiceWebhook:
    """The handlers and what they share."""

    def __init__(
        self,
        settings: TwilioSettings,
        acceptor: CallAcceptor,
        tokens: StreamTokens,
        clock: Clock,
        on_call_status: OnCallStatus,
        on_answered: OnCallAnswered,
        ended_calls: EndedCalls,
        farewell_to: Callable[[str], str],
        check_assistant: CheckAssistant,
        losses: Losses,
        prepare: PrepareCall | None,
    ) -> None:
        self._settings = settings
        self._acceptor = acceptor
        self._tokens = tokens
        self._clock = clock
        self._on_call_status = on_call_status
        self._on_answered = on_answered
        self._ended_calls = ended_calls
        self._farewell_to = farewell_to
        self._check_assistant = check_assistant
        self._losses = losses
        self._prepare = prepare
        self._statuses = status.CallStatuses()
        self._answers = CallAnswers()
        self._verifier = SignatureVerifier(settings.auth_token, settings.base_url, settings.account_sid)
        self._call_id_secret = settings.secret("call-id")

    async def voice(self, request: Request) -> Response:
        """A call has come in (or one we dialled was answered): which assistant, and where its media goes."""
        form = await self._verified(request)
        call_sid = form.get("CallSid")
        if not call_sid:
            return Response(status_code=400)
        if not self._ended_calls.may_come(call_sid, form.get("CallStatus"), self._clock.wall_ms()):
            # What Twilio signed once for this call, played again: it is nobody who could be told anything.
            log.warning("twilio_call_refused", call_sid=call_sid[:64], reason="call_is_over")
            return Response(twiml.hang_up(), media_type=_XML)
        assistant = request.path_params.get("assistant", "")
        try:
            taker = await self._taker(request, form, call_sid, assistant)
            if isinstance(taker, NotTaken):
                document = _elsewhere(taker, call_sid, f"{self._settings.base_url}{TRANSFERRED}")
            else:
                assistant = taker
                document = self._connect(request, form, call_sid, assistant)
        except ConfigurationError as error:
            log_unusable(error, assistant, call_sid)
            document = twiml.farewell(twiml.APOLOGY)
        except CapacityError as error:
            log.warning("twilio_call_refused", call_sid=call_sid, reason=error.reason)
            document = twiml.farewell(twiml.BUSY)
        except ProviderError as error:
            log.warning("twilio_call_refused", call_sid=call_sid, reason=error.code)
            document = twiml.farewell(twiml.APOLOGY)
        except Exception as error:
            # Ours to fix, but a caller is on the line now: they hear a sentence, not a carrier's error message.
            log.exception("twilio_webhook_failed", call_sid=call_sid, error_type=type(error).__name__)
            document = twiml.farewell(twiml.APOLOGY)
        return Response(document, media_type=_XML)

    async def _taker(self, request: Request, form: Form, call_sid: str, named: str) -> str | NotTaken:
        """The assistant that takes the call, or where else it goes. Raises ConfigurationError, CapacityError, ProviderError."""
        if self._prepare is None:
            assistant = named or self._settings.assistant
            self._check_assistant(assistant)
            return assistant
        return await self._prepare(
            RingingCall(
                call_id=self._call_id(request, call_sid),
                provider_call_id=call_sid,
                caller=form.get("From")[:256],
                called=form.get("To")[:256],
                direction=_direction(form),
                assistant=named,
            )
        )

    async def after(self, request: Request) -> Response:
        """The media stream has ended, by us or by our death. Whatever we answer, the call ends by it."""
        form = await self._verified(request)
        call_sid = form.get("CallSid")
        if call_sid:
            self._ended_calls.note(call_sid, self._clock.wall_ms(), over=True)
        text = self._farewell_to(call_sid)
        return Response(twiml.farewell(text) if text else twiml.hang_up(), media_type=_XML)

    async def transferred(self, request: Request) -> Response:
        """A transfer is over: whoever was called has hung up, or nobody took it. Then the caller, who waits, is told so."""
        form = await self._verified(request)
        call_sid, came_of_it = form.get("CallSid"), form.get("DialCallStatus")
        if call_sid:
            self._ended_calls.note(call_sid, self._clock.wall_ms(), over=True)
        if came_of_it in _NOBODY_TOOK_IT:
            log.warning("transfer_not_taken", call_sid=call_sid[:64], status=came_of_it)
            return Response(twiml.farewell(twiml.NOBODY), media_type=_XML)
        return Response(twiml.hang_up(), media_type=_XML)

    async def stream_status(self, request: Request) -> Response:
        """The only place where a handshake that failed on Twilio's side shows."""
        form = await self._verified(request)
        if form.get("StreamEvent") == "stream-error":
            log.warning("twilio_stream_error", call_sid=form.get("CallSid")[:64], error=form.get("StreamError")[:200])
        return Response(status_code=204)

    async def call_status(self, request: Request) -> Response:
        """Progress of a call. Duplicates and late ones change nothing."""
        form = await self._verified(request)
        call_sid, call_status = form.get("CallSid"), form.get("CallStatus")
        if not call_sid or not status.is_known(call_status):
            return Response(status_code=400)
        if status.is_final(call_status):
            self._ended_calls.note(call_sid, self._clock.wall_ms(), over=True)
        if self._statuses.observe(call_sid, call_status):
            self._on_call_status(CallStatusChanged(call_sid, call_status, form.get("SipResponseCode")))
        return Response(status_code=204)

    async def answered_by(self, request: Request) -> Response:
        """Who answered a call we placed: a person or a machine. Comes seconds after the call's media, or after its end."""
        answered = _read_answer(await self._verified(request))
        if answered is None:
            return Response(status_code=400)
        if self._answers.observe(answered.provider_call_id, answered.by):
            self._on_answered(answered)
        return Response(status_code=204)

    def _connect(self, request: Request, form: Form, call_sid: str, assistant: str) -> str:
        """TwiML with a fresh token. Safe to ask twice for one CallSid: the call id is the same, the token is not."""
        self._acceptor.admit()
        parties = Parties(form.get("From")[:256], form.get("To")[:256])
        claims = TokenClaims(
            call_id=self._call_id(request, call_sid),
            assistant=assistant,
            provider_call_id=call_sid,
            account_id=form.get("AccountSid"),
            direction=_direction(form),
        )
        token = self._tokens.mint(claims, parties, self._clock.wall_ms())
        base = f"{self._settings.base_url}/twilio"
        parameters = {TOKEN: token, CALLER: parties.caller, CALLED: parties.called}
        return twiml.connect_stream(
            self._settings.media_url_of(claims.call_id),
            {name: value for name, value in parameters.items() if value},
            action_url=f"{base}/after",
            status_url=f"{base}/stream-status",
        )

    def _call_id(self, request: Request, call_sid: str) -> str:
        """For a call we dialled, the id it was dialled under (in the signed URL); else one derived from the CallSid by
        a key, so that a webhook sent twice, to two processes even, names one call."""
        dialled_as = request.query_params.get("call_id", "")
        try:
            return str(uuid.UUID(dialled_as))
        except ValueError:
            digest = hmac.new(self._call_id_secret, call_sid.encode(), hashlib.sha256).digest()
            return str(uuid.UUID(bytes=digest[:16], version=4))

    async def _verified(self, request: Request) -> Form:
        """The request's fields. Raises HTTPException before anything of it is acted on, or its body logged."""
        try:
            return await self._verify(request)
        except AuthenticationError as error:
            peer = request.client.host if request.client else "unknown"
            self._losses.tell(
                "twilio_request_refused", f"{error.reason} {peer}", path=request.scope["path"][:128], reason=error.reason,
                peer=peer,
            )  # fmt: skip
            raise HTTPException(403) from error

    async def _verify(self, request: Request) -> Form:
        signature = request.headers.get("x-twilio-signature", "")
        if self._settings.verify_signatures and not signature:
            raise AuthenticationError("missing")  # not worth reading a body for
        signed = SignedRequest(
            method=request.method,
            raw_path=request.scope["raw_path"].decode("latin-1"),
            raw_query=request.scope["query_string"].decode("latin-1"),
            content_type=request.headers.get("content-type", ""),
            body=await read_body(request, MAX_BODY_BYTES),
            signature=signature,
        )
        if self._settings.verify_signatures:
            return self._verifier.verify(signed)
        return read_form(signed.raw_query if signed.method == "GET" else signed.body.decode("utf-8", "replace"))


def _elsewhere(taken: NotTaken, call_sid: str, action_url: str) -> str:
    """For a call that no assistant takes."""
    if taken.destination:
        try:
            return twiml.dial(taken.destination, action_url, taken.say)
        except ValueError as error:
            log.warning("twilio_call_not_forwarded", call_sid=call_sid[:64], problem=str(error))
    return twiml.farewell(taken.say or twiml.APOLOGY)


def _direction(form: Form) -> Literal["inbound", "outbound"]:
    return "outbound" if form.get("Direction").startswith("outbound") else "inbound"


def _read_answer(form: Form) -> CallAnswered | None:
    """None where it names no call, or an answer that Twilio does not document."""
    call_sid, duration = form.get("CallSid"), form.get("MachineDetectionDuration")
    try:
        by = AnsweredBy(form.get("AnsweredBy"))
    except ValueError:
        return None
    # A duration that makes no sense takes nothing from the answer.
    is_number = duration.isascii() and duration.isdigit() and len(duration) <= _LONGEST_DURATION_DIGITS
    return CallAnswered(call_sid, by, int(duration) if is_number else None) if call_sid else None
