"""The composition root: builds every room from ``Settings``; nothing else knows them all."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from antiphon.answering_machine import AnsweringMachines
from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.meter import Caps, CostMeter
from antiphon.calls.recording_tools import offer_recording_tools
from antiphon.carriers import registry as carriers
from antiphon.carriers.twilio.webhook import CallStatusChanged
from antiphon.clock import Clock, SystemClock
from antiphon.composition import addresses, start_checks
from antiphon.composition import room_settings as told
from antiphon.composition.call_plans import CallPlans
from antiphon.composition.front import Front
from antiphon.composition.readings import LoadGauge, Readings
from antiphon.config import Settings
from antiphon.conversation.events import Event
from antiphon.engine_metrics import EngineReader
from antiphon.engines import EngineRoom, engines_in
from antiphon.errors import ProviderUnavailable
from antiphon.known_assistants import KnownAssistants, caps_of
from antiphon.losses import Losses
from antiphon.media.plane import MediaPlane
from antiphon.providers.prices import read_prices
from antiphon.providers.vad.silero import SileroVoiceActivity
from antiphon.served import ServedAssistants
from antiphon.session.admission import Admission
from antiphon.session.call_files import CallFiles
from antiphon.session.manager import SessionManager, close_dead_calls
from antiphon.session.observers import SessionObserver
from antiphon.session.timeline import Timelines
from antiphon.surfaces.console.door import Door
from antiphon.surfaces.console.live import LiveCalls
from antiphon.surfaces.console.overview import Overview
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.metrics import CallMetrics
from antiphon.surfaces.realtime import listener as realtime_listener
from antiphon.surfaces.realtime.access import AccessControl
from antiphon.surfaces.realtime.protocol.audio_config import PCM as REALTIME
from antiphon.surfaces.realtime.secrets import ClientSecrets
from antiphon.surfaces.realtime.sessions import RealtimeSessions
from antiphon.surfaces.talk.marks import TalkMarks
from antiphon.surfaces.talk.page_access import PageAccess
from antiphon.surfaces.vapi.server_events import ServerEvents
from antiphon.transports.base import CallStarted
from antiphon.transports.connections import Connections
from antiphon.transports.http_bounds import HttpBounds
from antiphon.transports.message_memory import MessageMemory
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.aiortc_engine import AiortcEngine
from antiphon.transports.webrtc.base import WebRtcEngine

if TYPE_CHECKING:
    from antiphon.api import Api
    from antiphon.workers.joining import Joined
    from antiphon.workers.place import WorkerPlace

log = structlog.get_logger(__name__)


class Antiphon:
    """One process: its rooms, and the ASGI application in front of them."""

    def __init__(self, settings: Settings, clock: Clock | None = None, worker: WorkerPlace | None = None) -> None:
        """``worker``: its place among the worker processes of one server; None: it is alone. Raises ConfigurationError."""
        settings.refuse_to_be_open()
        start_checks.check_files(settings)
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.losses = Losses(self.clock.now_ms)
        self.joined = self._join(worker) if worker is not None else None
        self.keys = ApiKeys(settings.data_dir / "keys.json")
        self.watch = SocketWatch(self.clock)
        self.media_routes = MediaRoutes(self.losses)

        # Who answers, with what.
        folders = [settings.assistants_dir] if settings.assistants_dir else []
        self.engines = EngineRoom(settings, self._engines_in_use, lambda: self.assistants.specs(), self.clock)
        self.library = AssistantLibrary(folders, settings.assistant_variables, self.engines.check)
        self.assistants = ServedAssistants(self.library, self.engines)
        self.events = ServerEvents(self.engines.tools.client, self.clock, self.losses)
        self.plans = CallPlans(settings, self.clock, self.engines, self.assistants, self.events)
        self.known = KnownAssistants(self.assistants, self.engines, self.plans.planned_spec, self.plans.tried_spec)

        # Live calls, and who watches them.
        vad = {rate: partial(SileroVoiceActivity, rate) for rate in (8000, 16000)}
        self.plane = MediaPlane(self.clock, vad, losses=self.losses)
        self.timelines = Timelines(self.clock.wall_ms(), self.clock.now_ms())
        self.metrics = CallMetrics(self.timelines.find)
        self.costs = CostMeter(
            read_prices(settings.costs.prices_file), self._caps_of, self._feed, self._spent_today_usd
        )
        self.api = self._api()
        self.door = self._door()
        self.live_calls = LiveCalls(self.clock.wall_ms() - self.clock.now_ms(), self.costs.so_far_usd)
        self.overview = Overview(self.timelines.find, self.clock.wall_ms(), self.clock.now_ms())
        self.manager = SessionManager(
            self.plane, self.clock, self.plans.plan, self._observers(), settings.max_calls,
            Admission(told.admission_limits(settings)), LoadGauge(self.plane).load, self.losses,
        )  # fmt: skip
        self.plans.session_of = self.manager.find
        offer_recording_tools(self.engines.tools.local.register, self.manager.find)
        self.engines.tools.press_keys = self.manager.press_keys
        if self.api is not None:
            self._hold_calls(self.api)

        # Where they come from.
        self.answering_machines = AnsweringMachines(self.manager, self.plans.spec_of, self.metrics.answered)
        self.twilio = self._twilio()
        self.client_secrets = ClientSecrets(settings.data_dir / "client-secrets.sqlite3")
        self.access = AccessControl(
            self.keys,
            self.client_secrets,
            self.clock,
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.realtime.cors_origins,
        )
        self.realtime = RealtimeSessions(
            self.manager,
            self.clock,
            told.realtime_settings(settings, told.realtime_places(settings, telephone=self.twilio is not None)),
            self.plans.realtime_plan,
            self.engines.recogniser,
            self.access.live_keys if not settings.open_api else lambda: None,
            self._key_revoked,
        )
        self.webrtc: WebRtcEngine = AiortcEngine(told.webrtc_settings(settings), self.watch)
        if settings.realtime.enabled:
            gate = realtime_listener.RealtimeGate(self.realtime, self.access, self.watch)
            for path in realtime_listener.PATHS:
                self.media_routes.add(path, gate.on_upgrade)

        # What is asked over HTTP.
        uploads = self.api.uploads() if self.api is not None else {}
        self.connections = Connections(
            HttpBounds(
                max_connections=settings.http.max_connections,
                idle_timeout_s=settings.http.idle_s,
                uploads=uploads,
            ),
            losses=self.losses,
            memory=MessageMemory(settings.http.large_messages_mib * 1024 * 1024),
        )
        self.page_access = PageAccess(
            self.keys, settings.talk_access, settings.port, self.clock, trusts_strangers=settings.open_api
        )
        readings = Readings(
            self.manager,
            self.plane,
            self.watch,
            self.connections,
            self.webrtc,
            self.twilio,
            settings.data_dir,
            self._open_workers,
        )
        self.metrics.watch(readings.gauges, readings.counters, self.losses.counts)
        self.metrics.registry.register(EngineReader(self.engines.health))
        front = Front(
            settings=settings, clock=self.clock, losses=self.losses, keys=self.keys, manager=self.manager,
            timelines=self.timelines, metrics=self.metrics, readings=readings, engines=self.engines, assistants=self.assistants,
            telephone=self.twilio, api=self.api, door=self.door, live_calls=self.live_calls, overview=self.overview,
            files=CallFiles(self.calls_dir), access=self.access, client_secrets=self.client_secrets, realtime=self.realtime,
            webrtc=self.webrtc, page_access=self.page_access,
            keep_trial=self.joined.keep_trial if self.joined is not None else None,
        )  # fmt: skip
        self.operations_asgi = front.operations_asgi()
        self.asgi = front.asgi()

    # ---------------------------------------------------------------------------------- life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything started; on the way out, calls are drained and everything is freed."""
        start_checks.check_assistants(self.settings, self.assistants)
        start_checks.check_keys(self.settings, self.keys)
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

    async def _load_webrtc(self) -> None:
        """Now, not with the first offer: importing it takes the interpreter for itself, and every live call would hear the gaps."""
        if self.settings.realtime.enabled:
            with suppress(ProviderUnavailable):  # not installed: whoever offers a call is told
                await self.webrtc.start()

    # ---------------------------------------------------------------------------------- where it is

    @property
    def calls_dir(self) -> Path:
        return self.plans.folder

    @property
    def talk_url(self) -> str:
        """Where the talk page is; empty where there is none."""
        return addresses.talk_url(self.settings)

    @property
    def talk_address(self) -> str:
        """``talk_url`` as it is printed."""
        return addresses.talk_address(self.settings, self.page_access.token)

    @property
    def console_address(self) -> str:
        """Where the console is, as it is printed; empty where there is none."""
        return addresses.console_address(self.settings, self.door.setup_token) if self.door is not None else ""

    # ---------------------------------------------------------------------------------- rooms that may be missing

    def _api(self) -> Api | None:
        """The REST API; None where it is off or not installed."""
        if not self.settings.api.enabled:
            return None
        try:
            from antiphon.api import Api
        except ModuleNotFoundError as error:
            if not error.name or error.name.partition(".")[0] == "antiphon":
                raise
            log.info("api_not_installed", missing=error.name, to_install="pip install 'antiphon[api]'")
            return None
        rates = self.joined.rates if self.joined is not None else None
        return Api(self.settings, self.clock, self.keys, self.library, self.assistants, self.engines, rates)

    def _hold_calls(self, api: Api) -> None:
        from antiphon.api_calls import Inside

        inside = Inside(
            self.manager, self.engines, self.assistants, self.watch, self.losses, self.events,
            lambda: told.token_secret(self.settings),
            self.plans.caller_plan,
            self.costs.prices,
            self.joined.for_calls(self.settings) if self.joined is not None else None,
        )  # fmt: skip
        api.hold_calls(inside)
        api.live.add_media_routes(self.media_routes)
        self.plans.api_calls = api.live

    def _join(self, worker: WorkerPlace) -> Joined:
        from antiphon.workers.joining import join

        return join(self.settings, worker, self.clock.now_ms, self.losses)

    def _door(self) -> Door | None:
        """Who may use the console; None where there is none."""
        if self.api is None or not self.settings.console.enabled:
            return None
        return Door(self.api.people, self.clock, self.settings.base_url, self.settings.port)

    def _twilio(self) -> carriers.Carrier | None:
        """The telephone; None where no account was given."""
        given = told.twilio_settings(self.settings, media_path_names_call=self.joined is not None)
        if given is None:
            return None
        live = self.api.live if self.api is not None else None
        carrier = carriers.build(
            "twilio", given, self.manager if live is None else live.acceptor, self.watch,
            on_call_status=self._call_status_changed, on_answered=self.answering_machines.answered,
            check_assistant=self.library.find, losses=self.losses, prepare=live.prepare if live is not None else None,
            spend_nonce=self.joined.nonces.spend if self.joined is not None else None,
        )  # fmt: skip
        carrier.add_media_routes(self.media_routes)
        if given.account_sid:  # its REST side may be asked
            self.plans.transfers["twilio"] = carrier.control.transfer
            if live is not None:
                live.telephone = carrier.control
        return carrier

    # ---------------------------------------------------------------------------------- what rooms ask of each other

    def _observers(self) -> list[SessionObserver]:
        """Who watches all calls."""
        watching: list[SessionObserver] = [self.timelines, self.metrics, self.costs, self.engines.tools.observer]
        watching += [self.joined.member] if self.joined is not None else []
        if self.api is not None:
            watching.append(self.api.work_after_calls(self.costs, self.known, self.losses).observer)
            watching.append(self.api.watch_health(self.timelines.find))
        if self.door is not None:
            watching += [self.live_calls, self.overview]
        if self.settings.talk_access != "off":
            strangers = self.settings.talk_access == "open" and not self.settings.open_api
            watching.append(TalkMarks(lambda call_id: self.realtime.find(call_id), tells_arguments=not strangers))
        return watching

    def _open_workers(self) -> float:
        """Processes that take calls now."""
        return self.joined.member.open_workers if self.joined is not None else float(not self.manager.draining)

    def _caps_of(self, call: CallStarted) -> Caps:
        return caps_of(self.known.of_call(call), self.settings)

    def _feed(self, call_id: str, event: Event) -> None:
        if (session := self.manager.find(call_id)) is not None:
            session.feed(event)

    def _spent_today_usd(self) -> float:
        if self.api is None or self.api.after is None:
            return 0.0
        return self.api.after.observer.spent_today_usd + self.api.live.simulated.spent_today_usd(self.clock.wall_ms())

    def _engines_in_use(self) -> Iterator[object]:
        """Asked before an engine is closed."""
        live = [engines for session in self.manager.sessions() for engines in session.engines_in_use()]
        for engines in (*live, *self.realtime.engines(), *self.plans.waiting_engines()):
            yield from engines_in(engines)
        if self.api is not None:
            yield from self.api.text_agents.engines_in_use()

    def _call_status_changed(self, changed: CallStatusChanged) -> None:
        if self.api is not None:
            self.api.live.status_changed(changed.call_sid, changed.status)

    def _key_revoked(self, key_id: str) -> None:
        log.info("key_revoked", key=key_id)
        try:
            self.client_secrets.drop_of(key_id)
        except (sqlite3.Error, OSError) as error:
            # They open nothing any more (``access``); what is left of them expires.
            log.warning("client_secrets_not_dropped", key=key_id, problem=type(error).__name__)
