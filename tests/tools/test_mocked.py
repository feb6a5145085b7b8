"""Tools whose answers are known beforehand."""

from __future__ import annotations

from antiphon.tools.base import LoadsTools, missing_tools
from antiphon.tools.mocked import mocked
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

CONTEXT = CallContext("c")


class Asked:
    """Two tools, and who was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.loaded = False

    def specs(self) -> tuple[ToolSpec, ...]:
        return ToolSpec("one", ""), ToolSpec("two", "")

    async def run(self, call: ToolCall, context: CallContext) -> str:
        self.calls.append(call.name)
        return "asked"

    async def load(self) -> None:
        self.loaded = True

    def missing(self) -> tuple[tuple[str, str], ...]:
        return (("model.tools.0", "why"),)


async def test_a_mocked_tool_is_not_asked_and_the_others_are() -> None:
    behind = Asked()
    tools = mocked(behind, {"one": "", "three": "x"})
    assert tools is not None and tools.specs() == behind.specs()
    assert await tools.run(ToolCall("1", "one"), CONTEXT) == ""
    assert await tools.run(ToolCall("2", "two"), CONTEXT) == "asked"
    assert behind.calls == ["two"]


async def test_what_others_ask_of_tools_goes_through() -> None:
    behind = Asked()
    tools = mocked(behind, {"one": "1"})
    assert isinstance(tools, LoadsTools)
    await tools.load()
    assert behind.loaded and missing_tools(tools) == behind.missing()
    assert mocked(behind, {}) is behind and mocked(None, {"one": "1"}) is None
