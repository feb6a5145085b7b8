"""Which media sockets become calls: signature and room at the handshake, the token at ``start``, one stream a call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import structlog

from antiphon.carriers.streams.order import Anomalies
from antiphon.carriers.streams.token import CALLED, CALLER, TOKEN, Parties, SpendNonce, StreamTokens
from antiphon.carriers.twilio import twiml
from antiphon.carriers.twilio.ended import EndedCalls
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.signature import SignatureVerifier
from antiphon.carriers.twilio.transport import TwilioMediaStream
from antiphon.carriers.twilio.wire import Start
from antiphon.errors import AuthenticationError, CapacityError, ConfigurationError, ProtocolViolation, ProviderError
from antiphon.transports.base import CallAcceptor, CallSink, CallStarted
from antiphon.transports.handshake import Refusal
from antiphon.transports.socket import UpgradeRequest
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import TELEPHONE

log = structlog.get_logger(__name__)
_MAX_FAREWELLS = 1000
"""Callers who are owed a word: Twilio asks for it within a second."""


class StreamAuthorizer:
    """One per process; every Twilio media socket passes it twice."""

    def __init__(
        self,
        settings: TwilioSettings,
        acceptor: CallAcceptor,
        tokens: StreamTokens,
        watch: SocketWatch,
        ended_calls: EndedCalls,
        spend_nonce: SpendNonce | None = None,
    ) -> None:
        self._settings = settings
        self._acceptor = acceptor
        self._tokens = tokens
        self._watch = watch
        self._ended_calls = ended_calls
        self._spend_nonce = spend_nonce
        self._farewells: OrderedDict[str, str] = OrderedDict()
        self._verifier = SignatureVerifier(settings.auth_token, settings.base_url)
        self._waiting: set[TwilioMediaStream] = set()
        self._live: dict[str, TwilioMediaStream] = {}
        self.anomalies = Anomalies()
        """What went wrong on all media sockets so far, for the metrics."""

    @property
    def live_streams(self) -> int:
        """Streams that are calls now."""
        return len(self._live)

    def on_upgrade(self, request: UpgradeRequest) -> TwilioMediaStream | Refusal:
        """Answer a WebSocket handshake on the media path."""
        if self._settings.verify_signatures:
            try:
                signature = request.headers.get("x-twilio-signature", "")
                self._verifier.verify_handshake(request.path, request.query, signature)
            except AuthenticationError as error:
                return Refusal(403, error.reason)
        if len(self._waiting) >= self._settings.max_waiting_sockets:
            return Refusal(503, "too_many_waiting")
        try:
            self._acceptor.require_room()
        except CapacityError as error:
            return Refusal(503, error.reason)
        return TwilioMediaStream(self, self._watch)

    def entered(self, stream: TwilioMediaStream) -> None:
        """The handshake is done; the socket has yet to show a token."""
        self._waiting.add(stream)

    def left(self, stream: TwilioMediaStream) -> None:
        """The connection is gone."""
        self._waiting.discard(stream)

    def ended(self, stream: TwilioMediaStream, call_sid: str) -> None:
        """The stream is no call any more; another may come for the same CallSid. Safe to call twice."""
        if self._live.get(call_sid) is stream:
            del self._live[call_sid]
            self._ended_calls.note(call_sid, self._watch.clock.wall_ms(), over=False)

    def farewell_to(self, call_sid: str) -> str:
        """What a caller is still owed whose stream did not become a call, though we had asked for it; empty for nothing. Once."""
        return self._farewells.pop(call_sid, "")

    def spend(self, start: Start) -> Awaitable[bool] | None:
        """Ask the other processes whether this stream's token was used; None where there are none."""
        if self._spend_nonce is None:
            return None
        given = start.parameters
        parties = Parties(given.get(CALLER, ""), given.get(CALLED, ""))
        return self._tokens.spend_for_all(given.get(TOKEN, ""), parties, self._spend_nonce)

    def begin(self, stream: TwilioMediaStream, start: Start) -> CallSink:
        """Make the stream a call. Raises ProtocolViolation with the code to close the socket with."""
        with self._as_violation(start):
            if start.audio != TELEPHONE:
                raise ProtocolViolation(1003, "unsupported media format")
            parameters = dict(start.parameters)
            parties = Parties(parameters.pop(CALLER, ""), parameters.pop(CALLED, ""))
            claims = self._tokens.verify(
                parameters.pop(TOKEN, ""),
                start.call_sid,
                self._watch.clock.wall_ms(),
                self._watch.clock.now_ms(),
                parties=parties,
                account_id=start.account_sid,
            )
            if self._ended_calls.is_over(start.call_sid, self._watch.clock.wall_ms()):
                raise AuthenticationError("call_is_over")
            if start.call_sid in self._live:
                raise ProtocolViolation(1008, "the call has a stream")
            sink = self._accept(
                CallStarted(
                    provider="twilio",
                    call_id=claims.call_id,
                    assistant=claims.assistant,
                    provider_call_id=start.call_sid,
                    stream_id=start.stream_sid,
                    caller=parties.caller,
                    called=parties.called,
                    direction=claims.direction,
                    parameters=parameters,
                    format_in=TELEPHONE,
                    format_out=TELEPHONE,
                ),
                stream,
            )
        self._waiting.discard(stream)
        self._live[start.call_sid] = stream
        log.info("twilio_stream_started", call_id=claims.call_id, call_sid=start.call_sid)
        return sink

    def _accept(self, started: CallStarted, stream: TwilioMediaStream) -> CallSink:
        """As the acceptor's. Whoever is not taken now has been told to come: what they are to be told is kept."""
        try:
            return self._acceptor.accept(started, stream)
        except Exception as error:
            text = twiml.BUSY if isinstance(error, CapacityError) else twiml.APOLOGY
            self._farewells[started.provider_call_id] = text
            if len(self._farewells) > _MAX_FAREWELLS:
                self._farewells.popitem(last=False)
            if isinstance(error, ConfigurationError):
                log_unusable(error, started.assistant, started.provider_call_id)
            raise

    @contextmanager
    def _as_violation(self, start: Start) -> Iterator[None]:
        """Every way a stream can fail to become a call, as a close code and one log line."""
        try:
            yield
        except AuthenticationError as error:
            _refused(start, error.reason)
            raise ProtocolViolation(1008, "not authorized") from error
        except CapacityError as error:
            _refused(start, error.reason)
            raise ProtocolViolation(1013, "no capacity") from error
        except ConfigurationError as error:
            raise ProtocolViolation(1011, "not configured") from error
        except ProviderError as error:
            _refused(start, error.code)
            raise ProtocolViolation(1011, "not available") from error
        except ProtocolViolation as error:
            _refused(start, error.reason)
            raise


def log_unusable(error: ConfigurationError, assistant: str, call_sid: str) -> None:
    """One line with all an operator needs to mend it."""
    place = {"file": error.file, "line": error.line} if error.file else {}
    log.error(
        "assistant_unusable", assistant=assistant[:64], call_sid=call_sid[:64], **place, field=error.field,
        problem=error.problem,
    )  # fmt: skip


def _refused(start: Start, reason: str) -> None:
    log.warning("twilio_stream_refused", call_sid=start.call_sid, reason=reason)
