"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence

from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon.after_calls import AfterCallWork, Assistants
from antiphon.alerting import Alerting, with_alerts
from antiphon.api_calls import ApiCalls, Inside
from antiphon.api_logs import ApiLogs
from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.dead_workers import DeadWorkers, nothing_after
from antiphon.calls.health import CallHealth
from antiphon.calls.meter import CostMeter
from antiphon.calls.rates import MemoryRates, RateLimits
from antiphon.calls.secrets import DocumentSecrets
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.files import read_or_make
from antiphon.knowledge.stored_files import StoredFiles
from antiphon.losses import Losses
from antiphon.served import ServedAssistants
from antiphon.session.timeline import CallTimeline
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.call_sums import StoredCallSums
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.storage.jobs import StoredJobs
from antiphon.storage.people import StoredPeople
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.keys import SEALING_KEY, ApiKeys
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import background_sound, fields
from antiphon.surfaces.vapi import files as file_routes
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_deletions import CallDeletions
from antiphon.surfaces.vapi.cors import ApiCors
from antiphon.surfaces.vapi.ended_reasons import WORKER_DIED, in_words
from antiphon.surfaces.vapi.kinds import whole
from antiphon.surfaces.vapi.orgs import Orgs
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.server_credentials import ServerCredentials
from antiphon.surfaces.vapi.server_reports import ServerReports, delivery_targets
from antiphon.surfaces.vapi.signed_urls import SignedUrls
from antiphon.surfaces.vapi.simulations import Simulations
from antiphon.surfaces.vapi.texts import Texts
from antiphon.surfaces.vapi.tokens import routes as token_routes
from antiphon.surfaces.vapi.uploads import FRAMING_BYTES
from antiphon.text_agents import ServedTextAgents
from antiphon.vocabulary import EndReason
from antiphon.webhooks.outbox import Outbox


class Api:
    """What one process has beside its live calls."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        keys: ApiKeys,
        library: AssistantLibrary,
        served: ServedAssistants,
        engines: EngineRoom,
        rates: RateLimits | None = None,
    ) -> None:
        """``library``: the assistants that are files; ``served``: as they can be called. ``rates``: how often keys may ask; None: as the
        settings say, in this process. Raises ConfigurationError."""
        self.settings = settings
        self.clock = clock
        self.keys = keys
        self.library = library
        self._engines = engines
        self.sealed = Sealed(settings.data_dir / SEALING_KEY)
        self.database = Database(
            settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}", DocumentSecrets(self.sealed)
        )
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
        self.after: AfterCallWork | None = None
        secret = read_or_make(settings.data_dir / "url.secret", lambda: secrets.token_bytes(32))
        self.urls = SignedUrls(secret, lambda: self.settings.base_url, clock)
        self.documents = Resources(
            self.resources,
            clock,
            library,
            self.sealed,
            self.urls,
            settings.data_dir / "files",
            engine_problems=engines.problems,
            strict=settings.api.strict,
            max_file_bytes=settings.api.max_file_mib * 1024 * 1024,
        )
        self.access = Access(
            keys,
            rates or MemoryRates(settings.api.requests_per_minute, clock.now_ms),
            clock,
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.api.cors_origins,
        )
        self.logs = ApiLogs(self.database, clock, settings.api.log_days, self.access)
        self._live: ApiCalls | None = None
        self.text_agents = ServedTextAgents(
            self.resources, clock, library, served, engines, settings.api.reading_model or None
        )
        self.texts = Texts(
            self.resources,
            clock,
            self.access,
            self.text_agents,
            self.calls,
            StoredCallSums(self.database),
            self.documents,
            Simulations(
                self.resources, clock, self.access, self.text_agents, self.calls, self.documents,
                lambda: self.settings.base_url, at_once=settings.api.simulations, longest_s=settings.api.simulation_max_s,
                strict=settings.api.strict,
            ),
            self.text_agents.led,
        )  # fmt: skip
        self.people = StoredPeople(self.database)
        self._dead_workers: DeadWorkers | None = None
        self._outbox: Outbox | None = None
        self._reports: ServerReports | None = None
        self._health: CallHealth | None = None
        self._alerting: Alerting | None = None

    def watch_health(self, find_timeline: Callable[[str], CallTimeline | None]) -> CallHealth:
        """An observer of all calls, whose readings alerts are made of. To be asked for before ``hold_calls``."""
        self._health = CallHealth(find_timeline, self.settings.alerts.window_s * 1000)
        return self._health

    def hold_calls(self, inside: Inside) -> None:
        """Calls are asked for, held and recorded as well, in the rooms of this process."""
        self._live = ApiCalls(
            self.settings, self.clock, self.calls, self.resources, self.access, inside, StoredJobs(self.database),
            lambda number: whole(self.sealed, number.body), self.database.secrets,
        )  # fmt: skip
        self.texts.simulations.player.voice = self._live.simulated
        self.texts.simulations.hooks.tell = inside.events.tell
        self.texts.events.announce = inside.events.announce
        if self.after is not None:
            self._live.erase = self.after.erasure.erase
        client = inside.engines.tools.client
        inside.engines.tools.looks.append(StoredFiles(self.resources, self.settings.data_dir / "files").look)
        credentials = ServerCredentials(self.resources, self.sealed, self.clock).find
        inside.events.log = inside.engines.tools.log = self.logs.log.put
        inside.engines.tools.authenticate = inside.events.authenticate = credentials
        self._outbox = Outbox(
            StoredDeliveries(self.database), client, self.clock,
            with_alerts(self.settings.alerts, delivery_targets(credentials)), inside.losses,
        )  # fmt: skip
        if self._health is not None:
            self._alerting = Alerting(
                self.settings.alerts, self.clock, self._health,
                lambda: (inside.manager.live, self.settings.max_calls), self.calls.spent_since, self._outbox.put,
                socket.gethostname()[:255],
            )  # fmt: skip
        self._reports = ServerReports(
            self._outbox,
            (self._live.assistant_of, self._live.first_assistant_of),
            self.clock,
            self._live.server_beside,
            zero_retention=self.settings.after_call.zero_retention,
        )
        self._live.deleted = CallDeletions(inside.events, self._reports, self.clock).deleted
        if self.after is not None:
            self.after.report_to(self._reports)
            self._live.live_cost = self.after.live_cost
            self._live.work_after(self.after.finished)

        if inside.cluster is not None:
            self._dead_workers = DeadWorkers(
                self.calls,
                inside.cluster,
                self.clock,
                WORKER_DIED,
                self.after.finished if self.after else nothing_after,
            )

    @property
    def live(self) -> ApiCalls:
        """Calls, from being asked for to their last record. There are none before ``hold_calls``."""
        assert self._live is not None, "hold_calls comes first"
        return self._live

    def work_after_calls(self, costs: CostMeter, assistants: Assistants, losses: Losses) -> AfterCallWork:
        """To be asked for once, before ``routes`` and ``start``."""
        self.after = AfterCallWork(
            self.settings, self.clock, self.database, self.calls, self.resources, self.access, costs, assistants,
            self.text_agents, self.urls, losses, lambda reason: in_words(EndReason(reason), ""), self.logs.forget_call,
        )  # fmt: skip
        return self.after

    @property
    def reports(self) -> ServerReports:
        """Takes the reports of calls that are over. There is none before ``hold_calls``."""
        assert self._reports is not None, "hold_calls comes first"
        return self._reports

    async def start(self, dead: Sequence[str] = ()) -> None:
        """Before the server listens. ``dead`` are calls that a process before this one did not end. Raises ConfigurationError,
        StoreUnavailable."""
        fields.load()
        await self.database.open()
        self.logs.start()
        if self._live is not None:
            await self._live.start(dead)
        if self.after is not None:
            self.after.start()
        if self._outbox is not None:
            self._outbox.start()
        if self._alerting is not None:
            self._alerting.start()
        if self._dead_workers is not None:
            self._dead_workers.start()

    async def end_calls_of_the_dead(self, logged: Sequence[str]) -> None:
        """A worker process has died: the records of its calls end; ``logged`` are those whose event log says so. Raises
        StoreUnavailable."""
        if self._live is not None:
            self._live.end_dead(logged)
        if self._dead_workers is not None:
            await self._dead_workers.look()
        if self.after is not None:
            await self.after.find()

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        if self._dead_workers is not None:
            await self._dead_workers.close()
        if self._live is not None:
            await self._live.close()
        await self.texts.close()
        if self.after is not None:
            await self.after.close()
        if self._alerting is not None:
            await self._alerting.close()
        if self._outbox is not None:
            await self._outbox.close()
        await self.logs.close()
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        # The narrower paths first: ``/eval/run`` is no eval of that id.
        return [
            *(self._live.routes() if self._live is not None else ()),
            *self.texts.routes(),
            *background_sound.routes(self._engines.tools.client.send, self.access),
            *self.documents.routes(self.access),
            *self.logs.routes(),
            *Orgs(
                self.resources, self.calls, self.clock, self.after.erasure.erase if self.after is not None else None
            ).routes(self.access),
            *token_routes(self.keys, self.clock, self.access),
            *(self.after.routes() if self.after is not None else ()),
        ]

    def uploads(self) -> dict[str, int]:
        """Paths that take more than other bodies, and how many bytes."""
        return dict.fromkeys(file_routes.PATHS, self.documents.files.max_bytes + FRAMING_BYTES)

    def cors(self) -> Middleware:
        """Around all routes."""
        origins = [origin for origin in self.settings.api.cors_origins if origin != "*" or not self.settings.open_api]
        return Middleware(ApiCors, origins=origins)
