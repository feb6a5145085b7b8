"""The composition root: builds every room from ``Settings``; nothing else knows them all."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon import __version__
from antiphon.answering_machine import AnsweringMachines
from antiphon.assistants.loader import ENDINGS, AssistantLibrary, LoadedAssistant
from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.meter import Caps, CostMeter
from antiphon.carriers import registry as carriers
from antiphon.carriers.base import DetectionTuning
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.webhook import CallStatusChanged
from antiphon.clock import Clock, SystemClock
from antiphon.config import Settings
from antiphon.conversation.events import Event
from antiphon.engine_metrics import EngineReader
from antiphon.engines import EngineRoom, KnowsVoices, engine_behind, engines_behind
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.files import free_bytes, read_or_make, reason, unused_name
from antiphon.known_assistants import KnownAssistants, caps_of
from antiphon.losses import Losses
from antiphon.media.beat import BEAT_MS
from antiphon.media.plane import MediaPlane
from antiphon.media.settings import HearingSettings
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.prices import read_prices
from antiphon.providers.vad.silero import SileroVoiceActivity
from antiphon.served import ServedAssistants
from antiphon.session.admission import Admission, AdmissionLimits, Load
from antiphon.session.call_files import CallFiles
from antiphon.session.effort import ThreadEffort
from antiphon.session.manager import SessionManager, close_dead_calls
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import SessionPlan
from antiphon.session.session import Session
from antiphon.session.timeline import Timelines
from antiphon.surfaces.console import routes as console_routes
from antiphon.surfaces.console.door import Door
from antiphon.surfaces.console.live import LiveCalls
from antiphon.surfaces.console.overview import Overview
from antiphon.surfaces.http.application import application
from antiphon.surfaces.http.bearer import require_key
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.metrics import CallMetrics
from antiphon.surfaces.operations import operations
from antiphon.surfaces.realtime import calls as realtime_calls
from antiphon.surfaces.realtime import listener as realtime_listener
from antiphon.surfaces.realtime import secret_routes
from antiphon.surfaces.realtime.access import AccessControl
from antiphon.surfaces.realtime.http import RealtimeCors
from antiphon.surfaces.realtime.mapping import PLAIN_POLICY
from antiphon.surfaces.realtime.protocol.audio_config import PCM as REALTIME
from antiphon.surfaces.realtime.secrets import ClientSecrets
from antiphon.surfaces.realtime.sessions import RealtimeSessions
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.surfaces.refusals import CountedRefusals
from antiphon.surfaces.sdk.routes import routes as sdk_routes
from antiphon.surfaces.talk.page_access import PageAccess
from antiphon.surfaces.talk.routes import TalkKeys
from antiphon.surfaces.talk.routes import routes as talk_routes
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.surfaces.vapi.server_messages import About
from antiphon.transports.base import CallStarted
from antiphon.transports.connections import Connections
from antiphon.transports.http_bounds import HttpBounds
from antiphon.transports.message_memory import MessageMemory
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.aiortc_engine import AiortcEngine
from antiphon.transports.webrtc.base import WebRtcEngine
from antiphon.transports.webrtc.settings import WebRtcSettings, ice_settings
from antiphon.vocabulary import CallContext

if TYPE_CHECKING:
    from antiphon.api import Api
    from antiphon.assistants.compile import Assistant

log = structlog.get_logger(__name__)

_BEATS_A_SECOND = 1000 // BEAT_MS


class Antiphon:
    """One process: its rooms, and the ASGI application in front of them."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Raises ConfigurationError."""
        settings.refuse_to_be_open()
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.losses = Losses(self.clock.now_ms)
        folders = [settings.assistants_dir] if settings.assistants_dir else []
        self.engines = EngineRoom(settings, self._engines_in_use, lambda: self.assistants.specs(), self.clock)
        self.library = AssistantLibrary(folders, settings.assistant_variables, self.engines.check)
        self.assistants = ServedAssistants(self.library, self.engines)
        self.known = KnownAssistants(self.assistants, self.engines, self._planned_spec, self._tried_spec)
        vad = {rate: partial(SileroVoiceActivity, rate) for rate in (8000, 16000)}
        self.plane = MediaPlane(self.clock, vad, losses=self.losses)
        self.timelines = Timelines(self.clock.wall_ms(), self.clock.now_ms())
        self.metrics = CallMetrics(self.timelines.find)
        self.costs = CostMeter(
            read_prices(settings.costs.prices_file), self._caps_of, self._feed, self._spent_today_usd
        )
        self.keys = ApiKeys(settings.data_dir / "keys.json")
        self.watch = SocketWatch(self.clock)
        self.events = ServerEvents(self.engines.tools.client, self.clock, self.losses)
        self.api = self._api()
        self.door = self._door()
        self.live_calls = LiveCalls(self.clock.wall_ms() - self.clock.now_ms())
        self.overview = Overview(self.timelines.find, self.clock.wall_ms(), self.clock.now_ms())
        self.manager = SessionManager(
            self.plane, self.clock, self._plan, self._observers(), settings.max_calls,
            Admission(self._admission_limits()), self._load, self.losses,
        )  # fmt: skip
        if self.api is not None:
            self._hold_calls(self.api)
        self._effort: ThreadEffort | None = None
        self.client_secrets = ClientSecrets(settings.data_dir / "client-secrets.sqlite3")
        self.access = AccessControl(
            self.keys,
            self.client_secrets,
            self.clock,
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.realtime.cors_origins,
        )
        self.connections = Connections(
            HttpBounds(
                max_connections=settings.http.max_connections,
                uploads=self.api.uploads() if self.api is not None else {},
            ),
            losses=self.losses,
            memory=MessageMemory(settings.http.large_messages_mib * 1024 * 1024),
        )
        self.page_access = PageAccess(self.keys, settings.talk_access, settings.port, self.clock)
        self.media_routes = MediaRoutes(self.losses)
        self.answering_machines = AnsweringMachines(self.manager, self._spec_of, self.metrics.answered)
        self.twilio = self._twilio()
        if self.api is not None:
            if self.twilio is not None and settings.twilio.account_sid:
                self.api.live.telephone = self.twilio.control
            self.api.live.add_media_routes(self.media_routes)
        self.realtime = RealtimeSessions(
            self.manager,
            self.clock,
            self._realtime_settings(),
            self._realtime_plan,
            self.engines.recogniser,
            self.access.live_keys if not settings.open_api else lambda: None,
            self._key_revoked,
        )
        self.webrtc: WebRtcEngine = AiortcEngine(self._webrtc_settings(), self.watch)
        if settings.realtime.enabled:
            gate = realtime_listener.RealtimeGate(self.realtime, self.access, self.watch)
            for path in realtime_listener.PATHS:
                self.media_routes.add(path, gate.on_upgrade)
        self.metrics.watch(self._gauges, self._counters, self.losses.counts)
        self.operations_asgi = application(self._operations())
        """What is asked on ``metrics_port``."""
        self.metrics.registry.register(EngineReader(self.engines.health))
        self.asgi = self._build_asgi()

    # ---------------------------------------------------------------------------------- life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything started; on the way out, calls are drained and everything is freed."""
        self._check_assistant()
        self._check_keys()
        dead = close_dead_calls(self.calls_dir, self.losses) if self.calls_dir.exists() else []
        for call_id, _ in dead:
            log.info("call_recovered", call_id=call_id)
            self.metrics.recovered()
        try:
            if self.api is not None:
                await self.api.start([call_id for call_id, _ in dead])
            if self.door is not None:
                await self.door.open()
            await self.engines.start()
            await self._load_webrtc()
            if self.twilio is not None:
                self.twilio.start()
            self.plane.start()
            if self.settings.realtime.enabled:
                self.plane.prepare(REALTIME)
            self.manager.start()
            self.watch.start()
            yield
        finally:
            await self.manager.close(self.settings.drain_s)
            await self.events.close()
            self.realtime.close()
            await self.webrtc.close()
            self.watch.stop()
            self.plane.close()
            if self.twilio is not None:
                await self.twilio.close()
            if self.api is not None:
                await self.api.close()  # before the engines: what it delivers goes over their tools' connections
            await self.engines.close()
            self.client_secrets.close()
            self.losses.tell_all()

    def _api(self) -> Api | None:
        """The REST API; None where it is off or not installed."""
        if not self.settings.api.enabled:
            return None
        try:
            from antiphon.api import Api
        except ModuleNotFoundError as error:
            if not error.name or error.name.partition(".")[0] == "antiphon":
                raise
            log.info("api_not_installed", missing=error.name, install="antiphon[api]")
            return None
        return Api(self.settings, self.clock, self.keys, self.library, self.assistants, self.engines)

    def _hold_calls(self, api: Api) -> None:
        from antiphon.api_calls import Inside

        inside = Inside(
            self.manager, self.engines, self.assistants, self.watch, self.losses, self.events, self._token_secret
        )
        api.hold_calls(inside)

    def _observers(self) -> list[SessionObserver]:
        """Who watches all calls."""
        watching: list[SessionObserver] = [self.timelines, self.metrics, self.costs]
        if self.api is not None:
            watching.append(self.api.work_after_calls(self.costs, self.known, self.losses).observer)
        if self.door is not None:
            watching += [self.live_calls, self.overview]
        return watching

    def _planned_spec(self, call_id: str) -> AssistantSpec | None:
        planned = self.api.live.planner.known(call_id) if self.api is not None else None
        return planned.assistant.spec if planned is not None else None

    def _tried_spec(self, id: str) -> AssistantSpec | None:
        tried = self.api.live.trials.find(id) if self.api is not None else None
        return tried[0].spec if tried is not None else None

    def _caps_of(self, call: CallStarted) -> Caps:
        return caps_of(self.known.of_call(call), self.settings)

    def _feed(self, call_id: str, event: Event) -> None:
        if (session := self.manager.find(call_id)) is not None:
            session.feed(event)

    def _spent_today_usd(self) -> float:
        return self.api.after.observer.spent_today_usd if self.api is not None and self.api.after is not None else 0.0

    def _door(self) -> Door | None:
        """Who may use the console; None where there is none."""
        if self.api is None or not self.settings.console.enabled:
            return None
        return Door(self.api.people, self.clock, self.settings.base_url, self.settings.port)

    async def _load_webrtc(self) -> None:
        """Now, not with the first offer: importing it takes the interpreter for itself, and every live call would hear the gaps."""
        if self.settings.realtime.enabled:
            with suppress(ProviderUnavailable):  # not installed: whoever offers a call is told
                await self.webrtc.start()

    @property
    def calls_dir(self) -> Path:
        return self.settings.data_dir / "calls"

    @property
    def talk_url(self) -> str:
        """Where the talk page is; empty where there is none. Browsers give a microphone to https pages and to ``localhost``."""
        settings = self.settings
        if settings.talk_access == "off":
            return ""
        # ``localhost`` may be the other loopback where only that of IPv6 is listened on.
        own = settings.own_url if settings.host == "::1" else f"http://localhost:{settings.port}"
        return f"{settings.public_url or own}/talk"

    @property
    def console_address(self) -> str:
        """Where the console is, as it is printed: with the token that makes the first admin, while there is none. Empty: nowhere."""
        if self.door is None:
            return ""
        settings = self.settings
        own = settings.own_url if settings.host == "::1" else f"http://localhost:{settings.port}"
        token = self.door.setup_token
        return f"{settings.public_url or own}/{f'#/setup/{token}' if token else ''}"

    def _check_keys(self) -> None:
        """Keys that cannot be read keep nobody from telephoning, so they do not stop the start; but nobody gets in by a key."""
        try:
            self.keys.records()
        except (ConfigurationError, OSError) as error:
            problem = reason(error) if isinstance(error, OSError) else str(error)
            log.error("keys_unreadable", file=str(self.settings.data_dir / "keys.json"), problem=problem)

    @property
    def talk_address(self) -> str:
        """``talk_url`` as it is printed: with the token that opens the page once, where one is needed."""
        token = self.page_access.token
        return f"{self.talk_url}?token={token}" if self.talk_url and token else self.talk_url

    def _check_assistant(self) -> None:
        """The default assistant must be there and make sense before the first call does. The operator's others are made ready
        too, so that their engines are up when they are first named; one that is wrong is reported and spoils nothing else."""
        self.assistants.prepare(self.settings.assistant, needed=True)
        folder = self.settings.assistants_dir
        try:
            names = {path.stem for path in folder.iterdir() if path.suffix in ENDINGS} if folder is not None else set()
        except OSError as error:
            raise ConfigurationError("assistants_dir", f"{folder} cannot be read ({reason(error)})") from None
        for name in sorted(names - {self.settings.assistant}):
            try:
                self.assistants.prepare(name)
            except ConfigurationError as error:
                log.warning("assistant_unusable", assistant=name, file=error.file, line=error.line, problem=str(error))
            except ProviderUnavailable as error:
                log.warning("assistant_unusable", assistant=name, problem=str(error))
        self._check_voices()

    def _check_voices(self) -> None:
        """The voices that clients' names stand for must be there, too."""
        realtime = self.settings.realtime
        if realtime.voices:
            _, engines = self.assistants.find(realtime.assistant or self.settings.assistant)
            speaker = engine_behind(engines.voices[0])
            for name, voice in realtime.voices.items():
                if isinstance(speaker, KnowsVoices):
                    speaker.check_voice(voice, f"realtime.voices.{name}")

    def _engines_in_use(self) -> Iterator[object]:
        """Asked before an engine is closed."""
        plans = [engines for session in self.manager.sessions() for engines in session.engines_in_use()]
        live = self.api.live if self.api is not None else None
        waiting = (*live.planner.engines(), *live.trials.engines()) if live is not None else ()
        for engines in (*plans, *self.realtime.engines(), *waiting):
            yield from engines_behind(engines)
        if self.api is not None:
            yield from self.api.text_agents.engines_in_use()

    # ---------------------------------------------------------------------------------- calls

    def _check_caller_s_assistant(self, name: str) -> None:
        """Whether this assistant can take a call: asked when it rings, while the caller can still be told. Raises ConfigurationError."""
        self.library.find(name)

    def _spec_of(self, session: Session) -> AssistantSpec:
        """The assistant that leads a live call. Raises ConfigurationError."""
        return self._planned_spec(session.call.call_id) or self.assistants.load(session.plan.assistant)

    def _plan(self, call: CallStarted) -> SessionPlan:
        planned = self.api.live.planner.take(call.call_id) if self.api is not None else None
        name = call.assistant or (self.settings.assistant if planned is None else "")
        if planned is not None:
            assistant: LoadedAssistant | Assistant = planned.assistant
            engines = planned.engines
        elif self.api is not None and (tried := self.api.live.trials.find(name)) is not None:
            assistant, engines = tried
        else:
            assistant, engines = self.assistants.find(name)
        spec = assistant.spec
        kept = not (self.settings.after_call.zero_retention or spec.compliance_plan.hipaa_enabled)
        recording = self.settings.record_calls and spec.records and kept
        keep_log = self.settings.keep_event_logs and kept
        # A call that comes back after its stream (a transfer returns) is the same call, and what is there of it stays.
        file_name = unused_name(self.calls_dir, call.call_id, (".wav", ".jsonl"))
        variables = dict(call.parameters)
        context = CallContext(call.call_id, call.caller, variables, self.clock.wall_ms())
        return SessionPlan(
            assistant=name,
            policy=assistant.policy,
            messages=spec.messages(),
            engines=engines,
            opening=self.engines.opening_answers(engines, context),
            hearing=self._hearing(),
            recording=self.calls_dir / f"{file_name}.wav" if recording else None,
            event_log=self.calls_dir / f"{file_name}.jsonl" if keep_log else None,
            variables=variables,
            transfer=self._transfer_of(call),
            observers=planned.observers if planned is not None else self._tellers(call, name, spec),
        )

    def _tellers(self, call: CallStarted, name: str, spec: AssistantSpec) -> tuple[SessionObserver, ...]:
        """Who tells the assistant's server of a call that was not planned."""
        kind = "inboundPhoneCall" if call.provider == "twilio" else "webCall"
        customer = {"customer": {"number": call.caller}} if call.caller else {}
        document = spec.model_dump(by_alias=True, exclude_unset=True)
        about = About({"id": call.call_id, "type": kind, "assistantId": name, **customer}, document, spec.messages())
        return self.events.observers(spec, about)

    def _transfer_of(self, call: CallStarted) -> Callable[[str, str], Awaitable[None]] | None:
        """Whoever can hand this call over: the carrier that brought it, where we may ask it. A session of an API client has none."""
        if self.twilio is None or call.provider != "twilio" or not self.settings.twilio.account_sid:
            return None
        return self.twilio.control.transfer

    def _realtime_plan(self, model: str, call_id: str) -> SessionPlan:
        """``assistant:<name>`` is that assistant; any other name a plain model, which has the engines of an assistant and nothing else
        of it. Raises ConfigurationError."""
        kind, _, name = model.partition(":")
        plain = self.settings.realtime.assistant or self.settings.assistant
        started = CallStarted(
            "realtime", call_id, name if kind == "assistant" else plain, format_in=REALTIME, format_out=REALTIME
        )
        plan = self._plan(started)
        if kind == "assistant":
            return plan
        engines = replace(plan.engines, tools=None)
        return replace(
            plan,
            assistant=model,
            policy=PLAIN_POLICY,
            messages=(),
            engines=engines,
            opening=ExpectedAnswers(),
            observers=(),
        )

    def _realtime_settings(self) -> RealtimeSettings:
        realtime = self.settings.realtime
        return RealtimeSettings(
            default_model=realtime.default_model,
            default_voice=realtime.default_voice,
            voices=realtime.voices,
            max_minutes=realtime.session_max_minutes,
            greeting_wait_ms=realtime.greeting_wait_ms,
            audio_ahead_ms=realtime.output_ahead_s * 1000,
            strict=realtime.strict,
            debug_order=realtime.debug_order,
            max_sessions=self._realtime_places(),
            secret_max_sessions=realtime.secret_max_sessions,
            secret_max_connecting=realtime.secret_max_connecting,
            key_max_sessions=realtime.key_max_sessions,
            secret_idle_s=realtime.secret_idle_s,
            key_idle_s=realtime.key_idle_s,
            session_max_kept_kib=realtime.session_max_kept_kib,
            secret_max_kept_kib=realtime.secret_max_kept_kib,
            key_max_kept_kib=realtime.key_max_kept_kib,
            input_ahead_s=realtime.input_ahead_s,
        )

    def _realtime_places(self) -> int:
        """How many of the process's places are the API's; the rest is left to the telephone, where there is one."""
        places = self.settings.max_calls
        return places if self.twilio is None else max(1, int(places * self.settings.realtime.share_of_calls))

    def _key_revoked(self, key_id: str) -> None:
        log.info("key_revoked", key=key_id)
        try:
            self.client_secrets.drop_of(key_id)
        except (sqlite3.Error, OSError) as error:
            # They open nothing any more (``access``); what is left of them expires.
            log.warning("client_secrets_not_dropped", key=key_id, problem=type(error).__name__)

    def _webrtc_settings(self) -> WebRtcSettings:
        webrtc = self.settings.webrtc
        ice = ice_settings(
            addresses=webrtc.addresses,
            public_address=webrtc.public_address,
            port_min=webrtc.port_min,
            port_max=webrtc.port_max,
            stun_url=webrtc.stun_url,
            turn_url=webrtc.turn_url,
            turn_username=webrtc.turn_username,
            turn_credential=webrtc.turn_credential.get_secret_value(),
        )
        return WebRtcSettings(ice=ice, max_legs=webrtc.max_legs)

    def _hearing(self) -> HearingSettings:
        hearing = self.settings.hearing
        return HearingSettings(sound_threshold=hearing.sound_threshold, speech_threshold=hearing.speech_threshold)

    def _admission_limits(self) -> AdmissionLimits:
        overload = self.settings.overload
        return AdmissionLimits(overload.busy_share, overload.late_ms, always=overload.always_calls)

    def _load(self) -> Load:
        """Asked on the event loop's thread, whose effort it is."""
        now_ns = time.monotonic_ns()
        if self._effort is None:
            self._effort = ThreadEffort(now_ns)
        lateness_ms = self.plane.beat.lateness_ms
        second = sorted(islice(reversed(lateness_ms), _BEATS_A_SECOND))
        late_ms = second[_BEATS_A_SECOND * 9 // 10] if len(second) == _BEATS_A_SECOND else 0.0
        return Load(self._effort.share(now_ns), late_ms)

    def _twilio(self) -> carriers.Carrier | None:
        """The telephone; None where no account was given: browsers and API clients are served all the same."""
        given = self.settings.twilio
        if given.verify_signatures and not (given.auth_token.get_secret_value() or given.account_sid):
            return None
        live = self.api.live if self.api is not None else None
        carrier = carriers.build(
            "twilio", self._twilio_settings(), self.manager if live is None else live.acceptor, self.watch,
            on_call_status=self._call_status_changed, on_answered=self.answering_machines.answered,
            check_assistant=self._check_caller_s_assistant, losses=self.losses, prepare=live.prepare if live is not None else None,
        )  # fmt: skip
        carrier.add_media_routes(self.media_routes)
        return carrier

    def _call_status_changed(self, changed: CallStatusChanged) -> None:
        if self.api is not None:
            self.api.live.status_changed(changed.call_sid, changed.status)

    def _twilio_settings(self) -> TwilioSettings:
        twilio = self.settings.twilio
        return TwilioSettings(
            public_url=self.settings.base_url,
            auth_token=twilio.auth_token.get_secret_value(),
            account_sid=twilio.account_sid,
            verify_signatures=twilio.verify_signatures,
            assistant=self.settings.assistant,
            rest_base_url=twilio.rest_base_url,
            detection=DetectionTuning(
                timeout_s=twilio.machine_detection_timeout_s,
                speech_ms=twilio.machine_detection_speech_ms,
                speech_end_ms=twilio.machine_detection_speech_end_ms,
                silence_ms=twilio.machine_detection_silence_ms,
            ),
            token_secret=self._token_secret(),
            ended_calls_path=self.settings.data_dir / "ended-calls.sqlite3",
            replay_window_days=twilio.replay_window_days,
        )

    def _token_secret(self) -> str:
        """The configured secret, or one made once and kept where only we can read it."""
        configured = self.settings.token_secret.get_secret_value()
        if configured:
            return configured
        made = read_or_make(self.settings.data_dir / "token.secret", lambda: secrets.token_hex(32).encode())
        try:
            return made.decode("ascii").strip()
        except UnicodeDecodeError:
            raise ConfigurationError("token.secret", "is not text; remove it, and another is made") from None

    # ---------------------------------------------------------------------------------- what can be seen

    def _build_asgi(self) -> Starlette:
        # Routes are tried in order: the carrier's are the ones that are asked for with every call.
        routes = list(self.twilio.routes) if self.twilio is not None else []
        routes += self._operations(metrics=not self.settings.http.metrics_port)
        rest = self.api.routes() if self.api is not None else []
        routes += [*rest, *self._console(rest)]
        routes += sdk_routes(__version__) if self.api is not None else ()
        realtime = self.settings.realtime
        outer = [Middleware(CountedRefusals, losses=self.losses)]
        if self.api is not None:
            outer.append(self.api.cors())
        if not realtime.enabled:
            return application(routes, outer)
        routes += secret_routes.routes(
            self.access, self.client_secrets, self.clock, self.realtime.defaults_of, strict=realtime.strict
        )
        routes += realtime_calls.routes(self.access, self.realtime, self.webrtc)
        if self.settings.talk_access != "off":
            routes += self._talk()
        origins = [origin for origin in realtime.cors_origins if origin != "*" or not self.settings.open_api]
        return application(routes, [*outer, Middleware(RealtimeCors, origins=origins)])

    def _operations(self, *, metrics: bool = True) -> list[Route]:
        guarded = require_key(
            self.keys,
            open_api=self.settings.open_api,
            open_anywhere=self.settings.expose_without_protection,
            origins=[origin for origin in self.settings.realtime.cors_origins if origin != "*"],
        )
        return operations(
            self.manager,
            self.metrics,
            self.timelines,
            self._status,
            guarded,
            self.clock,
            self._engines_down,
            metrics=metrics,
        )

    def _console(self, rest: list[Route]) -> list[Route]:
        """``rest``: the routes of the REST API, whose documents the console's pages change."""
        if self.door is None or self.api is None:
            return []
        from antiphon.surfaces.console import assistant_routes, command_routes, record_routes
        from antiphon.surfaces.console import rest as console_rest

        pages = console_routes.ConsoleParts(
            self.door, self.live_calls, self.overview, CallFiles(self.calls_dir), self.manager, self.clock, self._gauges,
            self.settings.max_calls,
        )  # fmt: skip
        live = self.api.live
        return [
            *command_routes.routes(self.door, live.directory, live.planner.known, live.urls),
            *assistant_routes.routes(self.door, self.api.documents.assistants, self.assistants.names),
            *record_routes.routes(self.door, self.api.calls, self.api.resources),
            *console_rest.routes(self.door, rest),
            *console_routes.routes(pages),
        ]

    def _talk(self) -> list[Route]:
        """The talk page, with keys for sessions with one of the assistants."""

        def make_key(assistant: str, ttl_s: int, key_id: str) -> tuple[str, int]:
            session = {
                "type": "realtime",
                "model": f"assistant:{assistant}",
                "audio": {"input": {"transcription": {}}},  # the page shows what it heard
            }
            secret, key = self.client_secrets.create(
                session, ttl_s, self.clock.wall_ms(), key_id=key_id, max_sessions=self._realtime_places()
            )
            return key, secret.expires_wall_ms

        desk = TalkKeys(make_key, self.assistants.names, self.settings.assistant, self.clock)
        if self.door is None:
            return talk_routes(desk, self.page_access, self._tell_talk_address)
        return talk_routes(desk, self.page_access, self._tell_talk_address, self.door.may_talk, self._try_stored)

    async def _try_stored(self, id: str) -> str:
        """The name of a stored assistant, which can be talked to from now on. Raises ConfigurationError, ProviderUnavailable,
        StoreUnavailable."""
        assert self.api is not None
        return (await self.api.live.trials.prepare(id)).spec.name or id

    def _tell_talk_address(self) -> None:
        """The one printed before has been used."""
        log.info("talk_page_opened", next_address=self.talk_address)

    def _status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "calls": self.manager.live,
            "draining": self.manager.draining,
            "beats": self.plane.beat.beats,
            "tasks": len(asyncio.all_tasks()),
        }

    def _engines_down(self) -> list[str]:
        """Engines of the default assistant that could serve nobody now."""
        try:
            return self.engines.not_working(self.assistants.find(self.settings.assistant)[0].spec)
        except (ConfigurationError, ProviderUnavailable):
            return []  # its file is gone: that is told to whoever calls

    def _gauges(self) -> Mapping[str, float]:
        late = sorted(self.plane.beat.lateness_ms)
        return {
            "live_calls": self.manager.live,
            "media_sockets": len(self.watch),
            "event_loop_busy_share": self.manager.admission.busy,
            "overloaded": float(self.manager.admission.closed),
            "webrtc_legs": self.webrtc.legs,
            "http_connections": len(self.connections),
            "large_message_bytes": self.connections.memory.taken_bytes,
            "beat_lateness_p99_seconds": late[int(len(late) * 0.99)] / 1000 if late else 0.0,
            "data_disk_free_bytes": self._free_bytes(),
        }

    def _free_bytes(self) -> float:
        try:
            return free_bytes(self.settings.data_dir)
        except OSError:
            return 0.0  # a disk that cannot be asked is one to look after, and zero is what alerts stand on

    def _counters(self) -> Mapping[str, float]:
        hearing, mouth = self.plane.hearing_counters, self.plane.mouth_counters
        return {
            "beats": self.plane.beat.beats,
            "late_beats_skipped": self.plane.beat.skipped,
            "beat_failures": self.plane.beat.failures + self.plane.cut_out,
            "audio_gaps": hearing.gaps,
            "audio_concealed_seconds": hearing.concealed_ms / 1000,
            "audio_time_jumps": hearing.jumps,
            "early_audio_dropped_seconds": hearing.early_dropped_ms / 1000,
            "audio_backlog_dropped_seconds": hearing.backlog_dropped_ms / 1000,
            "echo_windows": hearing.echo_windows,
            "dead_reply_audio_dropped_seconds": mouth.dropped_dead_ms / 1000,
            "overlong_reply_audio_dropped_seconds": mouth.dropped_overflow_ms / 1000,
            "marks_missing": mouth.late_marks,
            "media_anomalies": sum(self.twilio.anomalies.values()) if self.twilio else 0,
            "recording_blocks_lost": self.plane.recordings.lost_blocks,
            "recordings_failed": self.plane.recordings.failed_files,
            **self.connections.counts,
        }
