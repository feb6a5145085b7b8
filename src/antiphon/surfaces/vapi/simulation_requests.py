"""``POST /eval/simulation/run``: which simulations are to be played, and with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from antiphon.calls.planned import CallRequest
from antiphon.calls.stores import Resource, ResourceStore
from antiphon.chat.agent import Wanted
from antiphon.providers import registry
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.call_requests import MAX_NAME_CHARS, WEB_AUDIO, websocket_transport
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.eval_runs import wrong_target
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.simulation_kinds import check_personality, check_scenario
from antiphon.surfaces.vapi.squad_calls import asked_call

MOST_ITEMS = 100
"""Conversations of one run."""
VOICE, TEXT = "vapi.websocket", "vapi.webchat"
_DOCUMENTS = frozenset(["assistant", "squad", "scenario", "personality"])
"""Fields that are not known are kept within these, as in documents that are stored."""
_NO_PLAYERS = frozenset(["workflow"])
"""Models that follow a graph, and no instructions."""
_ROLE = (
    "You are the caller in this conversation: it is you who wants something, and the other side who answers. Your instructions:\n"
    "{instructions}\n"
    "Say one short thing at a time, as this person would, and never step out of the role. When your business is settled, or cannot be, say "
    "goodbye and end the call with the tool."
)
_END_CALL = {"type": "endCall"}


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulation, as a run plays it."""

    id: str
    """Of the stored one; of one that came with the run, an id that only this run knows."""
    name: str
    scenario: Mapping[str, Any]
    personality: Mapping[str, Any]
    scenario_id: str = ""
    personality_id: str = ""
    stored: bool = False

    @property
    def overrides(self) -> Mapping[str, Any]:
        """Laid over the target."""
        return self.scenario.get("targetOverrides") or {}

    @property
    def hooks(self) -> Sequence[Mapping[str, Any]]:
        """Who is told of its conversations."""
        return self.scenario.get("hooks") or ()

    @property
    def mocks(self) -> Mapping[str, str]:
        """By the name of the target's tool."""
        mocks = self.scenario.get("toolMocks") or ()
        return {mock["toolName"]: mock.get("result") or "" for mock in mocks if mock.get("enabled") is not False}


@dataclass(frozen=True, slots=True)
class AskedRun:
    """What a run is asked to do."""

    simulations: tuple[Simulated, ...]
    target: Mapping[str, Any]
    iterations: int
    provider: str
    """How they talk: ``VOICE`` or ``TEXT``."""
    suites: Mapping[str, str]
    """Those that were named, by their ids, with their names."""


class SimulationRequests:
    """Reads them."""

    def __init__(self, store: ResourceStore, documents: Resources, *, strict: bool = False) -> None:
        self._store = store
        self.documents = documents
        self._strict = strict

    async def run(self, org_id: str, body: Mapping[str, Any]) -> AskedRun:
        """Raises ApiError 400, naming what is wrong or not there."""
        self._check(body)
        suites: dict[str, str] = {}
        found: list[Simulated] = []
        iterations = int(body.get("iterations") or 1)
        for at, entry in enumerate(body["simulations"]):
            if entry["type"] == "simulation":
                found.append(await self._simulation(org_id, entry, f"simulations.{at}"))
            else:
                found += await self._suite(org_id, entry, f"simulations.{at}", suites)
            if len(found) * iterations > MOST_ITEMS:  # the others need not be looked for
                break
        if not 0 < len(found) * iterations <= MOST_ITEMS:
            raise ApiError(400, [f"simulations: a run plays 1 to {MOST_ITEMS} conversations, iterations counted"])
        provider = (body.get("transport") or {}).get("provider") or VOICE
        return AskedRun(tuple(found), body["target"], iterations, provider, suites)

    def _check(self, body: Mapping[str, Any]) -> None:
        found = fields.check("CreateSimulationRunDTO", body)
        refused = [name for name in found.unknown if self._strict or not _DOCUMENTS & set(name.split(".")[:-1])]
        problems = [*found.problems, *(f"property {name} should not exist" for name in refused)]
        if not problems:
            problems = wrong_target(body["target"])
            if not float(body.get("iterations") or 1).is_integer():
                problems.append("iterations must be an integer number")
        if problems:
            raise ApiError(400, problems[: fields.MAX_PROBLEMS])

    async def _suite(
        self, org_id: str, entry: Mapping[str, Any], path: str, suites: dict[str, str]
    ) -> Sequence[Simulated]:
        id = _one_of(entry, path, "simulationSuiteId", "suiteId")[1]
        suite = await self._found(self.documents.suites, org_id, id, f"{path}.simulationSuiteId")
        suites[suite.id] = str(suite.body["name"])
        return [await self._stored(org_id, each, path) for each in suite.body["simulationIds"]]

    async def _simulation(self, org_id: str, entry: Mapping[str, Any], path: str) -> Simulated:
        if id := entry.get("simulationId"):
            if too_many := [
                name for name in ("scenarioId", "scenario", "personalityId", "personality") if entry.get(name)
            ]:
                raise ApiError(400, [f"{path}.{name} must be absent where simulationId is given" for name in too_many])
            return await self._stored(org_id, id, f"{path}.simulationId", entry.get("name") or "")
        which = _one_of(entry, path, "scenarioId", "scenario")
        scenario_id, scenario = which[1] if which[0] == "scenarioId" else "", entry.get("scenario") or {}
        if scenario_id:
            scenario = (await self._found(self.documents.scenarios, org_id, scenario_id, f"{path}.scenarioId")).body
        else:
            await check_scenario(self._store, org_id, scenario, f"{path}.scenario", strict=self._strict)
        which = _one_of(entry, path, "personalityId", "personality")
        personality_id, personality = which[1] if which[0] == "personalityId" else "", entry.get("personality") or {}
        if personality_id:
            place = f"{path}.personalityId"
            personality = (await self._found(self.documents.personalities, org_id, personality_id, place)).body
        else:
            check_personality(personality, f"{path}.personality", strict=self._strict)
        _require_player(personality, path)
        name = entry.get("name") or f"{scenario['name']}, {personality['name']}"
        return Simulated(str(uuid4()), name, scenario, personality, scenario_id, personality_id)

    async def _stored(self, org_id: str, id: str, path: str, name: str = "") -> Simulated:
        simulation = (await self._found(self.documents.simulations, org_id, id, path)).body
        scenario = await self._found(self.documents.scenarios, org_id, simulation["scenarioId"], path)
        personality = await self._found(self.documents.personalities, org_id, simulation["personalityId"], path)
        _require_player(personality.body, path)
        name = name or simulation.get("name") or f"{scenario.body['name']}, {personality.body['name']}"
        return Simulated(id, name, scenario.body, personality.body, scenario.id, personality.id, stored=True)

    @staticmethod
    async def _found(documents: Documents, org_id: str, id: str, path: str) -> Resource:
        found = await documents.find(org_id, id)
        if found is None:
            raise ApiError(400, [f"{path}: there is no {documents.kind.name} {id[:64]}"])
        return found

    # ---------------------------------------------------------------------------------- who talks

    async def target_call(
        self, org_id: str, target: Mapping[str, Any], part: Simulated, metadata: Mapping[str, Any]
    ) -> CallRequest:
        """The call that is played. Raises ApiError 400."""
        who = {name: value for name, value in target.items() if name != "type" and value}
        laid = "squadOverrides" if target["type"] == "squad" else "assistantOverrides"
        body = {**who, "name": part.name[:MAX_NAME_CHARS], "metadata": metadata}
        if part.overrides:
            body[laid] = part.overrides
        transport = websocket_transport(WEB_AUDIO)
        asked = await asked_call(body, org_id, "vapi.websocketCall", transport, self._squad, strict=self._strict)
        return replace(asked, mocks=part.mocks)

    async def _squad(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        found = await self.documents.squads.find(org_id, id)
        return {**found.body, "id": found.id} if found is not None else None

    def target_agent(self, target: Mapping[str, Any], part: Simulated) -> Wanted:
        """The same, in text."""
        if target["type"] == "squad":
            return Wanted(
                squad_id=target.get("squadId") or "", squad=target.get("squad") or None, squad_overrides=part.overrides,
                mocks=part.mocks,
            )  # fmt: skip
        return Wanted(target.get("assistantId") or "", target.get("assistant"), part.overrides, mocks=part.mocks)

    async def caller_call(self, org_id: str, part: Simulated) -> CallRequest:
        """Who calls, as if they were called."""
        document, overrides = await self._caller(org_id, part)
        return CallRequest(org_id, "vapi.websocketCall", assistant=document, overrides=overrides)

    async def caller_agent(self, org_id: str, part: Simulated) -> Wanted:
        """The same, in text."""
        document, overrides = await self._caller(org_id, part)
        return Wanted(assistant=document, overrides=overrides)

    async def _caller(self, org_id: str, part: Simulated) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The personality's assistant with the scenario's instructions, and a tool to hang up with."""
        document = caller_document(part.personality["assistant"], part.scenario["instructions"])
        model = document["model"]
        ids = [id for id in model.get("toolIds") or () if isinstance(id, str)]
        stored = [await self.documents.tools.find(org_id, id) for id in ids]
        tools = [*(model.get("tools") or ()), *(tool.body for tool in stored if tool is not None)]
        can_end = any(isinstance(tool, Mapping) and tool.get("type") == "endCall" for tool in tools)
        return document, {} if can_end else {"tools:append": [_END_CALL]}


def caller_document(assistant: Mapping[str, Any], instructions: str) -> Mapping[str, Any]:
    """A personality's assistant as it plays a scenario: its own prompt first."""
    model = assistant["model"]
    own = list(model.get("messages") or ())
    if not own and model.get("systemPrompt"):
        own = [{"role": "system", "content": model["systemPrompt"]}]
    role = {"role": "system", "content": _ROLE.format(instructions=instructions)}
    return {**assistant, "model": {**model, "messages": [*own, role]}}


def follows_graph(provider: str) -> bool:
    """Whether a model goes its own way: it takes no instructions, and answers no questions about a conversation."""
    return registry.resolve("llm", provider) in _NO_PLAYERS if provider in registry.names("llm") else False


def _one_of(entry: Mapping[str, Any], path: str, *names: str) -> tuple[str, Any]:
    given = [name for name in names if entry.get(name)]
    if len(given) != 1:
        raise ApiError(400, [f"{path}: exactly one of {' and '.join(names)} must be provided"])
    return given[0], entry[given[0]]


def _require_player(personality: Mapping[str, Any], path: str) -> None:
    """Raises ApiError 400."""
    model = personality["assistant"].get("model")
    if not isinstance(model, Mapping) or not model.get("provider"):
        raise ApiError(400, [f"{path}: personality.assistant.model must be given: it plays the caller"])
    if follows_graph(model["provider"]):
        raise ApiError(
            400, [f"{path}: personality.assistant.model.provider {model['provider']} follows no instructions"]
        )
