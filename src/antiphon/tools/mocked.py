"""Tools whose answers are known beforehand: nobody is asked for them. For conversations that are tried out."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.tools.base import LoadsTools, ToolRunner, missing_tools
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall, ToolSpec


class MockedTools:
    """A ``ToolRunner`` in front of another one."""

    def __init__(self, behind: ToolRunner, mocks: Mapping[str, str]) -> None:
        """``mocks``: by the tool's name, what it answers."""
        self._behind = behind
        self._mocks = mocks

    def specs(self) -> tuple[ToolSpec, ...]:
        return self._behind.specs()

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        mock = self._mocks.get(call.name)
        return await self._behind.run(call, context) if mock is None else mock

    async def load(self) -> None:
        if isinstance(self._behind, LoadsTools):
            await self._behind.load()

    def missing(self) -> tuple[tuple[str, str], ...]:
        return missing_tools(self._behind)


def mocked(runner: ToolRunner | None, mocks: Mapping[str, str]) -> ToolRunner | None:
    """The same tools, with the answers of ``mocks``."""
    return MockedTools(runner, mocks) if runner is not None and mocks else runner
