"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon.assistants.loader import AssistantLibrary
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.served import ServedAssistants
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.cors import ApiCors
from antiphon.surfaces.vapi.limits import RateLimits
from antiphon.surfaces.vapi.texts import Texts
from antiphon.text_agents import ServedTextAgents


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
        self.library = library
        self.database = Database(settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}")
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
        self.access = Access(
            keys,
            RateLimits(settings.api.requests_per_minute, clock.now_ms),
            open_api=settings.open_api,
            open_anywhere=settings.expose_without_protection,
            origins=settings.api.cors_origins,
        )
        self.text_agents = ServedTextAgents(
            self.resources, clock, library, served, engines, settings.api.reading_model or None
        )
        self.texts = Texts(self.resources, clock, self.access, self.text_agents)

    async def start(self) -> None:
        """Before the server listens. Raises ConfigurationError, StoreUnavailable."""
        await self.database.open()

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        return self.texts.routes()

    def cors(self) -> Middleware:
        """Around all routes."""
        origins = [origin for origin in self.settings.api.cors_origins if origin != "*" or not self.settings.open_api]
        return Middleware(ApiCors, origins=origins)
