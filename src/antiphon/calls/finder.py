"""Which assistant a request for a call means: stored, a file, or written out; with the stored tools that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.assistants.compile import Assistant, compile_assistant, tool_ids_of_hooks
from antiphon.calls.planned import CallRequest
from antiphon.calls.servers import Servers
from antiphon.calls.stores import ResourceStore
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError


class UnknownAssistant(ConfigurationError):
    """There is no assistant of this id."""


class AssistantFinder:
    """One per process."""

    def __init__(
        self, resources: ResourceStore, files: Callable[[str], Mapping[str, Any] | None], clock: Clock
    ) -> None:
        """``files`` is the document of the assistant file of this name; None where there is none. It raises ConfigurationError where the
        file is wrong."""
        self._resources = resources
        self._files = files
        self._clock = clock
        self._servers = Servers(resources)

    async def assistant(self, request: CallRequest, call_id: str) -> Assistant:
        """Compiled for this call, with the server that is told of it. Raises ConfigurationError naming the field, UnknownAssistant,
        StoreUnavailable."""
        document = request.assistant
        if document is None:
            document = await self._find(request.org_id, request.assistant_id)
        variables = {**request.variables, "call": {"id": call_id, "type": request.type}}
        tools = await self.tools(request.org_id, document, request.overrides)
        compiled = compile_assistant(
            document, self._clock.wall_ms(), id=request.assistant_id, overrides=request.overrides, variables=variables,
            tools=tools,
        )  # fmt: skip
        return await self._servers.led(compiled, request.org_id, request.phone_number_id)

    async def _find(self, org_id: str, id: str) -> Mapping[str, Any]:
        stored = await self._resources.find("assistant", org_id, id) if 0 < len(id) <= 64 and "\0" not in id else None
        document = stored.body if stored is not None else self._files(id)
        if document is None:
            raise UnknownAssistant("assistantId", f"there is no assistant {id[:64]}")
        return document

    async def tools(
        self, org_id: str, document: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> Mapping[str, Mapping[str, Any]]:
        """The stored tools that the model, and hooks, name by their ids."""
        found: dict[str, Mapping[str, Any]] = {}
        for part in (document, overrides):
            model = part.get("model")
            ids = model.get("toolIds") if isinstance(model, Mapping) else None
            for tool_id in (*(ids[:100] if isinstance(ids, list | tuple) else ()), *tool_ids_of_hooks(part)):
                if isinstance(tool_id, str) and len(tool_id) <= 64 and "\0" not in tool_id and tool_id not in found:
                    tool = await self._resources.find("tool", org_id, tool_id)
                    if tool is not None:
                        found[tool_id] = {**tool.body, "id": tool.id}
        return found

    async def name_of(self, org_id: str, assistant_id: str) -> str:
        """Of a stored assistant or an assistant file; empty where there is none. Raises StoreUnavailable, ConfigurationError."""
        try:
            name = (await self._find(org_id, assistant_id)).get("name")
        except UnknownAssistant:
            return ""
        return name if isinstance(name, str) else ""
