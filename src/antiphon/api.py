"""The ring around a call, put together: database, stores, and the routes of the REST API. Imported only where its extra is installed."""

from __future__ import annotations

from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.config import Settings
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.people import StoredPeople
from antiphon.storage.resources import StoredResources


class Api:
    """What one process has beside its live calls."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Raises ConfigurationError."""
        self.settings = settings
        self.clock = clock
        self.database = Database(settings.database_url or f"sqlite:///{settings.data_dir / 'antiphon.db'}")
        self.resources = StoredResources(self.database)
        self.calls = StoredCalls(self.database)
        self.people = StoredPeople(self.database)

    async def start(self) -> None:
        """Before the server listens. Raises ConfigurationError, StoreUnavailable."""
        await self.database.open()

    async def close(self) -> None:
        """After the last call has ended. Safe to call twice."""
        await self.database.close()

    def routes(self) -> list[Route]:
        """The REST API."""
        return []
