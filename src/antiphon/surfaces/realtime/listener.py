"""``GET /v1/realtime`` as a WebSocket: who may open one, which session it drives, and the frames in both directions.

It runs on the media sockets' own path past ASGI (picows) because a Realtime session is one: with fifty messages a second each
way it costs a third of what the ASGI route does, and slow readers, floods and half-open peers are found by the same watch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import orjson
import structlog

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.surfaces.realtime.access import Access, AccessControl, Act
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.http import PREFIXES, HttpError, no_room
from antiphon.surfaces.realtime.protocol.beta import to_beta
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.sessions import RealtimeSessions
from antiphon.surfaces.realtime.socket_leg import SocketLeg
from antiphon.transports.base import LostReason
from antiphon.transports.handshake import Refusal
from antiphon.transports.listener import MediaSocket, SocketLimits
from antiphon.transports.socket import UpgradeRequest
from antiphon.transports.watch import SocketWatch

PATHS = PREFIXES
SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
"""The dialect before the final one; elsewhere it is asked for by the header ``OpenAI-Beta: realtime=v1``."""
LIMITS = SocketLimits(
    max_message_bytes=21 * 1024 * 1024,  # 15 MiB of audio in base64
    max_unsent_bytes=16 * 1024 * 1024,  # the longest reply there is, made at once
    write_stall_ms=20_000,
    user_timeout_ms=20_000,
)
PING_AFTER_MS = 20_000
"""A client that types need not send anything for an hour; a ping that is not acknowledged shows that it is gone."""
log = structlog.get_logger(__name__)

Begin = Callable[["RealtimeListener"], None]


class RealtimeListener(MediaSocket):
    """One WebSocket: a ``Controller``."""

    LIMITS = LIMITS

    __slots__ = (
        "_begin",
        "_beta",
        "_leg",
        "_pinged_at_ms",
        "_sent_bytes",
        "_session",
        "_taken_at_ms",
        "_taken_bytes",
    )

    def __init__(self, watch: SocketWatch, subprotocol: str, begin: Begin, *, beta: bool = False) -> None:
        """``begin`` gives it its session once it may be written to. ``beta``: it speaks the older dialect."""
        super().__init__(watch, subprotocol=subprotocol)
        self._begin: Begin | None = begin
        self._beta = beta
        self._session: RealtimeSession | None = None
        self._leg: SocketLeg | None = None
        self._sent_bytes = 0
        self._taken_bytes = 0
        self._taken_at_ms = 0
        self._pinged_at_ms = 0

    def drive(self, session: RealtimeSession, *, primary: bool, key_id: str = "") -> None:
        """From now on it drives this session, with the right of this private key."""
        self._session = session
        session.attach(self, primary=primary, key_id=key_id)

    def start(self, session: RealtimeSession, *, marks: bool = False) -> None:
        """Its session begins; where the server plays it out, with the sound on this socket, and with marks where the client asked for them.
        Raises as ``RealtimeSession.start``."""
        if not session.plays_out:
            session.start()
            return
        self._leg = SocketLeg(self, session.ahead, marks=marks)
        self._leg.listen(session.start(self._leg))

    # What the session says (Controller; ``close`` is the base's).

    def send(self, event: bytes) -> None:
        if self._beta:
            translated = to_beta(orjson.loads(event))
            if translated is None:
                return
            event = orjson.dumps(translated)
        self._sent_bytes += len(event)
        self.send_text(event)

    def send_sound(self, audio: bytes) -> None:
        """The agent's, as it is to be played."""
        self._sent_bytes += len(audio)
        self.send_binary(audio)

    def hold(self, held: bool) -> None:
        """While held, the kernel keeps what the client sends, and lets it send no more than fits there."""
        transport = self._transport
        if transport is None or transport.is_disconnected:
            return
        if held:
            transport.underlying_transport.pause_reading()
        else:
            transport.underlying_transport.resume_reading()

    # What the client says.

    def opened(self) -> None:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin(self)

    def text(self, payload: bytes) -> None:
        if self._session is None:
            return
        try:
            is_mark = self._leg is not None and self._leg.take_mark(payload)
        except ClientError as problem:
            self._session.complain(self, problem, None)
            return
        if not is_mark:
            self._session.receive(self, payload, beta=self._beta)

    def binary(self, payload: bytes) -> None:
        if self._session is None:
            return
        try:
            if self._leg is None:
                raise ClientError("invalid_message", "Messages must be JSON text; audio goes base64-encoded inside it.")
            self._leg.receive(payload)
        except ClientError as problem:
            self._session.complain(self, problem, None)

    # The socket's life.

    def tick(self, now_ms: int, silent_ms: int) -> None:
        if silent_ms >= PING_AFTER_MS and now_ms - self._pinged_at_ms >= PING_AFTER_MS:
            self._pinged_at_ms = now_ms
            self.ping()

    def lost(self, reason: LostReason) -> None:
        if self._session is not None:
            self._session.detach(self, reason)

    def gone(self) -> None:
        if self._session is not None:
            self._session.detach(self)
            self._session = self._leg = None

    def _is_write_stalled(self, now_ms: int) -> bool:
        """A long reply may well take longer to send than a peer may be silent: what counts is whether it takes anything."""
        unsent = self.unsent_bytes()
        taken = self._sent_bytes - unsent
        if not unsent or taken > self._taken_bytes:
            self._taken_bytes, self._taken_at_ms = taken, now_ms
        return unsent > 0 and now_ms - self._taken_at_ms >= self.limits.write_stall_ms


class RealtimeGate:
    """Answers handshakes. One per process."""

    def __init__(self, sessions: RealtimeSessions, access: AccessControl, watch: SocketWatch) -> None:
        self._sessions = sessions
        self._access = access
        self._watch = watch

    def on_upgrade(self, request: UpgradeRequest) -> RealtimeListener | Refusal:
        """A session's own connection, or a sideband."""
        try:
            if request.folded_path not in PATHS:
                raise HttpError(404, "There is no such WebSocket here.", "not_found")
            begin = self._answer(request)
        except HttpError as error:
            return Refusal(error.status, error.wire_code or "refused", error.body())
        except CapacityError as error:
            return Refusal(503, error.reason, no_room(error).body())
        offered = [entry.strip() for entry in request.headers.get("sec-websocket-protocol", "").split(",")]
        beta = BETA_SUBPROTOCOL in offered or "realtime=v1" in request.headers.get("openai-beta", "")
        return RealtimeListener(self._watch, SUBPROTOCOL if SUBPROTOCOL in offered else "", begin, beta=beta)

    def _answer(self, request: UpgradeRequest) -> Begin:
        """What to do once it is open. Raises HttpError, CapacityError."""
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        call_id = query.get("call_id", "")
        access = self._access.require(request.headers, Act.CONTROL_CALL if call_id else Act.OPEN_SESSION)
        plays_out = _plays_out(query)
        marks = _marks(query, plays_out=plays_out)
        if call_id:
            session = self._sessions.find(call_id)
            if session is None:
                raise HttpError(404, "There is no live call of this id.", "call_not_found", param="call_id")
            return lambda listener: listener.drive(session, primary=False, key_id=access.key_id)
        try:
            model = query.get("model") or query.get("deployment", "")  # Azure's word for it
            config = self._sessions.configure_for(access, model, {}, intent=query.get("intent", ""))
        except ClientError as error:  # the server has changed since the secret was made
            raise HttpError(400, error.message, error.code, param=error.param) from None
        self._sessions.admit(access)
        return lambda listener: self._begin(listener, config, access, plays_out=plays_out, marks=marks)

    def _begin(
        self, listener: RealtimeListener, config: SessionConfig, access: Access, *, plays_out: bool, marks: bool
    ) -> None:
        """It was admitted, and is open now."""
        sessions = self._sessions
        try:
            sessions.require_share(access)  # others were answered at the same time
            session = sessions.create(config, owner=access, plays_out=plays_out)
        except (HttpError, CapacityError) as error:
            sessions.withdraw()
            code = (error.wire_code if isinstance(error, HttpError) else error.code) or "refused"
            log.warning("realtime_session_refused", who=access.name, code=code)
            listener.send(orjson.dumps(ClientError(code, str(error)).to_event()))
            listener.close(1013, code)
            return
        listener.drive(session, primary=True, key_id=access.key_id)
        try:
            listener.start(session, marks=marks)
        except (CapacityError, ProviderError, ConfigurationError) as error:
            log.warning("realtime_session_refused", session_id=session.id, code=error.code)
            sessions.withdraw()
            session.fail()


def _plays_out(query: Mapping[str, str]) -> bool:
    """Whether the server is to play the agent out, as over WebRTC. Raises HttpError."""
    owner = query.get("playout", "client")
    if owner not in ("client", "server") or ("playout" in query and "call_id" in query):
        problem = "playout: must be client or server, and a session that is joined has its own."
        raise HttpError(400, problem, "invalid_value", param="playout")
    return owner == "server"


def _marks(query: Mapping[str, str], *, plays_out: bool) -> bool:
    """Whether the client tells by marks what it has played. Raises HttpError."""
    asked = query.get("marks", "false")
    if asked not in ("true", "false") or ("marks" in query and not plays_out):
        problem = "marks: must be true or false, and go with playout=server."
        raise HttpError(400, problem, "invalid_value", param="marks")
    return asked == "true"
