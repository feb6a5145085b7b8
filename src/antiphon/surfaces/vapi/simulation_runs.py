"""``/eval/simulation/run``: simulations are played against an assistant or a squad, in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.secrets import masked
from antiphon.calls.stores import MAX_LISTED, Listing, Resource, ResourceStore
from antiphon.clock import Clock, iso
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.documents import Documents, Kind
from antiphon.surfaces.vapi.errors import not_found
from antiphon.surfaces.vapi.paging import bare, listing_of, one_of, paginated
from antiphon.surfaces.vapi.simulation_hooks import SimulationHooks
from antiphon.surfaces.vapi.simulation_player import SimulationPlayer
from antiphon.surfaces.vapi.simulation_requests import AskedRun, Simulated, SimulationRequests
from antiphon.surfaces.vapi.simulation_work import OVER, STATUSES, SimulationWork

_PATH = "/eval/simulation/run"
# What they are searched by, in the store's columns: there is none for each, and runs have no sessions and no numbers.
_RUN_FILTERS = {
    "status": "purpose",
    "filterStatus": "number",
    "targetType": "phone_number_id",
    "targetId": "session_id",
}
_ITEM_FILTERS = {"status": "number", "simulationId": "session_id"}
_VALUES = {
    "status": ("queued", "running", "ended"),
    "filterStatus": ("passed", "failed", "running"),
    "targetType": ("assistant", "squad"),
}


def _run_links(body: Mapping[str, Any]) -> dict[str, str]:
    target, counts = body["target"], body["itemCounts"]
    outcome = "passed" if counts["passed"] == counts["total"] else "failed"
    return {
        "purpose": body["status"],
        "number": outcome if body["status"] == "ended" else "running",
        "phone_number_id": target["type"],
        "session_id": target.get(f"{target['type']}Id") or "",
    }


def _item_links(body: Mapping[str, Any]) -> dict[str, str]:
    return {"purpose": body["runId"], "number": body["status"], "session_id": body["simulationId"]}


def _item(item: Resource) -> Mapping[str, Any]:
    """Its ``metadata`` is not what somebody says of it, but documents, with their secrets."""
    return {**item.body, "metadata": masked(item.body["metadata"])}


class SimulationRuns:
    """The routes."""

    def __init__(
        self,
        store: ResourceStore,
        clock: Clock,
        access: Access,
        requests: SimulationRequests,
        player: SimulationPlayer,
        hooks: SimulationHooks,
        at_once: int,
        base_url: Callable[[], str],
    ) -> None:
        self._clock = clock
        self._access = access
        self._requests = requests
        self._player = player
        self._store = store
        self._at_once = at_once
        self._base_url = base_url
        self._runs = Documents(store, clock, Kind("simulation-run", links=_run_links))
        self._items = Documents(store, clock, Kind("simulation-run-item", links=_item_links, show=_item))
        self.work = SimulationWork(self._runs, self._items, player, hooks, clock, at_once)

    def routes(self) -> list[Route]:
        private = self._access.private
        item = f"{_PATH}/{{id}}/item/{{item}}"
        return [
            Route(_PATH, private(self._start), methods=["POST"]),
            Route(_PATH, private(self._list), methods=["GET"]),
            Route(f"{_PATH}/{{id}}", private(self._get), methods=["GET"]),
            Route(f"{_PATH}/{{id}}", private(self._cancel), methods=["PATCH"]),
            Route(f"{_PATH}/{{id}}", private(self._delete), methods=["DELETE"]),
            Route(f"{_PATH}/{{id}}/item", private(self._list_items), methods=["GET"]),
            Route(item, private(self._get_item), methods=["GET"]),
            Route(item, private(self._cancel_item), methods=["PATCH"]),
            Route("/eval/simulation/concurrency", private(self._concurrency), methods=["GET"]),
        ]

    # ---------------------------------------------------------------------------------- runs

    async def _start(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        org_id = asker.org_id
        id = self._requests.documents.repeats.named(request, org_id)
        if id and (there := await self._runs.find(org_id, id)) is not None:
            return json_response(await self._started(there), 201)
        asked = await self._requests.run(org_id, body)
        await self._player.check(org_id, asked)
        with self.work.place():
            run, made = await self._begun(org_id, body, asked, id)
        return json_response(self._told(run, [item.id for item in made]), 201)

    async def _begun(
        self, org_id: str, body: Mapping[str, Any], asked: AskedRun, id: str
    ) -> tuple[Resource, Sequence[Resource]]:
        items = [(part, number) for part in asked.simulations for number in range(1, asked.iterations + 1)]
        now = iso(self._clock.wall_ms())
        counts = dict.fromkeys(("passed", "failed", "running", "canceled"), 0)
        counts |= {"total": len(items), "queued": len(items)}
        counts["distinctSimulationTotal"] = len({part.id for part in asked.simulations})
        run = await self._runs.create(
            org_id,
            {
                "status": "queued", "queuedAt": now, "itemCounts": counts, "simulations": _told_entries(body, asked),
                "target": body["target"], "iterations": asked.iterations, "transport": {"provider": asked.provider},
                "summary": _summary(asked),
            },
            id,
        )  # fmt: skip
        made = [(await self._item(org_id, run.id, asked, part, number), part) for part, number in items]
        self.work.begin(run, made, asked)
        return run, [item for item, _ in made]

    async def _started(self, run: Resource) -> dict[str, Any]:
        """A run that the same request has begun before."""
        items = await self._items.list(run.org_id, Listing(MAX_LISTED, order="oldest", equal={"purpose": run.id}))
        return self._told(run, [item.id for item in items])

    def _told(self, run: Resource, ids: Sequence[str]) -> dict[str, Any]:
        return {
            **self._shown(run),
            "simulationRunItemIds": list(ids),
            "message": f"{len(ids)} conversations, up to {self._at_once} at a time.",
            "url": f"{self._base_url()}{_PATH}/{run.id}",
        }

    async def _item(self, org_id: str, run_id: str, asked: AskedRun, part: Simulated, number: int) -> Resource:
        kind = asked.target["type"]
        target = asked.target.get(kind)
        if target is None:
            found = await self._store.find(kind, org_id, asked.target[f"{kind}Id"])
            target = {**found.body, "id": found.id} if found is not None else {"id": asked.target[f"{kind}Id"]}
        ids = {"scenarioId": part.scenario_id, "personalityId": part.personality_id}
        body = {
            "runId": run_id, "simulationId": part.id, "status": "queued", "queuedAt": iso(self._clock.wall_ms()),
            "iterationNumber": number, **{name: id for name, id in ids.items() if id},
            "configurations": {"transport": {"provider": asked.provider}},
            **({"hooks": part.hooks} if part.hooks else {}),
            "metadata": {
                kind: target, "scenario": part.scenario, "personality": part.personality,
                "simulation": {"id": part.id, "name": part.name, **{name: id for name, id in ids.items() if id}},
            },
        }  # fmt: skip
        return await self._items.create(org_id, body, str(uuid4()))

    async def _list(self, request: Request, asker: Asker) -> Response:
        for name, allowed in _VALUES.items():
            one_of(request, name, allowed)
        await self.work.settle(asker.org_id)
        listing = listing_of(request, _RUN_FILTERS)
        runs = await self._runs.list(asker.org_id, listing)
        total = await self._runs.count(asker.org_id, listing)
        shown = [{**self._shown(run), "summary": run.body["summary"]} for run in runs]
        return json_response(paginated(shown, total, listing))

    async def _get(self, request: Request, asker: Asker) -> Response:
        await self.work.settle(asker.org_id)
        return json_response(self._shown(await self._runs.get(asker.org_id, request.path_params["id"])))

    async def _cancel(self, request: Request, asker: Asker) -> Response:
        """The platform asks so, with no body."""
        return json_response(self._shown(await self.work.cancel(asker.org_id, request.path_params["id"])))

    async def _delete(self, request: Request, asker: Asker) -> Response:
        """Ours: with all that its items keep. Its calls stay, which are erased as calls are."""
        run = await self.work.cancel(asker.org_id, request.path_params["id"])
        for item in await self._items.list(asker.org_id, Listing(MAX_LISTED, equal={"purpose": run.id})):
            await self._items.delete(asker.org_id, item.id)
        return json_response(self._shown(await self._runs.delete(asker.org_id, run.id)))

    def _shown(self, run: Resource) -> dict[str, Any]:
        shown = self._runs.show(run)
        return {name: value for name, value in shown.items() if name != "summary"}

    async def _concurrency(self, request: Request, asker: Asker) -> Response:
        """What goes on in all processes, and what this one would begin now. A simulation in voice has the place of two calls."""
        await self.work.settle(asker.org_id)
        running = await self._items.count(asker.org_id, Listing(equal={"number": "running"}))
        free = max(0, self._at_once - len(self.work.active))
        return json_response(
            {
                "orgId": asker.org_id, "concurrencyLimit": 2 * self._at_once, "activeSimulations": 2 * running,
                "availableToStart": free, "createdAt": None, "updatedAt": None, "isDefault": True,
            }
        )  # fmt: skip

    # ---------------------------------------------------------------------------------- their items

    async def _list_items(self, request: Request, asker: Asker) -> Response:
        await self.work.settle(asker.org_id)
        run = await self._runs.get(asker.org_id, request.path_params["id"])
        one_of(request, "status", STATUSES)
        listing = listing_of(request, _ITEM_FILTERS, also=("runId",))
        named = request.query_params.get("runId") or run.id
        listing = replace(listing, equal={**listing.equal, "purpose": run.id if named == run.id else ()})
        return bare([self._items.show(item) for item in await self._items.list(asker.org_id, listing)])

    async def _get_item(self, request: Request, asker: Asker) -> Response:
        await self.work.settle(asker.org_id)
        item = await self.item(request, asker)
        shown = self._items.show(item)
        if call := await self._player.said(item):
            shown["metadata"] = {**shown["metadata"], "call": call}
        return json_response(shown)

    async def _cancel_item(self, request: Request, asker: Asker) -> Response:
        item = await self.item(request, asker)
        if item.body["status"] not in OVER:
            item = await self.work.cancel_item(asker.org_id, item.body["runId"], item.id)
        return json_response(self._items.show(item))

    async def item(self, request: Request, asker: Asker) -> Resource:
        """The one that a path names. Raises ApiError 404."""
        item = await self._items.get(asker.org_id, request.path_params["item"])
        if item.body["runId"] != request.path_params["id"]:
            raise not_found("simulation-run-item", item.id)
        return item

    async def said(self, item: Resource) -> Mapping[str, Any]:
        """What was said in its conversation."""
        return await self._player.said(item)

    async def suggest(self, item: Resource, suggestions: Mapping[str, Any]) -> None:
        """Keep with it what might be done better."""
        await self._items.patch(item.org_id, item.id, suggestions)


def _told_entries(body: Mapping[str, Any], asked: AskedRun) -> Sequence[Mapping[str, Any]]:
    """As they were sent; suites with the names they had then."""
    entries = []
    for entry in body["simulations"]:
        id = entry.get("simulationSuiteId") or entry.get("suiteId")
        entries.append({**entry, "simulationSuiteId": id, "name": asked.suites[id]} if id else entry)
    return entries


def _summary(asked: AskedRun) -> dict[str, Any]:
    """What a list of runs says of one."""
    first = asked.simulations[0]
    if len(asked.suites) == 1:
        id, name = next(iter(asked.suites.items()))
        source: dict[str, Any] = {"type": "suite", "id": id, "name": name, "linkable": True}
    elif first.stored and len(asked.simulations) == 1:
        source = {"type": "simulation", "id": first.id, "name": first.name, "linkable": True}
    else:
        source = {"type": "adHoc", "name": first.name, "linkable": False}
    stored = list(dict.fromkeys(part.id for part in asked.simulations if part.stored))
    written = asked.target.get(asked.target["type"]) or {}
    return {
        "source": {**source, "simulationIds": stored},
        "simulationCount": len({part.id for part in asked.simulations}),
        **({"targetSnapshotName": written["name"]} if written.get("name") else {}),
    }
