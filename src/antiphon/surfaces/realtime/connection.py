"""One Realtime session: a conversation of the core, the items and responses by which the wire knows it, and whoever drives it.

A session does not know which transport carries it. What clients send comes as bytes from a ``Controller``; what the caller
says and hears goes through a ``CallTransport``: deltas over the same connection, or a leg given from outside.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.conversation.actions import Action, RequestRefused
from antiphon.conversation.policy import Speaking
from antiphon.errors import ProviderError
from antiphon.ids import new_id
from antiphon.providers.base import SpeechToText
from antiphon.session.manager import SessionManager
from antiphon.session.plan import Engines, SessionPlan
from antiphon.session.session import Session
from antiphon.surfaces.realtime import mapping
from antiphon.surfaces.realtime.access import Access
from antiphon.surfaces.realtime.audio_buffers import AppendedAudio, AudioAhead, AudioDeltas
from antiphon.surfaces.realtime.commands import Commands, Parts
from antiphon.surfaces.realtime.controllers import Controller, Controllers
from antiphon.surfaces.realtime.conversation_items import ConversationItems
from antiphon.surfaces.realtime.inbox import Inbox, LoopShare
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.out_of_band import OutOfBandResponses
from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import PCM, Transcription
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.server_events import Event
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.response_events import ResponseEvents
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.surfaces.realtime.spoken_items import SpokenItems
from antiphon.transports.base import CallStarted, CallTransport, LostReason
from antiphon.vocabulary import AudioFormat, EndReason

NOT_UNDERSTOOD = Speaking().not_understood_message
"""Said by a plain model's session where the recogniser failed: the turn is answered all the same."""
_CLOSE_CODES = {EndReason.SERVER_SHUTDOWN: 1001, EndReason.SERVER_DIED: 1011, EndReason.PROVIDER_FAILED: 1011}
"""Clients that reconnect do so on these; every other end is meant (1000)."""

log = structlog.get_logger(__name__)


class RealtimeSession:
    """Made by ``RealtimeSessions.create``. Everything is called on the event loop."""

    def __init__(
        self,
        session_id: str,
        call_id: str,
        config: SessionConfig,
        plan: SessionPlan,
        manager: SessionManager,
        clock: Clock,
        settings: RealtimeSettings,
        recogniser_of: Callable[[str], SpeechToText | None],
        on_ended: Callable[[RealtimeSession], None],
        *,
        owner: Access,
        kept: KeptBytes,
        share: LoopShare,
        plays_out: bool,
    ) -> None:
        """``owner`` opened it; ``kept`` counts what its clients make us keep; ``share`` is how much of the loop is theirs."""
        self.id = session_id
        self.owner = owner
        self.call_id = call_id
        self.config = config
        self.plays_out = plays_out
        self.strict = settings.strict
        self.base_options = plan.engines.model_options
        self.ended = False
        self.items = ConversationItems(kept)
        self.controllers = Controllers(session_id, clock, checks_order=settings.debug_order)
        self.core: Session | None = None
        # Its parts hold the session weakly: a reference cycle is freed by the collector only, and that hardly ever runs.
        me: RealtimeSession = weakref.proxy(self)
        self.deltas = None if plays_out else AudioDeltas(lambda: me.response_events.response)
        self.response_events = ResponseEvents(
            self.controllers.send, self.items, lambda: me.config, new_id("conv"), self.deltas, lambda: me._media_ms(),
            lambda: me._unheard(), lambda action: me._refused(action), lambda reason: me._over(reason),
        )  # fmt: skip
        self.appended = AppendedAudio(config.input.format)
        self.inbox = Inbox(me, share)
        self.ahead = AudioAhead(clock, settings.input_ahead_s * 1000)
        self.out_of_band = OutOfBandResponses(
            plan.engines,
            self.controllers.send,
            lambda provider, code: me._note_failure(provider, code),
            voiced=not plays_out,
        )
        self.spoken_items = SpokenItems(
            lambda: me._recogniser, lambda: me._grant_waiting(), lambda provider, code: me._note_failure(provider, code),
            kept=kept,
        )  # fmt: skip
        self._plan = plan
        self._manager = manager
        self._settings = settings
        self._recogniser: SpeechToText = plan.engines.stt
        self._recogniser_of = recogniser_of
        self._on_ended = on_ended
        self.commands = Commands(
            me,
            Parts(
                self.controllers, self.items, self.response_events, self.appended, self.ahead, self.out_of_band,
                self.spoken_items,
            ),
        )  # fmt: skip
        self._farewell: tuple[ClientError, int] | None = None
        """Why it was dismissed, and the close code that says so."""
        self._requesters: dict[str, tuple[Controller, str | None]] = {}
        """Who asked for a response that has not begun, and how it called its event."""
        self._waiting: list[ev.ReplyRequested] = []
        """Requests that wait until a recording has been written down."""
        self._seen: tuple[float, int] = (0.0, 0)
        """Of the caller's audio and of its clients' messages, when it was last looked at."""
        self._seen_at_ms = clock.now_ms()
        self._configured = False
        """A client has said how it wants the session."""
        self._wished_voice = ""
        """What the first update named when it was too late."""
        self._max_duration_ms = settings.max_minutes * 60_000
        self._expires_at_s = clock.wall_ms() // 1000 + settings.max_minutes * 60

    # ---------------------------------------------------------------------------------- its life

    def start(
        self, leg: CallTransport | None = None, format_in: AudioFormat = PCM, format_out: AudioFormat = PCM
    ) -> Session:
        """Open the core's session; what is returned is the ``CallSink`` of the leg, where there is one. The formats are the leg's.
        Raises CapacityError, ProviderError, ConfigurationError."""
        plan = mapping.plan_for(
            self.config,
            self._plan,
            paced=self.plays_out,
            max_duration_ms=self._max_duration_ms,
            voice=self.voice_of(self.config.output.voice),
            greeting_wait_ms=0 if self._configured else self._settings.greeting_wait_ms,
        )
        call = CallStarted("realtime", self.call_id, plan.assistant, format_in=format_in, format_out=format_out)
        transport = leg if leg is not None else self.deltas
        assert transport is not None, "a session whose audio leaves on a leg is given one"
        log.info("realtime_session_started", session_id=self.id, call_id=self.call_id, plays_out=self.plays_out)
        plan = replace(plan, audio_ahead_ms=self._settings.audio_ahead_ms, surface=self.response_events)
        self.core = self._manager.open(call, plan, transport)
        self._choose_recogniser(self.config.input.transcription)
        return self.core

    def attach(self, controller: Controller, *, primary: bool = False, key_id: str = "") -> None:
        """Somebody drives the session from now on, by the right of this private key; the loss of the primary one ends it. Too many
        are closed at once."""
        created = say.session_created(self.echo())
        if self.ended or not self.controllers.attach(controller, created, primary=primary, key_id=key_id):
            controller.close(1013, "no room")

    def detach(self, controller: Controller, reason: LostReason = "hangup") -> None:
        """It is gone. Safe to call twice."""
        self.controllers.detach(controller)
        if controller is self.controllers.primary and self.core is not None:
            self.core.closed(reason)

    def end(self, reason: EndReason = EndReason.ASSISTANT_ENDED) -> None:
        """End the session from here."""
        if self.core is not None:
            self.core.drop(reason)
        else:
            self._over(reason)

    def dismiss(self, why: ClientError, reason: EndReason, code: int) -> None:
        """End it, and tell all who drive it why; ``code`` is the WebSocket's close code."""
        self._farewell = (why, code)
        log.warning("realtime_session_dismissed", session_id=self.id, who=self.owner.name, code=why.code)
        self.end(reason)

    def revoke_all_but(self, keys: Collection[str]) -> bool:
        """These private keys are still good: whoever came by the right of another has to go. Whether that ended the session."""
        if self.owner.key_id and self.owner.key_id not in keys:
            self.dismiss(errors.key_revoked(), EndReason.REFUSED, 1008)
            return True
        self.controllers.revoke_all_but(keys, errors.key_revoked().to_event())
        return self.ended

    @property
    def connecting(self) -> bool:
        """Whether its media is still to come, on a leg."""
        return self.plays_out and self.core is None and not self.ended

    def idle_ms(self, now_ms: int) -> int:
        """For how long nobody has used it: there was no audio of the caller's, no event of a client's, and no response."""
        seen = (self._media_ms(), self.inbox.received)
        if seen != self._seen or self.response_events.active is not None or self.response_events.sounding:
            self._seen, self._seen_at_ms = seen, now_ms
        return now_ms - self._seen_at_ms

    def fail(self) -> None:
        """It could not be started."""
        self._over(EndReason.SERVER_DIED)

    def _over(self, reason: EndReason) -> None:
        if self.ended:
            return
        self.ended = True
        self.inbox.close()
        self.out_of_band.close()
        self.spoken_items.close()
        self.items.close()
        code = _CLOSE_CODES.get(reason, 1000)
        if self._farewell is not None:
            why, code = self._farewell
            self.controllers.send(why.to_event())
        elif reason is EndReason.EXCEEDED_MAX_DURATION:
            self.controllers.send(errors.session_expired(self._settings.max_minutes).to_event())
        elif reason is EndReason.PROVIDER_FAILED:
            self.controllers.send(errors.agent_failed().to_event())
        elif reason is EndReason.SERVER_DIED:
            self.controllers.send(errors.server_failed().to_event())
        self.controllers.close(code, str(reason))
        self.core = None
        self._requesters.clear()
        self._on_ended(self)

    # ---------------------------------------------------------------------------------- what clients send

    def receive(self, controller: Controller, payload: bytes, *, beta: bool = False) -> None:
        """One message of a client, perhaps in the older dialect. What is wrong with it is told to that client alone."""
        if not self.ended:
            self.inbox.put(self, controller, payload, beta)

    def complain(self, controller: Controller, error: ClientError, event_id: str | None) -> None:
        """Tell a client what was wrong with its event."""
        self.controllers.tell(controller, error.answering(event_id).to_event())

    def request(self, event: ev.ReplyRequested, controller: Controller, event_id: str | None) -> None:
        """Ask the core for a reply; a refusal, now or later, goes to ``controller``."""
        self._requesters[event.request] = (controller, event_id)
        if len(self._requesters) > 16:  # those long begun
            del self._requesters[next(iter(self._requesters))]
        if not self.spoken_items.busy:
            self.feed(event)
        elif self._waiting:
            self._refused(RequestRefused(event.request, "reply_active"))
        else:
            self._waiting.append(event)

    def _grant_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self.feed(event)

    def feed(self, event: ev.Event) -> Sequence[Action]:
        """Tell the core. Returns what that led to."""
        return self.core.feed(event) if self.core is not None else ()

    def _unheard(self) -> None:
        """The caller spoke, and nobody has answered for want of words. An assistant has said so itself."""
        detection = self.config.input.turn_detection
        asks_itself = bool(self._plan.policy.speaking.not_understood_message)
        if not asks_itself and detection is not None and detection.create_response:
            self.feed(ev.SayRequested(NOT_UNDERSTOOD))

    def _refused(self, action: RequestRefused) -> None:
        self.response_events.requests.pop(action.request, None)
        if action.request in self._requesters:
            controller, event_id = self._requesters.pop(action.request)
            response = self.response_events.active
            self.complain(controller, errors.active_response(response.id if response else "none yet"), event_id)

    # ---------------------------------------------------------------------------------- its configuration

    def echo(self) -> Event:
        """The session object."""
        return self.config.echo(self.id, self._expires_at_s)

    def configure(self, new: SessionConfig) -> None:
        """Another configuration from now on. Raises ClientError, and nothing has changed."""
        old, new = self.config, self._with_possible_voice(new)
        self.config, self._configured = new, True
        self.appended.change(new.input.format)
        core = self.core
        if core is None:
            return
        if new.input.transcription != old.input.transcription:
            self._choose_recogniser(new.input.transcription)
        if new.instructions != old.instructions:
            core.change_instructions(new.instructions)
        if new.tools != old.tools:
            core.change_tools(mapping.client_tools(new.tools))
        if new.output != old.output:
            core.change_voice(self.voice_of(new.output.voice), new.output.speed)
        core.change_model_options(mapping.model_options(new, self.base_options))
        hearing = mapping.hearing_for(new, self._plan.hearing)
        if hearing != mapping.hearing_for(old, self._plan.hearing):
            core.change_hearing(hearing)
        policy = mapping.policy_for(new, self._plan.policy, paced=self.plays_out, max_duration_ms=self._max_duration_ms)
        if policy != core.conversation.policy:
            core.change_policy(policy)
        core.feed(ev.ClientReady())

    def _with_possible_voice(self, new: SessionConfig) -> SessionConfig:
        """Once the agent was heard its voice stays, and an update that names another is refused whole, as at OpenAI. Not the first one:
        stock clients name a voice in the update with which they begin, and an agent that greets may be quicker. All else of it is
        done, and the voice that it names is not asked for again by naming it again. Raises ClientError."""
        old, name = self.config, new.output.voice
        if name == old.output.voice or not self.response_events.spoken:
            return new
        if not self._configured:
            if self.voice_of(name) == self.voice_of(old.output.voice):
                return new  # the same sound, by another name
            self._wished_voice = name
        if name != self._wished_voice:
            raise errors.voice_locked()
        return replace(new, output=replace(new.output, voice=old.output.voice))

    @property
    def engines(self) -> Engines:
        """Those it has now."""
        return replace(self._plan.engines, stt=self._recogniser)

    def voice_of(self, name: str) -> str:
        """The engine's name for a voice. A client's names are not ours: what is not known is the assistant's voice."""
        return self._settings.voices.get(name, self._plan.engines.voice)

    def _choose_recogniser(self, transcription: Transcription | None) -> None:
        """The engine a client names, where it is one of ours; the assistant's otherwise, or where it cannot be opened."""
        stt = self._recogniser_of(transcription.model) if transcription is not None else None
        if stt is None or self.core is None:
            return
        try:
            self.core.change_recogniser(stt)
            self._recogniser = stt
        except ProviderError as error:
            log.warning("realtime_recogniser_unavailable", session_id=self.id, code=error.code)

    def _note_failure(self, provider: str, code: str) -> None:
        if self.core is not None:
            self.core.note_failure(provider, code)

    def _media_ms(self) -> float:
        return self.core.port.media_ms if self.core is not None else 0.0
