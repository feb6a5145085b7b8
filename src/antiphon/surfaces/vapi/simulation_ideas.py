"""``/eval/simulation/scenario/generate`` and ``…/item/{id}/generate``: what a model thinks up to try an assistant with, and to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.secrets import masked
from antiphon.calls.stores import Resource
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.ideas import improvements_of, scenarios_for
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.conversations import failed
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import one_of
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.simulation_requests import follows_graph
from antiphon.surfaces.vapi.simulation_runs import SimulationRuns
from antiphon.surfaces.vapi.structured_runs import NO_MODEL

LONGEST_S = 55.0
"""The platform's SDKs wait for a minute."""
MOST_AT_ONCE = 4
_SHOWN = (
    "name",
    "description",
    "firstMessage",
    "firstMessageMode",
    "endCallMessage",
    "endCallPhrases",
    "voicemailMessage",
)
_OF_MODELS = ("messages", "systemPrompt", "workflow")
_OF_TOOLS = ("type", "name", "description", "function", "destinations")
_SUGGESTED = "improvementSuggestions"


class SimulationIdeas:
    """The routes."""

    def __init__(self, access: Access, agents: TextAgents, documents: Resources, runs: SimulationRuns) -> None:
        self._access = access
        self._agents = agents
        self._documents = documents
        self._runs = runs
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    def routes(self) -> list[Route]:
        private = self._access.private
        suggest = "/eval/simulation/run/{id}/item/{item}/generate"
        return [
            Route("/eval/simulation/scenario/generate", private(self._scenarios), methods=["POST"]),
            Route(suggest, private(self._improvements), methods=["POST"]),
        ]

    async def _scenarios(self, request: Request, asker: Asker) -> Response:
        """They are not kept: what of them is wanted becomes a scenario with the evaluations that only a person knows."""
        body = await json_body(request)
        name, id = _asked(body)
        of_assistant = name == "assistantId"
        documents: Documents = self._documents.assistants if of_assistant else self._documents.squads
        found = await documents.find(asker.org_id, id)
        if found is None:
            raise ApiError(400, [f"{name}: there is no {documents.kind.name} {id[:64]}"])
        wanted = Wanted(found.id) if of_assistant else Wanted(squad_id=found.id)
        agent = await self._agent(asker.org_id, found.body)
        writer = await self._writer(asker.org_id, wanted)
        return json_response(await self._thought_up(scenarios_for(writer, agent)), 201)

    async def _improvements(self, request: Request, asker: Asker) -> Response:
        """Those that are kept with the item, unless ``force``; ``persist=false`` keeps none."""
        force = one_of(request, "force", ("true", "false")) == "true"
        keep = one_of(request, "persist", ("true", "false")) != "false"
        item = await self._runs.item(request, asker)
        if item.body["status"] != "failed":
            raise ApiError(
                400, f"Improvements are suggested for an item that has failed; this one is {item.body['status']}."
            )
        if (kept := item.body.get(_SUGGESTED)) and not force:
            return json_response(kept, 201)
        metadata = item.body["metadata"]
        kind = "squad" if "squad" in metadata else "assistant"
        target = metadata[kind]
        wanted = _wanted(kind, target)
        agent = await self._agent(asker.org_id, target)
        writer = await self._writer(asker.org_id, wanted)
        test = await self._test(item)
        suggested = await self._thought_up(improvements_of(writer, agent, test))
        if keep:
            await self._runs.suggest(item, {_SUGGESTED: suggested})
        return json_response(suggested, 201)

    async def _test(self, item: Resource) -> Mapping[str, Any]:
        scenario = item.body["metadata"]["scenario"]
        said = await self._runs.said(item)
        results = {
            name: value
            for name, value in (item.body.get("results") or {}).items()
            if name in ("evaluations", "latencyEvaluations")
        }
        return {
            **{name: scenario[name] for name in ("name", "instructions", "toolMocks") if scenario.get(name)},
            "failureReason": item.body.get("failureReason") or "",
            "results": results,
            "transcript": said.get("transcript") or "",
        }

    # ---------------------------------------------------------------------------------- who is asked about whom

    async def _writer(self, org_id: str, wanted: Wanted) -> TextAgent:
        """The operator's model for such work, else that of the assistant itself. Raises ApiError 400."""
        try:
            if (reader := await self._agents.model(org_id, None)) is not None:
                return reader
            own = await self._agents.find(org_id, wanted)
        except (ConfigurationError, ProviderError) as error:
            raise ApiError(400, [str(error)]) from None
        if own is None or follows_graph(own.model.name):
            raise ApiError(400, [f"model: {NO_MODEL}"])
        return own

    async def _agent(self, org_id: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of an assistant, or of a squad's members, says how it behaves."""
        members = document.get("members")
        if not isinstance(members, list):
            return await self._assistant(org_id, document)
        shown = []
        for member in members:
            found = await self._documents.assistants.find(org_id, member.get("assistantId") or "")
            own = found.body if found is not None else member.get("assistant") or {}
            next_ones = [each.get("assistantName") for each in member.get("assistantDestinations") or ()]
            shown.append({**await self._assistant(org_id, own), "handsOverTo": next_ones})
        return {"name": document.get("name"), "members": shown}

    async def _assistant(self, org_id: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        model = document.get("model") or {}
        ids = [id for id in model.get("toolIds") or () if isinstance(id, str)]
        stored = [await self._documents.tools.find(org_id, id) for id in ids]
        tools = [*(model.get("tools") or ()), *(tool.body for tool in stored if tool is not None)]
        whole = {
            **{name: document[name] for name in _SHOWN if document.get(name)},
            **{name: model[name] for name in _OF_MODELS if model.get(name)},
            "tools": [{name: tool[name] for name in _OF_TOOLS if name in tool} for tool in tools],
        }
        shown: Mapping[str, Any] = masked(whole)
        return shown

    async def _thought_up(self, thinking: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(LONGEST_S), self._places:
                return await thinking
        except ProviderError as error:
            raise failed(error) from None
        except TimeoutError:
            raise ApiError(424, f"The model took longer than {LONGEST_S:g} s.", "Failed Dependency") from None


def _asked(body: Mapping[str, Any]) -> tuple[str, str]:
    """The field that says for whom, and what it says. Raises ApiError 400."""
    names = ("assistantId", "squadId")
    problems = [f"property {name[:100]} should not exist" for name in body if name not in names]
    given = [name for name in names if body.get(name)]
    if len(given) != 1:
        problems.append("exactly one of assistantId and squadId must be provided")
    problems += [f"{name} must be a string" for name in given if not isinstance(body[name], str)]
    if problems:
        raise ApiError(400, problems)
    return given[0], body[given[0]]


def _wanted(kind: str, target: Mapping[str, Any]) -> Wanted:
    """Who was tried: a stored one by its id, else as it was written out."""
    id = target.get("id") or ""
    if kind == "squad":
        return Wanted(squad_id=id) if id else Wanted(squad=target)
    return Wanted(id) if id else Wanted(assistant=target)
