"""The sockets of API calls: their media, and those who listen in. Each URL is signed, for one call and one purpose, and expires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson

from antiphon.calls.directory import PauseRecording
from antiphon.calls.planned import PlannedCall
from antiphon.calls.planner import CallPlanner
from antiphon.errors import CapacityError, ConfigurationError
from antiphon.media.overhearing import Overhearing
from antiphon.session.session import Session
from antiphon.surfaces.vapi.call_requests import WEB_AUDIO, format_of
from antiphon.surfaces.vapi.call_urls import CallUrls, Purpose
from antiphon.surfaces.vapi.client_messages import USER_INTERRUPTED, ClientMessages, wanted_of
from antiphon.surfaces.vapi.controls import command_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.listening import Listeners, ListenSocket
from antiphon.transports.base import CallAcceptor, CallSink, CallStarted
from antiphon.transports.handshake import Refusal
from antiphon.transports.listener import MediaSocket
from antiphon.transports.pcm_websocket import PcmSocket
from antiphon.transports.socket import UpgradeRequest
from antiphon.transports.watch import SocketWatch
from antiphon.vocabulary import AudioFormat, EndReason

PREFIX = "/call"
MAX_BAD_MESSAGES = 100
"""Text that cannot be read or done is answered, so many times; then the socket is closed."""


class Commands(Protocol):
    """Carries out a command at once, on a call of this process (``calls.directory.MemoryDirectory``)."""

    def carry_out(self, session: Session, command: Any) -> None: ...


class MediaGate:
    """Answers handshakes below ``/call``. One per process."""

    def __init__(
        self,
        planner: CallPlanner,
        acceptor: CallAcceptor,
        find: Callable[[str], Session | None],
        commands: Commands,
        urls: CallUrls,
        watch: SocketWatch,
        listeners: Listeners,
    ) -> None:
        """``find`` is a live call of this process."""
        self._planner = planner
        self._acceptor = acceptor
        self._find = find
        self._commands = commands
        self._urls = urls
        self._watch = watch
        self._listeners = listeners

    def on_upgrade(self, request: UpgradeRequest) -> MediaSocket | Refusal:
        call_id, purpose, token = _target(request)
        if purpose is None or not self._urls.opens(purpose, call_id, token):
            return _refused(403, "This URL is wrong, or has expired.", "bad_call_url")
        return self._listen(call_id) if purpose == "listen" else self._media(call_id, purpose)

    def _media(self, call_id: str, purpose: Purpose) -> MediaSocket | Refusal:
        planned = self._planner.find(call_id)
        if planned is None:
            known = self._find(call_id) is not None
            problem = "This call has its media already." if known else "This call is over, or has waited for too long."
            return _refused(409 if known else 404, problem, "call_not_waiting")
        try:
            self._acceptor.require_room()
        except CapacityError as error:
            return _refused(503, "There is no room for this call now.", error.reason)
        audio = format_of(planned.record.body["transport"]) if purpose == "transport" else WEB_AUDIO
        call = SocketCall(planned, audio, self._planner, self._acceptor, self._find, self._commands)
        return PcmSocket(self._watch, audio, call, USER_INTERRUPTED)

    def _listen(self, call_id: str) -> MediaSocket | Refusal:
        session = self._find(call_id)
        if session is None:
            return _refused(404, "There is no live call of this id.", "call_not_live")
        planned = self._planner.known(call_id)
        if planned is not None and not monitor_allows(planned, "listenEnabled"):
            return _refused(403, "This call's assistant lets nobody listen.", "listening_disabled")

        def overhear() -> Overhearing | None:
            live = self._find(call_id)
            return live.overhear() if live is not None else None

        return ListenSocket(self._watch, self._listeners, overhear, lambda: self._find(call_id) is not None)


class SocketCall:
    """One call over a socket: a ``PcmCall``."""

    def __init__(
        self,
        planned: PlannedCall,
        audio: AudioFormat,
        planner: CallPlanner,
        acceptor: CallAcceptor,
        find: Callable[[str], Session | None],
        commands: Commands,
    ) -> None:
        self._planned = planned
        self._audio = audio
        self._planner = planner
        self._acceptor = acceptor
        self._find = find
        self._commands = commands
        self._bad_messages = 0

    def begin(self, socket: PcmSocket) -> CallSink:
        planned, record = self._planned, self._planned.record
        if self._planner.find(planned.id) is not planned:  # two sockets were answered at the same time
            raise ConfigurationError("call", "has its media already")
        wanted = wanted_of(planned.assistant.document)
        planner = self._planner
        messages = ClientMessages(
            socket.send_text, wanted, record.type, planned.assistant.spec.name,
            lambda: planner.said(planned.id).get("history", ()), record.assistant_id,
            lambda: wanted_of(planned.assistant.document),
        )  # fmt: skip
        planned.observers = (*planned.observers, messages)
        started = CallStarted(
            provider=record.type,
            call_id=planned.id,
            assistant=record.assistant_id,
            caller=record.customer_number,
            format_in=self._audio,
            format_out=self._audio,
        )
        return self._acceptor.accept(started, socket)

    def text(self, socket: PcmSocket, payload: bytes) -> None:
        try:
            self._obey(payload)
        except (ApiError, ConfigurationError) as error:
            self._bad_messages += 1
            if self._bad_messages > MAX_BAD_MESSAGES:
                socket.violate(1008, "too many messages that make no sense")
            else:
                socket.send_text(orjson.dumps({"type": "error", "message": str(error)[:500]}))

    def _obey(self, payload: bytes) -> None:
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise ApiError(400, "A text message must be JSON.") from None
        if not isinstance(message, Mapping):
            raise ApiError(400, "A text message must be a JSON object.")
        session = self._find(self._planned.id)
        if session is not None:
            first = self._planned.assistant.spec.first_message or ""
            command = command_of(message, first, EndReason.CUSTOMER_ENDED)
            if isinstance(command, PauseRecording) and self._planned.record.type == "webCall":
                raise ApiError(400, "A web page does not decide what is recorded: ask with the call's control URL.")
            self._commands.carry_out(session, command)


def monitor_allows(planned: PlannedCall, name: str) -> bool:
    """What the assistant's ``monitorPlan`` says; it allows what it does not name."""
    plan = planned.assistant.document.get("monitorPlan")
    return not (isinstance(plan, Mapping) and plan.get(name) is False)


def _target(request: UpgradeRequest) -> tuple[str, Purpose | None, str]:
    """Which call, what for, and the token."""
    parts = request.folded_path.split("/")[2:]
    query = {name: values[-1] for name, values in parse_qs(request.query).items()}
    match parts:
        case [call_id, token, "transport"]:
            return call_id, "transport", token
        case [call_id, token, "listen"]:
            return call_id, "listen", token
        case [call_id, "media"]:
            return call_id, "media", query.get("token", "")
    return "", None, ""


def _refused(status: int, message: str, reason: str) -> Refusal:
    return Refusal(status, reason, bytes(ApiError(status, message).response().body))
