"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon.after_calls import AfterCallWork, Assistants
from antiphon.api_calls import ApiCalls, Inside
from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.meter import CostMeter
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.files import read_or_make
from antiphon.losses import Losses
from antiphon.served import ServedAssistants
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.call_sums import StoredCallSums
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.storage.jobs import StoredJobs
from antiphon.storage.people import StoredPeople
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.keys import SEALING_KEY, ApiKeys
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi import files as file_routes
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.cors import ApiCors
from antiphon.surfaces.vapi.ended_reasons import in_words
from antiphon.surfaces.vapi.kinds import whole
from antiphon.surfaces.vapi.limits import RateLimits
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.server_credentials import ServerCredentials
from antiphon.surfaces.vapi.server_reports import ServerReports, delivery_targets
from antiphon.surfaces.vapi.signed_urls import SignedUrls
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
    ) -> None:
        """``library``: the assistants that are files; ``served``: as they can be called. Raises ConfigurationError."""
        self.settings = settings
        self.clock = clock
        self.keys = keys
        self.library = library
        self.database = Database(settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}")
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
        self.after: AfterCallWork | None = None
        secret = read_or_make(settings.data_dir / "url.secret", lambda: secrets.token_bytes(32))
        self.urls = SignedUrls(secret, lambda: self.settings.base_url, clock)
        self.sealed = Sealed(settings.data_dir / SEALING_KEY)
        self.documents = Resources(
            self.resources,
            clock,
            library,
            self.sealed,
            self.urls,
            settings.data_dir / "files",
            strict=settings.api.strict,
            max_file_bytes=settings.api.max_file_mib * 1024 * 1024,
        )
        self.access = Access(
            keys,
            RateLimits(settings.api.requests_per_minute, clock.now_ms),
            clock,
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.api.cors_origins,
        )
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
        )
        self.people = StoredPeople(self.database)
        self._outbox: Outbox | None = None
        self._reports: ServerReports | None = None

    def hold_calls(self, inside: Inside) -> None:
        """Calls are asked for, held and recorded as well, in the rooms of this process."""
        self._live = ApiCalls(
            self.settings, self.clock, self.calls, self.resources, self.access, inside, StoredJobs(self.database),
            lambda number: whole(self.sealed, number.body),
        )  # fmt: skip
        if self.after is not None:
            self._live.erase = self.after.erasure.erase
        client = inside.engines.tools.client
        credentials = ServerCredentials(self.resources, self.sealed, self.clock).find
        inside.engines.tools.authenticate = inside.events.authenticate = credentials
        self._outbox = Outbox(
            StoredDeliveries(self.database), client, self.clock, delivery_targets(credentials), inside.losses
        )
        self._reports = ServerReports(self._outbox, self._live.assistant_of, self.clock)
        if self.after is not None:
            self.after.report_to(self._reports)
            self._live.live_cost = self.after.live_cost

    @property
    def live(self) -> ApiCalls:
        """Calls, from being asked for to their last record. There are none before ``hold_calls``."""
        assert self._live is not None, "hold_calls comes first"
        return self._live

    def work_after_calls(self, costs: CostMeter, assistants: Assistants, losses: Losses) -> AfterCallWork:
        """To be asked for once, before ``routes`` and ``start``."""
        self.after = AfterCallWork(
            self.settings, self.clock, self.database, self.calls, self.resources, self.access, costs, assistants, self.urls,
            losses, lambda reason: in_words(EndReason(reason), ""),
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
        if self._live is not None:
            await self._live.start(dead)
        if self.after is not None:
            self.after.start()
        if self._outbox is not None:
            self._outbox.start()

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        if self._live is not None:
            await self._live.close()
        await self.texts.close()
        if self.after is not None:
            await self.after.close()
        if self._outbox is not None:
            await self._outbox.close()
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        # The narrower paths first: ``/eval/run`` is no eval of that id.
        return [
            *(self._live.routes() if self._live is not None else ()),
            *self.texts.routes(),
            *self.documents.routes(self.access),
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
