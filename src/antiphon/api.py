"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon.after_calls import AfterCallWork, Assistants
from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.meter import CostMeter
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.losses import Losses
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.cors import ApiCors
from antiphon.surfaces.vapi.limits import RateLimits


class Api:
    """What one process has beside its live calls."""

    def __init__(self, settings: Settings, clock: Clock, keys: ApiKeys, library: AssistantLibrary) -> None:
        """``library``: the assistants that are files. Raises ConfigurationError."""
        self.settings = settings
        self.clock = clock
        self.library = library
        self.database = Database(settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}")
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
        self.after: AfterCallWork | None = None
        self.access = Access(
            keys,
            RateLimits(settings.api.requests_per_minute, clock.now_ms),
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.api.cors_origins,
        )

    def work_after_calls(self, costs: CostMeter, assistants: Assistants, secret: str, losses: Losses) -> AfterCallWork:
        """To be asked for once, before ``routes`` and ``start``."""
        self.after = AfterCallWork(
            self.settings, self.clock, self.database, self.calls, self.resources, self.access, costs, assistants, secret,
            losses,
        )  # fmt: skip
        return self.after

    async def start(self) -> None:
        """Before the server listens. Raises ConfigurationError, StoreUnavailable."""
        await self.database.open()
        if self.after is not None:
            self.after.start()

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        if self.after is not None:
            await self.after.close()
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        return self.after.routes() if self.after is not None else []

    def cors(self) -> Middleware:
        """Around all routes."""
        origins = [origin for origin in self.settings.api.cors_origins if origin != "*" or not self.settings.open_api]
        return Middleware(ApiCors, origins=origins)
