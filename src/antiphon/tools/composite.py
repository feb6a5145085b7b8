"""The tools of one assistant, of whatever kinds, as one runner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from antiphon.errors import ProviderError
from antiphon.tools.once import Once
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall, ToolSpec

log = structlog.get_logger(__name__)

_NOT_ASKED = "its server has not been asked which tools it has: calls of the REST API and conversations in text do"


class Runs(Protocol):
    """Does one tool's work."""

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        """Any exception counts as failed."""
        ...


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as an assistant offers it, and who does its work."""

    spec: ToolSpec
    runs: Runs
    keeps_ids: bool = False
    """It keeps the ids of its calls itself, and does nothing twice."""


class ToolSource(Protocol):
    """Tools that somebody else names, when asked."""

    @property
    def field(self) -> str:
        """Of the assistant that wants them."""
        ...

    async def load(self) -> Sequence[OfferedTool]:
        """Within a few seconds. Raises AntiphonError."""
        ...


class CompositeTools:
    """A ``ToolRunner`` that ``LoadsTools``. ``once`` is shared by all calls of the process."""

    def __init__(self, offered: tuple[OfferedTool, ...], once: Once, sources: Sequence[ToolSource] = ()) -> None:
        self._offered: dict[str, OfferedTool] = {tool.spec.name: tool for tool in offered}
        self._specs = tuple(tool.spec for tool in offered)
        self._once = once
        self._sources = tuple(sources)
        self._missing: tuple[tuple[str, str], ...] = tuple((source.field, _NOT_ASKED) for source in self._sources)
        self._loaded = not self._sources
        self._loading = asyncio.Lock()

    def specs(self) -> tuple[ToolSpec, ...]:
        if not self._loaded:
            log.warning("tools_not_asked_for", fields=[source.field for source in self._sources])
        return self._specs

    async def load(self) -> None:
        async with self._loading:
            if not self._loaded:
                await self._load()
                self._loaded = True

    async def _load(self) -> None:
        found = await asyncio.gather(*(source.load() for source in self._sources), return_exceptions=True)
        missing: list[tuple[str, str]] = []
        for source, tools in zip(self._sources, found, strict=True):
            if isinstance(tools, BaseException):
                problem = tools.problem if isinstance(tools, ProviderError) else type(tools).__name__
                log.warning("tools_missing", field=source.field, problem=problem)
                missing.append((source.field, f"its tools are not offered: {problem}"))
                continue
            taken = [tool.spec.name for tool in tools if tool.spec.name in self._offered]
            if taken:
                missing.append((source.field, f"{', '.join(taken)[:200]}: there is a tool of this name already"))
            new = {tool.spec.name: tool for tool in tools if tool.spec.name not in self._offered}
            self._offered |= new
            self._specs += tuple(tool.spec for tool in new.values())
        self._missing = tuple(missing)

    def missing(self) -> tuple[tuple[str, str], ...]:
        return self._missing

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        """Raises ProviderError for an unknown tool, CapacityError where too many run, and what the tool raises."""
        tool = self._offered.get(call.name)
        if tool is None:
            raise ProviderError(f"tools.{call.name}", f"unknown; there are {', '.join(self._offered) or 'none'}")
        if tool.keeps_ids:
            return await tool.runs.run(call, context)
        return await self._once.run((context.call_id, call.id), lambda: tool.runs.run(call, context))
