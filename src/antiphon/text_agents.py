"""Assistants as they answer in text: files, stored documents, and those that come with a request."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from antiphon.assistants.compile import Assistant, compile_assistant
from antiphon.assistants.loader import AssistantLibrary
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tools import run_tools
from antiphon.calls.destinations import Destinations, context_of, known_variables
from antiphon.calls.finder import AssistantFinder
from antiphon.calls.servers import Servers
from antiphon.calls.squads import Squad, squad_of
from antiphon.calls.stores import DEFAULT_ORG, ResourceStore
from antiphon.chat.agent import TakenOver, TextAgent, TextAgents, Wanted
from antiphon.clock import Clock
from antiphon.engines import EngineRoom, TextEngines, engine_behind
from antiphon.errors import ConfigurationError
from antiphon.providers.failover import FailoverModel
from antiphon.served import ServedAssistants
from antiphon.tools.base import missing_tools
from antiphon.tools.handoff import HandOver
from antiphon.tools.mocked import mocked
from antiphon.vocabulary import CallContext

_START_S = 20.0
"""For so long the first to ask a new engine waits for it."""
_MAX_ID_CHARS = 64


class ServedTextAgents:
    """Implements ``TextAgents``. One per process."""

    def __init__(
        self,
        store: ResourceStore,
        clock: Clock,
        library: AssistantLibrary,
        served: ServedAssistants,
        engines: EngineRoom,
        default_model: Mapping[str, Any] | None = None,
    ) -> None:
        """``default_model`` reads and judges where nobody names a model."""
        self._store = store
        self._clock = clock
        self._library = library
        self._served = served
        self._engines = engines
        self._default_model = default_model
        self._finder = AssistantFinder(store, self._file, clock)
        self._servers = Servers(store)
        self._destinations = Destinations(self._finder, self._squad)
        self._asked: weakref.WeakSet[FailoverModel] = weakref.WeakSet()

    async def find(self, org_id: str, wanted: Wanted) -> TextAgent | None:
        squad, wanted = await self._first(org_id, wanted)
        compiled = await self._compiled(org_id, wanted)
        if compiled is None:
            return None
        handoff = _Handoff(self, self._destinations, org_id, wanted, squad, compiled)
        engines = await self._ready(compiled.spec, handoff.hand_over)
        warnings = (*compiled.warnings, *missing_tools(engines.tools))
        return TextAgent(
            model=engines.model,
            tools=mocked(engines.tools, wanted.mocks),
            messages=compiled.messages,
            options=engines.model_options,
            id=compiled.id,
            name=compiled.spec.name,
            variables=_given(compiled, wanted),
            warnings=warnings,
            handoffs=handoff.tools,
            output_ids=compiled.spec.artifact_plan.structured_output_ids,
            outputs=compiled.spec.artifact_plan.structured_outputs,
            taken_over=handoff.taken_over,
        )

    async def led(self, org_id: str, wanted: Wanted) -> Assistant | None:
        """Who answers, with the server that is told of it, no engine asked. Raises ConfigurationError, StoreUnavailable."""
        _, wanted = await self._first(org_id, wanted)
        return await self._compiled(org_id, wanted)

    async def model(
        self, org_id: str, document: Mapping[str, Any] | None, variables: Mapping[str, Any] | None = None
    ) -> TextAgent | None:
        told = dict(document or {})
        if not told.get("provider"):
            if not self._default_model:
                return None
            told = {**self._default_model, **told}
        told.pop("knowledgeBase", None)  # whoever judges a call puts no question of the caller's
        values = {"variableValues": dict(variables or {})}
        spec = compile_assistant({"model": told}, self._clock.wall_ms(), overrides=values).spec
        engines = await self._ready(spec)
        return TextAgent(engines.model, None, spec.messages(), engines.model_options)

    def engines_in_use(self) -> Iterator[object]:
        """Those of turns that go on: they must not be closed."""
        for model in tuple(self._asked):
            yield from (engine_behind(target) for target in model.targets)

    async def _first(self, org_id: str, wanted: Wanted) -> tuple[Squad | None, Wanted]:
        """The squad, and its first member where no assistant is asked for."""
        squad = await self._squad_of(org_id, wanted)
        if squad is not None and not wanted.assistant_id and wanted.assistant is None:
            first = squad.members[0]
            wanted = replace(
                wanted, assistant_id=first.assistant_id, assistant=first.assistant, overrides=first.overrides
            )
        return squad, wanted

    async def _compiled(self, org_id: str, wanted: Wanted) -> Assistant | None:
        now = self._clock.wall_ms()
        if wanted.assistant is not None:
            return await self._compile(org_id, wanted.assistant, "", wanted, now)
        id = wanted.assistant_id
        if not _is_id(id):
            return None
        stored = await self._store.find("assistant", org_id, id)
        if stored is not None:
            return await self._compile(org_id, stored.body, id, wanted, now)
        document = self._file(id) if org_id == DEFAULT_ORG else None  # files are the server's own organisation's
        return await self._compile(org_id, document, id, wanted, now) if document is not None else None

    async def _compile(
        self, org_id: str, document: Mapping[str, Any], id: str, wanted: Wanted, wall_ms: int
    ) -> Assistant:
        tools = await self._finder.tools(org_id, document, wanted.overrides)
        compiled = compile_assistant(
            document, wall_ms, id=id, overrides=wanted.overrides, variables=wanted.variables, tools=tools
        )
        return await self._servers.led(compiled, org_id)

    async def _squad_of(self, org_id: str, wanted: Wanted) -> Squad | None:
        document, id = wanted.squad, wanted.squad_id
        if id:
            document = await self._squad(org_id, id)
            if document is None:
                raise ConfigurationError("squadId", f"there is no squad {id[:64]}")
        return squad_of(document, wanted.squad_overrides, id=id) if document is not None else None

    async def _squad(self, org_id: str, id: str) -> Mapping[str, Any] | None:
        stored = await self._store.find("squad", org_id, id) if _is_id(id) else None
        return stored.body if stored is not None else None

    def _file(self, name: str) -> Mapping[str, Any] | None:
        if not self._library.has(name):
            return None
        return self._served.document(name)

    async def _ready(self, spec: AssistantSpec, hand_over: HandOver | None = None) -> TextEngines:
        engines = self._engines.for_text(spec, _told_already, hand_over)
        self._asked.add(engines.model)
        await self._engines.tools_known(engines.tools)
        await self._engines.wait_for(engines.model.targets, _START_S)
        return engines


class _Handoff:
    """What an assistant's handoffs do in a turn: the latest counts."""

    def __init__(
        self,
        agents: TextAgents,
        destinations: Destinations,
        org_id: str,
        wanted: Wanted,
        squad: Squad | None,
        compiled: Assistant,
    ) -> None:
        self._agents = agents
        self._destinations = destinations
        self._org_id = org_id
        self._wanted = wanted
        self._squad = squad
        self._variables = compiled.variables
        self._taken_over: TakenOver | None = None
        self.tools = frozenset(offered.name for tool, offered in run_tools(compiled.spec) if tool.type == "handoff")

    def taken_over(self) -> TakenOver | None:
        return self._taken_over

    async def hand_over(self, context: CallContext, destination: Mapping[str, Any], told: Mapping[str, Any]) -> str:
        """As ``tools.handoff.HandOver``."""
        plan = context_of(destination, tuple(self.tools))
        member, _ = await self._destinations.member(self._org_id, self._squad, destination)
        known = known_variables(self._variables, told)
        overrides = self._destinations.overrides(member, destination, known, told)
        wanted = replace(
            self._wanted, assistant_id=member.assistant_id, assistant=member.assistant, overrides=overrides, variables=known
        )  # fmt: skip
        if destination.get("type") == "squad":
            wanted = replace(
                wanted, squad_id=destination.get("squadId") or "", squad=destination.get("squad"),
                squad_overrides=destination.get("squadOverrides") or {},
            )  # fmt: skip
        agent = await self._agents.find(self._org_id, wanted)
        if agent is None:
            raise ConfigurationError("destination.assistantId", f"there is no assistant {wanted.assistant_id[:64]}")
        self._taken_over = TakenOver(agent, wanted, None if plan.kind == "rolling" else plan.kept)
        return agent.name or agent.id or "the next assistant"


def _is_id(id: str) -> bool:
    return 0 < len(id) <= _MAX_ID_CHARS and "\0" not in id


def _given(compiled: Assistant, wanted: Wanted) -> dict[str, str]:
    """The variables people gave. Those that templates have anyway (``date``, ``time``) would be answers in a workflow."""
    own = compiled.document.get("variableValues") or {}
    given = wanted.overrides.get("variableValues") or {}
    return {name: str(value) for name, value in {**wanted.variables, **own, **given}.items()}


def _told_already(provider: str, code: str) -> None:
    """The log has it."""
