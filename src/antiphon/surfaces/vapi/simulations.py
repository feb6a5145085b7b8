"""``/eval/simulation``: callers played by a model, who talk to assistants and squads, in voice or in text; and a verdict on each talk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import MAX_LISTED, CallStore, ResourceStore
from antiphon.chat.agent import TextAgents
from antiphon.clock import Clock
from antiphon.surfaces.http.preconditions import etag
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.crud import create_once, warning_header
from antiphon.surfaces.vapi.documents import every
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import bare, listing_of, one_of
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.simulation_hooks import SimulationHooks
from antiphon.surfaces.vapi.simulation_ideas import SimulationIdeas
from antiphon.surfaces.vapi.simulation_kinds import SIMULATION, SUITE, suite_warnings
from antiphon.surfaces.vapi.simulation_player import SimulationPlayer
from antiphon.surfaces.vapi.simulation_requests import SimulationRequests
from antiphon.surfaces.vapi.simulation_runs import SimulationRuns

_COPY = " (copy)"
_MAX_NAME_CHARS = 80


class Simulations:
    """The routes that are not those of the documents (``Resources``)."""

    def __init__(
        self,
        store: ResourceStore,
        clock: Clock,
        access: Access,
        agents: TextAgents,
        calls: CallStore,
        documents: Resources,
        base_url: Callable[[], str],
        *,
        at_once: int,
        longest_s: float,
        strict: bool,
    ) -> None:
        self._store = store
        self._access = access
        self._documents = documents
        requests = SimulationRequests(store, documents, strict=strict)
        self.player = SimulationPlayer(requests, agents, calls, documents.structured_outputs, clock, longest_s)
        self.hooks = SimulationHooks(clock)
        self._runs = SimulationRuns(store, clock, access, requests, self.player, self.hooks, at_once, base_url)
        self._ideas = SimulationIdeas(access, agents, documents, self._runs)
        self.work = self._runs.work
        self.close = self.work.close

    def routes(self) -> list[Route]:
        private = self._access.private
        return [
            *self._runs.routes(),
            *self._ideas.routes(),
            Route("/eval/simulation/suite/{id}/duplicate", private(self._duplicate), methods=["POST"]),
            Route("/eval/simulation", private(self._list), methods=["GET"]),
        ]

    async def _list(self, request: Request, asker: Asker) -> Response:
        """``standaloneOnly``: those that no suite has."""
        listing, simulations = listing_of(request, also=("standaloneOnly",)), self._documents.simulations
        if one_of(request, "standaloneOnly", ("true", "false")) == "true":
            in_suites = {
                id async for suite in every(self._store, SUITE, asker.org_id) for id in suite.body["simulationIds"]
            }
            wanted = set(listing.ids) if listing.ids is not None else None
            alone = [
                each.id
                async for each in every(self._store, SIMULATION, asker.org_id)
                if each.id not in in_suites and (wanted is None or each.id in wanted)
            ]
            if len(alone) > MAX_LISTED:
                raise ApiError(400, [f"standaloneOnly: there are more than {MAX_LISTED}; ask without it, by pages"])
            listing = replace(listing, ids=alone)
        return bare([simulations.show(each) for each in await simulations.list(asker.org_id, listing)])

    async def _duplicate(self, request: Request, asker: Asker) -> Response:
        """The same suite once more, under another name; its simulations are the same ones."""
        suites = self._documents.suites
        body = (await suites.get(asker.org_id, request.path_params["id"])).body
        copy = {**body, "name": str(body["name"])[: _MAX_NAME_CHARS - len(_COPY)] + _COPY}
        made = await create_once(suites, self._documents.repeats, request, asker, copy)
        headers = {"ETag": etag(made.version), **warning_header(suite_warnings(made.body))}
        return json_response(suites.show(made), 201, headers)
