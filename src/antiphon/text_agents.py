"""Assistants as they answer in text: files, stored documents, and those that come with a request."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.assistants.compile import Assistant, compile_assistant
from antiphon.assistants.loader import AssistantLibrary
from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.stores import DEFAULT_ORG, ResourceStore
from antiphon.chat.agent import TextAgent, Wanted
from antiphon.clock import Clock
from antiphon.engines import EngineRoom, TextEngines, engine_behind
from antiphon.errors import ConfigurationError
from antiphon.providers.failover import FailoverModel
from antiphon.served import ServedAssistants
from antiphon.tools.base import missing_tools

_START_S = 20.0
"""For so long the first to ask a new engine waits for it."""
_MAX_ID_CHARS = 64
_MOST_TOOLS = 100


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
        self._asked: weakref.WeakSet[FailoverModel] = weakref.WeakSet()

    async def find(self, org_id: str, wanted: Wanted) -> TextAgent | None:
        compiled = await self._compiled(org_id, wanted)
        if compiled is None:
            return None
        engines = await self._ready(compiled.spec)
        warnings = (*compiled.warnings, *missing_tools(engines.tools))
        return TextAgent(
            model=engines.model,
            tools=engines.tools,
            messages=compiled.messages,
            options=engines.model_options,
            id=compiled.id,
            variables=_given(compiled, wanted),
            warnings=warnings,
        )

    async def model(
        self, org_id: str, document: Mapping[str, Any] | None, variables: Mapping[str, Any] | None = None
    ) -> TextAgent | None:
        told = dict(document or {})
        if not told.get("provider"):
            if not self._default_model:
                return None
            told = {**self._default_model, **told}
        values = {"variableValues": dict(variables or {})}
        spec = compile_assistant({"model": told}, self._clock.wall_ms(), overrides=values).spec
        engines = await self._ready(spec)
        return TextAgent(engines.model, None, spec.messages(), engines.model_options)

    def engines_in_use(self) -> Iterator[object]:
        """Those of turns that go on: they must not be closed."""
        for model in tuple(self._asked):
            yield from (engine_behind(target) for target in model.targets)

    async def _compiled(self, org_id: str, wanted: Wanted) -> Assistant | None:
        now = self._clock.wall_ms()
        if wanted.assistant is not None:
            return await self._compile(org_id, wanted.assistant, "", wanted, now)
        id = wanted.assistant_id
        if not 0 < len(id) <= _MAX_ID_CHARS or "\0" in id:
            return None
        stored = await self._store.find("assistant", org_id, id)
        if stored is not None:
            return await self._compile(org_id, stored.body, id, wanted, now)
        if org_id != DEFAULT_ORG or not self._library.has(id):  # files are the server's own organisation's
            return None
        spec = self._served.load(id)
        document = spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
        return await self._compile(org_id, document, id, wanted, now)

    async def _compile(
        self, org_id: str, document: Mapping[str, Any], id: str, wanted: Wanted, wall_ms: int
    ) -> Assistant:
        tools = await self._tools(org_id, document)
        return compile_assistant(document, wall_ms, id=id, overrides=wanted.overrides, tools=tools)

    async def _tools(self, org_id: str, document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        model = document.get("model")
        ids = model.get("toolIds") if isinstance(model, Mapping) else None
        if not isinstance(ids, list):
            return {}
        if len(ids) > _MOST_TOOLS:
            raise ConfigurationError("model.toolIds", f"must contain no more than {_MOST_TOOLS} elements")
        found = {}
        for tool_id in ids:
            if isinstance(tool_id, str) and 0 < len(tool_id) <= _MAX_ID_CHARS and "\0" not in tool_id:
                if (stored := await self._store.find("tool", org_id, tool_id)) is not None:
                    found[tool_id] = stored.body
        return found

    async def _ready(self, spec: AssistantSpec) -> TextEngines:
        engines = self._engines.for_text(spec, _told_already)
        self._asked.add(engines.model)
        await self._engines.tools_known(engines.tools)
        await self._engines.wait_for(engines.model.targets, _START_S)
        return engines


def _given(compiled: Assistant, wanted: Wanted) -> dict[str, str]:
    """The variables people gave. Those that templates have anyway (``date``, ``time``) would be answers in a workflow."""
    own = compiled.document.get("variableValues") or {}
    given = wanted.overrides.get("variableValues") or {}
    return {name: str(value) for name, value in {**own, **given}.items()}


def _told_already(provider: str, code: str) -> None:
    """The log has it."""
