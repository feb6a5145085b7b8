"""The console's pages that read the database, and what they read: records of calls, what applications were told, days, kept documents."""

from __future__ import annotations

from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.storage.call_days import StoredCallDays
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.storage.resources import StoredResources
from antiphon.surfaces.console import days, kept_routes, record_routes
from antiphon.surfaces.console.door import Door
from antiphon.surfaces.console.told import deliveries_of


def routes(door: Door, database: Database, clock: Clock) -> list[Route]:
    """Behind the console's door."""
    resources = StoredResources(database)
    return [
        *record_routes.routes(door, StoredCalls(database), resources, deliveries_of(StoredDeliveries(database))),
        *kept_routes.routes(door, resources),
        *days.routes(door, StoredCallDays(database), clock),
    ]
