"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

import secrets

from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon.api_calls import ApiCalls, Inside
from antiphon.assistants.loader import AssistantLibrary
from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.files import read_or_make
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.keys import SEALING_KEY, ApiKeys
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import files as file_routes
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.cors import ApiCors
from antiphon.surfaces.vapi.limits import RateLimits
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.signed_urls import SignedUrls
from antiphon.surfaces.vapi.tokens import routes as token_routes
from antiphon.surfaces.vapi.uploads import FRAMING_BYTES


class Api:
    """What one process has beside its live calls."""

    def __init__(
        self, settings: Settings, clock: Clock, keys: ApiKeys, library: AssistantLibrary, inside: Inside
    ) -> None:
        """``library``: the assistants that are files. Raises ConfigurationError."""
        self.settings = settings
        self.clock = clock
        self.keys = keys
        self.library = library
        self.database = Database(settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}")
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
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
        self.live = ApiCalls(settings, clock, self.calls, self.resources, self.access, inside)
        """Calls, from being asked for to their last record."""

    async def start(self, dead: list[str]) -> None:
        """Before the server listens. ``dead`` are calls that a process before this one did not end. Raises ConfigurationError,
        StoreUnavailable."""
        await self.database.open()
        await self.live.start(dead)

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        await self.live.close()
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        return [
            *self.live.routes(),
            *self.documents.routes(self.access),
            *token_routes(self.keys, self.clock, self.access),
        ]

    def uploads(self) -> dict[str, int]:
        """Paths that take more than other bodies, and how many bytes."""
        return dict.fromkeys(file_routes.PATHS, self.documents.files.max_bytes + FRAMING_BYTES)

    def cors(self) -> Middleware:
        """Around all routes."""
        origins = [origin for origin in self.settings.api.cors_origins if origin != "*" or not self.settings.open_api]
        return Middleware(ApiCors, origins=origins)
