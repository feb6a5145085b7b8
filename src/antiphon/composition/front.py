"""Everything that a process answers over HTTP, in the order in which routes are tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from antiphon import __version__
from antiphon.carriers.registry import Carrier
from antiphon.clock import Clock
from antiphon.composition.addresses import talk_address
from antiphon.composition.readings import Readings
from antiphon.composition.room_settings import realtime_places, webrtc_settings
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.losses import Losses
from antiphon.served import ServedAssistants
from antiphon.session.call_files import CallFiles
from antiphon.session.manager import SessionManager
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
from antiphon.surfaces.realtime import secret_routes
from antiphon.surfaces.realtime.access import AccessControl
from antiphon.surfaces.realtime.http import RealtimeCors
from antiphon.surfaces.realtime.secrets import ClientSecrets
from antiphon.surfaces.realtime.sessions import RealtimeSessions
from antiphon.surfaces.refusals import CountedRefusals
from antiphon.surfaces.sdk.routes import routes as sdk_routes
from antiphon.surfaces.talk.page_access import PageAccess
from antiphon.talk_room import TalkParts, talk_routes
from antiphon.transports.webrtc.base import WebRtcEngine

if TYPE_CHECKING:
    from antiphon.api import Api

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands behind the routes."""

    settings: Settings
    clock: Clock
    losses: Losses
    keys: ApiKeys
    manager: SessionManager
    timelines: Timelines
    metrics: CallMetrics
    readings: Readings
    engines: EngineRoom
    assistants: ServedAssistants
    telephone: Carrier | None
    api: Api | None
    door: Door | None
    live_calls: LiveCalls
    overview: Overview
    files: CallFiles
    access: AccessControl
    client_secrets: ClientSecrets
    realtime: RealtimeSessions
    webrtc: WebRtcEngine
    page_access: PageAccess
    keep_trial: Callable[[str], Awaitable[None]] | None
    """Tells the other worker processes, where there are some, that a stored assistant is ready here."""

    def asgi(self) -> Starlette:
        """What is asked on the server's port."""
        # Routes are tried in order: the carrier's are the ones that are asked for with every call.
        routes = list(self.telephone.routes) if self.telephone is not None else []
        routes += self._operations(metrics=not self.settings.http.metrics_port)
        outer = [Middleware(CountedRefusals, losses=self.losses)]
        if self.api is not None:
            rest = self.api.routes()
            routes += [*rest, *self._console(self.api, rest), *sdk_routes(__version__)]
            outer.append(self.api.cors())
        if not self.settings.realtime.enabled:
            return application(routes, outer)
        routes += self._realtime()
        if self.settings.talk_access != "off":
            routes += self._talk()
        origins = [
            origin for origin in self.settings.realtime.cors_origins if origin != "*" or not self.settings.open_api
        ]
        return application(routes, [*outer, Middleware(RealtimeCors, origins=origins)])

    def operations_asgi(self) -> Starlette:
        """What is asked on ``metrics_port``."""
        return application(self._operations(metrics=True))

    def _operations(self, *, metrics: bool) -> list[Route]:
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
            self.readings.status,
            guarded,
            self.clock,
            self._engines_down,
            metrics=metrics,
        )

    def _engines_down(self) -> list[str]:
        """Engines of the default assistant that could serve nobody now."""
        try:
            return self.engines.not_working(self.assistants.find(self.settings.assistant)[0].spec)
        except (ConfigurationError, ProviderUnavailable):
            return []  # its file is gone: that is told to whoever calls

    def _console(self, api: Api, rest: list[Route]) -> list[Route]:
        """``rest``: the routes of the REST API, whose documents the console's pages change."""
        if self.door is None:
            return []
        from antiphon import console_stores
        from antiphon.storage.resources import StoredResources
        from antiphon.surfaces.console import assistant_routes, command_routes, workflow_routes
        from antiphon.surfaces.console import rest as console_rest

        pages = console_routes.ConsoleParts(
            self.door, self.live_calls, self.overview, self.files, self.manager, self.clock, self.readings.gauges,
            self.settings.max_calls,
        )  # fmt: skip
        live = api.live
        return [
            *command_routes.routes(self.door, live.directory, live.planner.known, live.urls),
            *assistant_routes.routes(self.door, api.documents.assistants, self.assistants),
            *workflow_routes.routes(self.door, api.text_agents, self.clock, self._outline),
            *console_stores.routes(self.door, api.database, self.clock),
            *console_rest.routes(self.door, rest, StoredResources(api.database)),
            *console_routes.routes(pages),
        ]

    def _outline(self, call_id: str) -> dict[str, Any] | None:
        """Of the workflow that a live call follows."""
        session = self.manager.find(call_id)
        return None if session is None else self.engines.workflow(session.plan.engines)

    def _realtime(self) -> list[Route]:
        return [
            *secret_routes.routes(
                self.access,
                self.client_secrets,
                self.clock,
                self.realtime.defaults_of,
                strict=self.settings.realtime.strict,
            ),
            *realtime_calls.routes(self.access, self.realtime, self.webrtc),
        ]

    def _talk(self) -> list[Route]:
        """The talk page."""
        parts = TalkParts(
            self.settings, self.clock, self.assistants.names, self.page_access, self.client_secrets,
            realtime_places(self.settings, telephone=self.telephone is not None), self.webrtc,
            webrtc_settings(self.settings).ice.turn, self._tell_talk_address, self.door,
            self.api.live.trials if self.api is not None else None, self.keep_trial,
        )  # fmt: skip
        return talk_routes(parts)

    def _tell_talk_address(self) -> None:
        """The one printed before has been used."""
        log.info("talk_page_opened", next_address=talk_address(self.settings, self.page_access.token))
