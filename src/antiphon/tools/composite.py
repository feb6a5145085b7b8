"""The tools of one assistant, of whatever kinds, as one runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from antiphon.errors import ProviderError
from antiphon.tools.once import Once
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall, ToolSpec


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


class CompositeTools:
    """A ``ToolRunner``. ``once`` is shared by all calls of the process."""

    def __init__(self, offered: tuple[OfferedTool, ...], once: Once) -> None:
        self._offered: Mapping[str, OfferedTool] = {tool.spec.name: tool for tool in offered}
        self._specs = tuple(tool.spec for tool in offered)
        self._once = once

    def specs(self) -> tuple[ToolSpec, ...]:
        return self._specs

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        """Raises ProviderError for an unknown tool, CapacityError where too many run, and what the tool raises."""
        tool = self._offered.get(call.name)
        if tool is None:
            raise ProviderError(f"tools.{call.name}", f"unknown; there are {', '.join(self._offered) or 'none'}")
        if tool.keeps_ids:
            return await tool.runs.run(call, context)
        return await self._once.run((context.call_id, call.id), lambda: tool.runs.run(call, context))
